"""The packets described in XTCE (OMG XTCE 1.2, CCSDS 660.1-G), so that other ground systems can read them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as Xml

from twin.errors import RunFailed
from twin.telemetry.dictionary import Dictionary
from twin.telemetry.layout import MOST_SUB_CENTERS, PacketLayout, application_id
from twin.telemetry.quantities import Quantity
from twin.telemetry.time_code import P_FIELD, TICKS_PER_SECOND

__all__ = ["NAMESPACE", "parameter_name", "write_xtce", "xtce_document"]

NAMESPACE = "http://www.omg.org/spec/XTCE/20180204"

_PRIMARY = (
    ("VERSION", 3, "packet version number"),
    ("TYPE", 1, "0: telemetry"),
    ("SEC_HDR_FLG", 1, "1: there is a secondary header"),
    ("PKT_APID", 11, f"{MOST_SUB_CENTERS} times the kind of packet, plus the sub-center"),
    ("SEQ_FLGS", 2, "3: unsegmented"),
    ("SRC_SEQ_CTR", 14, "count of the packets of this APID"),
    ("PKT_LEN", 16, "octets after the primary header, less one"),
)
_MODULE = ("MODULE", 16, "module within its sub-center")
_TRAILER = (
    (
        "DICTIONARY_CHECK",
        32,
        "CRC-32 of all octets before it, started with the fingerprint of the dictionary",
    ),
    ("PACKET_ERROR_CONTROL", 16, "CRC-16 of all octets before it: 133.0-B-2, preset to ones"),
)


def parameter_name(layout: PacketLayout, line: Quantity) -> str:
    """Return the name of a quantity in the document: kinds of packet share some."""
    return f"{layout.kind.name}_{line.name}"


def xtce_document(dictionary: Dictionary) -> Xml.Element:
    """Describe the packets of a plant.

    One container per kind of packet, chosen by the APID; they are alike for all sub-centers and modules, so that the
    document does not grow with the plant.
    """
    name = re.sub(r"[./:\[\]\s]", "_", dictionary.case_name)
    root = Xml.Element("SpaceSystem", {"name": name, "xmlns": NAMESPACE})
    _add(root, "LongDescription", text=_words(dictionary))
    data = _add(root, "AncillaryDataSet")
    facts = {"mission_start": dictionary.start.isoformat(), "dictionary": f"{dictionary.fingerprint:#010x}"}
    facts |= {
        f"sub_center_{i}": f"{center}, {count} modules"
        for i, (center, count) in enumerate(zip(dictionary.sub_centers, dictionary.modules))
    }
    for key, value in facts.items():
        _add(data, "AncillaryData", {"name": key}, value)
    _add(
        root, "Header", {"date": dictionary.start.isoformat(), "version": "1", "validationStatus": "Working"}
    )
    telemetry = _add(root, "TelemetryMetaData")
    types = _add(telemetry, "ParameterTypeSet")
    parameters = _add(telemetry, "ParameterSet")
    containers = _add(telemetry, "ContainerSet")
    for entry in (
        *_PRIMARY,
        ("TIME_P_FIELD", 8, f"{P_FIELD}: CUC, epoch 1958, 4 and 3 octets"),
        _MODULE,
        *_TRAILER,
    ):
        _integer(types, *entry)
        _parameter(parameters, entry[0], entry[2])
    _time(types, parameters)
    entries = [entry[0] for entry in _PRIMARY]
    _container(containers, "CCSDSPacket", entries, abstract=True)
    body = ["TIME_P_FIELD", "TIME_SECONDS", "TIME_FRACTION", "MODULE"]
    for layout in dictionary.layouts:
        names = []
        for line in (*layout.measured, *layout.modes):
            names.append(parameter_name(layout, line))
            _quantity(types, names[-1], line)
            _parameter(parameters, names[-1], line.long_name)
        fields = [*body, *names, *(entry[0] for entry in _TRAILER)]
        container = _container(containers, layout.kind.name, fields)
        base = _add(container, "BaseContainer", {"containerRef": "CCSDSPacket"})
        both = _add(_add(base, "RestrictionCriteria"), "ComparisonList")
        first, last = (application_id(layout.kind.number, c) for c in (0, MOST_SUB_CENTERS - 1))
        for operator, bound in ((">=", first), ("<=", last)):
            attributes = {"parameterRef": "PKT_APID", "comparisonOperator": operator, "value": str(bound)}
            _add(both, "Comparison", attributes)
    Xml.indent(root)
    return root


def write_xtce(dictionary: Dictionary, path: Path) -> None:
    """Write the description of the packets of a plant, aside and then put in place.

    Raises
    ------
    RunFailed
        If the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = Xml.tostring(xtce_document(dictionary), encoding="unicode")
        partial.write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n', encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise RunFailed(f"{path}: cannot be written ({error.strerror})") from None


