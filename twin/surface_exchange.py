"""Radiation between the surfaces of a module in a run: what they absorb from outside, and what they give each other.

The faces of a module (wings, walls) belong to four temperatures: radiator, front and back of the array, body. With the
exchange areas S of a pose (`twin.module_view`) and an absorptance a of each face in a band,

    absorbed = K P,   K = A a (A - S ρ)⁻¹,   ρ = 1 - a                      all reflections included

for a power P that reaches the faces from outside [W], and between faces X = K S ε = A_i 𝓕_ij with σT⁴ [W/m²]
(`solvers.radiation`). What is insulated of the body reflects everything: it keeps no heat.

Modules of a class differ in the coating of the radiator. K and X are smooth in it and are interpolated between
four values, which is exact to 1e-5; so the cost per module is a few multiplications.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.module_view import FIXED_FACES, ModuleView, PoseWeights

__all__ = ["PARTS", "FaceCoatings", "SurfaceExchange", "band_absorption", "interpolation_weights"]

Array = NDArray[np.float64]

PARTS = ("radiator", "array-front", "array-back", "body")
"""Temperatures that exchange; radiating faces in the order of `twin.module_view`."""

# Chebyshev-Lobatto points on [0, 1]
_LEVELS = 0.5 - 0.5 * np.cos(np.pi * np.arange(4) / 3.0)


def band_absorption(exchange: Array, area: Array, absorptance: Array) -> Array:
    """Power that each face absorbs per power that reaches each, all reflections between them included.

    Parameters
    ----------
    exchange : (..., f, f) array
        A_i F_ij [m²].
    area : (..., f) array
        [m²].
    absorptance : (..., f) array
        In the band.

    Returns
    -------
    (..., f, f) array
        K = A a (A - S ρ)⁻¹.

    Notes
    -----
    A H = P + S ρ H for the irradiation H of diffuse gray faces: Modest, *Radiative Heat Transfer*, 3rd ed., ch. 5.
    """
    system = area[..., None] * np.eye(area.shape[-1]) - exchange * (1.0 - absorptance[..., None, :])
    # A a (A - S ρ)⁻¹: what reaches a face as power is absorbed by all as power
    return np.asarray((absorptance * area)[..., :, None] * np.linalg.inv(system))


def interpolation_weights(values: Array) -> Array:
    """Weights of the four levels for a property in [0, 1], shape (n, 4): the cubic through them.

    Parameters
    ----------
    values : (n,) array
    """
    weights = np.ones((np.size(values), _LEVELS.size))
    for i, level in enumerate(_LEVELS):
        for j, other in enumerate(_LEVELS):
            if i != j:
                weights[:, i] *= (np.ravel(values) - other) / (level - other)
    return weights


@dataclass(frozen=True, eq=False)
class FaceCoatings:
    """Coatings of the faces of modules; arrays (module, face) in the order of `twin.module_view`.

    Attributes
    ----------
    absorptance, emissivity : ndarray
        Those of the radiator are taken from its front; a back face of zeros is insulated.
    """

    absorptance: Array
    emissivity: Array


class SurfaceExchange:
    """Exchange of the modules of a group.

    Parameters
    ----------
    view : ModuleView
    sub_center : (module,) int array
    coatings : FaceCoatings
    radiator_area : (module,) array
        Over that of the design.
    open_view : float
        Share of the radiator's view that modules beside it leave.
    """

    def __init__(
        self,
        view: ModuleView,
        sub_center: NDArray[np.int64],
        coatings: FaceCoatings,
        radiator_area: Array,
        open_view: float = 1.0,
    ):
        self.view, self.open_view = view, open_view
        self.sub_center = np.asarray(sub_center, dtype=np.int64)
        faces = view.face_area.size
        part = np.array([0, 0, 1, 2, *[3] * (faces - FIXED_FACES)])
        self._gather = (np.arange(len(PARTS))[:, None] == part).astype(float)
        self._others: tuple[Array, bool] | None = None
        self.set_coatings(coatings, radiator_area)

    def set_coatings(self, coatings: FaceCoatings, radiator_area: Array) -> None:
        """Change coatings and areas of the radiators; arguments as for the class."""
        c = coatings
        self.radiator_area = np.asarray(radiator_area, dtype=float)
        self._solar_weights = interpolation_weights(c.absorptance[:, 0])
        self._infrared_weights = interpolation_weights(c.emissivity[:, 0])
        two_sided = bool((c.emissivity[:, 1] > 0.0).any())
        rest = np.concatenate([c.absorptance[:, 2:], c.emissivity[:, 2:]], axis=1)
        if (
            self._others is not None
            and self._others[1] == two_sided
            and np.array_equal(rest, self._others[0])
        ):
            return  # ensembles change their radiators at every analysis, and nothing else
        self._others, self._two_sided = (rest, two_sided), two_sided
        kinds, kind = np.unique(rest, axis=0, return_inverse=True)
        self._kinds = np.split(kinds, 2, axis=1)
        keys, place = np.unique(np.stack([self.sub_center, kind.ravel()]), axis=1, return_inverse=True)
        self._members = [
            (int(center), int(kind), np.flatnonzero(place.ravel() == number))
            for number, (center, kind) in enumerate(keys.T)
        ]
        self._tables: tuple[Array, Array, Array] | None = None

    # -- tables over poses, kinds of coatings, and levels of the radiator's own -----------------------

    def _levels(self, kinds: Array) -> Array:
        """Property of every face for each kind and level, the insulated rest of the body last."""
        faces = self.view.face_area.size
        out = np.zeros((len(kinds), _LEVELS.size, faces + 1))
        out[:, :, 0] = _LEVELS
        out[:, :, 1] = _LEVELS if self._two_sided else 0.0
        out[:, :, 2:faces] = kinds[:, None]
        return out

    def _tabulate(self) -> tuple[Array, Array, Array]:
        """K of the solar and infrared band from faces to parts, and X between parts."""
        view, gather = self.view, self._gather
        done = 0 if self._tables is None else len(self._tables[0])
        if self._tables is not None and done == len(view.exchange):
            return self._tables
        exchange = view.exchange[done:, None, None]
        faces = view.face_area.size
        area = np.empty((len(exchange), 1, 1, faces + 1))
        area[..., :faces] = view.face_area
        # where nothing is insulated, nothing sees it: any area will do
        insulated = view.insulated[done:]
        area[:, 0, 0, faces] = np.where(insulated > 0.0, insulated, 1.0)
        solar, infrared = (
            band_absorption(exchange, area, self._levels(kinds))[..., :faces, :] for kinds in self._kinds
        )
        emitted = exchange * self._levels(self._kinds[1])[..., None, :]
        between = infrared @ emitted
        between = gather @ between[..., :faces] @ gather.T
        new = (
            gather @ solar[..., :faces],
            gather @ infrared[..., :faces],
            0.5 * (between + np.swapaxes(between, -1, -2)),
        )
        if self._tables is not None:
            new = tuple(np.concatenate(pair) for pair in zip(self._tables, new))  # type: ignore[assignment]
        self._tables = new
        return new

    # -- in a run ---------------------------------------------------------------------------------

    def absorbed(self, sunlight: Array, infrared: Array, at: PoseWeights) -> Array:
        """Power from outside that the parts of each module absorb.

        Parameters
        ----------
        sunlight, infrared : (sub_center, face) arrays
            What reaches the faces directly [W/m²].
        at : PoseWeights
            Of each sub-center.

        Returns
        -------
        (module, part) array
            [W]
        """
        tables = self._tabulate()[:2]
        powers = [flux * self.view.face_area for flux in (sunlight, infrared)]
        levels = self._solar_weights, self._infrared_weights
        result = np.empty((self.sub_center.size, len(PARTS)))
        for center, kind, members in self._members:
            rows, weight = at.row[center], at.weight[center]
            each = (
                level[members]
                @ (np.tensordot(weight, table[rows, kind], axes=1) @ power[center]).reshape(-1, len(PARTS))
                for table, power, level in zip(tables, powers, levels)
            )
            result[members] = sum(each)
        result[:, 0] *= self.open_view * self.radiator_area
        return result

    def between(self, at: PoseWeights) -> Array:
        """A_i 𝓕_ij between the parts of each module, symmetric, shape (module, part, part) [m²].

        Parameters
        ----------
        at : PoseWeights
            Of each sub-center.
        """
        table, parts = self._tabulate()[2], len(PARTS)
        result = np.empty((self.sub_center.size, parts**2))
        for center, kind, members in self._members:
            each = np.tensordot(at.weight[center], table[at.row[center], kind], axes=1)
            result[members] = self._infrared_weights[members] @ each.reshape(-1, parts**2)
        matrix = result.reshape(-1, parts, parts)
        share = self.open_view * self.radiator_area[:, None]
        matrix[:, 0] *= share
        matrix[:, 1:, 0] *= share
        return matrix
