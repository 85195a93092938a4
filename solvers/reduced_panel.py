"""Reduced models of radiator panels: POD-Galerkin with hyper-reduced radiation.

A panel with its tubes has the discrete balance

    C dT/dt = f − ε R(T) − A(ṁ, T_in) T + ṁc·b·T_return

(T: nodes of the panel and of the coolant in it). With few modes, T = V q and VᵀCV = 1, Galerkin's projection keeps what
the full model has: A + Aᵀ is positive semidefinite, so nothing grows; R is sampled with weights of 0 or more, so it
stays monotone; and the constant vector is a mode, so that one of the equations *is* the heat balance and the ledger
closes to rounding. A depends on the flow and the inlet temperature through a table of matrices, interpolated with
weights that sum to one, which keeps all this.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvers.constants import SPACE_TEMPERATURE, STEFAN_BOLTZMANN
from solvers.errors import ModelError
from solvers.reduced_lanes import LANES
from solvers.reduced_operators import Operators

Array = NDArray[np.float64]

FORMAT = 2
"""Changes when the numbers in a stored model change their meaning."""


class OutsideTraining(ModelError):
    """A reduced model was asked for what it was not trained for; the message names the parameter.

    Parameters
    ----------
    message : str
    parameter : str
        Of `Box`.
    modules : (k,) int array
        Modules outside its range.
    """

    def __init__(self, message: str, parameter: str, modules: NDArray[np.int64]):
        super().__init__(message)
        self.parameter, self.modules = parameter, modules


@dataclass(frozen=True)
class Box:
    """Range in which a reduced panel was trained; each (lowest, highest).

    Attributes
    ----------
    absorbed : (float, float)
        Absorbed flux of both faces together [W/m²].
    emissivity : (float, float)
        Times the view to space.
    mass_flow : (float, float)
        Through a panel [kg/s].
    inlet_temperature : (float, float)
        Of the coolant [K].
    """

    absorbed: tuple[float, float]
    emissivity: tuple[float, float]
    mass_flow: tuple[float, float]
    inlet_temperature: tuple[float, float]

    def check(self, name: str, values: ArrayLike, unit: str) -> None:
        """Refuse values outside the range of a parameter.

        Raises
        ------
        OutsideTraining
            Names the parameter, the module, its value and the range.
        """
        low, high = getattr(self, name)
        each = np.atleast_1d(np.asarray(values, dtype=float))
        slack = 1e-4 * (high - low)
        fits = (each >= low - slack) & (each <= high + slack)
        if fits.all():
            return
        outside = np.flatnonzero(~fits)
        bad = int(outside[0])
        others = f" (and {outside.size - 1} more modules)" if outside.size > 1 else ""
        raise OutsideTraining(
            f"reduced model: {name.replace('_', ' ')} of module {bad} is {each[bad]:.6g} {unit}, outside the "
            f"{low:.6g} to {high:.6g} {unit} it was trained for{others}; run the full model (thermal: full) or train "
            "a wider range",
            name,
            outside,
        )


@dataclass(frozen=True, eq=False)
class Regime:
    """Modes and operators of a panel for a range of flows.

    Attributes
    ----------
    flows : (float, float)
        Mass flow through the panel in which it holds [kg/s].
    basis : (n, r) array
        Modes at the nodes of the panel, in mesh numbering; orthonormal in the heat capacity.
    fluid_basis : (f, r) array
        Modes at the fluid nodes of the tubes.
    flow, temperature : (a,), (b,) arrays
        Grid of the operators: mass flow over relative viscosity [kg/s] and inlet temperature [K].
    viscosity : (b,) array
        Relative viscosity at the temperatures of the grid.
    coefficients, terms : (a, b, k), (k, r, r) arrays
        A = Σₖ coefficientₖ·termₖ [1/s, in the units of the modes].
    samples : (s,) int array
        Nodes at which radiation is evaluated.
    weights : (s,) array
    extremes : (e,) int array
        Nodes among which the coldest and the hottest are found.
    inlet, outlet : int
        Fluid nodes where the coolant enters and leaves.
    errors : (3,) array
        Relative errors of the operators between points of the table and of the training integrals of radiation, and
        error of the training snapshots on the modes [K].
    """

    flows: Array
    basis: Array
    fluid_basis: Array
    flow: Array
    temperature: Array
    viscosity: Array
    coefficients: Array
    terms: Array
    samples: NDArray[np.int64]
    weights: Array
    extremes: NDArray[np.int64]
    inlet: int
    outlet: int
    errors: Array

    @property
    def modes(self) -> int:
        """Number of modes."""
        return self.basis.shape[1]


@dataclass(frozen=True, eq=False)
class ReducedPanel:
    """A radiator panel with its tubes, reduced.

    Attributes
    ----------
    regimes : tuple of Regime
        By rising flow; they overlap. Where two hold up to the same flow, the first has more modes: loops that come into
        its range take it, and pass on to the other when that holds them as well.
    capacity, fluid_capacity : (n,), (f,) arrays
        [J/K].
    area : (n,) array
        Of one face [m²].
    faces : int
        Faces that radiate.
    specific_heat, coolant_density : float
        Of the coolant [J/kgK, kg/m³].
    liquid_range : (float, float)
        Freezing and boiling temperature of the coolant [K].
    box : Box
    calm : float
        Error up to which a loop passes on to fewer modes [K].
    certificate : mapping
        Errors against the full model; see `twin.reduced_training`.
    """

    regimes: tuple[Regime, ...]
    capacity: Array
    fluid_capacity: Array
    area: Array
    faces: int
    specific_heat: float
    coolant_density: float
    liquid_range: tuple[float, float]
    box: Box
    calm: float = 0.06
    certificate: Mapping[str, Any] = field(default_factory=dict)

    @property
    def modes(self) -> int:
        """Largest number of modes of a regime."""
        return max(regime.modes for regime in self.regimes)

    @cached_property
    def transfers(self) -> dict[tuple[int, int], Array]:
        """Modes of one regime from those of another, (to, from) → (r_to, r_from); the heat stored stays the same."""
        return {
            (i, j): a.basis.T @ (self.capacity[:, None] * b.basis)
            + a.fluid_basis.T @ (self.fluid_capacity[:, None] * b.fluid_basis)
            for i, a in enumerate(self.regimes)
            for j, b in enumerate(self.regimes)
            if i != j
        }

    @property
    def calmer(self) -> list[tuple[int, int]]:
        """Pairs of regimes that hold for some of the same flows, from many modes to few."""
        ends = [float(regime.flows[1]) for regime in self.regimes]
        steady = [i for i in range(1, len(ends)) if ends[i] == ends[i - 1]]
        return [(k, i) for i in steady for k in range(i) if ends[k] > self.regimes[i].flows[0]]

    def regime_of(self, flow: Array, now: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the regime for flows [kg/s]: the present one as long as it holds, else the first that does."""
        low, high = np.array([regime.flows for regime in self.regimes]).T
        found = now.copy()
        leaving = np.flatnonzero((flow < low[now]) | (flow > high[now]))
        rate = flow[leaving, None]
        fits = (rate >= low) & (rate <= high)
        # Valves may be beyond all of them on the way to a steady state.
        beyond = np.where(flow[leaving] > high[-1], len(low) - 1, 0)
        found[leaving] = np.where(fits.any(axis=1), np.argmax(fits, axis=1), beyond)
        return found

    def operators(self, number: int) -> Operators:
        """Return the arrays of a regime that the kernels work on."""
        r, at = self.regimes[number], self.regimes[number].samples
        emission = STEFAN_BOLTZMANN * self.faces * r.weights * self.area[at]
        rows = np.ascontiguousarray(r.basis[at])
        # The linear part of radiation is exact: with all nodes.
        slope = STEFAN_BOLTZMANN * self.faces * r.basis.T @ (self.area[:, None] * r.basis)
        fill = np.zeros((-(len(r.terms) + 1) % 4, *slope.shape))
        terms = np.concatenate([r.terms, slope[None], fill])
        return Operators(
            flow=r.flow * self.specific_heat,
            temperature=np.ascontiguousarray(r.temperature),
            viscosity=np.ascontiguousarray(r.viscosity),
            coefficients=np.ascontiguousarray(r.coefficients),
            terms=np.ascontiguousarray(np.moveaxis(terms, 0, -1)),
            samples=rows,
            emission=emission,
            emission_rows=np.repeat(emission, LANES),
            emission_total=STEFAN_BOLTZMANN * self.faces * float(self.area.sum()),
            inlet=np.ascontiguousarray(r.fluid_basis[r.inlet]),
            outlet=np.ascontiguousarray(r.fluid_basis[r.outlet]),
            load=self.area @ r.basis,
            glow=STEFAN_BOLTZMANN * self.faces * (self.area @ r.basis),
            sink=SPACE_TEMPERATURE**4,
        )

    def project(self, panel: Array, fluid: Array, number: int) -> Array:
        """Return the modes of temperatures in a regime: the projection that keeps the heat stored, shape (r,)."""
        r = self.regimes[number]
        return (self.capacity * panel) @ r.basis + (self.fluid_capacity * fluid) @ r.fluid_basis

    def save(self, path: Path) -> None:
        """Write to a file, aside first, so that no reader sees half of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {name: getattr(self, name) for name in ("capacity", "fluid_capacity", "area")}
        for k, regime in enumerate(self.regimes):
            arrays |= {f"{k}/{f.name}": np.asarray(getattr(regime, f.name)) for f in fields(regime)}
        notes = {"format": FORMAT, "regimes": len(self.regimes), "box": asdict(self.box)}
        for name in ("faces", "specific_heat", "coolant_density", "liquid_range", "calm"):
            notes[name] = getattr(self, name)
        notes["certificate"] = dict(self.certificate)
        handle, aside = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, notes=np.array(json.dumps(notes)), **arrays)
            Path(aside).replace(path)
        finally:
            Path(aside).unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> ReducedPanel:
        """Read from a file.

        Raises
        ------
        ModelError
            For a file of another format.
        """
        with np.load(path) as stored:
            arrays = {name: stored[name] for name in stored.files}
        notes = json.loads(str(arrays.pop("notes")))
        if notes.pop("format") != FORMAT:
            raise ModelError(f"{path}: reduced model of another format; delete it, and it is trained anew")
        box = Box(**{name: tuple(values) for name, values in notes.pop("box").items()})
        notes["liquid_range"] = tuple(notes["liquid_range"])
        regimes = []
        for k in range(notes.pop("regimes")):
            own = {f.name: arrays.pop(f"{k}/{f.name}") for f in fields(Regime)}
            own |= {name: int(own[name]) for name in ("inlet", "outlet")}
            regimes.append(Regime(**own))
        return cls(regimes=tuple(regimes), **arrays, **notes, box=box)
