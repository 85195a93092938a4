"""The calibration report: figures and errors, written from the measured sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from twin import cluster_power
from twin.calibration import board_power, clock_temperature
from twin.card_model import CARDS, CardParameters, clock_at_power
from twin.errors import BadInput
from twin.traces import read_gpu_power, read_surf

PLATE_TEMPERATURE = 308.15  # K, assumed for the board-power runs: no coolant temperature was recorded
VOLTAGE_SLOPES = (0.6, 0.8, 1.0, 1.2)
COLOURS = ("#2a6f97", "#c8553d", "#588157", "#8a5a83")
FIT_RUNS = {"H100": "exp8_llama8b_H100", "H200": "exp8_llama8b_H200"}
FIT_STOP = 500.0  # s of the run that is fitted


def _save(figure: Any, path: Path) -> None:
    import matplotlib.pyplot as plt

    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)


def _axes(rows: int, height: float, **options: Any) -> tuple[Any, Any]:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(rows, 1, figsize=(9.0, height), **options)
    for axis in np.atleast_1d(axes):
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def clock_temperature_section(data: Path, out: Path) -> str:
    """Leakage from the V100 set: text, and ``calibration-v100.png``."""
    samples = clock_temperature.read_clock_temperature(
        data / "gpu-power" / "v100_sgemm_temperature_clock_power.csv"
    )
    base = CARDS["v100-sxm2"]
    rows, chosen = [], None
    for slope in VOLTAGE_SLOPES:
        fit = clock_temperature.fit_clock_temperature(replace(base, voltage_slope=slope), samples)
        mark = " (used)" if slope == base.voltage_slope else ""
        rows.append(
            [
                f"{slope:.1f}{mark}",
                f"{fit.parameters.leakage_power:.1f}",
                f"{fit.parameters.dynamic_power:.0f}",
                f"{100 * fit.power_slope:.2f}",
                f"{fit.clock_slope / 1e6:.2f}",
                f"{fit.clock_error / 1e6:.2f}",
                f"{fit.held_back_error / 1e6:.2f}",
            ]
        )
        if mark:
            chosen = fit
    if chosen is None:
        raise ValueError(f"voltage slope {base.voltage_slope} of {base.name} is not among {VOLTAGE_SLOPES}")
    figure, axis = _axes(1, 4.2)
    line = np.linspace(samples.temperature.min() - 1.0, samples.temperature.max() + 1.0, 50)
    for card, factor in enumerate(chosen.card_factor):
        on = samples.card == card
        axis.plot(
            samples.temperature[on] - 273.15,
            samples.clock[on] / 1e6,
            "o",
            ms=4,
            alpha=0.6,
            color=COLOURS[card],
        )
        ratio = clock_at_power(chosen.parameters, float(np.mean(samples.power[on])), factor, line)
        clock = ratio * chosen.parameters.nominal_clock / 1e6
        axis.plot(line - 273.15, clock, color=COLOURS[card], label=f"card {card}")
    axis.set(xlabel="junction temperature [°C]", ylabel="clock [MHz]")
    axis.set_title("V100 at its 300 W limit: measured (points) and modelled clock", loc="left")
    axis.legend(frameon=False)
    _save(figure, out / "calibration-v100.png")
    header = [
        "voltage slope",
        "leakage at 65 °C [W]",
        "dynamic [W]",
        "power slope [%/K]",
        "clock slope [MHz/K]",
    ]
    header += ["RMS error [MHz]", "held back [MHz]"]
    return "\n\n".join(
        [
            "## V100: clock against temperature at fixed power",
            f"{samples.clock.size} samples of four cards that run a matrix product at their 300 W limit. "
            f"Leakage and "
            "one dynamic power per card are fitted; each experiment is also predicted from the others (held "
            "back). The "
            "clock moves in steps of 7.5 MHz, whose rounding alone is 2.2 MHz RMS.",
            _table(header, rows),
            "Clock against temperature fixes only the ratio of leakage slope to clock slope: the voltage "
            "slope is an "
            "input, and the error does not tell the four rows apart. Spread of dynamic power between the "
            "four cards: "
            f"{100 * np.std(chosen.card_factor, ddof=1):.1f} % (standard deviation).",
            "![V100 clock against temperature](calibration-v100.png)",
        ]
    )


def fitted_boards(data: Path) -> dict[str, CardParameters]:
    """Fit one set of parameters each for the H100 and the H200."""
    out = {}
    for kind, run in FIT_RUNS.items():
        paths = sorted((data / "gpu-power").glob(run + "*.json"))
        if not paths:
            raise BadInput(f"{data / 'gpu-power'}: no {run}*.json; it is the run that is fitted")
        trace = read_gpu_power(paths[0])
        out[kind] = board_power.fit_board(CARDS["h100-sxm"], PLATE_TEMPERATURE, trace, 0, FIT_STOP)
    return out


def board_power_section(data: Path, out: Path) -> str:
    """H100 and H200 runs: text, and ``calibration-boards.png``."""
    boards = fitted_boards(data)
    rows, shown, bursts = [], [], []
    for path in sorted((data / "gpu-power").glob("*.json")):
        kind = "H200" if "H200" in path.name else "H100"
        trace = read_gpu_power(path)
        for card in range(trace.power.shape[1]):
            result = board_power.compare(boards[kind], PLATE_TEMPERATURE, trace, card)
            if result.plateaus == 0:
                bursts.append(result.name.replace("_", " "))
                continue
            rows.append(
                [
                    result.name.replace("_", " "),
                    f"{result.plateaus}",
                    f"{100 * np.mean(result.predicted):.0f}",
                    f"{result.rms:.1f}",
                    f"{result.mape:.2f}",
                    f"{result.energy_error:+.2f}",
                ]
            )
            if path.name.startswith((FIT_RUNS["H100"], "exp2", "cov_llama")) and card == 0:
                shown.append(result)
    figure, axes = _axes(len(shown), 2.6 * len(shown))
    for axis, result in zip(axes, shown, strict=True):
        window = result.time < 320.0
        time, measured, modelled = (v[window] for v in (result.time, result.measured, result.modelled))
        axis.plot(time, measured, color=COLOURS[0], lw=1.2, label="measured")
        axis.plot(time, modelled, color=COLOURS[1], lw=1.0, ls="--", label="modelled")
        axis.set(ylabel="power [W]")
        axis.set_title(result.name.replace("_", " "), loc="left", fontsize=9)
    axes[0].legend(frameon=False, loc="center right")
    axes[-1].set(xlabel="time [s]")
    figure.tight_layout()
    _save(figure, out / "calibration-boards.png")
    fits = [
        [kind, f"{p.resident_power:.1f}", f"{p.leakage_power:.1f}", f"{p.junction_heat_capacity:.0f}"]
        for kind, p in boards.items()
    ]
    return "\n\n".join(
        [
            "## H100 and H200: board power",
            "The runs record power, not load or temperature. Resident power, leakage and heat capacity are "
            "fitted to the "
            f"first {FIT_STOP:.0f} s of one run of each card (plateaus, creep while warming, tails while "
            f"cooling), with "
            f"an assumed cold plate of {PLATE_TEMPERATURE - 273.15:.0f} °C and junction resistance of "
            f"{CARDS['h100-sxm'].junction_resistance} K/W; only leakage slope times resistance, and the "
            f"time constant, "
            "are determined by power alone.",
            _table(["card", "resident [W]", "leakage at 65 °C [W]", "heat capacity [J/K]"], fits),
            "In every run the activity of a plateau is set by the median of its first half; the errors are "
            "over all "
            "other samples: second halves, edges, idle stretches and bursts too short to set an activity.",
            _table(["run", "plateaus", "predicted [%]", "RMS [W]", "MAPE [%]", "energy [%]"], rows),
            "Where the load itself changes within a plateau (mixtral: experts and batch sizes vary) or "
            "comes in "
            "bursts of a second or two (the end of exp8), the error is that of the unknown load, not of the "
            "card. "
            f"Without a plateau that could set an activity, and left out: {'; '.join(bursts) or 'none'}.",
            "![H100 and H200 board power](calibration-boards.png)",
        ]
    )


def cluster_section(data: Path, out: Path) -> str:
    """SURF week: text, and ``calibration-surf.png``."""
    trace = read_surf(data / "surf-cluster")
    features = cluster_power.task_features(trace)
    power = np.full(features.shape[0], np.nan)
    power[np.round(trace.power_time / trace.step).astype(int) - 1] = trace.power
    measured = np.isfinite(power)
    fit = cluster_power.fit_cluster_power(features, power, measured, trace.step)
    predicted = fit.predict(features, trace.step)
    day = (np.arange(power.size) * trace.step // 86400.0).astype(int) + 1
    rows = [
        ["all measured intervals, fitted", f"{cluster_power.mape(predicted[measured], power[measured]):.2f}"]
    ]
    for name, block in (("held-back hours, tenfold", 3600.0), ("held-back days", 86400.0)):
        errors = cluster_power.held_back_errors(features, power, measured, trace.step, block)
        rows.append([name, f"{100 * errors.mean():.2f}"])
    for last in np.unique(day[measured])[1:]:
        before = measured & (day < last)
        ahead = cluster_power.fit_cluster_power(features, power, before, trace.step).predict(
            features, trace.step
        )
        target = measured & (day == last)
        rows.append(
            [f"day {last} from the days before it", f"{cluster_power.mape(ahead[target], power[target]):.2f}"]
        )
    total = features @ fit.nodes
    line = np.polyfit(total[measured], power[measured], 1)
    linear = cluster_power.mape(np.polyval(line, total[measured]), power[measured])
    rows.append(["for comparison: line through total use, fitted to all", f"{linear:.2f}"])
    figure, axes = _axes(2, 6.0)
    days = (np.arange(power.size) + 1) * trace.step / 86400.0
    axes[0].plot(days, predicted / 1e3, color=COLOURS[1], lw=0.8, label="modelled")
    axes[0].plot(days, power / 1e3, color=COLOURS[0], lw=0.8, label="measured")
    axes[0].set(xlabel="day", ylabel="power [kW]")
    axes[0].legend(frameon=False)
    axes[1].plot(16.0 * fit.nodes, fit.task_power, "o-", color=COLOURS[0])
    axes[1].set(xlabel="busy cores of a 16-core task", ylabel="power of a task [W]")
    figure.tight_layout()
    _save(figure, out / "calibration-surf.png")
    return "\n\n".join(
        [
            "## SURF week: power of a cluster from its tasks",
            "Additive model of `twin.cluster_power`, 19 node values and a base; no clock or calendar among "
            "the "
            "features. Mean absolute percentage error at the measured cadence of 30 s (a published live "
            "twin reports "
            "4.39 % on this week):",
            _table(["what is predicted", "MAPE [%]"], rows),
            "`twin replay surf DIR --fit-days 1-4 --out FILE.parquet` writes the prediction of all days.",
            "The node values are not determined one by one (few tasks use three to eight cores, and tasks "
            "of one job "
            "rise and fall together); their sum over the running tasks is.",
            "![SURF week](calibration-surf.png)",
        ]
    )


def write_report(data: Path, out: Path) -> Path:
    """Write ``calibration.md`` and its figures.

    Parameters
    ----------
    data : Path
        Directory with ``gpu-power`` and ``surf-cluster``.
    out : Path
        Directory for the report.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    BadInput
        If the data are not there.
    """
    if not data.is_dir():
        raise BadInput(f"{data}: no such directory; expected one with gpu-power and surf-cluster")
    out.mkdir(parents=True, exist_ok=True)
    sections = [
        "# Calibration of cards and cluster power",
        "Written by `python -m twin.calibration --data DIR --out docs/verification`; the data sets are "
        "public and not part "
        "of the repository. Equations: `docs/theory/compute.md`.",
        clock_temperature_section(data, out),
        board_power_section(data, out),
        cluster_section(data, out),
    ]
    path = out / "calibration.md"
    path.write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    return path
