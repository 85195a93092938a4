"""Faults on command: ``KIND[:VALUE][@START[..STOP]][/PLACE]``.

``pump:0.9@30m`` weakens all pumps to nine tenths of their flow after 30 minutes;
``stuck@1h..2h/alpha/3/coolant_supply_temperature`` lets one thermometer stand still for an hour.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from twin.case.nearest import suggestion
from twin.errors import BadInput
from twin.telemetry.dictionary import Dictionary
from twin.telemetry.quantities import QUANTITIES

__all__ = ["FAULTS", "Fault", "FaultKind", "Layer", "parse_fault", "parse_time"]

type Layer = Literal["plant", "work", "sensor", "link"]


@dataclass(frozen=True)
class FaultKind:
    """One kind of fault.

    Attributes
    ----------
    name : str
    layer : {"plant", "work", "sensor", "link"}
        What it strikes: properties of modules, jobs, readings or packets.
    meaning : str
        Of the fault and its value.
    value : float
        Where none is given.
    low, high : float
        Of values that make sense.
    """

    name: str
    layer: Layer
    meaning: str
    value: float = math.nan
    low: float = -math.inf
    high: float = math.inf


_KINDS = (
    FaultKind("pump", "plant", "coolant flow times VALUE", 0.9, 0.05, 2.0),
    FaultKind("panel", "plant", "VALUE radiator panels lost (reduced model only)", 1.0, 0.0),
    FaultKind("coating", "plant", "emissivity of the radiator times VALUE", 0.9, 0.05, 1.5),
    FaultKind("soiling", "plant", "absorptance of the radiator times VALUE", 1.5, 0.1, 10.0),
    FaultKind("plate", "plant", "conductance of the cold plates times VALUE", 0.7, 0.05, 2.0),
    FaultKind("array", "plant", "share VALUE of the strings of the solar array left", 0.9, 0.01, 1.5),
    FaultKind("draw", "plant", "cards draw VALUE times their power for the same work", 1.1, 0.2, 3.0),
    FaultKind("surge", "work", "activity of jobs times VALUE; PLACE is the name of a job", 1.3, 0.0, 100.0),
    FaultKind("stuck", "sensor", "reading stands still"),
    FaultKind("bias", "sensor", "reading is VALUE too high [unit of the quantity]", 2.0),
    FaultKind("drift", "sensor", "reading runs away by VALUE an hour", 2.0),
    FaultKind("spike", "sensor", "one reading in twenty is VALUE too high or too low", 20.0),
    FaultKind("noise", "sensor", "noise times VALUE", 5.0, 0.0),
    FaultKind("dropout", "sensor", "share VALUE of the readings missing", 1.0, 0.0, 1.0),
    FaultKind("loss", "link", "share VALUE of the packets lost", 0.1, 0.0, 1.0),
    FaultKind("duplicate", "link", "share VALUE of the packets twice", 0.1, 0.0, 1.0),
    FaultKind("reorder", "link", "packets up to VALUE seconds later than their neighbours", 30.0, 0.0),
    FaultKind("delay", "link", "all packets VALUE seconds later", 60.0, 0.0),
    FaultKind("corrupt", "link", "share VALUE of the packets damaged: bytes changed, missing or added", 0.1, 0.0, 1.0),
    FaultKind("outage", "link", "no link: packets are kept on board and come when it is back"),
    FaultKind("contacts", "link", "link only in the contacts of the case: relays, stations and clouds"),
)  # fmt: skip

FAULTS: Mapping[str, FaultKind] = MappingProxyType({kind.name: kind for kind in _KINDS})
"""All kinds by name."""

_FORM = "KIND[:VALUE][@START[..STOP]][/PLACE], such as pump:0.9@30m or stuck@1h..2h/alpha/3/body_temperature"

_UNITS = {"s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class Fault:
    """A fault that will happen.

    Attributes
    ----------
    kind : FaultKind
    value : float
        See the kind; NaN where it has none.
    start, stop : float
        Since mission start [s].
    place : tuple of str
        Names or ``*``: of a job, or sub-center, module and quantity as far as given.
    text : str
        As it was written.
    """

    kind: FaultKind
    value: float
    start: float
    stop: float
    place: tuple[str, ...]
    text: str

    def active(self, time: float) -> bool:
        """Whether it is there at a time [s]."""
        return self.start <= time < self.stop

    def modules(self, dictionary: Dictionary) -> NDArray[np.bool_]:
        """Return the modules it strikes, (module,) in the order of the dictionary."""
        center, module = (*self.place, "*", "*")[:2]
        owner = np.repeat(np.arange(len(dictionary.sub_centers)), dictionary.modules)
        within = np.arange(owner.size) - dictionary.first_module[owner]
        hit = np.ones(owner.size, bool)
        if center != "*":
            hit &= owner == dictionary.sub_centers.index(center)
        if module != "*":
            hit &= within == int(module)
        return hit

    def parameters(self, dictionary: Dictionary) -> NDArray[np.int64]:
        """Return the parameters it strikes: measured quantities only, for faults of sensors."""
        *where, name = self.place
        center, module = (*where, "*", "*")[:2]
        lines = [
            number
            for number, (_, line) in enumerate(QUANTITIES)
            if not line.is_mode and name in ("*", line.name)
        ]
        hit = np.isin(dictionary.quantity_index, lines)
        if center == "plant":
            hit &= dictionary.sub_center < 0
        elif center != "*":
            hit &= dictionary.sub_center == dictionary.sub_centers.index(center)
        if module == "*":
            # Without a place it is the sensors of modules, not the sums that are made of them.
            hit &= dictionary.module >= 0 if center != "plant" else hit
        elif module.isdecimal():
            hit &= dictionary.module == int(module)
        else:
            hit &= dictionary.module < 0
        return np.flatnonzero(hit)

    def sub_centers(self, dictionary: Dictionary) -> NDArray[np.bool_]:
        """Return the sub-centers whose link it strikes."""
        center = self.place[0] if self.place else "*"
        return np.array([center in ("*", name) for name in dictionary.sub_centers])


def parse_time(text: str, period: float) -> float:
    """Return a time that is written as ``90``, ``90s``, ``30m``, ``1.5h``, ``2d`` or ``2orbits`` [s].

    Parameters
    ----------
    text : str
    period : float
        Of the orbit [s].

    Raises
    ------
    ValueError
        If it is not one.
    """
    match = re.fullmatch(r"\s*(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)\s*([a-z]*)\s*", text)
    if match is None:
        raise ValueError(text)
    number, unit = float(match[1]), match[2]
    if unit in ("orbit", "orbits"):
        return number * period
    if unit and unit not in _UNITS:
        raise ValueError(text)
    return number * _UNITS.get(unit, 1.0)


def parse_fault(text: str, dictionary: Dictionary, period: float, jobs: Sequence[str] = ()) -> Fault:
    """Return the fault that a text describes.

    Parameters
    ----------
    text : str
        ``KIND[:VALUE][@START[..STOP]][/PLACE]``.
    dictionary : Dictionary
        Of the plant, for places.
    period : float
        Of the orbit [s].
    jobs : sequence of str
        Names of the jobs, for surges.

    Raises
    ------
    BadInput
        Says which part is wrong, what was expected and what is near.
    """
    head, *place = text.split("/")
    what, at, when = head.partition("@")
    name, colon, written = what.partition(":")
    kind = FAULTS.get(name.strip())
    if kind is None:
        hint = suggestion(name.strip(), FAULTS)
        raise BadInput(
            f"--fault {text}: no fault '{name}'; expected one of {', '.join(FAULTS)}"
            + (f" ({hint})" if hint else "")
        )
    value = _value(text, kind, written) if colon else kind.value
    start, stop = _span(text, when, period) if at else (0.0, math.inf)
    parts = tuple(part.strip() or "*" for part in place)
    fault = Fault(kind, value, start, stop, parts, text)
    _check_place(fault, dictionary, jobs)
    return fault


def _value(text: str, kind: FaultKind, written: str) -> float:
    if math.isnan(kind.value):
        raise BadInput(f"--fault {text}: '{kind.name}' takes no value; leave ':{written}' out")
    try:
        value = float(written.rstrip("%")) * (0.01 if written.endswith("%") else 1.0)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and kind.low <= value <= kind.high):
        bounds = (
            f"from {kind.low:g} to {kind.high:g}" if math.isfinite(kind.high) else f"of at least {kind.low:g}"
        )
        if not math.isfinite(kind.low):
            bounds = "such as " + f"{kind.value:g}"
        raise BadInput(f"--fault {text}: value '{written}'; expected a number {bounds}: {kind.meaning}")
    return value


def _span(text: str, when: str, period: float) -> tuple[float, float]:
    begin, dots, end = when.partition("..")
    try:
        start = parse_time(begin, period) if begin.strip() else 0.0
        stop = parse_time(end, period) if dots and end.strip() else math.inf
    except ValueError as error:
        raise BadInput(
            f"--fault {text}: time '{error}'; expected such as 90s, 30m, 2h, 1d or 1.5orbits, and 1h..2h for a span"
        ) from None
    if not stop > start:
        raise BadInput(f"--fault {text}: ends at {stop:g} s, before it begins at {start:g} s")
    return start, stop


def _check_place(fault: Fault, dictionary: Dictionary, jobs: Sequence[str]) -> None:
    text, place, layer = fault.text, fault.place, fault.kind.layer
    if layer == "work":
        if place and place != ("*",) and (len(place) > 1 or place[0] not in jobs):
            _refuse(text, "job", "/".join(place), jobs)
        return
    most = {"plant": 2, "sensor": 3, "link": 1}[layer]
    form = {"plant": "SUB_CENTER[/MODULE]", "sensor": "[SUB_CENTER/[MODULE/]]QUANTITY", "link": "SUB_CENTER"}[
        layer
    ]
    if len(place) > most or (layer == "sensor" and not place):
        given = f"place '{'/'.join(place)}'" if place else "no place"
        raise BadInput(f"--fault {text}: {given}; expected {fault.kind.name}@START/{form}, * stands for all")
    *where, quantity = place if layer == "sensor" else (*place, "*")
    names = sorted({line.name for _, line in QUANTITIES if not line.is_mode})
    if quantity not in ("*", *names):
        _refuse(text, "measured quantity", quantity, names)
    centers = [*dictionary.sub_centers, *(("plant",) if layer == "sensor" else ())]
    if where and where[0] not in ("*", *centers):
        _refuse(text, "sub-center", where[0], centers)
    if len(where) > 1 and where[1] != "*":
        chosen = (
            dictionary.modules
            if where[0] in ("*", "plant")
            else dictionary.modules[[centers.index(where[0])]]
        )
        named = layer == "sensor" and where[1] in ("all", "mean", "sum", "point")
        if not named and not (where[1].isdecimal() and int(where[1]) < chosen.max()):
            raise BadInput(f"--fault {text}: no module '{where[1]}'; expected 0 to {chosen.max() - 1}, or *")
    if layer == "sensor" and fault.parameters(dictionary).size == 0:
        raise BadInput(f"--fault {text}: there is no such sensor; expected {_FORM}")


def _refuse(text: str, what: str, written: str, known: Sequence[str]) -> None:
    hint = suggestion(written, known)
    raise BadInput(
        f"--fault {text}: no {what} '{written}'; expected one of {', '.join(known)}"
        + (f" ({hint})" if hint else "")
    )
