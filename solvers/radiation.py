"""Gray diffuse exchange between surfaces, space and other far surfaces, in one band or two.

With emissivity ε, reflectance ρ = 1 - ε, exchange areas S_ij = A_i F_ij, far columns s_ik = A_i F_ik (to
space, Earth, …), black emissive powers E = σT⁴ and the irradiation H of each face [W/m²],

    A H = S J + s E_far,        J = ε E + ρ H                    (radiosity: Hottel 1954, Modest ch. 5)

Substituting y = √ρ H makes the system symmetric positive definite also for black faces,

    W y = √ρ (S ε E + s E_far),   W = A - √ρ S √ρ

and the heat that leaves the faces is Q = (Σ_j X_ij + Σ_k x_ik) E_i - Σ_j X_ij E_j - Σ_k x_ik E_k with the
symmetric X = ε (S + S √ρ W⁻¹ √ρ S) ε = A_i 𝓕_ij (Hottel's script-F; ε_i A_i times Gebhart's B_ij) and
x = ε (s + S √ρ W⁻¹ √ρ s). Row sums stand on the diagonal, so heat is conserved and an isothermal enclosure
exchanges none, to rounding, whatever the errors of the view factors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator

from solvers.band_exchange import BandExchange, check_surface_property
from solvers.constants import STEFAN_BOLTZMANN
from solvers.surfaces import Floats, SurfaceError
from solvers.view_factors import ViewFactors


@dataclass(frozen=True, eq=False)
class EnclosureSolution:
    """State of an enclosure.

    Attributes
    ----------
    temperature : (f,) float
        [K]
    heat : (f,) float
        Net radiative heat that leaves each face [W].
    radiosity : (f,) float
        J [W/m²].
    irradiation : (f,) float
        H [W/m²].
    """

    temperature: Floats
    heat: Floats
    radiosity: Floats
    irradiation: Floats


class SurfaceExchange:
    """Infrared exchange of gray faces with each other and with far surfaces.

    Parameters
    ----------
    factors : ViewFactors
    emissivity : (f,) float or float
        In (0, 1].
    far : mapping of name to (f,) float, optional
        A_i F_ik of far surfaces, such as Earth [m²]; ``space`` takes what they leave of ``factors.space``.
    stefan_boltzmann : float
        [W/m²K⁴]; verification cases bring their own.

    Raises
    ------
    SurfaceError
        For an emissivity outside (0, 1], or far surfaces that take more than what goes to space.
    """

    def __init__(
        self,
        factors: ViewFactors,
        emissivity: Floats | float,
        far: Mapping[str, Floats] | None = None,
        stefan_boltzmann: float = STEFAN_BOLTZMANN,
    ):
        self.factors = factors
        self.areas = factors.areas
        self.emissivity = check_surface_property(emissivity, len(self.areas), "emissivity")
        self.stefan_boltzmann = stefan_boltzmann
        self.band = BandExchange(factors, self.emissivity)
        columns = {name: np.asarray(value, dtype=float) for name, value in (far or {}).items()}
        rest = factors.space - sum(columns.values(), np.zeros(len(self.areas)))
        over = np.flatnonzero(rest < -1e-3 * self.areas)
        if len(over):
            raise SurfaceError(
                f"far surfaces {', '.join(columns)} take {-rest[over[0]]:.4g} m² more of face {over[0]} "
                "than goes to space "
                f"({factors.space[over[0]]:.4g} m²)"
            )
        columns["space"] = np.maximum(rest, 0.0)
        self.far_names = tuple(columns)
        self._far = np.stack(list(columns.values()), axis=1)

    @cached_property
    def far_exchange(self) -> Floats:
        """A_i 𝓕_ik with each far surface, reflections included, shape (f, k) [m²]; order of ``far_names``."""
        return self.emissivity[:, None] * self.band.irradiation(self._far)

    @cached_property
    def exchange_matrix(self) -> Floats:
        """A_i 𝓕_ij between faces, symmetric, shape (f, f) [m²]; formed on demand."""
        emitted = self.factors.exchange.toarray() * self.emissivity
        matrix = self.emissivity[:, None] * self.band.irradiation(emitted)
        return 0.5 * (matrix + matrix.T)

    @cached_property
    def gebhart_factors(self) -> Floats:
        """B_ij: share of what face i emits that face j absorbs, shape (f, f)."""
        return self.exchange_matrix / (self.emissivity * self.areas)[:, None]

    @cached_property
    def total_exchange(self) -> Floats:
        """Σ_j X_ij + Σ_k x_ik, shape (f,) [m²]: ε_i A_i when the factors are closed."""
        return self.absorbed(np.ones_like(self.areas), np.ones(len(self.far_names)))

    def absorbed(self, emissive_power: Floats, far_emissive_power: Floats) -> Floats:
        """Infrared power that each face absorbs [W].

        Parameters
        ----------
        emissive_power : (f,) float
            σT⁴ of each face [W/m²].
        far_emissive_power : (k,) float
            Of each far surface, order of ``far_names`` [W/m²].
        """
        if self.band.dense:
            near = self.exchange_matrix @ emissive_power
        else:
            near = self.emissivity * self.band.irradiation(
                self.factors.exchange @ (self.emissivity * emissive_power)
            )
        return np.asarray(near + self.far_exchange @ far_emissive_power, dtype=np.float64)

    def net_power(self, emissive_power: Floats, far_emissive_power: Floats) -> Floats:
        """Heat that leaves each face [W], linear in the emissive powers [W/m²]."""
        return self.total_exchange * emissive_power - self.absorbed(emissive_power, far_emissive_power)

    def net_heat(
        self, temperature: Floats, far_emissive_power: Mapping[str, float] | None = None
    ) -> tuple[Floats, LinearOperator]:
        """Heat that leaves each face and its derivative.

        Parameters
        ----------
        temperature : (f,) float
            [K]
        far_emissive_power : mapping of name to float, optional
            σT⁴ of far surfaces, such as the infrared that Earth emits [W/m²]; zero unless given.

        Returns
        -------
        heat : (f,) float
            [W], positive where the face cools.
        derivative : LinearOperator
            dq_i/dT_j [W/K], shape (f, f).
        """
        kelvin = np.asarray(temperature, dtype=float)
        power = self.stefan_boltzmann * np.abs(kelvin) ** 3 * kelvin
        heat = self.net_power(power, self.far_powers(far_emissive_power))
        slope = 4.0 * self.stefan_boltzmann * np.abs(kelvin) ** 3
        none = np.zeros(len(self.far_names))
        count = len(self.areas)
        derivative = LinearOperator(
            (count, count),
            matvec=lambda change: self.net_power(slope * np.ravel(change), none),
            rmatvec=lambda change: slope * self.net_power(np.ravel(change), none),
            dtype=np.float64,
        )
        return heat, derivative

    def far_powers(self, powers: Mapping[str, float] | None) -> Floats:
        """Emissive powers in the order of ``far_names``, shape (k,) [W/m²]; zero where not given."""
        given = dict(powers or {})
        unknown = sorted(set(given) - set(self.far_names))
        if unknown:
            raise SurfaceError(f"no far surface named {unknown[0]!r}; there are: {', '.join(self.far_names)}")
        return np.array([given.get(name, 0.0) for name in self.far_names])

    def solve(
        self,
        temperature: Floats,
        heat_flux: Floats,
        far_emissive_power: Mapping[str, float] | None = None,
    ) -> EnclosureSolution:
        """Enclosure with temperatures on some faces and heat fluxes on the others.

        Parameters
        ----------
        temperature : (f,) float
            [K]; nan where the flux is given.
        heat_flux : (f,) float
            Net flux that leaves the face by radiation [W/m²]; nan where the temperature is given.
        far_emissive_power : mapping of name to float, optional
            [W/m²]

        Returns
        -------
        EnclosureSolution

        Raises
        ------
        SurfaceError
            If a face has both or neither, if nothing fixes the level of temperature, or if a flux
            would need a negative σT⁴.
        """
        kelvin, flux = np.asarray(temperature, dtype=float), np.asarray(heat_flux, dtype=float)
        count = len(self.areas)
        if kelvin.shape != (count,) or flux.shape != (count,):
            raise SurfaceError(
                f"temperature and heat flux need shape ({count},), not {kelvin.shape} and {flux.shape}"
            )
        bad = np.flatnonzero(np.isnan(kelvin) == np.isnan(flux))
        if len(bad):
            raise SurfaceError(f"face {bad[0]} needs either a temperature or a heat flux (nan in the other)")
        far = self.far_powers(far_emissive_power)
        unknown = np.isnan(kelvin)
        power = np.where(unknown, 0.0, self.stefan_boltzmann * np.nan_to_num(kelvin) ** 4)
        if unknown.any():
            if unknown.all() and not self._far.any():
                raise SurfaceError(
                    "a closed enclosure with heat fluxes alone has no level of temperature; fix one face"
                )
            matrix = np.diag(self.total_exchange) - self.exchange_matrix
            right = (flux * self.areas)[unknown] - self.net_power(power, far)[unknown]
            power[unknown] = np.linalg.solve(matrix[np.ix_(unknown, unknown)], right)
            if (power < 0.0).any():
                worst = int(np.argmin(power))
                raise SurfaceError(
                    f"face {worst} cannot take up {-flux[worst]:.6g} W/m²: the others do not send that much "
                    "to it"
                )
        heat = self.net_power(power, far)
        # H from what is absorbed, J from what is emitted and reflected
        irradiation = self.absorbed(power, far) / (self.emissivity * self.areas)
        radiosity = self.emissivity * power + (1.0 - self.emissivity) * irradiation
        return EnclosureSolution((power / self.stefan_boltzmann) ** 0.25, heat, radiosity, irradiation)


class NodalExchange:
    """Surface exchange seen from the nodes of a finite-element mesh.

    Each node emits by its own temperature (a diagonal term, which keeps the maximum principle), each
    face receives by the mean σT⁴ of the others and hands it to its nodes by their share; energy is conserved
    exactly.

    Parameters
    ----------
    exchange : SurfaceExchange
    shares : (f, n) csr
        Share of each node in the area of each face; rows sum to one (`face_node_shares`).
    """

    def __init__(self, exchange: SurfaceExchange, shares: csr_array):
        faces = len(exchange.areas)
        if shares.shape[0] != faces:
            raise SurfaceError(f"shares need one row for each of the {faces} faces, not {shares.shape[0]}")
        off = np.flatnonzero(np.abs(shares.sum(axis=1) - 1.0) > 1e-9)
        if len(off):
            raise SurfaceError(
                f"shares of the nodes of face {off[0]} sum to {shares.sum(axis=1)[off[0]]:.6g}, not to 1"
            )
        self.exchange = exchange
        self.shares = csr_array(shares)
        self._spread = csr_array(self.shares.T)
        self.emission = self._spread @ exchange.total_exchange

    def net_heat(
        self, temperature: Floats, far_emissive_power: Mapping[str, float] | None = None
    ) -> tuple[Floats, LinearOperator]:
        """Heat that leaves each node [W] and its derivative [W/K]; see `SurfaceExchange.net_heat`.

        Parameters
        ----------
        temperature : (n,) float
            [K]
        far_emissive_power : mapping of name to float, optional
            [W/m²]
        """
        kelvin = np.asarray(temperature, dtype=float)
        sigma = self.exchange.stefan_boltzmann
        far = self.exchange.far_powers(far_emissive_power)
        heat = self._net_power(sigma * np.abs(kelvin) ** 3 * kelvin, far)
        slope = 4.0 * sigma * np.abs(kelvin) ** 3
        none = np.zeros_like(far)
        shape = (len(kelvin), len(kelvin))
        derivative = LinearOperator(
            shape,
            matvec=lambda change: self._net_power(slope * np.ravel(change), none),
            rmatvec=lambda change: slope * self._net_power(np.ravel(change), none),
            dtype=np.float64,
        )
        return heat, derivative

    def _net_power(self, emissive_power: Floats, far: Floats) -> Floats:
        absorbed = self.exchange.absorbed(self.shares @ emissive_power, far)
        return np.asarray(self.emission * emissive_power - self._spread @ absorbed, dtype=np.float64)


def mean_exchange(factors: ViewFactors, group: NDArray[np.int64]) -> ViewFactors:
    """View factors between groups of faces: exchange areas add up.

    Parameters
    ----------
    factors : ViewFactors
    group : (f,) int
        Group of each face, from 0 without gaps.
    """
    count = int(group.max()) + 1
    gather = csr_array((np.ones(len(group)), (group, np.arange(len(group)))), shape=(count, len(group)))
    variance = csr_array(factors.exchange_errors.power(2))
    return ViewFactors(
        areas=gather @ factors.areas,
        exchange=csr_array(gather @ factors.exchange @ gather.T),
        space=gather @ factors.space,
        exchange_errors=csr_array((gather @ variance @ gather.T).power(0.5)),
        space_errors=np.sqrt(gather @ factors.space_errors**2),
    )
