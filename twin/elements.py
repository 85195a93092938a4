"""Real orbital elements: two-line sets and CCSDS mean-elements messages, moved by SGP4."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from sgp4 import omm
from sgp4.api import SGP4_ERRORS, WGS72, Satrec
from sgp4.io import verify_checksum

from twin.errors import BadInput, RunFailed

FloatArray = NDArray[np.float64]

__all__ = [
    "ElementsError",
    "PropagationError",
    "Sgp4Elements",
    "elements_from_lines",
    "elements_from_message",
]

_SGP4_ORIGIN = datetime(1949, 12, 31, tzinfo=UTC)
_REQUIRED = (
    "EPOCH",
    "MEAN_MOTION",
    "ECCENTRICITY",
    "INCLINATION",
    "RA_OF_ASC_NODE",
    "ARG_OF_PERICENTER",
    "MEAN_ANOMALY",
    "BSTAR",
)
# What a message may leave out: SGP4 does not use it.
_OPTIONAL = {
    "OBJECT_NAME": "",
    "OBJECT_ID": "",
    "NORAD_CAT_ID": "0",
    "CLASSIFICATION_TYPE": "U",
    "EPHEMERIS_TYPE": "0",
    "ELEMENT_SET_NO": "0",
    "REV_AT_EPOCH": "0",
    "MEAN_MOTION_DOT": "0",
    "MEAN_MOTION_DDOT": "0",
}
_EXPECTED = {"MEAN_ELEMENT_THEORY": ("SGP4", "SGP"), "REF_FRAME": ("TEME",), "TIME_SYSTEM": ("UTC",)}


class ElementsError(BadInput):
    """Orbital elements that cannot be read or used."""


class PropagationError(RunFailed):
    """SGP4 reports that a satellite cannot be propagated to a date."""


@dataclass(frozen=True)
class Sgp4Elements:
    """Mean elements of SGP4 (WGS 72, improved mode).

    Attributes
    ----------
    name : str
        Name or catalogue number of the satellite.
    epoch_days : float
        Epoch: days since 1949 December 31, 0:00 UTC [d].
    mean_motion : float
        Kozai mean motion [rad/min], as SGP4 takes it.
    eccentricity : float
        Eccentricity [-].
    inclination, node, argument_of_perigee, mean_anomaly : float
        Angles at the epoch [rad], TEME of date.
    drag : float
        B* [1/Earth radius].

    Notes
    -----
    Vallado, D. A., Crawford, P., Hujsak, R., Kelso, T. S. (2006). Revisiting Spacetrack Report #3,
    AIAA 2006-6753.
    """

    name: str
    epoch_days: float
    mean_motion: float
    eccentricity: float
    inclination: float
    node: float
    argument_of_perigee: float
    mean_anomaly: float
    drag: float

    @property
    def epoch(self) -> datetime:
        """Epoch of the elements (UTC), to the microsecond."""
        return _SGP4_ORIGIN + timedelta(days=self.epoch_days)

    @property
    def semi_major_axis(self) -> float:
        """Mean semi-major axis [m]: Kozai's mean motion turned into Brouwer's."""
        satellite = _satellite(self)
        return float(satellite.a * satellite.radiusearthkm * 1e3)

    @property
    def gravitational_parameter(self) -> float:
        """Gravitational parameter of the Earth in SGP4 [m3/s2], WGS 72."""
        return float(_satellite(self).mu) * 1e9

    @property
    def nodal_period(self) -> float:
        """Time from one ascending node to the next [s]."""
        satellite = _satellite(self)
        return 60.0 * 2.0 * math.pi / float(satellite.mdot + satellite.argpdot)

    def shifted(self, phase: float) -> Sgp4Elements:
        """Give the same orbit with the mean anomaly increased by `phase` [rad]."""
        return replace(self, mean_anomaly=(self.mean_anomaly + phase) % (2.0 * math.pi))

    def position_velocity(self, seconds: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Position [m] and velocity [m/s] in TEME, both of shape (n, 3), `seconds` after the epoch.

        Raises
        ------
        PropagationError
            With SGP4's reason and the first date concerned.
        """
        satellite = _satellite(self)
        # `epoch` is rounded to a microsecond; counting from it keeps one clock for all propagators.
        days = (self.epoch - _SGP4_ORIGIN) / timedelta(days=1) - self.epoch_days + seconds / 86_400.0
        whole = np.floor(days)
        error, position, velocity = satellite.sgp4_array(
            satellite.jdsatepoch + whole, satellite.jdsatepochF + (days - whole)
        )
        if error.any():
            first = int(np.flatnonzero(error)[0])
            when = self.epoch + timedelta(seconds=float(seconds[first]))
            raise PropagationError(
                f"satellite {self.name}: SGP4 fails at {when:%Y-%m-%d %H:%M} UTC: "
                f"{SGP4_ERRORS[int(error[first])]} (use elements whose epoch is nearer to the mission)"
            )
        return 1e3 * position, 1e3 * velocity


