"""The model of one sub-center: an ensemble of every module, advanced with the power that telemetry says its cards drew.

The physics is that of a run (`twin.module_group`): arrays, bus, batteries, coolant loops, reduced panels. What differs:
cards are not simulated one by one, their measured power is, and all junctions of a module warm as one; relay power all
becomes heat; the modules have no manufacturing spread but parameters that are estimated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin import component_models
from twin.assimilation import BoundedParameters
from twin.environment_track import EnvironmentTrack, FaceFluxes, TickEnvironment, mean_faces
from twin.group_tick import GroupTick
from twin.live.group import EnsembleGroup, MeasuredCards, MeasuredRelay, PanelMaker
from twin.plant import module_view, reference_orbit

if TYPE_CHECKING:
    from twin.case import Case
    from twin.module_view import ModuleView

Array = NDArray[np.float64]

PARAMETERS = (
    "emissivity",
    "absorptance",
    "plate_conductance",
    "mass_flow",
    "card_power",
    "array_power",
    "battery_capacity",
)
"""Factors that are estimated for every module; 1 is the design."""

_LOWEST = {
    "absorptance": 0.3,
    "card_power": 0.7,
    "array_power": 0.4,
    "battery_capacity": 0.5,
    "plate_conductance": 0.3,
}
_HIGHEST = {
    "absorptance": 4.0,
    "card_power": 1.3,
    "array_power": 1.15,
    "battery_capacity": 1.2,
    "plate_conductance": 2.0,
}

PRIOR_SPREAD = {
    "emissivity": 0.03, "absorptance": 0.1, "plate_conductance": 0.1, "mass_flow": 0.03, "card_power": 0.02,
    "array_power": 0.03, "battery_capacity": 0.03,
}  # fmt: skip
"""Standard deviation of what is not known of a module before its first telemetry."""

DAILY_DRIFT = {
    "emissivity": 0.01, "absorptance": 0.02, "plate_conductance": 0.02, "mass_flow": 0.02, "card_power": 0.01,
    "array_power": 0.01, "battery_capacity": 0.005,
}  # fmt: skip
"""Standard deviation of the change in a day that the filter follows without an alarm."""

START_SPREAD = {"loop": 1.0, "body": 1.0, "battery": 1.0, "array": 1.0}
"""Standard deviation of temperatures at the start [K]: of the loop with its panels, and of what is measured beside."""

SOC_SPREAD = 0.01

POWER_LEVEL = 0.05
"""Steps of the cards' power in which modules are settled at the start, as a share of the largest power."""

_START_PLACES = (
    (("panel",), "radiator_outlet", "loop"),
    (("reservoir",), "supply", "loop"),
    (("plate-outlet", "return"), "return", "loop"),
    (("cold-plate",), "cold_plate", "loop"),
    (("body",), "body", "body"),
    (("battery",), "battery", "battery"),
    (("array-front", "array-back"), "array", "array"),
)
"""Parts of a module, the place whose first measurement moves them, and whose spread they have."""


@dataclass(frozen=True)
class ModelSettings:
    """How a sub-center is modelled.

    Attributes
    ----------
    members : int
        Of the ensemble.
    step : float
        Longest tick of the model [s].
    seed : int
    """

    members: int = 24
    step: float = 10.0
    seed: int = 1


@dataclass(frozen=True)
class ModuleInputs:
    """What drives the modules of a sub-center in a tick.

    Attributes
    ----------
    card_power, relay_power : (module,) arrays
        [W].
    cards_running : (module,) array
        Cards that are on.
    """

    card_power: Array
    cards_running: Array
    relay_power: Array


