"""`twin feed`: a plant that sends telemetry."""

from __future__ import annotations

import asyncio
import signal
import time as clock
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twin.cli.console import error_console, output_console, print_json, print_table, progress
from twin.errors import BadInput

if TYPE_CHECKING:
    from twin.case import Case
    from twin.feed.session import Feed, Shipment
    from twin.feed.truth import Truth
    from twin.telemetry import Endpoint

__all__ = ["feed"]

LATE = 5.0
"""Wall time behind its schedule from which a feed says that it is late [s]."""


def feed(
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="CASE|RESULT", help="Case file to simulate, or result to replay.", show_default=False
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="tcp://HOST:PORT|udp://HOST:PORT|FILE",
            help="Where packets go; FILE.csv and FILE.parquet take samples.",
        ),
    ] = None,
    rate: Annotated[
        str, typer.Option("--rate", help="Mission time over wall time: 1x, 20x, max. A file is always max.")
    ] = "1x",
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault", metavar="KIND[:VALUE][@START[..STOP]][/PLACE]", help="May be given several times."
        ),
    ] = None,
    faults: Annotated[bool, typer.Option("--faults", help="List the kinds of fault and exit.")] = False,
    xtce: Annotated[
        Path | None,
        typer.Option(
            "--xtce", metavar="FILE", help="Write the XTCE description of the packets; ends without --to."
        ),
    ] = None,
    duration: Annotated[
        str | None, typer.Option("--duration", help="Length: 24h, '3 orbits'.", show_default=False)
    ] = None,
    thermal: Annotated[
        str | None, typer.Option("--thermal", help="full: finite elements; reduced: a model made from them.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a value; may be given several times."),
    ] = None,
    hidden: Annotated[
        list[str] | None,
        typer.Option(
            "--hidden", metavar="NAME=FACTOR", help="Property of all modules that the case does not know of."
        ),
    ] = None,
    spread: Annotated[
        float, typer.Option("--spread", help="Standard deviation of hidden factors drawn for every module.")
    ] = 0.0,
    noise: Annotated[float, typer.Option("--noise", help="Noise of sensors over what is usual.")] = 1.0,
    bias: Annotated[float, typer.Option("--bias", help="Calibration errors over what is usual.")] = 1.0,
    drift: Annotated[
        float, typer.Option("--drift", help="Drift of the calibration a day over its error.")
    ] = 0.0,
    seed: Annotated[int, typer.Option("--seed", help="Of everything that is drawn here.")] = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder of truth.zarr and hidden.npz (out/NAME-feed).",
            show_default=False,
        ),
    ] = None,
    wait: Annotated[
        str | None, typer.Option("--wait", help="How long to wait for a receiver; for ever unless given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was sent as JSON.")] = False,
) -> None:
    r"""Send the telemetry of a plant, simulated with hidden properties and faults, or replayed from a result.

    Over TCP the two sides meet whoever starts first. What was true is kept in --out.

    \b
    Examples:
        twin feed cases/experimental-satellite.yaml --to tcp://127.0.0.1:9400 --rate 20x --fault pump:0.9@30m
        twin feed cases/experimental-satellite.yaml --to day.ccsds --duration 24h --hidden emissivity=0.95 --spread 0.02
        twin feed out/experimental-satellite --to udp://127.0.0.1:9400 --rate 60x --fault loss:5%
        twin feed cases/experimental-satellite.yaml --xtce packets.xml
        twin feed --faults
    """
    if faults:
        _print_faults(as_json)
        return
    if source is None:
        raise BadInput("twin feed: expected a CASE or a RESULT, such as cases/experimental-satellite.yaml")
    if to is None and xtce is None:
        raise BadInput(
            "twin feed: nowhere to send to; add --to tcp://127.0.0.1:9400 or --to FILE, or --xtce FILE to describe it"
        )
    from solvers import parallel
    from twin.cli.run import seconds
    from twin.plant import reference_orbit
    from twin.results import open_result
    from twin.telemetry import parse_endpoint
    from twin.telemetry.transport import resolve

    if parallel.under_mpi():
        raise BadInput("twin feed: runs in one process; start it without mpirun")
    pace, target = _rate(rate), None if to is None else parse_endpoint(to, "--to")
    patience = None if wait is None else seconds("--wait", wait)
    replay = source.is_dir()
    loaded = _case(source, replay, duration, thermal, set_)
    if xtce is not None:
        _describe(loaded, xtce, as_json)
    if target is None:
        return
    if not isinstance(target, Path):
        resolve(target)  # an unknown host is worth saying before a plant is built
    from twin.feed.assembly import FeedOptions, replay_feed, simulate_feed
    from twin.feed.sensors import SensorErrors

    options = FeedOptions(
        tuple(fault or ()), tuple(hidden or ()), spread, SensorErrors(noise, bias, drift), seed
    )
    folder = None if replay else out if out is not None else Path("out") / f"{loaded.name}-feed"
    with progress(f"sending {loaded.name}", 1.0) as bar:

        def train(what: str, share: float) -> None:
            bar.update(0.0, f"reduced model, {what}: {share:.0%}")

        truth: Truth | None = None
        if replay:
            result = open_result(source)
            stop = float(result["plant"]["tick_duration"].sum())
            built = replay_feed(result, loaded, options)
        else:
            stop = loaded.duration(reference_orbit(loaded).period)
            built, truth = simulate_feed(loaded, options, folder, train)
        begun, watch = clock.monotonic(), _Watch(bar.update, stop)
        try:
            counts = _send(built, target, pace, patience, watch)
        finally:
            # What was true up to an interrupt is worth keeping.
            if truth is not None and built.time > 0.0:
                truth.finish(built.time, clock.monotonic() - begun, built.sensors)
    _report(built, counts, str(to), folder, watch.latest, as_json)