def _words(dictionary: Dictionary) -> str:
    return (
        f"Telemetry of {dictionary.case_name}: {len(dictionary.sub_centers)} sub-centers, "
        f"{int(dictionary.modules.sum())} modules, {dictionary.size} parameters. "
        f"APID = {MOST_SUB_CENTERS} x kind of packet + sub-center."
    )


def _add(
    parent: Xml.Element, tag: str, attributes: Mapping[str, str] | None = None, text: str = ""
) -> Xml.Element:
    element = Xml.SubElement(parent, tag, dict(attributes or {}))
    if text:
        element.text = text
    return element


def _parameter(parent: Xml.Element, name: str, words: str) -> None:
    attributes = {"name": name, "parameterTypeRef": f"{name}_type", "shortDescription": words}
    _add(parent, "Parameter", attributes)


def _encoding(parent: Xml.Element, bits: int) -> Xml.Element:
    return _add(parent, "IntegerDataEncoding", {"sizeInBits": str(bits), "encoding": "unsigned"})


def _integer(parent: Xml.Element, name: str, bits: int, words: str) -> None:
    kind = _add(
        parent, "IntegerParameterType", {"name": f"{name}_type", "signed": "false", "shortDescription": words}
    )
    _add(kind, "UnitSet")
    _encoding(kind, bits)


def _time(types: Xml.Element, parameters: Xml.Element) -> None:
    """Whole seconds as an absolute time, and the fraction as a number of seconds."""
    seconds = _add(types, "AbsoluteTimeParameterType", {"name": "TIME_SECONDS_type"})
    _encoding(_add(seconds, "Encoding", {"units": "seconds"}), 32)
    _add(_add(seconds, "ReferenceTime"), "Epoch", text="1958-01-01")
    _parameter(parameters, "TIME_SECONDS", "atomic time (TAI) since 1958 January 1")
    fraction = _add(types, "FloatParameterType", {"name": "TIME_FRACTION_type"})
    _add(_add(fraction, "UnitSet"), "Unit", text="s")
    calibrator = _add(_add(_encoding(fraction, 24), "DefaultCalibrator"), "PolynomialCalibrator")
    _add(calibrator, "Term", {"coefficient": repr(1.0 / TICKS_PER_SECOND), "exponent": "1"})
    _parameter(parameters, "TIME_FRACTION", "fraction of the second")


def _quantity(parent: Xml.Element, name: str, line: Quantity) -> None:
    if line.is_mode:
        kind = _add(parent, "EnumeratedParameterType", {"name": f"{name}_type"})
        _add(kind, "UnitSet")
        _encoding(kind, 8)
        names = _add(kind, "EnumerationList")
        for value, label in line.modes.items():
            _add(names, "Enumeration", {"value": str(value), "label": label})
        return
    kind = _add(parent, "FloatParameterType", {"name": f"{name}_type", "sizeInBits": "32"})
    units = _add(kind, "UnitSet")
    if line.unit != "1":
        _add(units, "Unit", text=line.unit)
    _add(kind, "FloatDataEncoding", {"sizeInBits": "32", "encoding": "IEEE754_1985"})
    # Ranges that follow a module's class are in the dictionary; those that hold for all are given here.
    if line.scale == "one" and math.isfinite(line.low) and math.isfinite(line.high):
        _add(kind, "ValidRange", {"minInclusive": repr(line.low), "maxInclusive": repr(line.high)})


def _container(parent: Xml.Element, name: str, entries: list[str], abstract: bool = False) -> Xml.Element:
    container = _add(
        parent, "SequenceContainer", {"name": name, **({"abstract": "true"} if abstract else {})}
    )
    listed = _add(container, "EntryList")
    for entry in entries:
        _add(listed, "ParameterRefEntry", {"parameterRef": entry})
    return container
