"""From ticks to result variables: what a run keeps, averaged over the output interval."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.card_distribution import EXACT_CARDS, CardDistribution, distribution_of, quantiles_of
from twin.job_work import KINDS, kind_numbers
from twin.limiting_factor import LIMITS
from twin.orbit import EARTH_RADIUS
from twin.plant import Plant
from twin.result_variables import find_variable
from twin.results import ResultLayout
from twin.simulation import Tick

Array = NDArray[np.float64]
Values = dict[str, dict[str, Any]]

DISTRIBUTION_BINS = 4096
FINER = 40
"""Bins in which temperatures are counted, per bin of the histogram that is kept: 0.05 K."""

QUANTILES = np.array([0.0, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0])
TEMPERATURE_EDGES = np.arange(233.15, 393.15 + 1.0, 2.0)
"""Edges of the bins of the histogram of junction temperatures [K]."""

SUMMED = (
    "solar_power", "solar_power_available", "curtailed_power", "load_power", "load_demand", "shed_power",
    "card_power", "overhead_power", "housekeeping_power", "pump_power", "relay_power", "relay_heat", "conversion_loss",
    "battery_power", "battery_heat", "absorbed_power", "heat_rejected", "surface_exchange", "coolant_heat",
    "coolant_mass_flow",
    "link_rate", "link_demand", "cards_failed", "work_rate", "radiator_area_margin",
)  # fmt: skip
"""Variables of a module that add up to those of its sub-center and the plant."""

LOWEST = (
    "panel_temperature_min",
    "battery_soc",
    "battery_margin",
    "radiator_margin",
    "radiator_temperature_margin",
)
"""Variables whose lowest module speaks for the whole."""

HIGHEST = ("battery_temperature", "panel_temperature_max", "junction_temperature_max")
"""Variables whose highest module speaks for the whole."""

AVERAGED = (
    "coolant_supply_temperature", "coolant_return_temperature", "bypass_fraction", "panel_temperature_mean",
    "array_shadow_factor", "solar_array_temperature", "body_temperature",
    "cold_plate_temperature",
)  # fmt: skip
"""Variables averaged over modules."""

CAUSES = ("power", "heat", "cards", "link")
"""What may limit the work, as `twin.limiting_factor` names it."""

BY_CARD = (
    "throttled_fraction_thermal", "throttled_fraction_power", "throttled_fraction_cards", "throttled_fraction_link",
    "failed_fraction", *(f"limited_fraction_{cause}" for cause in CAUSES),
)  # fmt: skip
"""Variables averaged over cards."""


def layout(plant: Plant) -> ResultLayout:
    """Return the coordinates of a plant's result."""
    classes = [group.name for group in plant.groups for _ in range(group.count)]
    centres = 0.5 * (TEMPERATURE_EDGES[1:] + TEMPERATURE_EDGES[:-1])
    axes = {"quantile": QUANTILES, "junction_temperature_bin": centres}
    return ResultLayout(plant.sub_center_names, plant.sub_center, classes, axes)


def static_values(plant: Plant) -> Values:
    """Return the variables that do not change over a run."""
    groups = plant.groups
    module = {
        "radiator_area": plant.per_module([g.radiator_area for g in groups]),
        "card_count": plant.cards_per_module.astype(float),
        "card_power_limit": plant.per_module([g.design.racks.cards * g.card.power_limit for g in groups]),
    }
    level = {
        "battery_soc_limit": plant.per_module([g.battery.state_of_charge_min for g in groups]),
        "junction_temperature_slowdown": plant.per_module([g.card.slowdown_temperature for g in groups]),
        "junction_temperature_shutdown": plant.per_module([g.card.shutdown_temperature for g in groups]),
    }
    centers = {name: plant.per_sub_center(values) for name, values in module.items()}
    centers["module_count"] = np.bincount(plant.sub_center, minlength=len(plant.orbits)).astype(float)
    whole = {name: float(values.sum()) for name, values in centers.items()}
    lowest = {
        name: np.array([v[plant.sub_center == c].min() for c in range(len(plant.orbits))])
        for name, v in level.items()
    }
    return {
        "module": module | level,
        "sub_center": centers | lowest,
        "plant": whole | {name: float(v.min()) for name, v in level.items()},
    }


