"""What acts on the nodes, summed per node: σεA, hA and the heat put in."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from solvers.boundary_conditions import Convection, Flux, Radiation, Surface, evaluate
from solvers.kernels import add_product

Array = NDArray[np.float64]


@dataclass(eq=False)
class NodeLoads:
    """Radiation, fluxes and convection of a model, and their sums at the owned nodes.

    Values that are numbers are summed per surface before any loop over nodes; σεA is kept while no emissivity is
    assigned anew.

    Parameters
    ----------
    owned : int
        Number of nodes.
    stefan_boltzmann : float
        [W/m²K⁴].
    """

    owned: int
    stefan_boltzmann: float
    radiation: list[Radiation] = field(default_factory=list)
    fluxes: list[Flux] = field(default_factory=list)
    convection: list[Convection] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.radiating: Array = np.zeros(self.owned)
        self.film: Array = np.zeros(0)
        self.load: Array = np.zeros(self.owned)
        self._radiating_key: tuple[tuple[int, float], ...] | None = None

    def gather(self, time: float) -> None:
        """Bring `radiating` [W/K⁴], `film` [W/K] and `load` [W] to a time [s]."""
        sigma = self.stefan_boltzmann
        key = tuple(
            (id(r.surface), float(r.emissivity)) for r in self.radiation if np.ndim(r.emissivity) == 0
        )
        if key != self._radiating_key or len(key) < len(self.radiation):
            self._sum(self.radiating, [(r.surface, sigma * np.asarray(r.emissivity)) for r in self.radiation])
            self._radiating_key = key
        if self.convection and not self.film.size:
            self.film = np.zeros(self.owned)
        if self.convection:
            self._sum(self.film, [(c.surface, np.asarray(c.coefficient)) for c in self.convection])
        heat = [(f.surface, np.asarray(evaluate(f.value, time))) for f in self.fluxes]
        for r in self.radiation:
            sink = np.asarray(evaluate(r.sink_temperature, time))
            heat.append((r.surface, sigma * np.asarray(r.emissivity) * sink**4))
        for c in self.convection:
            heat.append(
                (c.surface, np.asarray(c.coefficient) * np.asarray(evaluate(c.fluid_temperature, time)))
            )
        self._sum(self.load, heat)

    def _sum(self, out: Array, terms: list[tuple[Surface, Array]]) -> None:
        """Overwrite `out` with Σ value·area."""
        out[:] = 0.0
        areas: dict[int, tuple[Array, float]] = {}
        for surface, value in terms:
            area = surface.node_area
            if value.ndim == 0:
                _, sum_so_far = areas.get(id(area), (area, 0.0))
                areas[id(area)] = (area, sum_so_far + float(value))
            else:
                add_product(1.0, np.ascontiguousarray(value, dtype=float), area, out)
        for area, value_sum in areas.values():
            if value_sum != 0.0:
                out += value_sum * area

    def totals(self, temperature: Array, time: float) -> tuple[float, float, float]:
        """Return the heat absorbed, emitted (net of what the sinks send) and convected in [W] on this process."""
        sigma = self.stefan_boltzmann
        absorbed = emitted = convected = 0.0
        fourth = (
            temperature * temperature * temperature * np.abs(temperature) if self.radiation else temperature
        )
        for r in self.radiation:
            sink = np.asarray(evaluate(r.sink_temperature, time))
            emitted += _integral(r.surface.node_area, sigma * np.asarray(r.emissivity), fourth)
            emitted -= _integral(r.surface.node_area, sigma * np.asarray(r.emissivity) * sink**4)
        for f in self.fluxes:
            absorbed += _integral(f.surface.node_area, np.asarray(evaluate(f.value, time)))
        for c in self.convection:
            gap = np.asarray(evaluate(c.fluid_temperature, time)) - temperature
            convected += _integral(c.surface.node_area, np.asarray(c.coefficient), gap)
        return absorbed, emitted, convected


def _integral(area: Array, value: Array, field_values: Array | None = None) -> float:
    """Return Σ area·value·field for a value per node or one for all."""
    if field_values is None:
        return float(value * area.sum()) if value.ndim == 0 else float(area @ value)
    return float(value * (area @ field_values)) if value.ndim == 0 else float(area @ (value * field_values))
