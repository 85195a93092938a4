"""Training of the reduced thermal model of a class of modules from finite-element runs, and its certificate.

One panel of the wing is trained: panels in parallel carry equal flows and see the same, so that a module with one panel
and loads, flow and capacities divided by the number of panels has the same temperatures. Runs with random loads, flows
and coatings follow one after the other; each is first a test of the model trained so far, then part of its training,
until the tests are passed. The certificate comes from orbits that no training saw.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from solvers.constants import SPACE_TEMPERATURE, STEFAN_BOLTZMANN
from solvers.reduced import FORMAT, NODES, Box, ReducedPanel
from twin.group_thermal import HALF_RISE, PLATE_CONTENT, VALVE_LIMIT, VALVE_TIME, HeatLoads
from twin.module_parameters import ThermalParameters
from twin.reduced_thermal import ReducedThermal

if TYPE_CHECKING:
    from solvers.coolant import TubeCircuit
    from solvers.reduced_full import FullPanel
    from solvers.reduced_modes import Snapshots
    from solvers.reduced_training import ReductionSettings
    from twin.module_thermal import ModuleThermal

Array = NDArray[np.float64]
Progress = Callable[[str, float], None]

VERSION = 4
"""Changes when training gives other numbers."""

_EXTENSIVE = (
    "mass_flow", "inventory_mass", "plate_conductance", "cold_plate_capacity", "body_conductance", "body_capacity",
    "body_radiating_area", "battery_capacity", "battery_conductance", "array_area", "array_capacity",
    "array_conductance",
)  # fmt: skip
_AGEING = (
    "emissivity", "view_to_space", "array_front_emissivity", "array_back_emissivity", "body_radiating_area",
)  # fmt: skip
"""Parameters of the reduced model itself."""


@dataclass(frozen=True)
class TrainingSettings:
    """How a reduced model is trained and certified.

    Attributes
    ----------
    absorbed : (float, float)
        Absorbed flux of both faces together [W/m²].
    emissivity : (float, float)
        Times the view to space.
    relative_flow : (float, float)
        Pump flow over the rated one; also what fewer or more panels do to the flow through each.
    relative_heat : (float, float)
        Heat from the cold plates over what the radiator sheds 10 K above the supply temperature.
    inlet_below, inlet_above : float
        Widest range of the temperature of the coolant at the panels' inlet around the supply temperature [K]; the
        range that the runs reach is the one that holds.
    tolerance : float
        RMS error of a run not seen that is good enough [K].
    least_runs, most_runs : int
        Training runs.
    passes : int
        Runs in a row that must be within the tolerance to end the training.
    segments : int
        Changes of the loads within a run.
    step : float
        [s].
    orbit : float
        Length of the certificate's runs [s].
    seed : int
    """

    absorbed: tuple[float, float] = (0.0, 500.0)
    emissivity: tuple[float, float] = (0.4, 1.0)
    relative_flow: tuple[float, float] = (0.5, 2.0)
    relative_heat: tuple[float, float] = (0.02, 1.1)
    inlet_below: float = 60.0
    inlet_above: float = 45.0
    tolerance: float = 0.03
    least_runs: int = 24
    most_runs: int = 48
    passes: int = 2
    segments: int = 6
    step: float = 10.0
    orbit: float = 6000.0
    seed: int = 1

    def box(self, parameters: ThermalParameters) -> Box:
        """Return the widest range of a class of modules."""
        rated, target = parameters.mass_flow / parameters.panels, parameters.supply_temperature
        least, most = self.relative_flow
        return Box(
            self.absorbed,
            self.emissivity,
            ((1.0 - VALVE_LIMIT) * least * rated, most * rated),
            (target - self.inlet_below, target + self.inlet_above),
        )


@dataclass(frozen=True, eq=False)
class LoadHistory:
    """Loads of a module of one panel, step by step.

    Attributes
    ----------
    emissivity : float
        Times the view to space.
    mass_flow : float
        [kg/s].
    dt : (step,) array
        [s].
    front, back : (step,) arrays
        Absorbed flux [W/m²].
    heat : (step, NODES) array
        Into the nodes of `solvers.reduced.NODES` [W].
    settled : bool
        Whether to begin in balance rather than at the supply temperature throughout.
    """

    emissivity: float
    mass_flow: float
    dt: Array
    front: Array
    back: Array
    heat: Array
    settled: bool

    def loads(self, k: int) -> HeatLoads:
        """Return the loads of a step, for one module."""
        nodes = {name: np.array([self.heat[k, i]]) for i, name in enumerate(NODES) if self.heat[:, i].any()}
        return HeatLoads(np.array([self.front[k]]), np.array([self.back[k]]), nodes)


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


def one_panel(parameters: ThermalParameters) -> ThermalParameters:
    """Return the module of one panel that has the same temperatures."""
    each = {name: getattr(parameters, name) / parameters.panels for name in _EXTENSIVE}
    return replace(parameters, panels=1, **each)


# -- the full panel -------------------------------------------------------------------------------


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


# -- runs -----------------------------------------------------------------------------------------


def _wing_heat(p: ThermalParameters) -> dict[str, float]:
    """Heat that keeps body and solar wing near room temperature [W]."""
    wing = (p.array_front_emissivity + p.array_back_emissivity) * p.array_area
    level = STEFAN_BOLTZMANN * 300.0**4
    return {"body": level * p.body_radiating_area, "array-front": level * wing}


def _shed(p: ThermalParameters, emissivity: float) -> float:
    """Heat that the panels shed into cold space 10 K above the supply temperature [W]."""
    faces = 2.0 if p.two_sided else 1.0
    return faces * emissivity * STEFAN_BOLTZMANN * (p.supply_temperature + 10.0) ** 4 * p.panel_area


def training_history(parameters: ThermalParameters, settings: TrainingSettings, number: int) -> LoadHistory:
    """Return the loads of a training run: orbits, and jumps between points of a low-discrepancy sequence in turn.

    Parameters
    ----------
    parameters : ThermalParameters
        Of a module of one panel.
    settings : TrainingSettings
    number : int
    """
    from scipy.stats import qmc

    points = qmc.Sobol(d=3 + 3 * settings.segments, rng=settings.seed).random(128)[number % 128]
    random = np.random.default_rng([settings.seed, number])
    p = parameters

    def between(ends: tuple[float, float], share: Array | float) -> Array:
        return np.asarray(ends[0] + (ends[1] - ends[0]) * np.asarray(share))

    emissivity, flow = (
        float(between(ends, x)) for ends, x in zip((settings.emissivity, settings.relative_flow), points)
    )
    low, high = settings.relative_heat
    if number % 2:
        sun, earth, split, load, shed, entry = points[3:9]
        most = settings.absorbed[1]
        orbit = Orbit(
            emissivity, flow, sun * 0.5 * most, earth * 0.25 * most, split,
            float(low + (high - low) * np.sqrt(load)), float(low + (high - low) * shed**2 * load),
            settings.orbit * (0.05 + 0.6 * entry), 0.19 * settings.orbit * float(random.uniform(0.2, 1.0)),
        )  # fmt: skip
        return orbit_history(p, settings, orbit, 3.0 * settings.step)
    rows = []
    for flux, heat, split in points[3:].reshape(settings.segments, 3):
        absorbed = float(between(settings.absorbed, flux))
        length = random.uniform(0.05, 1.0) * settings.step
        short, long = int(random.integers(12, 40)), int(random.integers(0, 8))
        for dt in [length, *[settings.step] * short, *[6.0 * settings.step] * long, *[settings.step] * 3]:
            rows.append((dt, split * absorbed, (1.0 - split) * absorbed, heat))
    dt, front, back, share = np.array(rows).T
    # Little heat needs as many runs as much.
    net = low * (high / low) ** np.sqrt(share)
    return _history(p, emissivity, flow, dt, front, back, net, bool(points[2] < 0.5))


def _history(
    p: ThermalParameters, emissivity: float, flow: float, dt: Array, front: Array, back: Array, share: Array,
    settled: bool,
) -> LoadHistory:  # fmt: skip
    heat = np.zeros((len(dt), len(NODES)))
    heat[:, NODES.index("cold-plate")] = share * _shed(p, emissivity)
    for name, value in _wing_heat(p).items():
        heat[:, NODES.index(name)] = value
    if not p.two_sided:
        front, back = front + back, 0.0 * back
    return LoadHistory(emissivity, flow * p.mass_flow, dt, front, back, heat, settled)


@dataclass(frozen=True)
class Orbit:
    """Loads of an orbit with an eclipse.

    Attributes
    ----------
    emissivity : float
    flow : float
        Over the rated flow.
    sun, earth : float
        Absorbed fluxes of both faces together in sunlight, and from Earth at most [W/m²].
    split : float
        Share of the front.
    heat, eclipse_heat : float
        Heat from the cold plates over what the radiator sheds 10 K above the supply temperature.
    entry, duration : float
        Of the eclipse [s].
    """

    emissivity: float
    flow: float
    sun: float
    earth: float
    split: float
    heat: float
    eclipse_heat: float
    entry: float
    duration: float


def orbit_history(
    parameters: ThermalParameters, settings: TrainingSettings, orbit: Orbit, far_step: float
) -> LoadHistory:
    """Return the loads of an orbit; steps land on both ends of the eclipse and are longer far from them.

    Parameters
    ----------
    parameters : ThermalParameters
        Of a module of one panel.
    settings : TrainingSettings
    orbit : Orbit
    far_step : float
        Step more than 300 s after the last jump [s].
    """
    ends = (orbit.entry, orbit.entry + orbit.duration, settings.orbit)
    times, last = [0.0], -1e9
    for end in ends:
        while end - times[-1] > 1e-9:
            step = settings.step if times[-1] - last < 300.0 else far_step
            times.append(min(times[-1] + step, end) if end - times[-1] > 1e-6 * step else end)
        last = end
    edges = np.array(times)
    dt, middle = np.diff(edges), 0.5 * (edges[1:] + edges[:-1])
    dark = (middle > ends[0]) & (middle < ends[1])
    wave = 0.5 + 0.5 * np.cos(2.0 * np.pi * middle / settings.orbit)
    total = np.where(dark, 0.0, orbit.sun) + orbit.earth * (0.4 + 0.6 * wave)
    share = np.where(dark, orbit.eclipse_heat, orbit.heat)
    return _history(
        parameters,
        orbit.emissivity,
        orbit.flow,
        dt,
        orbit.split * total,
        (1.0 - orbit.split) * total,
        share,
        True,
    )


CERTIFICATE_ORBITS = {
    "nominal": Orbit(0.80, 1.0, 60.0, 80.0, 0.62, 0.72, 0.72, 2103.7, 1050.9),
    "hot": Orbit(0.62, 0.93, 230.0, 110.0, 0.77, 0.87, 0.87, 3011.3, 412.6),
    "shed": Orbit(0.86, 1.07, 45.0, 70.0, 0.41, 0.66, 0.07, 1507.1, 1123.3),
}
"""Held-out runs: riding through the eclipse, aged coating in full sunlight, cards switched off in the shadow."""


def run_full(module: ModuleThermal, history: LoadHistory) -> FullRun:
    """Run a module of one panel through a history with finite elements."""
    model, network = module.model, module.network
    nodes, fluid, _ = _order(module)
    places = np.array([network.index[name] for name in NODES])
    for condition in module.radiation:
        condition.emissivity = history.emissivity
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


# -- cache ----------------------------------------------------------------------------------------


def cache_folder() -> Path:
    """Return the folder of trained models."""
    base = os.environ.get("DAWNDUSK_CACHE")
    if base:
        return Path(base) / "reduced"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "dawndusk" / "reduced"


def content_key(parameters: ThermalParameters, *settings: object) -> str:
    """Return the fingerprint of all that a trained model depends on."""
    one = asdict(one_panel(parameters))
    for name in _AGEING:
        one.pop(name)
    constants = [VERSION, FORMAT, HALF_RISE, PLATE_CONTENT, VALVE_LIMIT, VALVE_TIME]
    text = json.dumps([constants, one, [repr(s) for s in settings]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _stored_run(path: Path) -> FullRun | None:
    try:
        with np.load(path) as stored:
            return FullRun(**{name: stored[name] for name in stored.files})
    except (OSError, ValueError, KeyError, EOFError, TypeError, BadZipFile):
        return None


def _store_run(path: Path, run: FullRun) -> None:
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


def full_runs(module: ModuleThermal, histories: Iterator[LoadHistory], folder: Path) -> Iterator[FullRun]:
    """Yield the full runs of histories, from files where they are there: an interrupted training goes on."""
    for number, history in enumerate(histories):
        path = folder / f"{number:03d}.npz"
        run = _stored_run(path)
        if run is None:
            run = run_full(module, history)
            _store_run(path, run)
        yield run


# -- the whole ------------------------------------------------------------------------------------


def train(
    parameters: ThermalParameters,
    settings: TrainingSettings = TrainingSettings(),
    reduction: ReductionSettings | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> ReducedPanel:
    """Train and certify a reduced panel.

    Parameters
    ----------
    parameters : ThermalParameters
    settings : TrainingSettings
    reduction : ReductionSettings, optional
    folder : Path, optional
        Where finished runs are kept; an interrupted training goes on from there.
    progress : callable, optional
        Called with (what is being done, share done).

    Raises
    ------
    ConvergenceError
        If the runs allowed do not reach the tolerance.
    """
    from solvers.errors import ConvergenceError
    from solvers.reduced_training import ReductionSettings, reduce_panel
    from twin.module_thermal import ModuleThermal

    reduction, tell = reduction or ReductionSettings(), progress or (lambda what, share: None)
    folder = folder or cache_folder()
    one = one_panel(parameters)
    tell("finite-element model", 0.0)
    module = ModuleThermal(one)
    full = full_panel(module)
    histories = [training_history(one, settings, k) for k in range(settings.most_runs)]
    runs = full_runs(module, iter(histories), folder / f"runs-{content_key(parameters, settings)}")
    seen: list[FullRun] = []
    tests: list[float] = []
    panel: ReducedPanel | None = None
    for number, run in enumerate(runs):
        tell("training runs", number / settings.most_runs)
        if panel is not None:
            tests.append(_rms(run_reduced(panel, one, histories[number], run), run))
            last = tests[-settings.passes :]
            if len(last) == settings.passes and max(last) <= settings.tolerance:
                break
        seen.append(run)
        # A run that was predicted well enough waits for the next reduction.
        if len(seen) >= settings.least_runs and (panel is None or tests[-1] > settings.tolerance):
            tell("modes and samples", number / settings.most_runs)
            low, high = (float(f(f(r.nodes[NODES.index("return")]) for r in seen)) for f in (min, max))
            box = replace(settings.box(parameters), inlet_temperature=(low, high))
            panel = reduce_panel(full, snapshots_of(histories[: len(seen)], seen), box, reduction)
    else:
        if not tests or tests[-1] > 2.0 * settings.tolerance:
            raise ConvergenceError(
                f"reduced model: after {len(seen)} training runs the RMS error of the next one is "
                f"{tests[-1] if tests else np.nan:.3g} K (tolerance {settings.tolerance:g} K); allow more runs or modes"
            )
    assert panel is not None
    tell("certificate", 0.9)
    notes = {
        "training_runs": len(seen),
        "training_tests": tests,
        "modes": [r.modes for r in panel.regimes],
        "samples": [len(r.samples) for r in panel.regimes],
        "operator_error": max(float(r.errors[0]) for r in panel.regimes),
        "sampling_error": max(float(r.errors[1]) for r in panel.regimes),
        "full_nodes": round(full.capacity.size * parameters.panels),
    }
    certified = certificate(panel, module, settings, folder / f"orbits-{content_key(parameters, settings)}")
    if parameters.panels > 1:
        notes["symmetry_error"] = symmetry_error(parameters)
    tell("certificate", 1.0)
    return replace(panel, certificate={**certified, **notes})


def _rms(found: FullRun, full: FullRun) -> float:
    return float(np.sqrt(np.mean((found.temperatures - full.temperatures) ** 2)))


def certificate(
    panel: ReducedPanel, module: ModuleThermal, settings: TrainingSettings, folder: Path
) -> dict[str, Any]:
    """Return the errors of a reduced panel in orbits that it was not trained on.

    Parameters
    ----------
    panel : ReducedPanel
    module : ModuleThermal
        Of one panel.
    settings : TrainingSettings
    folder : Path
        Where the full runs are kept.

    Returns
    -------
    dict
        ``max_error``, ``rms_error`` (all nodes of panel and coolant, all times), ``node_error`` (largest, of the lumped
        nodes: supply, return, cold plate, body, ...) [K], ``energy_error`` (heat radiated in the orbit, relative),
        ``ledger_residual`` (relative), and the same for each orbit.
    """
    p = module.parameters
    histories = [orbit_history(p, settings, o, settings.step) for o in CERTIFICATE_ORBITS.values()]
    least, most = settings.emissivity
    histories = [replace(h, emissivity=float(np.clip(h.emissivity, least, most))) for h in histories]
    orbits: dict[str, dict[str, float]] = {}
    for name, history, full in zip(CERTIFICATE_ORBITS, histories, full_runs(module, iter(histories), folder)):
        found = run_reduced(panel, p, history, full)
        error = found.temperatures - full.temperatures
        radiated = float(full.emitted @ history.dt)
        inward = (history.front + history.back) * panel.area.sum() + history.heat.sum(axis=1)
        left = found.stored - history.dt * (inward - found.emitted)
        orbits[name] = {
            "max_error": float(np.abs(error).max()),
            "rms_error": _rms(found, full),
            "node_error": float(np.abs(found.nodes - full.nodes).max()),
            "energy_error": float(abs(found.emitted @ history.dt - radiated)) / radiated,
            "ledger_residual": float(np.abs(left).sum()) / radiated,
        }
    worst = {key: max(orbit[key] for orbit in orbits.values()) for key in orbits["nominal"]}
    return {**worst, "orbits": orbits}


def symmetry_error(parameters: ThermalParameters) -> float:
    """Return the largest difference between the panels of a module of two and the module of one panel [K]."""
    from twin.module_thermal import ModuleThermal

    one = one_panel(parameters)
    two = replace(one, panels=2, **{name: 2.0 * getattr(one, name) for name in _EXTENSIVE})
    fields = []
    for p in (two, one):
        module = ModuleThermal(p)
        nodes = _wing_heat(p)
        nodes["cold-plate"] = 0.7 * _shed(p, p.emissivity)
        loads = HeatLoads(80.0, 20.0, nodes)
        for k in range(3):
            module.step(loads, p.mass_flow, 10.0 * k, 10.0, k == 0)
        fields.append(np.asarray(module.panel_field()))
    return float(np.abs(fields[0].reshape(2, -1) - fields[1]).max())


def reduced_panel(
    parameters: ThermalParameters,
    settings: TrainingSettings = TrainingSettings(),
    reduction: ReductionSettings | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> ReducedPanel:
    """Return the certified reduced panel of a class of modules, trained unless the cache has it.

    Parameters
    ----------
    parameters : ThermalParameters
        Of any module of the class: coatings may differ.
    settings, reduction, folder, progress
        As :func:`train`.
    """
    folder = folder or cache_folder()
    path = folder / f"panel-{content_key(parameters, settings, reduction)}.npz"
    if path.exists():
        try:
            return ReducedPanel.load(path)
        except (OSError, ValueError, KeyError, EOFError, TypeError, BadZipFile):
            path.unlink(missing_ok=True)  # of another format, or cut off by a full disk: trained anew
    panel = train(parameters, settings, reduction, folder, progress)
    panel.save(path)
    return panel
