"""Time plots of a result as PNG and SVG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import matplotlib as mpl
import matplotlib.dates as mdates
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from viz.curves import (
    ECLIPSE_COLOUR,
    GRAY,
    KELVIN_AT_ZERO_CELSIUS,
    PLOTS,
    RESIDUAL_BAR,
    Curve,
    Floats,
    Plot,
    Series,
    displayed,
    eclipse_spans,
    series_of,
    thin_out,
    time_scale,
)

type TimeAxis = Literal["elapsed", "utc"]

STYLE: Mapping[str, Any] = MappingProxyType(
    {
        "font.family": "sans-serif",
        "font.size": 10.0,
        "axes.titlesize": 11.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": "#555555",
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#e4e4e4",
        "grid.linewidth": 0.7,
        "lines.linewidth": 1.7,
        "legend.frameon": False,
        "legend.fontsize": 9.0,
        "legend.handlelength": 1.8,
        "legend.columnspacing": 1.6,
        "svg.fonttype": "none",  # text stays text: it can be searched and edited
        "svg.hashsalt": "dawndusk",  # the same result gives the same file
        "figure.facecolor": "white",
    }
)

_DASHES: Mapping[str, Any] = MappingProxyType({"dashed": (0, (5, 2)), "limit": (0, (1.5, 1.5))})


def house_style() -> AbstractContextManager[None]:
    """Return a context in which matplotlib draws in the style of this project."""
    settings: Any = dict(STYLE)  # the stubs list every key of matplotlib as a literal
    return mpl.rc_context(settings)


def celsius_to_kelvin(values: Any) -> Any:
    """Return kelvin for degrees Celsius."""
    return values + KELVIN_AT_ZERO_CELSIUS


def kelvin_to_celsius(values: Any) -> Any:
    """Return degrees Celsius for kelvin."""
    return values - KELVIN_AT_ZERO_CELSIUS


def write_plots(
    result: xr.DataTree, folder: Path, sub_center: str | None = None, time_axis: TimeAxis = "elapsed"
) -> list[Path]:
    """Write every plot that the result has data for, and all of them stacked as ``overview``.

    Parameters
    ----------
    result : DataTree
        From `twin.results.open_result`.
    folder : Path
        Where ``<name>.png`` and ``<name>.svg`` go; made when missing.
    sub_center : str, optional
        Name of the sub-center to plot; the plant unless given.
    time_axis : {"elapsed", "utc"}
        Time since the start of the run, or UTC.

    Returns
    -------
    list of Path
        The files written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    present = [plot for plot in PLOTS if series_of(result, plot, sub_center)]
    files: list[Path] = []
    for plot in present:
        files += _save(draw(result, [plot], sub_center, time_axis), folder / plot.name)
    if present:
        files += _save(draw(result, present, sub_center, time_axis), folder / "overview")
    return files


def draw(
    result: xr.DataTree, plots: Sequence[Plot], sub_center: str | None = None, time_axis: TimeAxis = "elapsed"
) -> Figure:
    """Return a figure with `plots` stacked over one time axis."""
    with house_style():
        figure = Figure(figsize=(9.6, 0.8 + 2.9 * len(plots)), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(len(plots), 1, sharex=True, squeeze=False)[:, 0]
        spans = eclipse_spans(result, sub_center)
        clock = _Clock(result, time_axis)
        for axis, plot in zip(axes, plots):
            _draw_plot(axis, plot, series_of(result, plot, sub_center), spans, clock)
        axes[-1].set_xlabel(clock.label)
        clock.format(axes[-1])
        subject = f"sub-center {sub_center}" if sub_center else "whole plant"
        name = result.attrs.get("case_name", "")
        figure.suptitle(
            f"{name} · {subject}" if name else subject, x=0.01, ha="left", fontsize=9.5, color="#555555"
        )
        return figure


class _Clock:
    """Turns seconds since start into positions on the time axis."""

    def __init__(self, result: xr.DataTree, time_axis: TimeAxis) -> None:
        self._start = datetime.fromisoformat(str(result.attrs["start"]))
        self._utc = time_axis == "utc"
        last = series_end(result)
        self._factor, unit = time_scale(last)
        self.end = self.at(np.array([last]))[0]
        self.begin = self.at(np.array([0.0]))[0]
        self.label = "time [UTC]" if self._utc else f"time since {self._start:%Y-%m-%d %H:%M} UTC [{unit}]"

    def at(self, seconds: Floats) -> Floats:
        if self._utc:
            return float(mdates.date2num(self._start)) + seconds / 86_400.0
        return seconds / self._factor

    def format(self, axis: Axes) -> None:
        axis.set_xlim(self.begin, self.end)
        if self._utc:
            locator = mdates.AutoDateLocator()
            axis.xaxis.set_major_locator(locator)
            axis.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))
        else:
            axis.xaxis.set_major_locator(MaxNLocator(nbins=10, steps=[1, 2, 2.5, 5, 10]))


