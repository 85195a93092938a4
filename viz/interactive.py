"""The time plots as plotly figures, for the report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import plotly.graph_objects as go
import xarray as xr

from viz.curves import (
    BLACK,
    ECLIPSE_COLOUR,
    GRAY,
    PLOTS,
    RESIDUAL_BAR,
    Floats,
    Plot,
    Series,
    displayed,
    eclipse_spans,
    series_of,
    thin_out,
)

_DASH = {"dashed": "dash", "limit": "dot"}


def figure(
    result: xr.DataTree, plot: Plot, sub_center: str | None = None, module: int | None = None
) -> go.Figure | None:
    """Return `plot` of the plant, a sub-center or a module over UTC, None when the result has no data for it."""
    series = series_of(result, plot, sub_center, module)
    if not series:
        return None
    start = datetime.fromisoformat(str(result.attrs["start"])).replace(tzinfo=None)
    values, label = displayed(series, plot.quantity)
    unit = label[label.index("[") + 1 : label.index("]")]
    drawing = go.Figure()
    edges = 0
    for item, shown in zip(series, values):
        edges += item.curve.style == "edge"
        drawing.add_trace(
            _trace(item, shown, start, unit, closes_band=item.curve.style == "edge" and edges % 2 == 0)
        )
    spans = eclipse_spans(result, sub_center)
    for begin, end in spans:
        drawing.add_vrect(
            _utc(start, begin),
            _utc(start, end),
            fillcolor=ECLIPSE_COLOUR,
            opacity=0.5,
            line_width=0,
            layer="below",
        )
    centers = [str(name) for name in result["sub_center"].to_dataset()["sub_center"].values]
    whose = f"eclipse of {centers[0]}" if sub_center is None and len(centers) > 1 else "eclipse"
    if spans:  # a shape has no legend entry of its own in every reader
        drawing.add_trace(
            go.Scatter(
                x=[None], y=[None], mode="markers", name=whose,
                marker={"symbol": "square", "size": 11, "color": ECLIPSE_COLOUR},
            )
        )  # fmt: skip
    if plot.quantity == "residual":
        ends = [_utc(start, second) for second in (0.0, float(series[0].time[-1]))]
        line = {"color": BLACK, "dash": "dot", "width": 1.3}
        drawing.add_trace(go.Scatter(x=ends, y=[RESIDUAL_BAR] * 2, mode="lines", name="bar 1e-6", line=line))
        drawing.update_yaxes(type="log", exponentformat="power")
    drawing.update_layout(
        meta={"title": plot.title},  # a heading of the page: it wraps, and a legend of two lines has room
        template="plotly_white",
        font={"family": "system-ui, sans-serif", "size": 12, "color": "#222"},
        height=270,
        margin={"l": 70, "r": 12, "t": 44, "b": 40},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
        hovermode="x unified",
    )
    drawing.update_xaxes(range=[start, _utc(start, float(series[0].time[-1]))])
    drawing.update_yaxes(title=label, zeroline=plot.quantity == "power", zerolinecolor=GRAY)
    if plot.quantity in ("share", "power"):
        drawing.update_yaxes(rangemode="tozero")
    return drawing


def figures_json(result: xr.DataTree, sub_centers: Sequence[str | None]) -> str:
    """Return {subject: {plot: figure}} as JSON that is safe inside a script element; the plant is ``""``."""
    subjects = {}
    for name in sub_centers:
        drawings = {plot.name: figure(result, plot, name) for plot in PLOTS}
        subjects[name or ""] = {
            key: json.loads(item.to_json()) for key, item in drawings.items() if item is not None
        }
    return json.dumps(subjects, separators=(",", ":")).replace("<", "\\u003c")


def _trace(item: Series, shown: Floats, start: datetime, unit: str, closes_band: bool) -> go.Scatter:
    style = item.curve.style
    time, thinned = thin_out(item.time, shown) if style != "limit" else (item.time[[0, -1]], shown[[0, -1]])
    return go.Scatter(
        x=[_utc(start, second) for second in time],
        y=np.round(thinned, 4) if unit != "–" else thinned,
        name=item.curve.label,
        mode="lines",
        line={
            "color": item.curve.colour,
            "width": 0 if style == "edge" else 1.3 if style == "limit" else 1.8,
            "dash": _DASH.get(style, "solid"),
            "shape": "vh" if item.tick_mean else "linear",
        },
        fill="tozeroy" if style == "area" else "tonexty" if closes_band else None,
        fillcolor=_translucent(item.curve.colour),
        showlegend=style != "edge" or closes_band,
        hovertemplate=f"%{{y:.4g}} {unit}",
    )


def _utc(start: datetime, seconds: float) -> datetime:
    return start + timedelta(seconds=float(seconds))


def _translucent(colour: str) -> str:
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.25)"
