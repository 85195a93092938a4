"""Links over TCP and UDP: whoever starts first, breaks, bounded memory, refusals."""

import asyncio
import socket

import pytest

from twin.errors import BadInput, RunFailed
from twin.telemetry import Receiver, Transmitter, parse_endpoint, read_file
from twin.telemetry.endpoints import Endpoint
from twin.telemetry.transport import DATAGRAM, _datagrams


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


PACKETS = [bytes([i]) * 100 for i in range(50)]


async def collect(receiver, amount):
    data = b""
    async for piece in receiver:
        data += piece
        if len(data) >= amount:
            break
    return data


@pytest.mark.parametrize("sender_first", [True, False])
def test_both_sides_meet_whoever_is_first(sender_first):
    place = Endpoint("tcp", "127.0.0.1", free_port())

    async def run():
        sender, receiver = Transmitter(place, 10.0), Receiver(place, 10.0)

        async def send():
            await sender.open()
            await sender.send(PACKETS)
            await sender.close()

        tasks = [send(), collect(receiver, 5000)]
        first, second = tasks if sender_first else reversed(tasks)
        one = asyncio.create_task(first)
        await asyncio.sleep(0.3)
        two = asyncio.create_task(second)
        done = await asyncio.wait_for(asyncio.gather(one, two), 20.0)
        return done[1] if sender_first else done[0]

    assert asyncio.run(run()) == b"".join(PACKETS)


def test_receiver_that_comes_back_gets_what_was_kept():
    place = Endpoint("tcp", "127.0.0.1", free_port())

    async def run():
        sender = Transmitter(place, 10.0)
        first = asyncio.create_task(collect(Receiver(place, 10.0), 1000))
        await sender.open()
        await sender.send(PACKETS[:10])
        before = await asyncio.wait_for(first, 10.0)
        # The receiver is gone; the sender notices and keeps what it makes.
        while sender._writer is not None:
            await asyncio.sleep(0.02)
        await sender.send(PACKETS[10:])
        second = asyncio.create_task(collect(Receiver(place, 10.0), 4000))
        while sender._writer is None:
            await asyncio.sleep(0.02)
        await sender.send([])
        after = await asyncio.wait_for(second, 10.0)
        await sender.close()
        return before, after, sender

    before, after, sender = asyncio.run(asyncio.wait_for(run(), 30.0))
    assert before + after == b"".join(PACKETS)
    assert (sender.connections, sender.dropped) == (2, 0)


def test_what_is_kept_has_a_limit():
    sender = Transmitter(Endpoint("tcp", "127.0.0.1", 1), capacity=1000)
    sender._keep(PACKETS)
    assert sender.dropped == 40
    assert b"".join(sender._kept) == b"".join(PACKETS[40:])


def test_datagrams_hold_whole_packets():
    groups = list(_datagrams([b"x" * 500] * 7 + [b"y" * 2000]))
    assert [len(group) for group in groups] == [2, 2, 2, 1, 1]
    assert all(sum(map(len, group)) <= DATAGRAM for group in groups[:-1])


def test_udp_delivers_on_the_loopback():
    place = Endpoint("udp", "127.0.0.1", free_port(socket.SOCK_DGRAM))

    async def run():
        task = asyncio.create_task(collect(Receiver(place, 5.0), 5000))
        await asyncio.sleep(0.2)
        sender = Transmitter(place)
        await sender.open()
        await sender.send(PACKETS)
        data = await asyncio.wait_for(task, 10.0)
        await sender.close()
        return data

    assert asyncio.run(run()) == b"".join(PACKETS)


def test_flood_of_datagrams_drops_the_oldest():
    place = Endpoint("udp", "127.0.0.1", free_port(socket.SOCK_DGRAM))

    async def run():
        receiver = Receiver(place, 5.0, capacity=1000)
        stream = aiter(receiver)
        first = asyncio.create_task(anext(stream))
        await asyncio.sleep(0.2)
        sender = Transmitter(place)
        await sender.open()
        await sender.send(PACKETS[:1])
        await first
        for packet in PACKETS:
            await sender.send([packet])
            await asyncio.sleep(0.002)
        data = await anext(stream)
        await stream.aclose()
        await sender.close()
        return data, receiver.dropped

    data, dropped = asyncio.run(run())
    assert data == b"".join(PACKETS[-len(data) // 100 :]) and len(data) <= 1000
    assert dropped == 5000 - len(data)


def test_two_feeds_on_one_port_are_told():
    place = Endpoint("tcp", "127.0.0.1", free_port())

    async def run():
        one, two = Transmitter(place, 5.0), Transmitter(place, 5.0)
        await asyncio.gather(one.open(), two.open())
        try:
            for _ in range(50):
                await one.send(PACKETS[:1])
                await two.send(PACKETS[:1])
                await asyncio.sleep(0.02)
        finally:
            await one.close()
            await two.close()

    with pytest.raises(BadInput, match="another feed"):
        asyncio.run(run())


def test_nobody_there_in_time_is_a_failed_run():
    place = Endpoint("tcp", "127.0.0.1", free_port())
    with pytest.raises(RunFailed, match=r"nobody there after 0\.5 s"):
        asyncio.run(Transmitter(place, 0.5).open())


def test_ports_that_cannot_be_opened_are_bad_input():
    # 192.0.2.0/24 is for documentation (RFC 5737): never this machine.
    with pytest.raises((BadInput, RunFailed), match=r"192\.0\.2\.1"):
        asyncio.run(Transmitter(Endpoint("tcp", "192.0.2.1", 9400), 0.5).open())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        place = Endpoint("udp", "127.0.0.1", taken.getsockname()[1])
        with pytest.raises(BadInput, match="taken"):
            asyncio.run(collect(Receiver(place, 1.0), 1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tpc://127.0.0.1:9400", "did you mean 'tcp'"),
        ("tcp://127.0.0.1", "such as tcp://127.0.0.1:9400"),
        ("udp://127.0.0.1:99999", "1 to 65535"),
        ("", "empty"),
    ],
)
def test_endpoints_that_are_none(text, message):
    with pytest.raises(BadInput, match=message):
        parse_endpoint(text, "--to")


def test_endpoints():
    assert parse_endpoint("tcp://:9400") == Endpoint("tcp", "127.0.0.1", 9400)
    assert parse_endpoint("UDP://[::1]:9400") == Endpoint("udp", "::1", 9400)
    assert str(parse_endpoint("udp://[::1]:9400")) == "udp://[::1]:9400"
    assert str(parse_endpoint("out/day.ccsds")) == "out/day.ccsds"


def test_missing_file_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"nothing\.ccsds"):
        list(read_file(tmp_path / "nothing.ccsds"))


def test_what_nobody_took_is_counted_at_the_end():
    place = Endpoint("tcp", "127.0.0.1", free_port())

    async def run():
        sender = Transmitter(place, 10.0)
        task = asyncio.create_task(collect(Receiver(place, 10.0), 100))
        await sender.open()
        await sender.send(PACKETS[:1])
        await asyncio.wait_for(task, 10.0)
        while sender._writer is not None:
            await asyncio.sleep(0.02)
        await sender.send(PACKETS[1:11])
        await sender.close()
        return sender

    sender = asyncio.run(asyncio.wait_for(run(), 30.0))
    assert (sender.sent, sender.dropped) == (1, 10)
