"""What a sub-center says after each cycle: state, parameters and innovations with their error bars, and alarms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin.assimilation import Innovation
from twin.live.alarms import Alarm
from twin.live.filter import LOOKS
from twin.live.sensors import MEASURED, NAMES

if TYPE_CHECKING:
    from twin.live.partition import Partition
    from twin.live.screen import Judgement

Array = NDArray[np.float64]

PLACES = (
    "supply", "return", "radiator_outlet", "cold_plate", "panel_min", "panel_mean", "panel_max", "body", "battery",
    "array",
)  # fmt: skip
"""Places whose temperatures are reported."""


OWN_SENSOR = {"body": "body_temperature", "battery": "battery_temperature"}
"""Places that show in no sensor but their own: they are not known better than that is calibrated."""


@dataclass(frozen=True, eq=False)
class CycleReport:
    """State of a sub-center after a cycle.

    Attributes
    ----------
    sub_center : int
    time : float
        Of the state [s since mission start].
    cycle, serial : int
        Cycles so far; last batch that is in it.
    temperature, temperature_spread : (module, place) arrays
        Mean and standard deviation over the members [K]; see `PLACES`.
    parameter, parameter_spread : (module, parameter) arrays
        Factors on the design; see `twin.live.model.PARAMETERS`.
    state_of_charge, state_of_charge_spread : (module,) arrays
    radiator_margin, radiator_margin_spread : (module,) arrays
    card_power : (module,) array
        As measured [W].
    innovation : (module, sensor) array
        In standard deviations; NaN where nothing was seen.
    bias : (module, sensor) array
        Estimated errors of the sensors.
    consistency : (module,) array
        Mean normalised innovation squared per observation: 1 when filter and plant agree.
    sensor_fault : (module, sensor) int array
        See `twin.live.screen.SensorFault`.
    alarms, new_alarms : list of Alarm
        That stand; that are new.
    samples : dict
        Counts of samples by what became of them.
    """

    sub_center: int
    time: float
    cycle: int
    serial: int
    temperature: Array
    temperature_spread: Array
    parameter: Array
    parameter_spread: Array
    state_of_charge: Array
    state_of_charge_spread: Array
    radiator_margin: Array
    radiator_margin_spread: Array
    card_power: Array
    innovation: Array
    bias: Array
    consistency: Array
    sensor_fault: NDArray[np.int64]
    alarms: list[Alarm]
    new_alarms: list[Alarm]
    samples: dict[str, int]


def make_report(partition: Partition, innovation: Innovation, judgement: Judgement) -> CycleReport:
    """Return the report of the cycle that a partition has just analysed."""
    model = partition.model
    temperature, spread, charge, charge_spread, margin, margin_spread = [], [], [], [], [], []
    for group in model.groups:
        now = group.now
        by_place = np.stack([now[place].reshape(-1, group.members) for place in PLACES], axis=1)
        temperature.append(by_place.mean(axis=2))
        spread.append(by_place.std(axis=2, ddof=1))
        soc = group.battery_state.state_of_charge.reshape(-1, group.members)
        charge.append(soc.mean(axis=1))
        charge_spread.append(soc.std(axis=1, ddof=1))
        area = group.area_margin().reshape(-1, group.members)
        margin.append(np.median(area, axis=1))
        margin_spread.append(area.std(axis=1, ddof=1))
    temperature_spread = np.concatenate(spread)
    least = partition.filter.least_spread()
    for sensor, place in MEASURED.items():
        k = PLACES.index(place)
        temperature_spread[:, k] = np.maximum(temperature_spread[:, k], least[:, NAMES.index(sensor)])
    for place, sensor in OWN_SENSOR.items():
        k = PLACES.index(place)
        own = partition.table.bias[:, NAMES.index(sensor)] / np.sqrt(LOOKS)
        temperature_spread[:, k] = np.maximum(temperature_spread[:, k], own)
    factors = model.factors()
    mean, deviation = factors.mean(axis=2), factors.std(axis=2, ddof=1)
    book, time = partition.alarms, partition.time
    new = book.update("plant", book.plant_alarms(mean, deviation, time), time)
    new += book.update("sensor", book.sensor_alarms(partition.screen, time), time)
    assert partition.inputs is not None
    return CycleReport(
        sub_center=partition.sub_center,
        time=time,
        cycle=partition.counts.cycles,
        serial=partition.counts.serial,
        temperature=np.concatenate(temperature),
        temperature_spread=temperature_spread,
        parameter=mean,
        parameter_spread=deviation,
        state_of_charge=np.concatenate(charge),
        state_of_charge_spread=np.concatenate(charge_spread),
        radiator_margin=np.concatenate(margin),
        radiator_margin_spread=np.concatenate(margin_spread),
        card_power=partition.inputs.card_power.copy(),
        innovation=judgement.scaled,
        bias=partition.filter.bias.mean(axis=2),
        consistency=partition.filter.monitor.ratio,
        sensor_fault=partition.screen.fault.copy(),
        alarms=list(book.standing.values()),
        new_alarms=new,
        samples=partition.aligner.counters,
    )
