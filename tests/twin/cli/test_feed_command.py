"""`twin feed` from the command line: files, links, lists, and what it refuses with exit code 2."""

import asyncio
import json
import socket
import threading
from pathlib import Path

import numpy as np
import pytest

from twin.cli import main
from twin.results import open_result
from twin.telemetry import Decoder, Dictionary, Receiver, parse_endpoint, read_file

CASE = str(Path(__file__).parents[3] / "cases" / "experimental-satellite.yaml")
QUICK = ["--set", "module_classes.satellite.radiator.mesh_size=0.5 m", "--duration", "3 min"]


@pytest.fixture(scope="module")
def dictionary():
    from twin.case import Case

    return Dictionary.of_case(Case.load(CASE))


def test_to_a_file_with_the_truth_beside(tmp_path, capsys, dictionary):
    target = tmp_path / "day.ccsds"
    arguments = ["feed", CASE, "--to", str(target), "--out", str(tmp_path / "feed"), *QUICK, "--json"]
    for fault in ("loss:0.2", "bias:2@1m/body_temperature", "draw:1.2@1m"):
        arguments += ["--fault", fault]
    assert main(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    # Eighteen steps of ten seconds, one of them cut where the shadow begins.
    assert report["packets_made"] == 5 * 19
    assert report["handed_over"] + report["lost_on_the_way"] == report["packets_made"]
    decoder = Decoder(dictionary)
    for data in read_file(target):
        decoder.samples(data)
    assert decoder.counts.packets == report["handed_over"]
    faults = json.loads(open_result(tmp_path / "feed" / "truth.zarr").attrs["faults"])
    assert [(f["kind"], f["start"], f["place"]) for f in faults] == [
        ("loss", 0.0, "*"),
        ("bias", 60.0, "body_temperature"),
        ("draw", 60.0, "*"),
    ]
    with np.load(tmp_path / "feed" / "hidden.npz") as hidden:
        assert hidden["time"].tolist() == [0.0, 60.0]
        assert hidden["card_power"].tolist() == [[1.0], [1.2]]
    # The same again from what was kept.
    arguments = [
        "feed",
        str(tmp_path / "feed" / "truth.zarr"),
        "--to",
        str(tmp_path / "again.ccsds"),
        "--json",
    ]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["packets_made"] == 5 * 4


def test_over_tcp(tmp_path, capsys, dictionary):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        place = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    decoder = Decoder(dictionary)

    async def receive():
        receiver = Receiver(parse_endpoint(place), 60.0)
        async for data in receiver:
            decoder.samples(data)
            if decoder.counts.packets == 95:
                break

    listener = threading.Thread(target=lambda: asyncio.run(receive()), daemon=True)
    listener.start()
    arguments = [
        "feed",
        CASE,
        "--to",
        place,
        "--rate",
        "max",
        "--wait",
        "60 s",
        "--out",
        str(tmp_path),
        *QUICK,
    ]
    assert main(arguments) == 0
    listener.join(60.0)
    assert decoder.counts.packets == 95
    assert "packets made" in capsys.readouterr().out


def test_lists_and_descriptions(tmp_path, capsys):
    assert main(["feed", "--faults", "--json"]) == 0
    kinds = {row["kind"]: row for row in json.loads(capsys.readouterr().out)}
    assert kinds["pump"]["VALUE if not given"] == 0.9
    assert main(["feed", "--faults"]) == 0
    assert "[/PLACE]" in capsys.readouterr().out
    assert main(["feed", CASE, "--xtce", str(tmp_path / "packets.xml")]) == 0
    assert "50 parameters" in capsys.readouterr().out
    assert "SequenceContainer" in (tmp_path / "packets.xml").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["feed"], "expected a CASE or a RESULT"),
        (["feed", CASE], "nowhere to send to"),
        (["feed", CASE, "--to", "x", "--fault", "pmup:0.9"], "did you mean 'pump'"),
        (["feed", CASE, "--to", "x", "--fault", "contacts/nowhere"], "no sub-center 'nowhere'"),
        (["feed", CASE, "--to", "x", "--rate", "fast"], "--rate fast"),
        (["feed", CASE, "--to", "tpc://127.0.0.1:1"], "did you mean 'tcp'"),
        (["feed", CASE, "--to", "x", "--hidden", "emisivity=1"], "did you mean 'emissivity'"),
        (["feed", CASE, "--to", "x", "--spread", "2"], "--spread 2"),
        (["feed", CASE, "--to", "udp://nowhere.invalid:9400"], "unknown host 'nowhere.invalid'"),
        (["feed", CASE, "--to", "x", "--set", "mission.sed=1"], "seed"),
        (["feed", "no-such-case.yaml", "--to", "x"], "no-such-case.yaml"),
    ],
)
def test_bad_input(tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_nobody_there(tmp_path, capsys):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        place = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    arguments = ["feed", CASE, "--to", place, "--wait", "0.3 s", "--out", str(tmp_path), *QUICK]
    assert main(arguments) == 1
    assert "start 'twin live CASE" in capsys.readouterr().err
