"""The cards of one module: a block for every rack, a square for every card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from viz.assembly import array_centres, grid_shape, tile_quads
from viz.card_maps import JUNCTION, SHARES, CardMaps
from viz.paints import Paint, value_limits
from viz.plant_data import PlantData
from viz.stage import CameraPreset, Pick, letters, map_presets, quads_mesh, set_colours

type Floats = NDArray[np.float64]

BLOCK = 0.88
"""Edge of a rack in units of the distance of racks."""


class RackScene:
    """Flat map of the cards of a module; x to the right and y upwards, racks in the order of the coolant.

    Parameters
    ----------
    data : PlantData
        A run that left maps of its cards.
    center, module : int
        Which module.
    """

    key = "racks"
    sample = "card"

    def __init__(self, data: PlantData, center: int, module: int) -> None:
        assert data.path is not None, "a result on disk"
        self.data, self.center, self.module = data, center, module
        self.maps = CardMaps(Path(data.path))
        self._index = int(data.flat_index[center, module])
        self._starts = self.maps.racks_of(self._index)
        self._rack = np.repeat(np.arange(self._starts.size - 1), np.diff(self._starts))
        racks, cards = self._starts.size - 1, int(self._starts[-1])
        kind = data.class_of(center, module)
        self.title = (
            f"sub-center {data.sub_centers[center]}, module {module} ({kind}): {racks} racks, {cards:,} cards"
        )
        self.note = ""
        self._variable = JUNCTION
        self._values: Floats = np.empty(0)
        self._corners, self._labels = self._lay_out(racks)

    def build(self, plotter: Any) -> None:
        """Add the meshes to an empty plotter."""
        self._mesh = quads_mesh(self._corners)
        self._mesh.cell_data["colour"] = np.zeros((self._mesh.n_cells, 3), dtype=np.uint8)
        self._actor = plotter.add_mesh(
            self._mesh, scalars="colour", rgb=True, lighting=False, reset_camera=False
        )
        plotter.add_point_labels(
            self._labels, [f"rack {number}" for number in range(len(self._labels))], text_color="white",
            font_size=letters(plotter, 13 if len(self._labels) <= 32 else 8), shape=None, show_points=False,
            always_visible=True, reset_camera=False, name="names", justification_horizontal="center",
            justification_vertical="bottom",
        )  # fmt: skip

    def update(self, index: int, paint: Paint, limits: tuple[float, float]) -> None:
        """Colour everything for a time stamp."""
        self._variable = paint.variable
        if not self._knows(paint):
            value = float(self.data.values_at(paint.variable, index)[self.center, self.module])
            self._values = np.full(self._rack.size, value)
            self.note = "one colour: the value of the module; the run keeps temperatures and states of cards"
        else:
            cards = self.maps.at(float(self.data.times[index]), self._index, paint.variable)
            self._values = cards.values
            minutes = ", ".join(f"{time / 60:.0f}" for time in self.maps.card_times)
            kept = "every card" if cards.each else f"racks, each by {self._rack_word()}"
            self.note = f"{kept} at {cards.time / 60:.0f} min; every card was kept at {minutes} min"
        set_colours(self._mesh, paint.colours(self._values, limits))

    def presets(self) -> Sequence[CameraPreset]:
        """Return camera presets, the usual one first."""
        return map_presets()

    def extent(self) -> Floats:
        """Return points that must be in the picture."""
        top = self._labels + np.array([0.0, 0.12, 0.0])
        return np.concatenate([self._corners.reshape(-1, 3), top])

    def limits(self, paint: Paint) -> tuple[float, float]:
        """Return SI values for the ends of the colour map: all that was kept of the module."""
        if paint.variable == JUNCTION:
            return value_limits(self.maps.span(self._index), paint)
        if paint.variable in SHARES:
            return value_limits(self.maps.span(self._index, paint.variable), paint)
        return self.data.limits(paint)

    def picked(self, actor: Any, cell: int, position: Floats) -> Pick | None:
        """Return the card of a square."""
        return Pick(self.center, self.module, cell) if actor is self._actor else None

    def outline(self, pick: Pick) -> Floats | None:
        """Return the square of a card, shape (4, 3)."""
        if pick.point is None or (pick.sub_center, pick.module) != (self.center, self.module):
            return None
        corners: Floats = self._corners[pick.point] + np.array([0.0, 0.0, 0.002])
        return corners

    def shown_values(self) -> Floats:
        """Return the SI values that are in the picture."""
        return self._values

    def compass(self) -> Mapping[str, Floats]:
        """Return no directions: a map has none."""
        return {}

    def name_of(self, point: int) -> str:
        """Return the words for a card."""
        rack = int(self._rack[point])
        return f"rack {rack}, card {point - int(self._starts[rack])}"

    def point_series(self, point: int) -> tuple[str, Floats, Floats]:
        """Return name, times [s since start] and values of the rack of a card over the run."""
        rack = int(self._rack[point])
        variable = self._variable if self._variable in (JUNCTION, *SHARES) else JUNCTION
        times, values = self.maps.rack_series(self._index, rack, variable)
        return f"rack {rack}: {self._rack_word()}", times, values

    def _knows(self, paint: Paint) -> bool:
        return paint.variable == JUNCTION or paint.variable in SHARES

    def _rack_word(self) -> str:
        return "its hottest card" if self._variable == JUNCTION else "the mean over its cards"

    def _lay_out(self, racks: int) -> tuple[Floats, Floats]:
        """Return the corners of all cards, shape (card, 4, 3), and the places of the names of the racks."""
        _, columns = grid_shape(racks)
        corners, labels = [], []
        for rack in range(racks):
            count = int(self._starts[rack + 1] - self._starts[rack])
            rows, across = grid_shape(count)
            cells = np.stack(np.divmod(np.arange(count), across), axis=1)
            pitch = BLOCK / max(rows, across)
            place = np.array([rack % columns, -1.2 * (rack // columns), 0.0])
            corners.append(tile_quads(array_centres(cells, pitch), pitch, 0.92).corners + place)
            labels.append(place + np.array([0.0, 0.5 * BLOCK + 0.01, 0.0]))
        return np.concatenate(corners), np.array(labels)
