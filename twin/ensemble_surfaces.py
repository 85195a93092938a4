"""Surfaces of modules that are samples: each sees the Sun and the Earth of its environment with factors of its own."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twin.module_surfaces import ModuleSurfaces, SurfaceHeat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twin.environment_track import FaceFluxes

Array = NDArray[np.float64]

_SOURCES = ("direct", "albedo", "infrared")
_OUTSIDE = ("radiator_front", "radiator_back", "array_front", "array_back", "body", "absorbed")


class SampledSurfaces(ModuleSurfaces):
    """`ModuleSurfaces` whose modules scale sunlight, albedo and infrared, and whose radiators lean towards the Sun.

    What surfaces absorb from outside is linear in the three fluxes: it is computed for each of them and put together.

    Attributes
    ----------
    factors : mapping of source to (module,) array
        On direct sunlight, albedo and infrared.
    lean : (module,) array
        Sine of the angle between the plane of the radiator's front and the Sun.
    sunlight : (module,) array
        Direct flux on a face towards the Sun, of the tick [W/m²]; set before :meth:`heat`.
    """

    factors: Mapping[str, Array]
    lean: Array
    sunlight: Array

    @classmethod
    def of(
        cls, surfaces: ModuleSurfaces, solar: Array, albedo: Array, infrared: Array, lean: Array
    ) -> SampledSurfaces:
        """Return surfaces with factors, arrays (module,)."""
        own = cls.__new__(cls)
        own.__dict__.update(surfaces.__dict__)
        own.factors = {"direct": solar, "albedo": solar * albedo, "infrared": infrared}
        own.lean, own.sunlight = lean, np.zeros(lean.size)
        return own

    def heat(self, faces: FaceFluxes, temperature: Mapping[str, Array]) -> SurfaceHeat:
        """Return what the surfaces absorb; see `ModuleSurfaces.heat`."""
        nothing = np.zeros_like(faces.direct)
        off: dict[str, Any] = dict.fromkeys(_SOURCES, nothing)
        dark = replace(faces, **off)
        # What surfaces give each other is there without Sun and Earth; the rest is linear in each flux.
        base = super().heat(dark, temperature)
        total = {f.name: getattr(base, f.name) for f in fields(SurfaceHeat)}
        for source in _SOURCES:
            on: dict[str, Any] = {source: getattr(faces, source)}
            part = super().heat(replace(dark, **on), temperature)
            for name in _OUTSIDE:
                gain = getattr(part, name) - getattr(base, name)
                total[name] = total[name] + self.factors[source] * gain
        front = (
            self._absorptance * (1.0 - self.design.neighbour_view) * self.sunlight * self.factors["direct"]
        )
        total["radiator_front"] = total["radiator_front"] + front * np.maximum(self.lean, 0.0)
        if self._two_sided:
            total["radiator_back"] = total["radiator_back"] + front * np.maximum(-self.lean, 0.0)
        return SurfaceHeat(**total)
