"""Histories of loads that reduced models are trained and tested with: random jumps, and orbits with an eclipse."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from solvers.constants import STEFAN_BOLTZMANN
from solvers.reduced import NODES
from solvers.reduced_panel import Box
from twin.group_thermal import VALVE_LIMIT, HeatLoads
from twin.module_parameters import ThermalParameters

Array = NDArray[np.float64]

EXTENSIVE = (
    "mass_flow", "inventory_mass", "plate_conductance", "cold_plate_capacity", "body_conductance", "body_capacity",
    "body_radiating_area", "battery_capacity", "battery_conductance", "array_area", "array_capacity",
    "array_conductance",
)  # fmt: skip
"""What a share of the panels has a share of."""


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
    least_runs: int = 32
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


def one_panel(parameters: ThermalParameters) -> ThermalParameters:
    """Return the module of one panel that has the same temperatures."""
    each = {name: getattr(parameters, name) / parameters.panels for name in EXTENSIVE}
    return replace(parameters, panels=1, **each)


def wing_heat(p: ThermalParameters) -> dict[str, float]:
    """Heat that keeps body and solar wing near room temperature [W]."""
    wing = (p.array_front_emissivity + p.array_back_emissivity) * p.array_area
    level = STEFAN_BOLTZMANN * 300.0**4
    return {"body": level * p.body_radiating_area, "array-front": level * wing}


def shed_heat(p: ThermalParameters, emissivity: float) -> float:
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
        heat = low + (high - low) * np.sqrt(load)
        # Every other orbit sheds deeply: fronts that creep through a cold panel are the hardest to hold on modes.
        dark = low * (heat / low) ** (0.6 * shed) if number % 4 == 3 else low + (high - low) * shed**2 * load
        orbit = Orbit(
            emissivity, flow, sun * 0.5 * most, earth * 0.25 * most, split, float(heat), float(dark),
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
    heat[:, NODES.index("cold-plate")] = share * shed_heat(p, emissivity)
    for name, value in wing_heat(p).items():
        heat[:, NODES.index(name)] = value
    if not p.two_sided:
        front, back = front + back, 0.0 * back
    return LoadHistory(emissivity, flow * p.mass_flow, dt, front, back, heat, settled)


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
