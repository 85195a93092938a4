"""Bytes over TCP and UDP, asynchronous, with bounded memory.

Two sides of a TCP link meet whoever comes first: each connects, and where nobody listens it listens itself
and takes the first that connects. When a link breaks both do so again.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twin.errors import BadInput, RunFailed
from twin.telemetry.endpoints import Endpoint

__all__ = ["DATAGRAM", "Receiver", "Transmitter", "meet", "read_file", "resolve"]

DATAGRAM = 1400
"""Most bytes of packets in one datagram: below the usual 1500 of a link with its headers."""

PIECE = 2**18
"""Most bytes that a receiver hands on at once."""

_RETRY = 0.2

_CANNOT_LISTEN = (errno.EADDRNOTAVAIL, errno.EACCES, errno.EPERM)


def resolve(endpoint: Endpoint) -> tuple[socket.AddressFamily, socket.SocketKind, int, tuple[Any, ...]]:
    """Return family, kind, protocol and address of an endpoint.

    Raises
    ------
    BadInput
        The host is unknown.
    """
    kind = socket.SOCK_STREAM if endpoint.kind == "tcp" else socket.SOCK_DGRAM
    try:
        family, kind, number, _, address = socket.getaddrinfo(endpoint.host, endpoint.port, type=kind)[0]
    except socket.gaierror as error:
        raise BadInput(f"{endpoint}: unknown host '{endpoint.host}' ({error.strerror})") from None
    return family, kind, number, address


async def meet(
    endpoint: Endpoint, patience: float | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the other side, or wait for it to connect.

    Parameters
    ----------
    endpoint : Endpoint
        TCP.
    patience : float, optional
        How long to try [s]; without end if not given.

    Raises
    ------
    BadInput
        The host is unknown, or is not this machine and refuses for longer than `patience`; or the port may not be
        opened.
    TimeoutError
        Nobody came in time.
    """
    loop = asyncio.get_running_loop()
    deadline = None if patience is None else loop.time() + patience
    while True:
        try:
            reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port)
        except socket.gaierror as error:
            raise BadInput(f"{endpoint}: unknown host '{endpoint.host}' ({error.strerror})") from None
        except OSError:
            pass
        else:
            if writer.get_extra_info("sockname") != writer.get_extra_info("peername"):
                return reader, writer
            writer.close()  # connected to itself: the system chose the very port as its own end
        left = None if deadline is None else deadline - loop.time()
        if left is not None and left <= 0.0:
            raise TimeoutError(f"{endpoint}: nobody there after {patience:g} s")
        try:
            return await _accept(endpoint, left)
        except OSError as error:
            if isinstance(error, TimeoutError):
                raise TimeoutError(f"{endpoint}: nobody there after {patience:g} s") from None
            if error.errno in _CANNOT_LISTEN and left is None:
                raise _cannot_open(endpoint, error) from None
            # The other side began to listen a moment ago, or is another machine that may come up.
            await asyncio.sleep(_RETRY)


