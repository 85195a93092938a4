"""The time plots of a session: the plotly figures of the report, in the dark."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from numpy.typing import NDArray

from viz.curves import ORANGE, SKY, Plot
from viz.interactive import figure
from viz.paints import Paint

type Floats = NDArray[np.float64]

_INK, _GRID, _SHADOW = "#d5dbe3", "#2a3342", "#3c4b66"


def stock_figure(
    result: xr.DataTree, plot: Plot, sub_center: str | None, module: int | None
) -> Mapping[str, Any]:
    """Return a plot of the report for the plant, a sub-center or a module; empty without data."""
    drawn = figure(result, plot, sub_center, module)
    return {} if drawn is None else json.loads(drawn.to_json())


def quantity_figure(
    paint: Paint,
    lines: Sequence[tuple[str, Floats, Floats]],
    start: datetime,
    spans: Sequence[tuple[float, float]],
) -> Mapping[str, Any]:
    """Return the plot of the quantity that colours the scene.

    Parameters
    ----------
    paint : Paint
    lines : sequence of (name, time, values)
        Time [s since start], values as they are shown; the first is emphasised.
    start : datetime
    spans : sequence of (start, end)
        Eclipses [s since start].
    """
    drawing = go.Figure()
    zero = start.replace(tzinfo=None)
    for number, (name, time, values) in enumerate(lines):
        line = {"color": ORANGE, "width": 2.2} if number == 0 else {"color": SKY, "width": 1, "dash": "dot"}
        drawing.add_trace(
            go.Scatter(
                x=[zero + timedelta(seconds=float(t)) for t in time], y=np.round(values.astype(float), 4),
                name=name, mode="lines" if time.size > 1 else "markers", line=line,
                hovertemplate=f"%{{y:.4g}} {paint.unit}",
            )
        )  # fmt: skip
    for begin, end in spans:
        x0, x1 = (zero + timedelta(seconds=float(t)) for t in (begin, end))
        drawing.add_vrect(x0, x1, fillcolor=_SHADOW, opacity=0.5, line_width=0, layer="below")
    drawing.update_yaxes(title=f"[{paint.unit}]")
    drawing.update_layout(meta={"title": paint.label}, hovermode="x unified", showlegend=True)
    return dark(json.loads(drawing.to_json()))


def dark(drawn: Mapping[str, Any], titled: bool = True) -> Mapping[str, Any]:
    """Return a plotly figure for a dark page, with its title unless the page has one."""
    if not drawn:
        return {}
    layout = dict(drawn["layout"])
    layout.pop("template", None)
    axis = {"gridcolor": _GRID, "linecolor": _GRID, "zerolinecolor": _GRID, "tickfont": {"size": 11}}
    layout |= {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": _INK, "family": "system-ui, sans-serif", "size": 12},
        "hoverlabel": {"bgcolor": "#10141d"},
        "margin": {"l": 58, "r": 10, "t": 58 if titled else 44, "b": 30},
        "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "font": {"size": 11}},
        "title": {
            "text": (layout.get("meta") or {}).get("title", "") if titled else "",
            "x": 0.02,
            "y": 0.97,
            "font": {"size": 14},
        },
        "xaxis": {**layout.get("xaxis", {}), **axis},
        "yaxis": {**layout.get("yaxis", {}), **axis},
        "shapes": [{**shape, "fillcolor": _SHADOW} for shape in layout.get("shapes", [])],
    }
    data = [_light(trace) for trace in drawn["data"]]
    return {"data": data, "layout": layout}


def _light(trace: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a trace whose black or very dark line can be seen on a dark page."""
    swaps = {"#1a1a1a": "#f2f2f2", "#0072B2": "#4aa3df", "#c9d3e0": _SHADOW}
    changed = dict(trace)
    for part in ("line", "marker"):
        colour = (trace.get(part) or {}).get("color")
        if isinstance(colour, str) and colour in swaps:
            changed[part] = {**trace[part], "color": swaps[colour]}
    return changed
