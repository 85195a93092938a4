"""What the outer surfaces of modules absorb: from Sun and Earth, and from each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin.module_view import FIXED_FACES
from twin.surface_exchange import FaceCoatings, SurfaceExchange

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twin.case.module_class import ModuleClass
    from twin.environment_track import FaceFluxes
    from twin.module_view import ModuleView
    from twin.solar_array import SolarArrayParameters

__all__ = ["ModuleSurfaces", "SurfaceHeat"]

Array = NDArray[np.float64]

_PLACES = ("panel_mean", "array", "array_back", "body")


@dataclass(frozen=True)
class SurfaceHeat:
    """Radiation that surfaces absorb in a tick; arrays (module,).

    Attributes
    ----------
    radiator_front, radiator_back : ndarray
        From everything [W/m²].
    array_front, array_back, body : ndarray
        From everything [W].
    absorbed : ndarray
        By array and body from outside the module [W].
    gained_by_radiator, gained : ndarray
        By the radiator, and by all surfaces, from surfaces of the module [W]: what they give, others of them receive.
    """

    radiator_front: Array
    radiator_back: Array
    array_front: Array
    array_back: Array
    body: Array
    absorbed: Array
    gained_by_radiator: Array
    gained: Array


class ModuleSurfaces:
    """Surfaces of the modules of a group.

    Parameters
    ----------
    design : ModuleClass
    wing : SolarArrayParameters
    sub_center : (module,) int array
    array_back : (module, 2) array
        Absorptance and emissivity.
    body : (module, face, 2) array
        The same of the faces of the body.
    view : ModuleView, optional
        What the faces see of each other; nothing without.

    Notes
    -----
    The heat that a surface radiates is part of the thermal models (`twin.module_thermal`): ε σT⁴ on all of its area.
    What other surfaces take of it is handed to them at the temperatures of the start of the tick, X_ij σT_i⁴ of
    each pair (`twin.surface_exchange`), and is booked as not having left the module: it arrives to the joule. The
    panels are one temperature here, their mean.
    """

    def __init__(
        self,
        design: ModuleClass,
        wing: SolarArrayParameters,
        sub_center: NDArray[np.int64],
        array_back: Array,
        body: Array,
        view: ModuleView | None = None,
    ):
        self.design, self.view, self.sub_center = design, view, sub_center
        self._wing, self._array_back, self._body = wing, array_back, body
        self._two_sided = design.radiator.faces == "both"
        self._area = np.array([face.area for face in design.body.faces])
        self._exchange: SurfaceExchange | None = None

    def set_radiator(self, absorptance: Array, emissivity: Array, area: Array) -> None:
        """Set the coating of the radiators, and their area over that of the design; arrays (module,)."""
        self._absorptance, self._emissivity, self._radiator_area = absorptance, emissivity, area
        if self.view is None:
            return
        wing, back = self._wing, float(self._two_sided)
        ones = np.ones((self.sub_center.size, 1))
        coatings = FaceCoatings(
            *(
                np.concatenate(
                    [
                        radiator[:, None],
                        back * radiator[:, None],
                        front * ones,
                        self._array_back[:, k : k + 1],
                        self._body[:, :, k],
                    ],
                    axis=1,
                )
                for k, (radiator, front) in enumerate(
                    [(absorptance, wing.front_absorptance), (emissivity, wing.front_emissivity)]
                )
            )
        )
        if self._exchange is None:
            self._exchange = SurfaceExchange(
                self.view, self.sub_center, coatings, area, 1.0 - self.design.neighbour_view
            )
        else:
            self._exchange.set_coatings(coatings, area)

    def heat(self, faces: FaceFluxes, temperature: Mapping[str, Array]) -> SurfaceHeat:
        """Return what the surfaces absorb.

        Parameters
        ----------
        faces : FaceFluxes
        temperature : mapping of place to K
            Of panels, array (front and back) and body; arrays (module,).
        """
        if self._exchange is None or faces.pose is None:
            return self._apart(faces)
        from solvers.constants import SPACE_TEMPERATURE, STEFAN_BOLTZMANN

        outside = self._exchange.absorbed(faces.sunlight, faces.infrared, faces.pose)
        kelvin = np.stack([temperature[place] for place in _PLACES], axis=1)
        power = STEFAN_BOLTZMANN * (kelvin**4 - SPACE_TEMPERATURE**4)
        gained = np.einsum("mij,mj->mi", self._exchange.between(faces.pose), power)
        total = outside + gained
        area = self.design.radiator.panel_area * self._radiator_area * (2.0 if self._two_sided else 1.0)
        flux = total[:, 0] / area
        return SurfaceHeat(
            radiator_front=flux,
            radiator_back=flux if self._two_sided else np.zeros_like(flux),
            array_front=total[:, 1],
            array_back=total[:, 2],
            body=total[:, 3],
            absorbed=outside[:, 1:].sum(axis=1),
            gained_by_radiator=gained[:, 0],
            gained=gained.sum(axis=1),
        )

    def _apart(self, faces: FaceFluxes) -> SurfaceHeat:
        """Each surface alone in space; neighbours hide Sun and Earth from the radiator as they hide space."""
        at, wing, view = self.sub_center, self._wing, 1.0 - self.design.neighbour_view
        front, back = (
            view * (self._absorptance * faces.sunlight[at, k] + self._emissivity * faces.infrared[at, k])
            for k in (0, 1)
        )
        array_front = wing.area * (
            wing.front_absorptance * faces.sunlight[at, 2] + wing.front_emissivity * faces.infrared[at, 2]
        )
        array_back = wing.area * (
            self._array_back[:, 0] * faces.sunlight[at, 3] + self._array_back[:, 1] * faces.infrared[at, 3]
        )
        body = np.zeros(at.size)
        if self._area.size:
            sun, earth = faces.sunlight[at, FIXED_FACES:], faces.infrared[at, FIXED_FACES:]
            body = (self._body[:, :, 0] * sun + self._body[:, :, 1] * earth) @ self._area
        none = np.zeros(at.size)
        return SurfaceHeat(
            front, back, array_front, array_back, body, array_front + array_back + body, none, none
        )