class SubCenterModel:
    """Ensemble of the modules of one sub-center, in the order of telemetry.

    Parameters
    ----------
    case : Case
    sub_center : int
    panel : callable
        Gives the reduced panel for the thermal parameters of a module (`twin.reduced_training.reduced_panel`).
    settings : ModelSettings

    Attributes
    ----------
    groups : list of EnsembleGroup
        By class; modules of the sub-center in order.
    parameters : BoundedParameters
    free : (module, parameter, member) array
        Estimated parameters as free numbers.
    """

    def __init__(
        self, case: Case, sub_center: int, panel: PanelMaker, settings: ModelSettings = ModelSettings()
    ):
        self.case, self.settings, self.sub_center = case, settings, sub_center
        base = reference_orbit(case)
        self.orbit = base.shifted(case.sub_centers[sub_center].phase)
        self.altitude = base.semi_major_axis - 6378137.0
        self.panel = panel
        views: dict[str, ModuleView] = {}
        self.groups = [
            EnsembleGroup.build(
                name,
                case.module_classes[name],
                ages,
                settings.members,
                self.altitude,
                case.numerics.tolerance,
                panel,
                module_view(case, case.module_classes[name], base, views),
            )
            for name, ages in classes_of(case, sub_center).items()
        ]
        sizes = [group.module_count for group in self.groups]
        bounds = np.concatenate([[0], np.cumsum(sizes)])
        self.places = [slice(int(a), int(b)) for a, b in pairwise(bounds)]
        self.modules = int(bounds[-1])
        self.track = EnvironmentTrack(
            [self.orbit],
            [group.orientations for group in self.groups],
            component_models.environment_set(case),
            settings.step,
            case.numerics.shadow,
            [group.view for group in self.groups],
        )
        self.parameters = parameter_bounds(self.groups)
        self.random = np.random.default_rng([settings.seed, sub_center])
        self.free = self.parameters.draw(self.modules, settings.members, self.random)
        self.apply_parameters()
        self.card_heat: Array | None = None

    # -- what it is -------------------------------------------------------------------------------

    @property
    def members(self) -> int:
        """Members of the ensemble."""
        return self.settings.members

    def per_module(self, values: list[float]) -> Array:
        """Spread one value per class over the modules."""
        return np.concatenate([np.full(g.module_count, v) for g, v in zip(self.groups, values)])

    @property
    def cards(self) -> Array:
        """Cards of each module."""
        return self.per_module([float(g.design.racks.cards) for g in self.groups])

    def factors(self) -> Array:
        """Estimated parameters, (module, parameter, member)."""
        return self.parameters.values(self.free)

    def apply_parameters(self) -> None:
        """Let the modules have their estimated parameters."""
        values = self.factors()
        for group, place in zip(self.groups, self.places):
            group.estimate({name: values[place, k].ravel() for k, name in enumerate(PARAMETERS)})

    # -- running ----------------------------------------------------------------------------------

    def ticks(self, start: float, stop: float) -> Iterator[TickEnvironment]:
        """Yield the environment of the ticks of a span [s since mission start]."""
        return self.track.ticks(start, stop)

    def settle(self, start: float, inputs: ModuleInputs) -> None:
        """Begin in the thermal balance of an orbit's mean fluxes with given card power.

        Modules of a class whose cards draw about the same start alike: measurements correct the rest.
        """
        means = mean_fluxes(self.track, start, self.orbit.period)
        self.card_heat = inputs.card_power.copy()
        for group, place, faces in zip(self.groups, self.places, means):
            power, cards = inputs.card_power[place], group.design.racks.cards * group.card.power_limit
            _, lane = np.unique(np.round(power / (POWER_LEVEL * cards)), return_inverse=True)
            count = np.bincount(lane)
            some = EnsembleGroup.build(
                group.name, group.design, np.repeat(group.age[:1], count.size), 1, self.altitude,
                self.case.numerics.tolerance, self.panel, group.view,
            )  # fmt: skip
            relay = MeasuredRelay(
                np.bincount(lane, weights=inputs.relay_power[place]) / count, np.zeros(count.size)
            )
            level = np.bincount(lane, weights=power) / count
            some.settle(faces, level, relay)  # type: ignore[arg-type]  # power is all it reads
            group.take_balance(some, np.repeat(lane, self.members))
        self._warm_junctions(self.factors())

    def disturb(self, temperatures: Mapping[str, Array], state_of_charge: Array, draws: Array) -> None:
        """Move the ensemble to the first measured temperatures, with the spread of what is not known.

        Parameters
        ----------
        temperatures : mapping of place to (module,) array
            Of ``supply``, ``return``, ``radiator_outlet``, ``cold_plate``, ``body``, ``battery`` and ``array`` [K]; NaN
            where there is no measurement.
        state_of_charge : (module,) array
            NaN where there is no measurement.
        draws : (module, 5, member) array
            Normal numbers: one row for each of `START_SPREAD`, and for the state of charge.
        """
        rows = {what: k for k, what in enumerate(START_SPREAD)}
        for group, place in zip(self.groups, self.places):
            gap = {
                where: seen[place] - group.now[where].reshape(-1, self.members).mean(axis=1)
                for where, seen in temperatures.items()
            }
            near = np.nan_to_num(gap["supply"])
            for parts, where, what in _START_PLACES:
                missing = near if what == "loop" else 0.0
                offset = np.where(np.isnan(gap[where]), missing, gap[where])
                group.shift((offset[:, None] + START_SPREAD[what] * draws[place, rows[what]]).ravel(), *parts)
            state = group.pack()
            soc = group.extra_row("state_of_charge")
            seen = state_of_charge[place]
            level = np.where(np.isnan(seen), state[:, soc].mean(axis=1), seen)
            state[:, soc] = level[:, None] + SOC_SPREAD * draws[place, -1]
            group.unpack(state)

    def advance(self, env: TickEnvironment, inputs: ModuleInputs) -> list[GroupTick]:
        """Advance all modules and members by a tick."""
        values, heat = self.factors(), self._heat_of_cards(inputs.card_power, env.dt)
        done = []
        for number, (group, place) in enumerate(zip(self.groups, self.places)):
            cards, relay = self._inputs(group, place, inputs, values, heat)
            done.append(group.run(env, number, cards, relay))
        self._warm_junctions(values)
        return done

    def _warm_junctions(self, values: Array) -> None:
        """Let the groups know the heat that flows from their junctions now."""
        assert self.card_heat is not None
        factor = values[:, PARAMETERS.index("card_power")]
        for group, place in zip(self.groups, self.places):
            group.card_heat = (factor[place] * self.card_heat[place, None]).ravel()

    def plate_temperature(self) -> Array:
        """Return the temperature of the cold plates, mean of the members, (module,) [K]."""
        plates = [g.now["cold_plate"].reshape(-1, self.members).mean(axis=1) for g in self.groups]
        return np.concatenate(plates)

    @property
    def junction_rise(self) -> Array:
        """Rise of a junction over its plate for a watt of the module's cards, (module,) [K/W]."""
        return self.per_module([g.card.junction_resistance / g.design.racks.cards for g in self.groups])

    def _heat_of_cards(self, power: Array, dt: float) -> Array:
        """Mean heat from the junctions to the plates over a step: it follows the power with the junctions' time."""
        before = power if self.card_heat is None else self.card_heat
        times = [g.card.junction_resistance * g.card.junction_heat_capacity for g in self.groups]
        lag = self.per_module(times)
        self.card_heat = power + (before - power) * np.exp(-dt / lag)
        return power - (before - power) * np.expm1(-dt / lag) * lag / dt

    def _inputs(
        self, group: EnsembleGroup, place: slice, inputs: ModuleInputs, values: Array, heat: Array
    ) -> tuple[MeasuredCards, MeasuredRelay]:
        m = self.members
        factor = values[place, PARAMETERS.index("card_power")].ravel()
        relay = MeasuredRelay(np.repeat(inputs.relay_power[place], m), np.zeros(group.count))
        power, warmth = (factor * np.repeat(v[place], m) for v in (inputs.card_power, heat))
        return MeasuredCards(power, warmth, np.repeat(inputs.cards_running[place], m)), relay

    # -- state ------------------------------------------------------------------------------------

    def pack(self) -> list[Array]:
        """Return the states by class, each (module, row, member)."""
        return [group.pack() for group in self.groups]

    def unpack(self, states: list[Array]) -> None:
        """Take over states."""
        for group, state in zip(self.groups, states):
            group.unpack(state)

    def snapshot(self) -> dict[str, NDArray]:
        """Return all that a restart needs."""
        saved: dict[str, NDArray] = {"free": self.free.copy()}
        if self.card_heat is not None:
            saved["card_heat"] = self.card_heat.copy()
        state = self.random.bit_generator.state["state"]
        words = [(state[name] >> (32 * k)) & 0xFFFFFFFF for name in ("state", "inc") for k in range(4)]
        saved["random"] = np.array(words, dtype=np.uint64)
        for g, group in enumerate(self.groups):
            saved |= {f"{g}/thermal/{name}": v for name, v in group.thermal.snapshot().items()}
            saved[f"{g}/soc"] = group.battery_state.state_of_charge.copy()
            saved[f"{g}/rc_voltage"] = group.battery_state.rc_voltage.copy()
            saved[f"{g}/junction_heat"] = group.card_heat.copy()
            if group.radiator_use is not None:
                saved[f"{g}/radiator_use"] = group.radiator_use.copy()
        return saved

    def restore(self, saved: Mapping[str, NDArray]) -> None:
        """Continue from a snapshot of the same case and settings."""
        from dataclasses import replace

        self.free = np.array(saved["free"])
        self.card_heat = np.array(saved["card_heat"]) if "card_heat" in saved else None
        words = [int(w) for w in saved["random"]]
        whole = [sum(w << (32 * k) for k, w in enumerate(words[4 * i : 4 * i + 4])) for i in range(2)]
        self.random.bit_generator.state = {
            "bit_generator": "PCG64",
            "state": {"state": whole[0], "inc": whole[1]},
            "has_uint32": 0,
            "uinteger": 0,
        }
        for g, group in enumerate(self.groups):
            prefix = f"{g}/thermal/"
            group.thermal.restore(
                {k.removeprefix(prefix): v for k, v in saved.items() if k.startswith(prefix)}
            )
            group.battery_state = replace(
                group.battery_state,
                state_of_charge=np.array(saved[f"{g}/soc"]),
                rc_voltage=np.array(saved[f"{g}/rc_voltage"]),
            )
            group.radiator_use = (
                np.array(saved[f"{g}/radiator_use"]) if f"{g}/radiator_use" in saved else None
            )
            group.card_heat = np.array(saved[f"{g}/junction_heat"])
            group.read_temperatures()
        self.apply_parameters()


