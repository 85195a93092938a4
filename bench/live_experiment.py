"""Twin experiments: telemetry of a hidden plant, and the partitions of a live twin that read it without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from twin.case import Case
    from twin.feed.assembly import FeedOptions
    from twin.live.forecast import Forecast
    from twin.live.partition import Partition
    from twin.live.report import CycleReport
    from twin.live.settings import LiveSettings
    from twin.plant import Plant
    from twin.telemetry.dictionary import Dictionary

Array = NDArray[np.float64]

ROOT = Path(__file__).resolve().parents[1]

PANEL_SENSORS = ("panel_inlet_temperature", "panel_middle_temperature", "panel_outlet_temperature")
"""Thermometers that the live twin does not use: it can be tested with them."""


@dataclass(frozen=True, eq=False)
class HiddenTruth:
    """What was true in a hidden plant.

    Attributes
    ----------
    case : Case
    options : FeedOptions
    time : (tick,) array
        [s since mission start].
    values : (tick, parameter) array
        What perfect sensors would have read.
    changes : list of (time, properties)
        What the modules really are from a time on, (module,) each in the order of the plant; see `properties`.
    """

    case: Case
    options: FeedOptions
    time: Array
    values: Array
    changes: list[tuple[float, dict[str, Array]]]

    def row(self, time: float) -> int:
        """Return the tick whose end is a time [s]."""
        return min(int(np.searchsorted(self.time, time - 1e-6)), len(self.time) - 1)

    def properties(self, time: float) -> dict[str, Array]:
        """Return what the modules are at a time [s]."""
        return [values for begin, values in self.changes if begin <= time][-1]

    def telemetry(self, faults: Sequence[str] = ()) -> list[bytes]:
        """Return the packets of every tick.

        Parameters
        ----------
        faults : sequence of str
            Of sensors and link; noise and calibration are the same with and without.
        """
        from twin.feed.assembly import parse_faults
        from twin.feed.link import Link
        from twin.feed.sensors import Sensors
        from twin.feed.session import Feed
        from twin.telemetry.dictionary import Dictionary

        dictionary = Dictionary.of_case(self.case)
        struck = parse_faults(self.case, dictionary, faults)
        none = np.zeros(len(dictionary.sub_centers))
        source = ((float(t), v.astype(float), none) for t, v in zip(self.time, self.values))
        sensors = Sensors(dictionary, self.options.errors, struck, self.options.seed)
        feed = Feed(source, sensors, Link(dictionary, struck, self.options.seed))
        return [b"".join(shipment.packets) for shipment in feed]


def properties(plant: Plant) -> dict[str, Array]:
    """Return the properties of the modules of a plant that the live twin estimates, (module,) each.

    Emissivity and absorptance count for the area that is there: a lost panel and a duller coating shed the same.
    """
    rows: dict[str, list[Array]] = {}
    for group in plant.groups:
        area = group.thermal_values["panels"] / group.design.radiator.panels
        found = {
            "emissivity": group.thermal_values["emissivity"] * area,
            "absorptance": group._radiator_absorptance * area,
            "plate_conductance": group.thermal_values["plate_conductance"],
            "mass_flow": group.mass_flow,
            "array_power": group.remaining,
            "battery_capacity": group.battery_state.health.capacity_fraction,
        }
        for name, values in found.items():
            rows.setdefault(name, []).append(np.array(values, dtype=float))
    return {name: np.concatenate(values) for name, values in rows.items()}


def simulate(case: Case, options: FeedOptions, until: float = np.inf) -> HiddenTruth:
    """Simulate a hidden plant.

    Parameters
    ----------
    case : Case
    options : FeedOptions
        Its faults are those of modules and jobs.
    until : float
        When to end, if before the end of the mission [s].
    """
    from twin.feed.assembly import hidden_factors, parse_faults
    from twin.feed.hidden import HiddenPlant
    from twin.feed.session import simulated
    from twin.plant import Plant
    from twin.telemetry.dictionary import Dictionary

    dictionary = Dictionary.of_case(case)
    factors = hidden_factors(options, int(dictionary.modules.sum()))
    plant = Plant.build(case)
    hidden = HiddenPlant(case, dictionary, factors, parse_faults(case, dictionary, options.faults), plant)
    changes: list[tuple[float, dict[str, Array]]] = []
    times: list[float] = []
    rows: list[NDArray[np.float32]] = []
    for time, values, _ in simulated(hidden, min(plant.duration, until)):
        if len(changes) < len(hidden.changes):
            changes.append((hidden.changes[-1].time, properties(hidden.plant)))
        times.append(time)
        rows.append(values.astype(np.float32))
    return HiddenTruth(case, options, np.array(times), np.array(rows), changes)


@dataclass(eq=False)
class Follower:
    """All partitions of a live twin in this process, fed tick by tick.

    Attributes
    ----------
    partitions : list of Partition
    dictionary : Dictionary
    """

    partitions: list[Partition]
    dictionary: Dictionary

    @classmethod
    def of(cls, case: Case, settings: LiveSettings | None = None) -> Follower:
        """Build the partitions of a case."""
        from twin.live.host import TrainedPanel
        from twin.live.partition import Partition
        from twin.live.settings import LiveSettings

        settings = settings or LiveSettings()
        partitions = [Partition(case, c, settings, TrainedPanel()) for c in range(len(case.sub_centers))]
        return cls(partitions, partitions[0].dictionary)

    def follow(self, packets: Sequence[bytes]) -> Iterator[CycleReport]:
        """Yield the reports of the cycles that packets complete."""
        from twin.live.ingest import split
        from twin.telemetry.decoding import Decoder

        decoder = Decoder(self.dictionary)
        for serial, piece in enumerate(packets):
            for center, samples in split(decoder.blocks(piece), self.dictionary):
                yield from self.partitions[center].accept(serial, samples)

    def modules(self, sub_center: int) -> slice:
        """Return which modules of the telemetry are those of a sub-center."""
        first = self.dictionary.first_module
        return slice(int(first[sub_center]), int(first[sub_center + 1]))

    def true_factors(self, truth: HiddenTruth, sub_center: int, time: float) -> Array:
        """Return the estimated factors as they are, (module, parameter); the cards' is that of their meter, 1."""
        from twin.live.model import PARAMETERS

        at = self.dictionary.plant_index[self.modules(sub_center)]
        real, groups = truth.properties(time), self.partitions[sub_center].model.groups
        out = np.ones((at.size, len(PARAMETERS)))
        for k, name in enumerate(PARAMETERS):
            if name in real:
                design = np.concatenate([g.nominal[name].reshape(-1, g.members)[:, 0] for g in groups])
                out[:, k] = real[name][at] / design
        return out

    def panel_temperatures(self, sub_center: int) -> Array:
        """Return what the thermometers on the panels should show, (module, sensor) [K]."""
        from twin.telemetry.panel_sensors import PanelSensors

        groups = self.partitions[sub_center].model.groups
        return np.concatenate(
            [PanelSensors(g).temperatures().reshape(-1, g.members, 3).mean(axis=1) for g in groups]
        )

    def panel_truth(self, truth: HiddenTruth, report: CycleReport) -> Array:
        """Return what those thermometers would have shown without errors, (module, sensor) [K]."""
        at = self.modules(report.sub_center)
        columns = np.stack([self.dictionary.of_quantity(name)[at] for name in PANEL_SENSORS], axis=1)
        return np.asarray(truth.values[truth.row(report.time)][columns], dtype=float)


def forecasts(
    follower: Follower,
    packets: Sequence[bytes],
    every: float,
    watch: Callable[[CycleReport], None] | None = None,
) -> Iterator[Forecast]:
    """Yield forecasts of all sub-centers, one in `every` seconds of mission time.

    Parameters
    ----------
    follower : Follower
    packets : sequence of bytes
    every : float
        [s].
    watch : callable, optional
        Called with every report.
    """
    from twin.live.forecast import Forecaster

    forecasters: dict[int, Forecaster] = {}
    last: dict[int, float] = {}
    for report in follower.follow(packets):
        if watch is not None:
            watch(report)
        center = report.sub_center
        if report.time - last.get(center, -np.inf) < every - 1e-6:
            continue
        last[center] = report.time
        if center not in forecasters:
            forecasters[center] = Forecaster(follower.partitions[center])
        yield forecasters[center].forecast()