def module_values(tick: Tick, plant: Plant) -> dict[str, Array]:
    """Return the variables of every module for one tick."""

    def each(value: Any) -> Array:
        return np.concatenate(
            [np.broadcast_to(value(g, done), (g.count,)) for g, done in zip(plant.groups, tick.groups)]
        )

    cards, limits = tick.cards, tick.limits
    loads = {
        name: each(lambda g, t, n=name: t.flows.load_supplied[n])
        for name in ("housekeeping", "coolant_pump", "relay")
    }
    shed = each(lambda g, t: sum(t.flows.shed.values()))
    supplied = each(lambda g, t: sum(t.flows.load_supplied.values()))
    soc = each(lambda g, t: t.battery.state.state_of_charge)
    places = {
        "coolant_supply_temperature": "supply",
        "coolant_return_temperature": "return",
        "panel_temperature_min": "panel_min",
        "panel_temperature_mean": "panel_mean",
        "panel_temperature_max": "panel_max",
        "solar_array_temperature": "array",
        "battery_temperature": "battery",
        "body_temperature": "body",
        "cold_plate_temperature": "cold_plate",
    }
    return (
        {
            "solar_power": each(lambda g, t: t.flows.solar_used),
            "solar_power_available": each(lambda g, t: t.point.power),
            "curtailed_power": each(lambda g, t: t.flows.curtailed),
            "load_power": supplied,
            "load_demand": supplied + shed,
            "shed_power": shed,
            "card_power": cards.power,
            "overhead_power": each(lambda g, t: t.overhead),
            "housekeeping_power": loads["housekeeping"],
            "pump_power": loads["coolant_pump"],
            "relay_power": loads["relay"],
            "relay_heat": loads["relay"] - each(lambda g, t: t.exported),
            "conversion_loss": each(
                lambda g, t: sum(t.flows.losses.values()) + t.array.harness_loss + t.array.diode_loss
            ),
            "battery_power": each(lambda g, t: t.battery.power),
            "battery_heat": each(lambda g, t: t.battery.heat),
            "battery_soc": soc,
            "battery_margin": soc - each(lambda g, t: g.battery.state_of_charge_min),
            "absorbed_power": each(lambda g, t: t.absorbed),
            "bus_exchange": each(lambda g, t: t.flows.exchange),
            "loop_exchange": each(lambda g, t: t.loop_heat),
            "heat_rejected": each(lambda g, t: t.thermal.heat_rejected),
            "surface_exchange": each(lambda g, t: t.surface_exchange),
            "array_shadow_factor": each(lambda g, t: t.shadow_factor),
            "coolant_heat": each(lambda g, t: t.thermal.coolant_heat),
            "coolant_mass_flow": each(lambda g, t: g.design.coolant_loop.mass_flow),
            "bypass_fraction": each(lambda g, t: t.thermal.bypass_fraction),
            "radiator_margin": each(lambda g, t: np.maximum(t.margin, -1e3)),
            "junction_temperature_p50": cards.junction_temperature_p50,
            "junction_temperature_p99": cards.junction_temperature_p99,
            "junction_temperature_max": cards.junction_temperature_max,
            "throttled_fraction_thermal": cards.throttled_fraction_thermal,
            "throttled_fraction_power": cards.throttled_fraction_power,
            "throttled_fraction_cards": limits.without_cards,
            "throttled_fraction_link": limits.without_data,
            "failed_fraction": cards.failed_fraction,
            "cards_failed": cards.failed_fraction * plant.cards_per_module,
            "link_rate": tick.relay.rate,
            "link_demand": limits.link.demand,
            "throughput_fraction": cards.throughput_fraction,
            "energy_residual": tick.ledger.residual,
        }
        | {
            f"limited_fraction_{cause}": (limits.limit.code == LIMITS.index(cause)).astype(float)
            for cause in CAUSES
        }
        | {name: each(lambda g, t, p=place: t.thermal.temperatures[p]) for name, place in places.items()}
    )