def series_end(result: xr.DataTree) -> float:
    """Return the time of the last tick [s since start], 0 without ticks."""
    ends = [series.time[-1] for plot in PLOTS for series in series_of(result, plot)[:1]]
    return float(max(ends, default=0.0))


def _draw_plot(
    axis: Axes, plot: Plot, series: list[Series], spans: list[tuple[float, float]], clock: _Clock
) -> None:
    values, label = displayed(series, plot.quantity)
    edge: Floats | None = None
    for item, shown in zip(series, values):
        if item.curve.style == "edge":
            if edge is None:
                edge = shown
            else:
                _band(axis, item, clock, edge, shown)
                edge = None
            continue
        _line(axis, item, clock, shown)
    for index, (start, end) in enumerate(spans):
        left, right = clock.at(np.array([start, end]))
        name = "eclipse" if index == 0 else None
        axis.axvspan(left, right, color=ECLIPSE_COLOUR, alpha=0.6, linewidth=0, zorder=0, label=name)
    axis.set_title(plot.title, pad=24)
    axis.set_ylabel(label)
    _vertical_axis(axis, plot)
    handles, labels = axis.get_legend_handles_labels()
    axis.legend(
        handles,
        labels,
        loc="lower left",
        bbox_to_anchor=(-0.005, 0.985),
        ncols=len(labels),
        borderaxespad=0.2,
    )


def _line(axis: Axes, item: Series, clock: _Clock, shown: Floats) -> None:
    time, thinned = thin_out(item.time, shown)
    axis.plot(
        clock.at(time),
        thinned,
        color=item.curve.colour,
        label=item.curve.label,
        linestyle=_DASHES.get(item.curve.style, "-"),
        linewidth=1.2 if item.curve.style == "limit" else None,
        # A mean over the tick that ends at the stamp is a step towards the left.
        drawstyle="steps-pre" if item.tick_mean else "default",
    )
    if item.curve.style == "area":
        step: Literal["pre"] | None = "pre" if item.tick_mean else None
        axis.fill_between(
            clock.at(time), thinned, color=item.curve.colour, alpha=0.22, linewidth=0, step=step
        )


def _band(axis: Axes, item: Series, clock: _Clock, lower: Floats, upper: Floats) -> None:
    curve: Curve = item.curve
    stride = max(1, item.time.size // 3000)
    time = clock.at(item.time[::stride])
    axis.fill_between(
        time, lower[::stride], upper[::stride], color=curve.colour, alpha=0.35, linewidth=0, label=curve.label
    )


def _vertical_axis(axis: Axes, plot: Plot) -> None:
    if plot.quantity == "residual":
        axis.set_yscale("log")
        axis.axhline(
            RESIDUAL_BAR, color="#1a1a1a", linewidth=1.2, linestyle=_DASHES["limit"], label="bar 1e-6"
        )
    elif plot.quantity == "power":
        axis.axhline(0.0, color=GRAY, linewidth=0.8, zorder=1)
    elif plot.quantity == "share":
        low, high = axis.get_ylim()
        # Charge and throughput are read against all of it; small shares and margins against each other.
        axis.set_ylim(min(0.0, low), max(104.0, high) if high > 55.0 else max(1.08 * high, 0.1))
    else:
        low, high = axis.get_ylim()
        axis.set_ylim(low, high + 0.08 * (high - low))
        kelvin = axis.secondary_yaxis("right", functions=(celsius_to_kelvin, kelvin_to_celsius))
        kelvin.set_ylabel("[K]")
        kelvin.spines["right"].set_visible(True)


def _save(figure: Figure, stem: Path) -> list[Path]:
    files = [stem.with_suffix(".png"), stem.with_suffix(".svg")]
    with house_style():
        figure.savefig(files[0], dpi=150)
        figure.savefig(files[1], metadata={"Date": None})
    return files
