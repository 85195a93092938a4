"""The way to the ground: shares, order, silence, and that nothing damaged is decoded."""

import numpy as np
import pytest
from scipy import stats

from twin.feed.faults import parse_fault
from twin.feed.link import Link, damaged
from twin.telemetry import Decoder, Encoder

NOW = np.zeros(2)


def sent(dictionary, faults, ticks=40, delay=NOW, until=np.inf):
    """Link after some ticks, packets by arrival with the tick at which they came, and all packets."""
    link = Link(dictionary, [parse_fault(text, dictionary, 6000.0) for text in faults], seed=2)
    encoder, out, made = Encoder(dictionary), [], []
    layout = dictionary.layouts[0]
    for tick in range(ticks):
        time = 10.0 * tick
        for center in (0, 1):
            n = int(dictionary.modules[center])
            rows = encoder.encode(layout, center, time, np.full((n, layout.fields), 300.0 + tick))
            packets = [row.tobytes() for row in rows]
            made += packets
            link.send(time, np.full(n, center), packets, delay)
        out += [(time, packet) for packet in link.arrived(time)]
    out += [(np.inf, packet) for packet in link.arrived(until)]
    return link, out, made


def test_a_sound_link_changes_nothing(dictionary):
    link, out, made = sent(dictionary, [])
    assert [packet for _, packet in out] == made
    assert link.waiting == 0


def test_shares_are_those_asked_for(dictionary):
    link, out, made = sent(dictionary, ["loss:0.2"], ticks=300)
    assert stats.binomtest(link.lost, len(made), 0.2).pvalue > 1e-3
    assert len(out) == len(made) - link.lost
    decoder = Decoder(dictionary)
    decoder.samples(b"".join(packet for _, packet in out))
    # What is lost at the very end of a stream shows only when more comes.
    assert link.lost - 10 <= decoder.counts.missing <= link.lost
    link, out, made = sent(dictionary, ["duplicate:0.3"], ticks=300)
    assert stats.binomtest(link.doubled, len(made), 0.3).pvalue > 1e-3
    decoder = Decoder(dictionary)
    decoder.samples(b"".join(packet for _, packet in out))
    assert decoder.counts.duplicates == link.doubled
    assert decoder.counts.packets == len(made)


def test_disorder_and_delay(dictionary):
    _, out, made = sent(dictionary, ["reorder:60"])
    packets = [packet for _, packet in out]
    assert sorted(packets) == sorted(made)
    assert packets != made
    _, out, made = sent(dictionary, ["delay:100"])
    assert [packet for _, packet in out] == made
    assert out[0][0] == 100.0


def test_damaged_packets_are_never_decoded_and_the_others_are(dictionary):
    link, out, made = sent(dictionary, ["corrupt:0.3"], ticks=200)
    assert stats.binomtest(link.spoilt, len(made), 0.3).pvalue > 1e-3
    decoder = Decoder(dictionary)
    batch = decoder.samples(b"".join(packet for _, packet in out), last=True)
    # A byte that was added between two packets leaves both whole.
    assert len(made) - link.spoilt <= decoder.counts.packets <= len(made) - 0.9 * link.spoilt
    np.testing.assert_allclose(batch.value, 300.0 + batch.time / 10.0, atol=1e-4)
    assert decoder.counts.packets + decoder.counts.missing <= len(made)


def test_an_outage_keeps_packets_for_later(dictionary):
    _, out, made = sent(dictionary, ["outage@100s..200s/alpha"])
    when = {packet: time for time, packet in out}
    assert len(when) == len(made)
    alpha = [packet for packet in made if packet[1] & 0x3F == 0]
    silent = [when[p] for i, p in enumerate(alpha) if 10 <= i // 3 < 20]
    assert set(silent) == {200.0}
    assert sorted(when.values()) == [time for time, _ in out]
    beta = [packet for packet in made if packet[1] & 0x3F == 1]
    assert [when[p] for p in beta] == [10.0 * (i // 2) for i in range(len(beta))]


def test_contacts_delay_by_sub_center_and_never_means_on_board(dictionary):
    link, out, made = sent(dictionary, ["contacts"], delay=np.array([30.0, np.inf]), until=1e9)
    alpha = [packet for packet in made if packet[1] & 0x3F == 0]
    assert [packet for _, packet in out] == alpha
    assert link.waiting == len(made) - len(alpha)


@pytest.mark.parametrize("seed", range(60))
def test_damage_damages(seed):
    packet = bytes(range(64))
    assert damaged(packet, np.random.default_rng(seed)) != packet