class Recorder:
    """Collects ticks and gives the values of an output interval: means over it, or values at its end.

    Parameters
    ----------
    plant : Plant
    """

    def __init__(self, plant: Plant):
        self.plant = plant
        self._length = 0.0
        self._sums: dict[str, Array] = {}
        self._work = np.zeros((2, plant.modules))
        self._kind = kind_numbers([job.kind for job in plant.workload.jobs])
        self._kind_work = np.zeros((2, len(KINDS), len(plant.orbits)))
        self._orbit: dict[str, float] = {}
        self._last: dict[str, Array] = {}
        self._tick: Tick | None = None
        cards = plant.cards_per_module
        few = int(cards.sum()) <= EXACT_CARDS
        self._center_of_card = np.repeat(plant.sub_center, cards) if few else None
        self._area = plant.per_module([g.radiator_area for g in plant.groups])
        self._power_width = 1.5 * max(g.card.power_limit for g in plant.groups) / DISTRIBUTION_BINS

    def add(self, tick: Tick) -> None:
        """Take in a tick."""
        values = module_values(tick, self.plant)
        env, dt = tick.environment, tick.dt
        self._length += dt
        self._tick, self._last = tick, values
        for name, value in values.items():
            if find_variable("module", name).sampling == "mean":
                self._sums[name] = self._sums.get(name, 0.0) + dt * value
        self._work += dt * np.stack([tick.cards.work_done, tick.limits.asked])
        self._kind_work += dt * tick.work.by_kind(self._kind, self.plant.sub_center, len(self.plant.orbits))
        means = {
            "solar_flux": env.sun_plate.direct[0, 0],
            "albedo_flux": env.nadir_plate.albedo[0, 0],
            "earth_infrared_flux": env.nadir_plate.infrared[0, 0],
        }
        for name, flux in means.items():
            self._orbit[name] = self._orbit.get(name, 0.0) + dt * float(flux)

    def take(self) -> Values:
        """Return the values of the interval since the last call, and begin a new one."""
        assert self._tick is not None, "no tick since the last call"
        tick, plant, length = self._tick, self.plant, self._length
        module = self._last | {name: value / length for name, value in self._sums.items()}
        module["throughput_fraction"] = _ratio(*self._work)
        module["work_rate"] = self._work[0] / length
        spare = np.concatenate([group.temperature_margin() for group in plant.groups])
        module["radiator_temperature_margin"] = spare
        module["radiator_area_margin"] = module["radiator_margin"] * self._area
        cards, by_center, of_all = self._cards()
        asked, done = self._kind_work
        centers = self._sub_centers(module) | by_center | _by_kind(asked, done)
        of_all |= _by_kind(asked.sum(axis=1), done.sum(axis=1))
        whole = self._plant(module, centers) | of_all | self._interrupts(tick.end)
        whole |= {"tick_duration": length, "energy_residual": tick.ledger.plant_residual}
        if plant.relay.reports:
            delay = plant.relay.telemetry_delay(tick.end)
            centers["telemetry_delay"] = np.where(np.isfinite(delay), delay, np.nan)
            whole["telemetry_delay"] = float(centers["telemetry_delay"].max())
        env, states = tick.environment, tick.environment.states
        orbit = {
            "position": states.position[0],
            "velocity": states.velocity[0],
            "sun_direction": states.sun_direction[0],
            "sun_distance": states.sun_distance[0],
            "altitude": states.radius[0] - EARTH_RADIUS,
            "beta_angle": env.beta_angle[0],
            "illuminated_fraction": env.illuminated_fraction[0],
        } | {name: value / length for name, value in self._orbit.items()}
        centers["illuminated_fraction"] = env.illuminated_fraction
        booked = {
            "absorbed": "absorbed_energy",
            "emitted": "emitted_energy",
            "exported": "exported_energy",
            "stored": "stored_energy",
            "battery": "battery_energy",
            "electrical": "electrical_energy",
            "cards": "card_energy",
        }
        sums = tick.ledger.plant
        ledger: dict[str, Any] = {variable: sums[name] for name, variable in booked.items()}
        ledger["energy_residual"] = tick.ledger.plant_residual
        self._length, self._sums, self._orbit, self._tick = 0.0, {}, {}, None
        self._work = np.zeros((2, plant.modules))
        self._kind_work = np.zeros_like(self._kind_work)
        return {
            "plant": whole,
            "sub_center": centers,
            "module": module,
            "card": cards,
            "orbit": orbit,
            "ledger": ledger,
        }

    def _interrupts(self, time: float) -> dict[str, float]:
        """Sums over the jobs since the start of the run."""
        workload = self.plant.workload
        return {
            "jobs_interrupted": float(workload.interruptions.sum()),
            "lost_work": float(workload.lost_work @ workload.cards),
            "silent_errors": float(self.plant.events.silent_errors(time)),
        }

    def _cards(self) -> tuple[dict[str, Array], dict[str, Array], dict[str, Array]]:
        """Distributions at the end of the interval over the cards of each sub-center, and what both others take."""
        fleet, centers = self.plant.fleet, len(self.plant.orbits)

        def count(values: NDArray[np.float32], start: float, width: float, bins: int) -> CardDistribution:
            return distribution_of(
                values, fleet.module_start, self.plant.sub_center, centers, start, width, bins
            )

        width = (TEMPERATURE_EDGES[1] - TEMPERATURE_EDGES[0]) / FINER
        bins = FINER * (TEMPERATURE_EDGES.size - 1)
        junction = count(fleet.temperature, TEMPERATURE_EDGES[0], width, bins)
        power = count(fleet.mean_power, 0.0, self._power_width, DISTRIBUTION_BINS)
        shares = np.concatenate([QUANTILES, [0.5, 0.99]])
        by_center, whole = quantiles_of(junction, fleet.temperature, self._center_of_card, shares)
        powers, _ = quantiles_of(power, fleet.mean_power, self._center_of_card, QUANTILES)
        names = ("junction_temperature_p50", "junction_temperature_p99")
        cards = {
            "junction_temperature_quantile": by_center[:, : QUANTILES.size],
            "junction_temperature_histogram": junction.histogram(TEMPERATURE_EDGES).astype(float),
            "card_power_quantile": powers,
        }
        return (
            cards,
            {name: by_center[:, QUANTILES.size + k] for k, name in enumerate(names)},
            {name: whole[QUANTILES.size + k] for k, name in enumerate(names)},
        )

    def _sub_centers(self, module: dict[str, Array]) -> dict[str, Array]:
        plant, members = (
            self.plant,
            [np.flatnonzero(self.plant.sub_center == c) for c in range(len(self.plant.orbits))],
        )
        out = {name: plant.per_sub_center(module[name]) for name in SUMMED}
        for names, pick in ((LOWEST, np.min), (HIGHEST, np.max), (AVERAGED, np.mean)):
            out |= {name: np.array([pick(module[name][m]) for m in members]) for name in names}
        cards = plant.cards_per_module.astype(float)
        out |= {
            name: _ratio(plant.per_sub_center(cards * module[name]), plant.per_sub_center(cards))
            for name in BY_CARD
        }
        out["throughput_fraction"] = _ratio(*(plant.per_sub_center(w) for w in self._work))
        return out

    def _plant(self, module: dict[str, Array], centers: dict[str, Array]) -> dict[str, Any]:
        plant = self.plant
        out: dict[str, Any] = {name: float(centers[name].sum()) for name in SUMMED}
        out |= {name: float(centers[name].min()) for name in LOWEST}
        out |= {name: float(centers[name].max()) for name in HIGHEST}
        out |= {name: float(module[name].mean()) for name in AVERAGED}
        cards = plant.cards_per_module.astype(float)
        out |= {name: float(cards @ module[name] / cards.sum()) for name in BY_CARD}
        done, asked = self._work.sum(axis=1)
        out["throughput_fraction"] = float(done / asked) if asked > 0.0 else 1.0
        return out


def _ratio(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.ones_like(part), where=whole > 0.0)


def _by_kind(asked: Array, done: Array) -> dict[str, Array]:
    """Throughput of each kind of job, NaN where none of it asks for work."""
    share = np.divide(done, asked, out=np.full_like(done, np.nan), where=asked > 0.0)
    return {f"throughput_fraction_{kind}": share[k] for k, kind in enumerate(KINDS)}
