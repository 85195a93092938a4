"""One table of what the live twin finds out about a hidden plant: parameters, error bars, places, faults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from live_experiment import ROOT, Array, Follower, HiddenTruth, simulate

if TYPE_CHECKING:
    from twin.live.alarms import Alarm

NORMAL_90 = 1.645

STRUCK = 4500.0
"""When faults begin [s]."""

SENSOR_FAULTS = (
    "stuck@75m/center/{}/coolant_supply_temperature",
    "stuck@75m/center/{}/cold_plate_temperature",
    "stuck@75m/center/{}/battery_soc",
    "stuck@75m/center/{}/coolant_mass_flow",
    "bias:3@75m/center/{}/coolant_supply_temperature",
    "bias:3@75m/center/{}/coolant_return_temperature",
    "bias:3@75m/center/{}/radiator_outlet_temperature",
    "bias:3@75m/center/{}/cold_plate_temperature",
    "bias:3@75m/center/{}/body_temperature",
    "bias:3@75m/center/{}/battery_temperature",
    "bias:10@75m/center/{}/solar_array_temperature",
    "bias:-2.5@75m/center/{}/coolant_mass_flow",
    "bias:0.1@75m/center/{}/battery_soc",
    "bias:1e5@75m/center/{}/load_power",
    "spike:20@75m/center/{}/coolant_supply_temperature",
    "spike:20@75m/center/{}/coolant_return_temperature",
    "spike:20@75m/center/{}/cold_plate_temperature",
    "spike:5@75m/center/{}/coolant_mass_flow",
)
"""One module each, from the sixth on."""

PUMPS = (0, 1, 2, 3, 4)
"""Modules whose pump weakens by a tenth."""


@dataclass
class Course:
    """What the reports of a run say, (cycle, module, …)."""

    time: list[float] = field(default_factory=list)
    parameter: list[Array] = field(default_factory=list)
    spread: list[Array] = field(default_factory=list)
    true: list[Array] = field(default_factory=list)
    temperature: list[Array] = field(default_factory=list)
    temperature_spread: list[Array] = field(default_factory=list)
    panel: list[Array] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)

    @classmethod
    def of(cls, truth: HiddenTruth, packets: list[bytes]) -> Course:
        """Let a live twin follow packets."""
        follower, out = Follower.of(truth.case), cls()
        for report in follower.follow(packets):
            out.time.append(report.time)
            out.parameter.append(report.parameter)
            out.spread.append(report.parameter_spread)
            out.true.append(follower.true_factors(truth, report.sub_center, report.time))
            out.temperature.append(report.temperature)
            out.temperature_spread.append(report.temperature_spread)
            out.panel.append(
                follower.panel_temperatures(report.sub_center) - follower.panel_truth(truth, report)
            )
            out.alarms += report.new_alarms
        return out

    def since(self, time: float, rows: list[Array]) -> Array:
        """Return the rows from a time on [s], (cycle, …)."""
        return np.array([row for t, row in zip(self.time, rows) if t > time])


def table(orbits: float, file: str, spread: float, seed: int) -> dict[str, object]:
    """Run the experiments and print the table.

    Parameters
    ----------
    orbits : float
        Of the run without faults; its second half is judged.
    file : str
        Case with one sub-center.
    spread : float
        Of the hidden factors.
    seed : int
    """
    from twin.case import Case
    from twin.feed.assembly import FeedOptions

    case = Case.load(ROOT / "cases" / file, [f"mission.duration={orbits} orbits", "numerics.thermal=reduced"])
    truth = simulate(case, FeedOptions(spread=spread, seed=seed))
    quiet = Course.of(truth, truth.telemetry())
    result: dict[str, object] = {"case": file, "modules": len(quiet.parameter[0]), "orbits": orbits}
    result |= _calibration(truth, quiet)
    name = case.sub_centers[0].name
    faults = [text.replace("center", name).format(k) for k, text in enumerate(SENSOR_FAULTS, len(PUMPS))]
    mute = [f"dropout@75m/{fault.split('/', 1)[1]}" for fault in faults]
    lied, absent = (
        Course.of(truth, _until(truth, truth.telemetry(struck), STRUCK + 2400.0)) for struck in (faults, mute)
    )
    result |= _sensors(truth, absent, lied, faults, name)
    pumps = tuple(f"pump:0.9@75m/{name}/{k}" for k in PUMPS)
    broken = simulate(case, FeedOptions(faults=pumps, spread=spread, seed=seed), STRUCK + 2400.0)
    result |= _pumps(Course.of(broken, broken.telemetry()), name)
    return result


def _until(truth: HiddenTruth, packets: list[bytes], time: float) -> list[bytes]:
    return packets[: truth.row(time) + 1]


def _calibration(truth: HiddenTruth, course: Course) -> dict[str, object]:
    from twin.live.model import PARAMETERS
    from twin.live.report import PLACES
    from twin.telemetry.dictionary import Dictionary

    half = 0.5 * truth.time[-1]
    parameter, spread, true = (
        course.since(half, rows) for rows in (course.parameter, course.spread, course.true)
    )
    rows: dict[str, dict[str, float]] = {}
    for k, name in enumerate(PARAMETERS):
        gap = parameter[..., k] - true[..., k]
        rows[name] = {
            "rms": float(np.sqrt(np.mean(gap**2))),
            "within_5_percent": float(np.mean(np.abs(gap) < 0.05)),
            "within_90": float(np.mean(np.abs(gap) < NORMAL_90 * spread[..., k])),
        }
        print(
            f"  {name:<18} rms error {100 * rows[name]['rms']:.2f} %, within 5 %: "
            f"{100 * rows[name]['within_5_percent']:.1f} %, in the 90 % interval {100 * rows[name]['within_90']:.0f} %"
        )
    inside = float(np.mean([row["within_90"] for row in rows.values()]))
    print(f"  all parameters: in the 90 % interval {100 * inside:.1f} %")
    dictionary = Dictionary.of_case(truth.case)
    temperature = course.since(half, course.temperature)
    margin = course.since(half, course.temperature_spread)
    times = [t for t in course.time if t > half]
    ticks = [truth.row(t) for t in times]
    places: dict[str, dict[str, float]] = {}
    for place, quantity in (
        ("supply", "coolant_supply_temperature"), ("return", "coolant_return_temperature"),
        ("radiator_outlet", "radiator_outlet_temperature"), ("cold_plate", "cold_plate_temperature"),
        ("body", "body_temperature"), ("battery", "battery_temperature"), ("array", "solar_array_temperature"),
    ):  # fmt: skip
        k = PLACES.index(place)
        gap = temperature[:, :, k] - truth.values[ticks][:, dictionary.of_quantity(quantity)]
        inside_place = float(np.mean(np.abs(gap) < NORMAL_90 * margin[:, :, k]))
        places[place] = {"rms": float(np.sqrt(np.mean(gap**2))), "within_90": inside_place}
        print(
            f"  {place:<18} rms error {places[place]['rms']:.3f} K, in the 90 % interval {100 * inside_place:.0f} %"
        )
    panel = float(np.sqrt(np.mean(course.since(half, course.panel) ** 2)))
    hours = truth.time[-1] / 3600.0 * parameter.shape[1]
    print(f"  unmeasured places on the panels: rms error {panel:.3f} K")
    print(
        f"  false alarms: {len(course.alarms)} in {hours:.0f} module hours {[a.text for a in course.alarms]}"
    )
    return {
        "parameters": rows, "within_90": inside, "places": places, "unmeasured_rms": panel,
        "false_alarms": len(course.alarms), "module_hours": hours,
    }  # fmt: skip


def first_wrong(truth: HiddenTruth, faults: list[str]) -> list[float]:
    """Return when each faulty sensor first says something else than it would have said [s]: spikes are rare."""
    from twin.feed.assembly import parse_faults
    from twin.feed.sensors import Sensors
    from twin.telemetry.dictionary import Dictionary

    dictionary = Dictionary.of_case(truth.case)
    options, struck = truth.options, parse_faults(truth.case, dictionary, faults)
    good, bad = (Sensors(dictionary, options.errors, f, options.seed) for f in ((), struck))
    places = [int(fault.parameters(dictionary)[0]) for fault in struck]
    since = np.full(len(faults), np.nan)
    for row in range(truth.row(STRUCK), len(truth.time)):
        good.readings = bad.readings = row
        values, time = truth.values[row].astype(float), float(truth.time[row])
        wrong = (good.read(time, values) != bad.read(time, values))[places]
        since[np.isnan(since) & wrong] = time
    return [float(t) for t in since]


def _sensors(
    truth: HiddenTruth, absent: Course, lied: Course, faults: list[str], name: str
) -> dict[str, object]:
    """Say when lying sensors are named, and by how much they pull: against a run in which they are missing."""
    rows = []
    undisturbed = dict(zip(absent.time, absent.temperature))
    for fault, first in zip(faults, first_wrong(truth, faults)):
        place = fault.split("/", 1)[1]
        module = int(place.split("/")[1])
        mine = [a for a in lied.alarms if a.kind == "sensor" and a.place == place]
        others = [a for a in lied.alarms if a.place.startswith(f"{name}/{module}") and a.place != place]
        pull = max(
            float(np.abs(row[module] - undisturbed[t][module]).max())
            for t, row in zip(lied.time, lied.temperature)
            if t in undisturbed and t > STRUCK
        )
        since = first if fault.startswith("spike") else STRUCK
        delay = mine[0].time - since if mine else float("nan")
        rows.append(
            {
                "fault": fault, "first_wrong": since - STRUCK, "delay": delay, "pull": pull,
                "others": [a.text for a in others],
            }
        )  # fmt: skip
        begins = f" (first one at {since - STRUCK:.0f} s)" if since > STRUCK else ""
        print(
            f"  {fault:<58} named after {delay:>5.0f} s{begins}, pull at most {pull:.2f} K "
            f"{[a.text for a in others]}"
        )
    struck = {row.split("/")[2] for row in faults}
    false = [a.text for a in lied.alarms if a.place.split("/")[1] not in struck]
    print(f"  alarms of other modules: {false}")
    return {"sensors": rows, "alarms_elsewhere": false}


def _pumps(course: Course, name: str) -> dict[str, object]:
    from twin.live.model import PARAMETERS

    flow, rows = PARAMETERS.index("mass_flow"), []
    for module in PUMPS:
        mine = [a for a in course.alarms if a.cause == "pump" and a.place == f"{name}/{module}"]
        gap = float(course.parameter[-1][module, flow] - course.true[-1][module, flow])
        delay = mine[0].time - STRUCK if mine else float("nan")
        rows.append({"module": module, "delay": delay, "error": gap})
        print(
            f"  pump of module {module}: named after {delay:.0f} s, flow off by {100 * gap:+.2f} % at the end"
        )
    others = [f"{a.place}: {a.text}" for a in course.alarms if int(a.place.split("/")[1]) not in PUMPS]
    blamed = [a.text for a in course.alarms if a.kind == "sensor" and int(a.place.split("/")[1]) in PUMPS]
    print(f"  other modules: {others}; sensors blamed: {blamed}")
    return {"pumps": rows, "pump_alarms_elsewhere": others, "sensors_blamed": blamed}