def classes_of(case: Case, sub_center: int) -> dict[str, Array]:
    """Return the ages of the modules of a sub-center by class, classes as the plant orders them [s]."""
    order = dict.fromkeys(group.class_ for center in case.sub_centers for group in center.modules)
    ages: dict[str, list[float]] = {name: [] for name in order}
    for group in case.sub_centers[sub_center].modules:
        age = case.mission.age if group.age is None else group.age
        ages[group.class_].extend([age] * group.count)
    return {name: np.array(values, dtype=float) for name, values in ages.items() if values}


def parameter_bounds(groups: list[EnsembleGroup]) -> BoundedParameters:
    """Return the estimated parameters with the bounds within which the modules can be modelled."""
    lowest, highest = dict(_LOWEST), dict(_HIGHEST)
    for name, ranges in (
        ("emissivity", [g.emissivity_range() for g in groups]),
        ("mass_flow", [g.flow_range() for g in groups]),
    ):
        lowest[name] = max(low for low, _ in ranges)
        highest[name] = min(high for _, high in ranges)
    # Where the design is on a bound of the reduced model there must be room around it.
    for name in PARAMETERS:
        lowest[name], highest[name] = min(lowest[name], 0.98), max(highest[name], 1.02)
    return BoundedParameters(
        PARAMETERS,
        np.ones(len(PARAMETERS)),
        np.array([lowest[name] for name in PARAMETERS]),
        np.array([highest[name] for name in PARAMETERS]),
        np.array([PRIOR_SPREAD[name] for name in PARAMETERS]),
        np.array([DAILY_DRIFT[name] for name in PARAMETERS]),
    )


def mean_fluxes(track: EnvironmentTrack, start: float, period: float) -> list[FaceFluxes]:
    """Return the mean fluxes on the faces of each group over an orbit that begins at a time [s]."""
    ticks = list(track.ticks(start, start + period))
    weight = np.array([t.dt for t in ticks])
    return [mean_faces([t.faces[g] for t in ticks], weight) for g in range(len(track.groups))]
