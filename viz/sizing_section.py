"""The sizing as a section of an HTML report: tables and pictures."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path

import matplotlib as mpl
import numpy as np
import xarray as xr

from viz.curves import KELVIN_AT_ZERO_CELSIUS
from viz.sizing_plots import YEAR, open_sizing, plot_style, sizing_figures

__all__ = ["sizing_section"]


def sizing_section(path: Path) -> str:
    """Return the sizing as a section of an HTML report, pictures inside; empty without a ``sizing.zarr``.

    Parameters
    ----------
    path : Path
        The file, or the folder that may hold it.
    """
    try:
        tree = open_sizing(path)
    except FileNotFoundError:
        return ""
    parts = ['<section id="sizing">', "<h2>Radiator sizing</h2>", _design_words(tree), _area_table(tree)]
    parts.append(_closed_form_table(tree))
    if "what_if" in tree:
        parts.append(_what_if_table(tree))
    with mpl.rc_context(plot_style()):
        for _, (title, figure) in sizing_figures(tree).items():
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", dpi=110)
            data = base64.b64encode(buffer.getvalue()).decode()
            parts.append(
                f'<figure><img alt="{html.escape(title)}" src="data:image/png;base64,{data}"></figure>'
            )
    parts.append("</section>")
    return "\n".join(parts)


def _metres(value: float) -> str:
    """An area as people read it: of a satellite to the hundredth, of a plant without decimals."""
    if not np.isfinite(value):
        return "–"
    return f"{value:,.2f}" if abs(value) < 1e3 else f"{value:,.0f}"


def _table(heads: list[str], rows: list[list[str]]) -> str:
    """Return a table whose heads may break, so that it fits the page."""
    cells = "".join(f"<th>{html.escape(head)}</th>" for head in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    table = f'<table class="words"><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="scroll">{table}</div>'


def _area_table(tree: xr.DataTree) -> str:
    area = tree["area"].to_dataset()
    statistics = tree["statistics"].to_dataset() if "statistics" in tree else None
    rows = []
    for name in area["sub_center"].values:
        for k, age in enumerate(area["age"].values):
            one = area.sel(sub_center=name).isel(age=k)
            row = [
                str(name),
                f"{age / YEAR:g}",
                *(_metres(float(one[n])) for n in ("design_area", "closed_form", "needed")),
            ]
            for probability in (0.5, 0.95):
                if statistics is None:
                    row.append("–")
                else:
                    value = statistics["quantile"].sel(sub_center=name, probability=probability)[k]
                    row.append(_metres(float(value)))
            rows.append([*row, _metres(float(one["required"])), str(one["binding"].values)])
    heads = [
        "sub-center", "age [yr]", "design [m²]", "closed form [m²]", "needed [m²]", "P50 [m²]", "P95 [m²]",
        f"with margin ({tree.attrs['margin_policy']}) [m²]", "decided by",
    ]  # fmt: skip
    return _table(heads, rows)


def _what_if_table(tree: xr.DataTree) -> str:
    data = tree["what_if"].to_dataset()
    rows = []
    for name in data["what_if"].values:
        for center in data["sub_center"].values:
            one = data.sel(what_if=name, sub_center=center)

            def cell(key: str, scale: float = 100.0, shift: float = 0.0, one: xr.Dataset = one) -> str:
                value = scale * float(one[key]) - shift
                return f"{value:.2f}" if np.isfinite(value) else "–"

            needed = float(one["needed"])
            junction = cell("junction_temperature_p99", 1.0, KELVIN_AT_ZERO_CELSIUS)
            enough = _metres(needed) if np.isfinite(needed) else "none is enough"
            # What it means is said once, beside its name.
            what = f"{name}: {one['meaning'].values}" if center == data["sub_center"].values[0] else ""
            rows.append([what, str(center), cell("throttled_fraction"), cell("work"), junction, enough])
    heads = ["what if", "sub-center", "throttled [%]", "work [%]", "junction p99 [°C]", "area needed [m²]"]
    return "<h3>What if</h3>" + _table(heads, rows)


def _design_words(tree: xr.DataTree) -> str:
    """What the areas are, and in which orbit of the year they are found."""
    data = tree["design_case"].to_dataset()
    orbits = [
        f"{name}: {str(one['worst_start'].values)[:16].replace('T', ' ')} UTC, "
        f"environment {'of the case' if one['worst_environment'] == 'case' else one['worst_environment'].values}"
        for name, one in ((n, data.sel(sub_center=n)) for n in data["sub_center"].values)
    ]
    return (
        "<p>Area of one face of all radiators of a sub-center that meets the requirement in its worst orbit, found on "
        f"the coupled model; worst orbits: {html.escape('; '.join(orbits))}.</p>"
    )


def _closed_form_table(tree: xr.DataTree) -> str:
    """Closed forms, each with one more effect, beside the coupled model."""
    area = tree["area"].to_dataset()
    rows = []
    for name in area["sub_center"].values:
        for k, age in enumerate(area["age"].values):
            one = area.sel(sub_center=name).isel(age=k)
            steps = [float(one[n]) for n in ("isothermal", "loop", "fins", "closed_form", "needed")]
            supply = float(one["supply"]) - KELVIN_AT_ZERO_CELSIUS
            rows.append(
                [
                    str(name), f"{age / YEAR:g}", f"{supply:.1f}", *(_metres(value) for value in steps),
                    f"{100.0 * (steps[-1] / steps[-2] - 1.0):+.1f}",
                ]
            )  # fmt: skip
    heads = [
        "sub-center", "age [yr]", "supply allowed [°C]", "one temperature [m²]", "coolant cools [m²]", "fins [m²]",
        "film [m²]", "coupled model [m²]", "coupled over film [%]",
    ]  # fmt: skip
    return "<h3>Closed forms, one effect after the other</h3>" + _table(heads, rows)