def _rate(text: str) -> float:
    if text.strip() in ("max", "inf"):
        return float("inf")
    try:
        value = float(text.strip().removesuffix("x").removesuffix("X"))
    except ValueError:
        value = 0.0
    if not value > 0.0:
        raise BadInput(f"--rate {text}: expected a number above 0 such as 1x or 20x, or max")
    return value


def _case(
    source: Path, replay: bool, duration: str | None, thermal: str | None, changes: list[str] | None
) -> Case:
    from twin.case import Case

    settings = list(changes or ())
    if duration is not None:
        settings.append(f"mission.duration={duration}")
    if thermal is not None:
        settings.append(f"numerics.thermal={thermal}")
    if not replay:
        return Case.load(source, settings)
    from twin.results import open_result, resolved_case

    if settings:
        raise BadInput(
            "--set, --duration, --thermal: a result is what it is; give a CASE to change something"
        )
    resolved = resolved_case(open_result(source))
    if not resolved:
        raise BadInput(f"{source}: does not say which case it is of; run the case again")
    return Case.from_resolved(resolved)


def _describe(case: Case, path: Path, as_json: bool) -> None:
    from twin.telemetry import Dictionary
    from twin.telemetry.xtce import write_xtce

    dictionary = Dictionary.of_case(case)
    write_xtce(dictionary, path)
    if not as_json:
        output_console().print(f"{dictionary.size} parameters described in {path}", markup=False)


class _Watch:
    """Shows how far the feed is and says when it falls behind."""

    def __init__(self, show: Callable[[float, str], None], stop: float):
        self.show, self.stop = show, stop
        self.latest = 0.0
        self._said = False

    def __call__(self, shipment: Shipment, late: float = 0.0) -> None:
        self.latest = max(self.latest, late)
        if late > LATE and not self._said:
            self._said = True
            error_console().print(
                f"warning: {late:.0f} s behind: the plant or the receiver is slower than --rate",
                style="yellow",
            )
        self.show(shipment.time / self.stop, f"{shipment.time / 60.0:.1f} of {self.stop / 60.0:.1f} min")


def _send(
    built: Feed, target: Endpoint | Path, pace: float, patience: float | None, watch: _Watch
) -> dict[str, int]:
    from twin.feed.session import record, record_samples, transmit
    from twin.telemetry import Transmitter

    if isinstance(target, Path):
        keep = record_samples if target.suffix in (".csv", ".parquet") else record
        return {"sent": keep(built, target, watch), "dropped": 0, "connections": 0}
    transmitter = Transmitter(target, patience)

    async def session() -> None:
        main = asyncio.current_task()
        assert main is not None
        # A feed that is told to stop ends its link and keeps what was true.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, main.cancel)
        try:
            await transmitter.open()
            await transmit(built, transmitter, pace, watch)
        finally:
            await transmitter.close()

    try:
        asyncio.run(session())
    except asyncio.CancelledError:
        raise typer.Exit(128 + signal.SIGTERM) from None
    return {
        "sent": transmitter.sent,
        "dropped": transmitter.dropped,
        "connections": transmitter.connections,
    }


def _report(
    built: Feed, counts: dict[str, int], to: str, folder: Path | None, late: float, as_json: bool
) -> None:
    link = built.link
    values = {
        "packets made": built.made,
        "lost on the way": link.lost,
        "sent twice": link.doubled,
        "damaged": link.spoilt,
        "still on board": link.waiting,
        "handed over": counts["sent"],
        "dropped without a receiver": counts["dropped"],
        "connections": counts["connections"],
        "latest [s]": round(late, 3),
    }
    if as_json:
        truth = None if folder is None else str(folder)
        print_json(
            {
                "to": to,
                "truth": truth,
                **{k.replace(" [s]", "").replace(" ", "_"): v for k, v in values.items()},
            }
        )
        return
    print_table(f"sent to {to}", ("", ""), list(values.items()))
    if folder is not None:
        output_console().print(f"what was true: {folder}/truth.zarr, {folder}/hidden.npz", markup=False)


def _print_faults(as_json: bool) -> None:
    from twin.feed.faults import FAULTS

    rows = [
        (kind.name, kind.layer, kind.meaning, None if kind.value != kind.value else kind.value)
        for kind in FAULTS.values()
    ]
    columns = ("kind", "strikes", "what happens", "VALUE if not given")
    print_table("--fault KIND[:VALUE][@START[..STOP]][/PLACE]", columns, rows, as_json=as_json)
