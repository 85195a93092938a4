"""The command `twin replay`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from twin.errors import BadInput

DAY = 86400.0


def parse_days(text: str) -> list[int]:
    """Read days as ``1-4`` or ``1,2,5-6``, counted from 1.

    Parameters
    ----------
    text : str
        Days.

    Returns
    -------
    list of int
        Sorted, without repetition.

    Raises
    ------
    BadInput
        If the text is something else.
    """
    days: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if first < 1 or last < first:
            raise BadInput(
                f"--fit-days: '{text}' is not understood; expected days from 1 on, such as 1-4 or 1,2,4"
            )
        days.update(range(first, last + 1))
    return sorted(days)


def replay_surf(directory: Path, fit_days: str, out: Path | None) -> dict[str, Any]:
    """Fit the cluster's power on some days and predict it for the whole trace.

    Parameters
    ----------
    directory : Path
        Tasks, fragments and consumption.
    fit_days : str
        Days to fit, as for :func:`parse_days`.
    out : Path or None
        Where to write ``timestamp`` (ms, end of each interval) and ``power_draw`` (W) as parquet.

    Returns
    -------
    dict
        Errors in percent, the fitted curve, repairs and where the prediction went.

    Raises
    ------
    BadInput
        If the trace cannot be read or no power was measured on the days to fit.
    """
    import numpy as np

    from twin import cluster_power as model
    from twin.traces import read_surf

    days = parse_days(fit_days)
    trace = read_surf(directory)
    features = model.task_features(trace)
    intervals = features.shape[0]
    power = np.full(intervals, np.nan)
    power[np.clip(np.round(trace.power_time / trace.step).astype(int) - 1, 0, intervals - 1)] = trace.power
    measured = np.isfinite(power)
    day = (np.arange(intervals) * trace.step // DAY).astype(int) + 1
    fitted = measured & np.isin(day, days)
    if fitted.sum() < DAY / trace.step / 2:
        have = ", ".join(str(d) for d in np.unique(day[measured]))
        raise BadInput(
            f"--fit-days {fit_days}: {int(fitted.sum())} measured intervals on these days, expected at "
            f"least half a day; {directory} has measured power on day {have}"
        )
    fit = model.fit_cluster_power(features, power, fitted, trace.step)
    predicted = fit.predict(features, trace.step)
    only_fit_days = np.where(fitted, power, np.nan)
    errors = {
        "fitted intervals": model.mape(predicted[fitted], power[fitted]),
        "held-back hours": _held_back(model, features, only_fit_days, fitted, trace.step, 3600.0),
        "held-back days": _held_back(model, features, only_fit_days, fitted, trace.step, DAY),
    }
    last = days[-1]
    before, after = fitted & (day < last), fitted & (day == last)
    if before.sum() > DAY / trace.step / 2 and after.any():
        earlier = model.fit_cluster_power(features, power, before, trace.step).predict(features, trace.step)
        errors[f"day {last} from the days before it"] = model.mape(earlier[after], power[after])
    others = measured & ~fitted
    if others.any():
        errors["measured days that were not fitted"] = model.mape(predicted[others], power[others])
    if out is not None:
        ends = (np.arange(intervals) + 1) * trace.step
        _write(out, np.round(1000.0 * ends).astype(np.int64), predicted)
    return {
        "trace": "surf",
        "fit_days": days,
        "intervals": intervals,
        "mean_absolute_percentage_error": errors,
        "base_power": fit.base_power,
        "task_power": {f"{u:.4g}": float(p) for u, p in zip(fit.nodes, fit.task_power, strict=True)},
        "repairs": trace.repairs.lines(),
        "out": None if out is None else str(out),
    }


def _held_back(model: Any, features: Any, power: Any, fitted: Any, step: float, block: float) -> float | None:
    """Error in percent on held-back blocks; None if there is only one block."""
    import numpy as np

    blocks = np.unique((np.flatnonzero(fitted) * step // block).astype(int)).size
    if blocks < 2:
        return None
    return float(100.0 * model.held_back_errors(features, power, fitted, step, block).mean())


def _write(out: Path, timestamp: Any, power: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"timestamp": timestamp, "power_draw": power}), out)
    except OSError as error:
        raise BadInput(f"--out {out}: cannot be written ({error.strerror or error})") from error


def replay(
    trace: Annotated[str, typer.Argument(help="Kind of trace: surf.")],
    directory: Annotated[Path, typer.Argument(help="Directory of the trace.")],
    fit_days: Annotated[str, typer.Option(help="Days that the model is fitted to, such as 1-4.")] = "1-4",
    out: Annotated[Path | None, typer.Option(help="Parquet file for the predicted power.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Replay a recorded workload and compare the predicted with the measured power.

    `surf`: tasks, fragments of processor use and measured power of a cluster. The power model is fitted to
    some days and predicts all of them; the errors are on hours and days that the fit has not seen.
    """
    if trace != "surf":
        raise BadInput(f"trace '{trace}' is not known; expected surf")
    result = replay_surf(directory, fit_days, out)
    if as_json:
        typer.echo(json.dumps(result, indent=2))
        return
    errors = {k: v for k, v in result["mean_absolute_percentage_error"].items() if v is not None}
    width = max(len(name) for name in errors)
    typer.echo("Mean absolute percentage error of the predicted power")
    for name, value in errors.items():
        typer.echo(f"  {name:<{width}}  {value:6.2f} %")
    for line in result["repairs"]:
        typer.echo(f"Repaired: {line}" if not line.startswith("columns") else f"Note: {line}")
    if out is not None:
        typer.echo(f"{result['intervals']} intervals written to {out}")