async def _accept(
    endpoint: Endpoint, patience: float | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    first: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = (
        asyncio.get_running_loop().create_future()
    )

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if first.done():
            writer.close()
        else:
            first.set_result((reader, writer))

    server = await asyncio.start_server(take, endpoint.host, endpoint.port)
    try:
        return await asyncio.wait_for(first, patience)
    finally:
        server.close()


def _cannot_open(endpoint: Endpoint, error: OSError) -> BadInput:
    reason = {
        errno.EADDRNOTAVAIL: f"nobody listens there, and '{endpoint.host}' is not this machine",
        errno.EADDRINUSE: "the port is taken by another program",
    }.get(error.errno or 0, f"the port may not be opened ({error.strerror})")
    return BadInput(f"{endpoint}: {reason}; start the other side first, or choose another port above 1023")


@dataclass
class Receiver:
    """Pieces of a stream as they come.

    Parameters
    ----------
    endpoint : Endpoint
    patience : float, optional
        How long to wait for a sender, at first and after a break [s]; without end if not given. After that the
        stream ends; if nobody ever came it is an error.
    capacity : int
        Most bytes of datagrams that wait to be taken; more are dropped, oldest first. (TCP holds its sender back.)

    Attributes
    ----------
    connected : bool
    connections : int
        Links so far.
    dropped : int
        Bytes of datagrams lost here because they were not taken in time.

    Examples
    --------
    >>> async for data in Receiver(parse_endpoint("tcp://127.0.0.1:9400")):
    ...     batch = decoder.samples(data)
    """

    endpoint: Endpoint
    patience: float | None = None
    capacity: int = 2**26
    connected: bool = field(default=False, init=False)
    connections: int = field(default=0, init=False)
    dropped: int = field(default=0, init=False)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._tcp() if self.endpoint.kind == "tcp" else self._udp()

    async def _tcp(self) -> AsyncIterator[bytes]:
        while True:
            try:
                reader, writer = await meet(self.endpoint, self.patience)
            except TimeoutError as error:
                if not self.connections:
                    raise RunFailed(str(error)) from None
                return
            self.connected, self.connections = True, self.connections + 1
            try:
                while data := await reader.read(PIECE):
                    yield data
            except ConnectionError:
                pass  # a broken link is met again, as one that ended
            finally:
                self.connected = False
                writer.close()

    async def _udp(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        box = _Mailbox(self)
        try:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: box, local_addr=(self.endpoint.host, self.endpoint.port)
            )
        except OSError as error:
            raise _cannot_open(self.endpoint, error) from None
        try:
            while True:
                try:
                    await asyncio.wait_for(box.arrived.wait(), self.patience)
                except TimeoutError:
                    if not self.connections:
                        raise RunFailed(f"{self.endpoint}: nothing came in {self.patience:g} s") from None
                    return
                yield box.take()
        finally:
            self.connected = False
            transport.close()


class _Mailbox(asyncio.DatagramProtocol):
    """Datagrams that wait."""

    def __init__(self, owner: Receiver):
        self.owner = owner
        self.waiting: deque[bytes] = deque()
        self.size = 0
        self.arrived = asyncio.Event()

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.owner.connected, self.owner.connections = True, max(self.owner.connections, 1)
        self.waiting.append(data)
        self.size += len(data)
        while self.size > self.owner.capacity:
            lost = self.waiting.popleft()
            self.size -= len(lost)
            self.owner.dropped += len(lost)
        self.arrived.set()

    def take(self) -> bytes:
        data = b"".join(self.waiting)
        self.waiting.clear()
        self.size = 0
        self.arrived.clear()
        return data


@dataclass
class Transmitter:
    """Sends packets; what the other side does not take is kept up to a limit, and sent when it is back.

    Parameters
    ----------
    endpoint : Endpoint
    patience : float, optional
        How long to wait for a receiver the first time [s]; without end if not given.
    capacity : int
        Most bytes kept while there is no receiver; more are dropped, oldest first.

    Attributes
    ----------
    sent, dropped : int
        Packets.
    connections : int
        Links so far.
    """

    endpoint: Endpoint
    patience: float | None = None
    capacity: int = 2**27
    sent: int = field(default=0, init=False)
    dropped: int = field(default=0, init=False)
    connections: int = field(default=0, init=False)
    _kept: deque[bytes] = field(default_factory=deque, init=False)
    _size: int = field(default=0, init=False)
    _writer: asyncio.StreamWriter | None = field(default=None, init=False)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list, init=False)
    _socket: socket.socket | None = field(default=None, init=False)
    _heard: bool = field(default=False, init=False)

    async def open(self) -> None:
        """Wait for the receiver (TCP), or make the socket (UDP).

        Raises
        ------
        BadInput
            The endpoint cannot be reached or opened.
        RunFailed
            Nobody came in time.
        """
        if self.endpoint.kind == "udp":
            family, kind, number, address = resolve(self.endpoint)
            self._socket = socket.socket(family, kind, number)
            self._socket.connect(address)
            self.connections = 1
            return
        try:
            await self._meet(self.patience)
        except TimeoutError as error:
            raise RunFailed(f"{error}: no receiver; start 'twin live CASE --from {self.endpoint}'") from None

    async def send(self, packets: Sequence[bytes]) -> None:
        """Send packets in order; waits while the receiver is slower than the sender (TCP).

        Raises
        ------
        BadInput
            The other side sends telemetry as well.
        """
        if self._socket is not None:
            self._send_datagrams(packets)
            return
        self._keep(packets)
        if self._heard:
            raise BadInput(
                f"{self.endpoint}: the other side sends as well: another feed, or a program that has this port; "
                "choose another port"
            )
        if self._writer is None:
            return
        try:
            while self._kept and self._writer is not None:
                group = self._next_group()
                self._writer.write(b"".join(group))
                self.sent += len(group)
                await self._writer.drain()
        except ConnectionError:
            self._broken()

    async def close(self) -> None:
        """End the link; packets that nobody took count as dropped."""
        for task in self._tasks:
            task.cancel()
        self.dropped += len(self._kept)
        self._kept.clear()
        if self._writer is not None:
            with contextlib.suppress(ConnectionError):
                self._writer.close()
                await self._writer.wait_closed()
        if self._socket is not None:
            self._socket.close()

    def _keep(self, packets: Sequence[bytes]) -> None:
        for packet in packets:
            self._kept.append(packet)
            self._size += len(packet)
        while self._size > self.capacity:
            self._size -= len(self._kept.popleft())
            self.dropped += 1

    def _next_group(self) -> list[bytes]:
        """Take the oldest packets, as many as go into one piece."""
        group: list[bytes] = []
        size = 0
        while self._kept and size < PIECE:
            group.append(self._kept.popleft())
            size += len(group[-1])
        self._size -= size
        return group

    async def _meet(self, patience: float | None) -> None:
        reader, self._writer = await meet(self.endpoint, patience)
        self.connections += 1
        self._tasks = [asyncio.create_task(self._watch(reader))]

    async def _watch(self, reader: asyncio.StreamReader) -> None:
        """Notice that the receiver has gone, or is none."""
        with contextlib.suppress(ConnectionError):
            if await reader.read(1):
                self._heard = True
                return
        self._broken()

    def _broken(self) -> None:
        if self._writer is None:
            return
        self._writer.close()
        self._writer = None
        self._tasks.append(asyncio.create_task(self._meet(None)))

    def _send_datagrams(self, packets: Sequence[bytes]) -> None:
        assert self._socket is not None
        for datagram in _datagrams(packets):
            try:
                self._socket.send(b"".join(datagram))
                self.sent += len(datagram)
            except ConnectionRefusedError:
                # Nobody has the port open now; a datagram has no one to complain to.
                self.dropped += len(datagram)


def _datagrams(packets: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Put whole packets together as far as a datagram holds them."""
    group: list[bytes] = []
    size = 0
    for packet in packets:
        if group and size + len(packet) > DATAGRAM:
            yield group
            group, size = [], 0
        group.append(packet)
        size += len(packet)
    if group:
        yield group


def read_file(path: Path, piece: int = 2**22) -> Iterator[bytes]:
    """Yield the bytes of a recorded stream in pieces.

    Raises
    ------
    BadInput
        There is no such file.
    """
    try:
        with path.open("rb") as stream:
            while data := stream.read(piece):
                yield data
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be read ({error.strerror}); expected a file of recorded packets"
        ) from None
