"""From snapshots of a full panel model to a reduced one: modes, operators over flow and temperature, samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from solvers.errors import ModelError
from solvers.hyper_reduction import sample_radiation
from solvers.reduced_full import FullPanel, carried_matrix, exchange_matrices
from solvers.reduced_modes import Snapshots, modes_of
from solvers.reduced_panel import Box, ReducedPanel, Regime
from solvers.reduced_tables import Table, separate, tabulate

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ReductionSettings:
    """How fine a reduced model is.

    Attributes
    ----------
    regimes : int
        Ranges of flow with modes of their own.
    overlap : float
        Ratio by which a range reaches beyond its ends.
    projection_tolerance : float
        Error at the worst node that 99 of 100 training snapshots stay below on the modes [K].
    most_modes : int
        Of a regime in the upper half, where a plant runs: they cost its time.
    sampling_tolerance : float
        Relative error of the training integrals of radiation, its exact linear part aside.
    creeping_projection, creeping_modes, creeping_sampling : float, int, float
        The three in the lower half, where little coolant moves and panels are coldest and least even.
    calm : float
        Error at which a loop passes on from those regimes to the one above them [K].
    steady_reach : float
        Ratio by which the regime above those reaches down into their flows. It is for panels that have not been colder;
        those that come from below stay with the many modes that hold the front creeping through them.
    operator_tolerance : float
        Relative error of the exchange with the coolant between points of its table.
    most_flows : int
        Points of the table over flow.
    """

    regimes: int = 10
    overlap: float = 1.1
    projection_tolerance: float = 0.04
    most_modes: int = 48
    sampling_tolerance: float = 1e-2
    creeping_projection: float = 0.02
    creeping_modes: int = 160
    creeping_sampling: float = 1.5e-3
    calm: float = 0.06
    steady_reach: float = 1.3
    operator_tolerance: float = 1e-4
    most_flows: int = 300

    def creeping(self) -> ReductionSettings:
        """Return the settings of the lower half of the flows."""
        return replace(
            self,
            projection_tolerance=self.creeping_projection,
            most_modes=self.creeping_modes,
            sampling_tolerance=self.creeping_sampling,
        )


def regime_flows(low: float, high: float, count: int, overlap: float) -> list[tuple[float, float]]:
    """Return the ranges of flow of the regimes: equal ratios, each reaching into its neighbours."""
    edges = np.geomspace(low, high, count + 1)
    ends = [(float(a / overlap), float(b * overlap)) for a, b in pairwise(edges)]
    return [(max(a, low / 1.01), min(b, high * 1.01)) for a, b in ends]


def _regime(
    full: FullPanel,
    snapshots: Array,
    flows: tuple[float, float],
    table: Table,
    settings: ReductionSettings,
) -> Regime:
    n = full.nodes
    found = modes_of(
        snapshots, full.weights, full.capacity, settings.projection_tolerance, settings.most_modes
    )
    basis, table = found.basis, table.between(flows)
    panel = np.ascontiguousarray(basis[:n])
    matrices = exchange_matrices(full, basis)
    coefficients, terms = separate(table.values, matrices, 0.1 * settings.operator_tolerance)
    # Conduction, and what the coolant carries, are exact terms of their own: heat is conserved to rounding.
    rate = full.specific_heat * np.multiply.outer(table.flow, table.viscosity)
    coefficients = np.concatenate([coefficients, rate[..., None], np.ones((*rate.shape, 1))], axis=2)
    conducted = panel.T @ (full.conduction @ panel)
    terms = np.concatenate([terms, carried_matrix(full, basis)[None], conducted[None]])
    modes = basis.T @ (full.capacity[:, None] * snapshots)
    fields = panel @ modes[:, :: max(1, modes.shape[1] // 300)]
    samples = sample_radiation(panel, full.area, fields, settings.sampling_tolerance)
    extremes = np.unique(np.concatenate([snapshots[:n].argmin(axis=0), snapshots[:n].argmax(axis=0)]))
    return Regime(
        flows=np.array(flows),
        basis=panel,
        fluid_basis=np.ascontiguousarray(basis[n:]),
        flow=table.flow,
        temperature=table.temperature,
        viscosity=table.viscosity,
        coefficients=coefficients,
        terms=terms,
        samples=samples.nodes,
        weights=samples.weights,
        extremes=extremes,
        inlet=full.inlet - n,
        outlet=full.outlet - n,
        errors=np.array([table.error, samples.error, found.error]),
    )


def reduce_panel(
    full: FullPanel,
    snapshots: Snapshots,
    box: Box,
    settings: ReductionSettings = ReductionSettings(),
    progress: Callable[[float], None] = lambda share: None,
) -> ReducedPanel:
    """Build a reduced panel: modes, operators and samples for each regime of flow.

    Parameters
    ----------
    full : FullPanel
    snapshots : Snapshots
    box : Box
        Range that the snapshots cover; the operators are tabulated over it.
    settings : ReductionSettings
    progress : callable
        Called with the share done.

    Raises
    ------
    ModelError
        If snapshots and nodes do not match, or a regime has no snapshots.
    """
    if snapshots.temperatures.shape[0] != len(full.capacity):
        raise ModelError(
            f"snapshots of {snapshots.temperatures.shape[0]} nodes for a panel of {len(full.capacity)}"
        )
    ranges = regime_flows(*box.mass_flow, settings.regimes, settings.overlap)
    table = tabulate(
        full.coefficients,
        full.viscosity,
        (ranges[0][0], ranges[-1][1]),
        box.inlet_temperature,
        settings.operator_tolerance,
        settings.most_flows,
    )
    creeping, steady = settings.regimes // 2, ranges[settings.regimes // 2 :]
    if creeping:
        low, high = ranges[creeping - 1]
        steady = [(max(low / settings.steady_reach, ranges[0][0]), high), *steady]
    wanted = [(flows, settings.creeping()) for flows in ranges[:creeping]]
    wanted += [(flows, settings) for flows in steady]
    regimes: list[Regime] = []
    for number, (flows, own) in enumerate(wanted):
        progress(number / len(wanted))
        chosen = (snapshots.flow >= flows[0] / settings.overlap) & (
            snapshots.flow <= flows[1] * settings.overlap
        )
        if chosen.sum() < 20:
            raise ModelError(
                f"reduced model: {chosen.sum()} snapshots at flows of {flows[0]:.4g} to {flows[1]:.4g} kg/s; "
                "more runs are needed"
            )
        regimes.append(_regime(full, snapshots.temperatures[:, chosen], flows, table, own))
    return ReducedPanel(
        regimes=tuple(regimes),
        capacity=full.capacity[: full.nodes],
        fluid_capacity=full.capacity[full.nodes :],
        area=full.area,
        faces=full.faces,
        specific_heat=full.specific_heat,
        coolant_density=full.coolant_density,
        liquid_range=full.liquid_range,
        box=box,
        calm=settings.calm,
    )
