"""Diffuse reflections among faces in one spectral band, and the surface properties they need."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import LinearOperator, cg

from solvers.surfaces import Floats, SurfaceError
from solvers.view_factors import ViewFactors

#: faces up to which W is factorised and X is a plain matrix; above, both act as operators
DENSE_FACES = 3000


def check_surface_property(values: Floats | float, faces: int, name: str, positive: bool = True) -> Floats:
    """Emissivities or absorptances as an array of one per face, in (0, 1] (or [0, 1]).

    Raises
    ------
    SurfaceError
        For a wrong number of values, or a value out of range: its face and value.
    """
    array = np.asarray(values, dtype=float)
    if array.ndim == 0:
        array = np.full(faces, float(array))
    if array.shape != (faces,):
        raise SurfaceError(
            f"{name}: one value, or one for each of the {faces} faces is expected, not {array.shape}"
        )
    if positive and faces and (array == 0.0).all():
        raise SurfaceError(
            f"{name} is zero on all {faces} faces: no heat can be radiated; give at least one in (0, 1]"
        )
    bad = np.flatnonzero(~((array > 0.0) if positive else (array >= 0.0)) | ~(array <= 1.0))
    if len(bad):
        interval = "(0, 1]" if positive else "[0, 1]"
        raise SurfaceError(f"{name} of face {bad[0]} is {array[bad[0]]}, it must lie in {interval}")
    return array


class BandExchange:
    """Diffuse reflections among faces in one spectral band.

    Parameters
    ----------
    factors : ViewFactors
        Reciprocal; closed to the accuracy that is wanted of the radiosities.
    absorptance : (f,) float or float
        Share of incident radiation that each face absorbs in the band, [0, 1].
    """

    def __init__(self, factors: ViewFactors, absorptance: Floats | float):
        self.factors = factors
        count = len(factors.areas)
        self.absorptance = check_surface_property(absorptance, count, "absorptance", positive=False)
        self.reflectance = 1.0 - self.absorptance
        self._root = np.sqrt(self.reflectance)
        self.dense = count <= DENSE_FACES
        self._refuse_mirror_box()

    def irradiation(self, direct: Floats) -> Floats:
        """Power that reaches each face after all reflections [W].

        Parameters
        ----------
        direct : (f,) or (f, k) float
            Power that reaches each face before any reflection, from emission of the others or from outside
            [W].

        Returns
        -------
        float
            Same shape: A H with A H = direct + S ρ H.
        """
        power = np.asarray(direct, dtype=float)
        column = power[:, None] if power.ndim == 1 else power
        root = self._root[:, None]
        bounced = self.factors.exchange @ (root * self._solve(root * column))
        return (column + bounced).reshape(power.shape)

    def absorbed(self, direct: Floats) -> Floats:
        """Power that each face absorbs [W] of what reaches the faces directly [W], after all reflections."""
        power = self.irradiation(direct)
        return self.absorptance.reshape(-1, *(1,) * (power.ndim - 1)) * power

    @cached_property
    def _factorised(self) -> tuple[NDArray[np.float64], bool]:
        matrix = (
            np.diag(self.factors.areas) - self._root[:, None] * self.factors.exchange.toarray() * self._root
        )
        return cho_factor(matrix, lower=True)

    def _solve(self, right: Floats) -> Floats:
        """W⁻¹ on columns."""
        if self.dense:
            return np.asarray(cho_solve(self._factorised, right), dtype=np.float64)
        area, exchange, root = self.factors.areas, self.factors.exchange, self._root
        shape = (len(area), len(area))
        operator = LinearOperator(
            shape, matvec=lambda x: area * x - root * (exchange @ (root * x)), dtype=float
        )
        scale = LinearOperator(shape, matvec=lambda x: x / area, dtype=float)
        columns = []
        for column in right.T:
            solution, status = cg(operator, column, rtol=1e-13, atol=0.0, maxiter=5000, M=scale)
            if status:
                raise SurfaceError(
                    f"reflections among {len(area)} faces did not converge in 5000 passes: "
                    f"mean reflectance {self.reflectance.mean():.4f}, {self.factors.space.sum():.3g} m² "
                    "open to space"
                )
            columns.append(solution)
        return np.stack(columns, axis=1)

    def _refuse_mirror_box(self) -> None:
        """Faces that only reflect and see only each other would keep light for ever."""
        exchange = self.factors.exchange
        number, group = connected_components(exchange, directed=False)
        area = self.factors.areas
        way_out = np.bincount(group, weights=self.absorptance * area + self.factors.space, minlength=number)
        total = np.bincount(group, weights=area, minlength=number)
        lonely = np.flatnonzero((way_out <= 1e-12 * total) & (np.bincount(group, minlength=number) > 1))
        if len(lonely):
            faces = np.flatnonzero(group == lonely[0])
            raise SurfaceError(
                f"faces {', '.join(map(str, faces[:5]))} see only each other and absorb nothing: radiation "
                "has no way out; "
                "give one of them an absorptance above 0"
            )
