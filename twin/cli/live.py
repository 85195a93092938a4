"""`twin live`: the live twin of a plant that sends telemetry."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twin.cli.console import error_console, output_console, print_json, print_table
from twin.cli.live_log import LiveLog, alarm_lines, mission_clock
from twin.errors import BadInput

if TYPE_CHECKING:
    from twin.case import Case
    from twin.live.ingest import LiveTwin
    from twin.live.settings import LiveSettings
    from twin.telemetry import Endpoint

__all__ = ["live"]


def live(
    case: Annotated[Path, typer.Argument(metavar="CASE", help="Case file (YAML).", show_default=False)],
    source: Annotated[
        str,
        typer.Option(
            "--from", metavar="tcp://HOST:PORT|udp://HOST:PORT|FILE", help="Where packets come from."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder of states and journals; out/NAME-live unless given.",
            show_default=False,
        ),
    ] = None,
    serve: Annotated[
        str | None,
        typer.Option("--serve", metavar="[HOST:]PORT", help="Status page, JSON, WebSocket and metrics."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            envvar="TWIN_TOKEN",
            help="Password of the server; made when others can reach it.",
        ),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", help="Worker processes; 0 does all in this one.")] = 0,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="tcp://HOST:PORT", help="Dask scheduler that runs already."),
    ] = None,
    members: Annotated[int, typer.Option("--members", help="Members of the ensembles.")] = 24,
    cycle: Annotated[str, typer.Option("--cycle", help="Time between analyses.")] = "30 s",
    step: Annotated[str, typer.Option("--step", help="Longest step of the model.")] = "10 s",
    late: Annotated[str, typer.Option("--late", help="How late a sample may be and still count.")] = "2 min",
    orbits: Annotated[float, typer.Option("--orbits", help="How far forecasts look ahead.")] = 1.0,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a value; may be given several times."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from what is in the folder.")] = False,
    wait: Annotated[
        str | None,
        typer.Option("--wait", help="How long to wait for a silent sender; for ever unless given."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the last state as JSON.")] = False,
) -> None:
    r"""Follow a plant through its telemetry: state, parameters, faults and what lies ahead, with error bars.

    Ends with the source, or with Ctrl-C; --resume goes on where it was.

    \b
    Examples:
        twin live cases/constellation-200kw.yaml --from tcp://127.0.0.1:9400 --serve 8080
        twin live cases/constellation-200kw.yaml --from day.ccsds --out out/day
        twin live cases/gigawatt.yaml --from udp://0.0.0.0:9400 --workers 2 --cycle 60s --step 30s --resume
    """
    # Small matrices by the thousand: threads of the linear algebra only get in each other's way.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    from twin.case import Case
    from twin.cli.run import seconds
    from twin.interconnect import Interconnect
    from twin.live.settings import LiveSettings
    from twin.telemetry import parse_endpoint

    if workers and scheduler:
        raise BadInput("--workers and --scheduler: give one of them")
    loaded = Case.load(case, [*(set_ or ()), "numerics.thermal=reduced"])
    Interconnect.require_none(loaded, "twin live")
    settings = LiveSettings(
        members=members,
        step=seconds("--step", step),
        cycle=seconds("--cycle", cycle),
        late=seconds("--late", late),
        orbits=orbits,
    )
    folder = out if out is not None else Path("out") / f"{loaded.name}-live"
    where = parse_endpoint(source, "--from")
    patience = None if wait is None else seconds("--wait", wait)
    if isinstance(where, Path) and not where.is_file():
        raise BadInput(
            f"--from {where}: there is no such file; expected tcp://HOST:PORT, udp://HOST:PORT or a file"
        )
    twin = asyncio.run(
        _live(loaded, settings, folder, where, patience, (serve, token), workers, scheduler, resume)
    )
    _print(twin, as_json)


async def _live(
    case: Case,
    settings: LiveSettings,
    folder: Path,
    where: Endpoint | Path,
    patience: float | None,
    server: tuple[str | None, str | None],
    workers: int,
    scheduler: str | None,
    resume: bool,
) -> LiveTwin:
    from twin.live.folder import claim
    from twin.live.host import Host, TrainedPanel
    from twin.live.ingest import LiveTwin, file_source
    from twin.live.pool import Cluster, OneProcess, Pool
    from twin.live.store import LiveStore
    from twin.memory import refuse_live
    from twin.telemetry.transport import Receiver

    refuse_live(case, settings.members, *TrainedPanel().settings())
    claim(folder, resume)
    _train(case)
    host = Host(case, settings, folder.absolute(), TrainedPanel())
    pool: Pool
    if scheduler is not None:
        pool = await Cluster.remote(host, scheduler)
    elif workers:
        pool = await Cluster.local(host, workers)
    else:
        pool = OneProcess(host)
    twin = LiveTwin(case, pool, LiveStore(folder, case, resume))
    twin.listeners.append(LiveLog().take)
    receiver = None if isinstance(where, Path) else Receiver(where, patience)
    source: AsyncIterator[bytes] = file_source(where) if isinstance(where, Path) else aiter(receiver)  # type: ignore[arg-type]
    closing = None
    try:
        if server[0] is not None:
            from twin.live.server import start_server

            address, closing = start_server(twin, server[0], server[1])
            error_console().print(f"status page: {address}", markup=False)
        await _until_stopped(twin.run(source))
        await twin.save()
    finally:
        if receiver is not None:
            twin.metrics.dropped.set(receiver.dropped)
        if closing is not None:
            closing()
        if twin.store is not None:
            twin.store.flush()
        await pool.close()
    return twin


def _train(case: Case) -> None:
    """Have the reduced panels in the cache before any worker asks for them."""
    from twin import component_models
    from twin.cli.console import progress
    from twin.live.host import TrainedPanel
    from twin.stop_request import ends_at_once

    used = {group.class_ for center in case.sub_centers for group in center.modules}
    for name in sorted(used):
        then = "finished runs of the training are kept, and the same command goes on"
        with ends_at_once(then), progress(f"reduced model of {name}", 1.0) as bar:
            TrainedPanel()(
                component_models.thermal(case.module_classes[name], case.mission.age),
                progress=lambda what, share, bar=bar: bar.update(share, what),  # type: ignore[misc]
            )


async def _until_stopped(work: Any) -> None:
    """Run until the end, an interrupt or a request to end; the last two are a normal end."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await task
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _print(twin: LiveTwin, as_json: bool) -> None:
    if as_json:
        print_json({f"{kind}/{name}": message for (kind, name), message in twin.latest.items()})
        return
    rows = []
    for center, name in enumerate(twin.names):
        report, outlook = twin.reports.get(center), twin.outlooks.get(center)
        if report is None:
            rows.append((name, "no telemetry", "", "", "", ""))
            continue
        chance = (
            ""
            if outlook is None
            else ", ".join(f"{100 * p:.0f} % {c}" for c, p in outlook.probability.items())
        )
        rows.append(
            (
                name,
                mission_clock(report.time),
                f"{report.card_power.sum() / 1e3:,.1f}",
                f"{100 * report.radiator_margin.min():.1f} ± {100 * report.radiator_margin_spread.max():.1f}",
                f"{100 * report.state_of_charge.min():.1f}",
                chance,
            )
        )
    heads = (
        "sub-center",
        "state at",
        "cards [kW]",
        "radiator margin [%]",
        "lowest charge [%]",
        "throttling ahead",
    )
    print_table(f"{twin.case.name}", heads, rows)
    console = output_console()
    for line in alarm_lines([alarm.as_dict() for alarm in twin.standing()]):
        console.print(line, markup=False)
    counts = twin.decoder.counts
    console.print(
        f"{counts.packets:,} packets, {counts.missing:,} missing, {counts.duplicates:,} twice, "
        f"{counts.crc_failures:,} damaged",
        markup=False,
    )
