"""Runs that reduced models are trained on and tested with: finite elements, and the reduced model itself."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from solvers.constants import SPACE_TEMPERATURE
from solvers.reduced import NODES
from solvers.reduced_panel import ReducedPanel
from twin.errors import RunFailed
from twin.module_parameters import ThermalParameters
from twin.reduced_histories import LoadHistory
from twin.reduced_thermal import ReducedThermal

if TYPE_CHECKING:
    from solvers.coolant import TubeCircuit
    from solvers.reduced_full import FullPanel
    from solvers.reduced_modes import Snapshots
    from twin.module_thermal import ModuleThermal

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FullRun:
    """What the finite-element model did under a history of loads.

    Attributes
    ----------
    temperatures : (all, step + 1) array
        Of panel and coolant, from the start on [K].
    nodes : (NODES, step + 1) array
        [K].
    bypass : (step + 1,) array
    emitted : (step,) array
        Mean net emission [W].
    stored : (step,) array
        [J].
    """

    temperatures: Array = field(repr=False)
    nodes: Array
    bypass: Array
    emitted: Array
    stored: Array


def _order(module: ModuleThermal) -> tuple[NDArray[np.int64], NDArray[np.int64], TubeCircuit]:
    """Mesh nodes of the degrees of freedom, and places of the fluid nodes in the network."""
    d, (circuit,) = module.model.discretization, module.circuits
    nodes = np.asarray(d.node_of_dof[: module.model.owned])
    fluid = np.array([module.network.index[circuit.fluid_node(i)] for i in range(len(circuit.nodes))])
    return nodes, fluid, circuit


def full_panel(module: ModuleThermal) -> FullPanel:
    """Return the operators of the panel of a module of one panel.

    Raises
    ------
    ModelError
        For coolant models that the reduced model does not know.
    """
    from scipy import sparse

    from solvers.errors import ModelError
    from solvers.reduced_full import FullPanel

    model, network = module.model, module.network
    if getattr(network, "enthalpy", None) is not None:
        raise ModelError("reduced model: a specific heat that varies with temperature is not served")
    nodes, fluid, circuit = _order(module)
    n = model.owned
    matrix = model.discretization.conduction_matrix()
    pointer, column, value = matrix.getValuesCSR()
    conduction = sparse.coo_array(sparse.csr_array((value, column, pointer), shape=(n, n)))
    row, column = conduction.coords
    conduction = sparse.csr_array((conduction.data, (nodes[row], nodes[column])), shape=(n, n))
    area, capacity = np.zeros(n), np.zeros(n)
    area[nodes], capacity[nodes] = module.front.node_area, model.capacity
    place = {circuit.fluid_node(i): n + i for i in range(len(circuit.nodes))}
    streams = circuit.streams
    ends = np.array([(place[s.source], place[s.target]) for s in streams])
    ports = circuit.ports
    contacts = [(k, ports[name], share) for k, s in enumerate(streams) for name, share in s.walls.items()]
    full = FullPanel(
        conduction=conduction,
        ends=ends,
        walls=np.array([contact[:2] for contact in contacts]),
        wall_weight=np.array([contact[2] for contact in contacts]),
        share=circuit.share,
        film=lambda flow, kelvin: circuit.conductance(module.liquid, flow[:, None], kelvin[:, None]),
        viscosity=lambda kelvin: module.liquid.at(kelvin)[2],
        capacity=np.concatenate([capacity, network.capacity[fluid]]),
        area=area,
        faces=module.faces,
        inlet=n + circuit.inlet,
        outlet=n + circuit.outlet,
        specific_heat=module.specific_heat,
        coolant_density=module.density,
        liquid_range=(module.liquid.freezing_temperature, module.liquid.boiling_temperature),
    )
    _check_exchange(full, module)
    return full


def _check_exchange(full: FullPanel, module: ModuleThermal) -> None:
    """Compare the exchange with the coolant with that of the network, at one flow and random temperatures."""
    from solvers.errors import ModelError

    _, fluid, circuit = _order(module)
    network, n = module.network, full.nodes
    ports = np.array([network.index[name] for name in circuit.ports])
    walls = np.array(list(circuit.ports.values()))
    kelvin = module.parameters.supply_temperature
    before = module.state
    module.state = module.model.state(kelvin, [np.full(len(network.names), kelvin)])
    module.set_flow(module.parameters.mass_flow, 0.0)
    vector = np.random.default_rng(0).uniform(250.0, 350.0, len(full.capacity))
    values = np.zeros(len(network.names))
    values[ports], values[fluid] = vector[walls], vector[n:]
    module.state = before
    heat, expected = network.heat_out(values), np.zeros(len(vector))
    np.add.at(expected, walls, heat[ports])
    expected[n:] += heat[fluid]
    found = full.exchange(module.parameters.mass_flow, kelvin, vector[:, None])[:, 0]
    if np.max(np.abs(found - expected)) > 1e-9 * np.max(np.abs(expected)):
        raise ModelError(
            "reduced model: coolant tubes exchange heat by a law that the reduction does not know"
        )


def run_full(module: ModuleThermal, history: LoadHistory) -> FullRun:
    """Run a module of one panel through a history with finite elements."""
    model, network = module.model, module.network
    nodes, fluid, _ = _order(module)
    places = np.array([network.index[name] for name in NODES])
    for condition in module.radiation:
        condition.emissivity = history.emissivity
    # A run follows from its history alone, whichever runs were made before it in this process.
    model.forget_history()
    module.bypass = 0.0
    p = module.parameters
    states, lumps, bypass = [], [], []

    def record() -> None:
        panel, (net,) = model.split(module.state)
        ordered = np.empty_like(panel)
        ordered[nodes] = panel
        states.append(np.concatenate([ordered, net[fluid]]))
        lumps.append(net[places].copy())
        bypass.append(module.bypass)

    start = np.full(len(network.names), p.supply_temperature)
    start[network.index["space"]] = SPACE_TEMPERATURE
    module.state = model.state(p.supply_temperature, [start])
    module.settle(history.loads(0).module(0), history.mass_flow)
    if not history.settled:
        module.state = model.state(p.supply_temperature, [start])
    record()
    emitted, stored, time = [], [], 0.0
    for k, dt in enumerate(history.dt):
        tick = module.step(history.loads(k).module(0), history.mass_flow, time, float(dt), k == 0)
        time += float(dt)
        record()
        emitted.append(tick.emitted)
        stored.append(tick.stored)
    return FullRun(
        np.array(states).T, np.array(lumps).T, np.array(bypass), np.array(emitted), np.array(stored)
    )


def run_reduced(
    panel: ReducedPanel, parameters: ThermalParameters, history: LoadHistory, full: FullRun
) -> FullRun:
    """Run the reduced model through the history of a full run, from where that began.

    Parameters
    ----------
    panel : ReducedPanel
    parameters : ThermalParameters
        Of a module of one panel.
    history : LoadHistory
    full : FullRun
    """
    thermal = ReducedThermal([replace(parameters, emissivity=history.emissivity, view_to_space=1.0)], panel)
    n, start, opening = len(panel.area), full.temperatures[:, 0], float(full.bypass[0])
    thermal.assume(start[:n], start[n:], dict(zip(NODES, full.nodes[:, 0])), opening, history.mass_flow)
    states, lumps = [np.concatenate(thermal.loops.field(0))], [thermal.loops.nodes[0].copy()]
    bypass, emitted, stored, time = [opening], [], [], 0.0
    for k, dt in enumerate(history.dt):
        tick = thermal.step(history.loads(k), history.mass_flow, time, float(dt), k == 0)
        time += float(dt)
        states.append(np.concatenate(thermal.loops.field(0)))
        lumps.append(thermal.loops.nodes[0].copy())
        bypass.append(float(thermal.bypass[0]))
        emitted.append(float(tick.emitted[0]))
        stored.append(float(tick.stored[0]))
    return FullRun(
        np.array(states).T, np.array(lumps).T, np.array(bypass), np.array(emitted), np.array(stored)
    )


def snapshots_of(histories: list[LoadHistory], runs: list[FullRun]) -> Snapshots:
    """Return the temperatures of runs with the flow through the panel at the time.

    A state counts for the flow at the start and at the end of its step: both shape it.
    """
    from solvers.reduced_modes import Snapshots

    fields = [run.temperatures[:, 1:] for run in runs] * 2
    ends = [history.mass_flow * (1.0 - run.bypass[1:]) for history, run in zip(histories, runs)]
    starts = [history.mass_flow * (1.0 - run.bypass[:-1]) for history, run in zip(histories, runs)]
    return Snapshots(np.concatenate(fields, axis=1), np.concatenate(ends + starts))


def _stored_run(path: Path) -> FullRun | None:
    try:
        with np.load(path) as stored:
            return FullRun(**{name: stored[name] for name in stored.files})
    except (OSError, ValueError, KeyError, EOFError, TypeError, BadZipFile):
        return None


def _store_run(path: Path, run: FullRun) -> None:
    with kept_in(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(
                    file, temperatures=run.temperatures, nodes=run.nodes, bypass=run.bypass, emitted=run.emitted,
                    stored=run.stored,
                )  # fmt: skip
            Path(aside).replace(path)
        finally:
            Path(aside).unlink(missing_ok=True)


@contextmanager
def kept_in(folder: Path) -> Iterator[None]:
    """Say what is safe where what training keeps cannot be written.

    Raises
    ------
    RunFailed
        In place of an ``OSError``.
    """
    try:
        yield
    except OSError as error:
        raise RunFailed(
            f"{folder}: the training of a reduced model cannot be kept ({error.strerror or error}); runs before this "
            "are; make room, then the same command goes on"
        ) from error


def full_runs(module: ModuleThermal, histories: Iterator[LoadHistory], folder: Path) -> Iterator[FullRun]:
    """Yield the full runs of histories, from files where they are there: an interrupted training goes on."""
    for number, history in enumerate(histories):
        path = folder / f"{number:03d}.npz"
        run = _stored_run(path)
        if run is None:
            _store_run(path, run_full(module, history))
            # Read back: arrays in memory lie otherwise than those from files, and sums of them are rounded otherwise.
            run = _stored_run(path)
            if run is None:
                raise RunFailed(f"{path}: cannot be read again after it was written; look at the disk")
        yield run