@lru_cache(maxsize=64)
def _satellite(elements: Sgp4Elements) -> Any:
    # Built anew from plain numbers so that orbits can be compared, hashed and sent to other processes.
    satellite = Satrec()
    satellite.sgp4init(
        WGS72,
        "i",
        0,
        elements.epoch_days,
        elements.drag,
        0.0,
        0.0,
        elements.eccentricity,
        elements.argument_of_perigee,
        elements.inclination,
        elements.mean_anomaly,
        elements.mean_motion,
        elements.node,
    )
    return satellite


def _from_satellite(satellite: Any, name: str, epoch_days: float) -> Sgp4Elements:
    elements = Sgp4Elements(
        name=name or str(satellite.satnum),
        epoch_days=epoch_days,
        mean_motion=satellite.no_kozai,
        eccentricity=satellite.ecco,
        inclination=satellite.inclo,
        node=satellite.nodeo,
        argument_of_perigee=satellite.argpo,
        mean_anomaly=satellite.mo,
        drag=satellite.bstar,
    )
    error = _satellite(elements).error
    if error:
        raise ElementsError(f"satellite {elements.name}: SGP4 refuses the elements: {SGP4_ERRORS[error]}")
    return elements


def elements_from_lines(line1: str, line2: str) -> Sgp4Elements:
    """Read a two-line element set.

    Raises
    ------
    ElementsError
        If a line is malformed, a checksum is wrong, or the two lines are of different satellites.
    """
    lines = [line1.rstrip(), line2.rstrip()]
    for number, line in enumerate(lines, start=1):
        if not line.startswith(f"{number} ") or len(line) < 69:
            raise ElementsError(
                f"line {number} of the two-line element set is {line!r}; "
                f"expected 69 characters that begin with '{number} '"
            )
        try:
            verify_checksum(line)
        except ValueError as error:
            raise ElementsError(
                f"line {number} of the two-line element set is {line!r}: {' '.join(str(error).split())}"
            ) from error
    if lines[0][2:7] != lines[1][2:7]:
        raise ElementsError(
            f"the two lines are of different satellites: {lines[0][2:7].strip()} and {lines[1][2:7].strip()}"
        )
    satellite = Satrec.twoline2rv(*lines)
    epoch_days = (satellite.jdsatepoch - 2_433_281.5) + satellite.jdsatepochF
    return _from_satellite(satellite, lines[0][2:7].strip(), epoch_days)


def elements_from_message(path: Path) -> Sgp4Elements:
    """Read the first object of a CCSDS orbit mean-elements message (502.0-B), in XML, KVN, CSV or JSON.

    The form is recognised from the text, not from the name of the file.

    Raises
    ------
    ElementsError
        If the file is none of the four, a keyword is missing or not a number, or the elements are not
        SGP4's (theory, frame or time system).
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ElementsError(f"{path}: cannot be read: {error}") from error
    given = _message_fields(path, text)
    fields = {
        key.strip().upper(): str(value).strip() for key, value in given.items() if value not in (None, "")
    }
    for key, accepted in _EXPECTED.items():
        if fields.get(key, accepted[0]).upper() not in accepted:
            raise ElementsError(f"{path}: {key} is {fields[key]}; expected {' or '.join(accepted)}")
    missing = [key for key in _REQUIRED if key not in fields]
    if missing:
        raise ElementsError(
            f"{path}: no {', '.join(missing)}; expected an orbit mean-elements message for SGP4"
        )
    try:
        epoch = datetime.fromisoformat(fields["EPOCH"]).replace(tzinfo=UTC)
        satellite = Satrec()
        complete = _OPTIONAL | fields | {"EPOCH": f"{epoch:%Y-%m-%dT%H:%M:%S.%f}"}
        omm.initialize(satellite, complete)
    except ValueError as error:
        raise ElementsError(f"{path}: {error}") from error
    name = complete["OBJECT_NAME"] or complete["NORAD_CAT_ID"]
    return _from_satellite(satellite, name, (epoch - _SGP4_ORIGIN) / timedelta(days=1))


def _message_fields(path: Path, text: str) -> dict[str, Any]:
    start = text.lstrip()[:1]
    records: list[Any]
    try:
        if start == "<":
            records = list(islice(omm.parse_xml(io.StringIO(text)), 1))
        elif start in ("[", "{"):
            content = json.loads(text)
            records = content[:1] if isinstance(content, list) else [content]
        elif "=" in text:
            records = [_first_keyword_value_message(text)]
        else:
            records = list(islice(csv.DictReader(io.StringIO(text.lstrip())), 1))
    except (ElementTree.ParseError, json.JSONDecodeError, csv.Error, AttributeError, TypeError) as error:
        raise ElementsError(f"{path}: not an orbit mean-elements message: {error}") from error
    if not records or not isinstance(records[0], dict):
        raise ElementsError(f"{path}: holds no orbit mean-elements message (XML, KVN, CSV or JSON)")
    return {str(key): value for key, value in records[0].items()}


def _first_keyword_value_message(text: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or key.startswith("COMMENT"):
            continue
        if key in fields:
            break  # the next message of a concatenated file
        fields[key] = value.split("[")[0].strip()  # a unit may follow in brackets
    return fields
