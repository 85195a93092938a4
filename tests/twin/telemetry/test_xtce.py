"""The XTCE document, read by an independent implementation."""

import io

import numpy as np
import pytest
from space_packet_parser import load_xtce
from space_packet_parser.generators import ccsds_generator

from twin.telemetry import Decoder, Encoder
from twin.telemetry.xtce import parameter_name, write_xtce


def packets(dictionary, times=(10.0, 20.123456)):
    rng, encoder, out = np.random.default_rng(3), Encoder(dictionary), []
    for time in times:
        for layout in dictionary.layouts:
            for center in range(len(dictionary.sub_centers)):
                rows = int(dictionary.modules[center]) if layout.kind.scope == "module" else 1
                if layout.kind.scope == "plant" and center:
                    continue
                values = rng.normal(300.0, 100.0, (rows, layout.fields))
                numbers = len(layout.measured)
                for k, line in enumerate(layout.modes):
                    values[:, numbers + k] = rng.integers(0, len(line.modes), rows)
                out.append(encoder.encode(layout, center, time, values).tobytes())
    return b"".join(out)


@pytest.fixture(scope="module")
def document(dictionary, tmp_path_factory):
    path = tmp_path_factory.mktemp("xtce") / "packets.xml"
    write_xtce(dictionary, path)
    return path


def test_independent_reader_gives_identical_values(dictionary, document):
    data = packets(dictionary)
    blocks = Decoder(dictionary).blocks(data)
    ours = {}
    for block in blocks:
        for i, module in enumerate(block.module):
            key = (block.layout.kind.number, max(block.sub_center, 0), int(module), round(block.time[i], 3))
            ours[key] = (block, i)
    definition, seen = load_xtce(document), 0
    start = dictionary.start_seconds
    for binary in ccsds_generator(io.BytesIO(data)):
        packet = definition.parse_bytes(binary)
        kind, center = divmod(packet["PKT_APID"], 64)
        time = (packet["TIME_SECONDS"] - start) + packet["TIME_FRACTION"]
        block, i = ours[kind, center, packet["MODULE"], round(time, 3)]
        assert time == block.time[i]
        for k, line in enumerate(block.layout.kind.quantities):
            theirs = packet[parameter_name(block.layout, line)]
            assert (theirs.raw_value if line.is_mode else theirs) == block.values[i, k]
            if line.is_mode:
                assert theirs == line.modes[int(block.values[i, k])]
        seen += 1
    assert seen == len(ours) == 2 * (3 * 5 + 2 + 1)


def test_document_says_units_and_does_not_grow_with_the_plant(dictionary, small, document, tmp_path):
    text = document.read_text(encoding="utf-8")
    assert "<Unit>kg s-1</Unit>" in text and 'label="discharging"' in text
    write_xtce(small, tmp_path / "small.xml")
    assert abs(len(text) - len((tmp_path / "small.xml").read_text(encoding="utf-8"))) < 200
