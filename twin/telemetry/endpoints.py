"""Where telemetry comes from and goes to: ``tcp://HOST:PORT``, ``udp://HOST:PORT`` or a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from twin.errors import BadInput

__all__ = ["LOOPBACK", "Endpoint", "parse_endpoint"]

LOOPBACK = "127.0.0.1"
"""Host of an endpoint that names none: nothing is open to the network unless told so."""

_URL = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)$")
_PLACE = re.compile(r"^(?P<host>\[[^\]]*\]|[^:/]*):(?P<port>\d+)/?$")


@dataclass(frozen=True)
class Endpoint:
    """A place on the network.

    Attributes
    ----------
    kind : {"tcp", "udp"}
    host : str
    port : int
    """

    kind: Literal["tcp", "udp"]
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.kind}://{host}:{self.port}"


def parse_endpoint(text: str, option: str = "endpoint") -> Endpoint | Path:
    """Return the endpoint or the path that a text names.

    Parameters
    ----------
    text : str
        ``tcp://HOST:PORT``, ``udp://HOST:PORT`` or a path; without HOST it is this machine's loopback.
    option : str
        Of the command line, for messages.

    Raises
    ------
    BadInput
        Says what is wrong with it and gives an example.
    """
    from twin.case.nearest import suggestion

    url = _URL.match(text)
    if url is None:
        if not text:
            raise BadInput(f"{option}: empty; expected tcp://HOST:PORT, udp://HOST:PORT or a file")
        return Path(text)
    scheme = url["scheme"].lower()
    if scheme == "file":
        return Path(url["rest"])
    if scheme not in ("tcp", "udp"):
        hint = suggestion(scheme, ["tcp", "udp", "file"])
        raise BadInput(
            f"{option} {text}: unknown scheme '{url['scheme']}'; expected tcp://HOST:PORT, udp://HOST:PORT or a file"
            + (f" ({hint})" if hint else "")
        )
    place = _PLACE.match(url["rest"])
    if place is None:
        raise BadInput(f"{option} {text}: expected a host and a port, such as {scheme}://{LOOPBACK}:9400")
    port = int(place["port"])
    if not 0 < port < 2**16:
        raise BadInput(f"{option} {text}: port {port}; expected 1 to 65535")
    host = place["host"].strip("[]") or LOOPBACK
    return Endpoint("tcp" if scheme == "tcp" else "udp", host, port)
