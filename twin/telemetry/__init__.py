"""Telemetry: parameter dictionary, packets, their description in XTCE, sources and sinks.

Case ─► Dictionary ─► Encoder ─► packets ─► Decoder ─► SampleBatch;
Tick ─► Observer ─► parameter_vector (what perfect sensors read) ─► packet_values ─► Encoder.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from twin.telemetry.decoding import Counts, Decoder, PacketBlock
    from twin.telemetry.dictionary import Dictionary, Parameter
    from twin.telemetry.endpoints import Endpoint, parse_endpoint
    from twin.telemetry.observation import Observer, packet_values, parameter_vector
    from twin.telemetry.packets import Encoder
    from twin.telemetry.recordings import read_samples, write_samples
    from twin.telemetry.replay import replayed
    from twin.telemetry.samples import Quality, SampleBatch
    from twin.telemetry.transport import Receiver, Transmitter, read_file

__all__ = [
    "Counts", "Decoder", "Dictionary", "Encoder", "Endpoint", "Observer", "PacketBlock", "Parameter", "Quality",
    "Receiver", "SampleBatch", "Transmitter", "packet_values", "parameter_vector", "parse_endpoint", "read_file",
    "read_samples", "replayed", "write_samples",
]  # fmt: skip

_PLACES = {
    "decoding": ("Counts", "Decoder", "PacketBlock"),
    "dictionary": ("Dictionary", "Parameter"),
    "endpoints": ("Endpoint", "parse_endpoint"),
    "observation": ("Observer", "packet_values", "parameter_vector"),
    "packets": ("Encoder",),
    "recordings": ("read_samples", "write_samples"),
    "replay": ("replayed",),
    "samples": ("Quality", "SampleBatch"),
    "transport": ("Receiver", "Transmitter", "read_file"),
}


def __getattr__(name: str) -> Any:
    """Import what is asked for: a worker that decodes needs no plant."""
    for module, names in _PLACES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
