"""One self-contained HTML page about a run: figures, plots, pictures and how far to trust them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

import numpy as np
import xarray as xr
from plotly.offline import get_plotlyjs

from twin.results import (
    SummaryRow,
    certificate,
    elapsed_seconds,
    energy_balance,
    locate_result,
    open_result,
    resolved_case,
    run_alarms,
    run_versions,
    summary,
)
from viz.curves import KELVIN_AT_ZERO_CELSIUS, RESIDUAL_BAR, power_scale, time_scale
from viz.interactive import figures_json
from viz.report_scenes import scene_section, sizing_beside


@dataclass(frozen=True)
class Tile:
    """One figure at the top of the page, with its verdict: good, bad or none."""

    label: str
    value: str
    verdict: str = ""
    good: bool | None = None

    def html(self) -> str:
        """Return the tile as HTML."""
        kind = {True: " good", False: " bad", None: ""}[self.good]
        return (
            f'<div class="tile{kind}">{escape(self.label)}<b>{escape(self.value)}</b>'
            f'<span class="verdict">{escape(self.verdict)}</span></div>'
        )


def write_report(path: Path, file: Path | None = None) -> Path:
    """Write the report of a result; return its path.

    Parameters
    ----------
    path : Path
        The result, or the run folder.
    file : Path, optional
        Where the page goes; ``report.html`` beside the result unless given.

    Raises
    ------
    BadInput
        The result cannot be opened.
    """
    result = open_result(path)
    target = file or locate_result(path).with_name("report.html")
    page = report_html(result, scene_section(path), sizing_beside(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(target.name + ".partial")
    aside.write_text(page, encoding="utf-8")
    aside.replace(target)
    return target


def report_html(result: xr.DataTree, scene: str = "", sizing: str = "") -> str:
    """Return the page about `result`; `scene` and `sizing` are HTML that is put before and after the plots."""
    names = [str(name) for name in result["sub_center"].to_dataset()["sub_center"].values]
    subjects: list[str | None] = [None, *names] if len(names) > 1 else [None]
    rows = summary(result)
    template = Template(resources.files("viz").joinpath("report.html").read_text(encoding="utf-8"))
    case = resolved_case(result)
    return template.substitute(
        title=escape(_case_name(result)),
        description=escape(str(case.get("description", ""))),
        tiles="".join(tile.html() for tile in tiles(result, rows)),
        run=_run_section(result),
        headline=_headline_table(rows, names),
        scene=scene,
        sizing=sizing,
        alarms=_alarm_section(result),
        chooser=_chooser(subjects),
        balance=_balance_table(result),
        trust=_trust_section(result),
        case=escape(str(result.attrs.get("case_text") or "\n".join(outline(case)))),
        plotly=get_plotlyjs(),
        figures=figures_json(result, subjects),
    )


def outline(value: object, indent: int = 0) -> list[str]:
    """Return nested mappings and lists as indented ``key: value`` lines."""
    pad = "  " * indent
    if isinstance(value, Mapping):
        items: list[tuple[str, object]] = [(f"{key}:", item) for key, item in value.items()]
    elif isinstance(value, list):
        items = [("-", item) for item in value]
    else:
        return [f"{pad}{value}"]
    lines = []
    for label, item in items:
        nested = isinstance(item, Mapping) or (
            isinstance(item, list) and any(isinstance(x, Mapping | list) for x in item)
        )
        if nested:
            lines += [f"{pad}{label}", *outline(item, indent + 1)]
        else:
            lines.append(f"{pad}{label} {item}")
    return lines


def tiles(result: xr.DataTree, rows: list[SummaryRow]) -> list[Tile]:
    """Return the figures that decide whether the design holds, with verdicts where there is a limit."""
    plant = {row.name: row for row in rows}
    found: list[Tile] = []
    if "load_power_mean" in plant:
        found.append(Tile("Load, mean", show(plant["load_power_mean"].plant, "W"), _cards(plant)))
    if "radiator_margin_min" in plant:
        margin = plant["radiator_margin_min"].plant
        words = "enough radiator" if margin >= 0 else "radiator too small"
        found.append(Tile("Radiator margin, lowest", show(margin, "1"), words, margin >= 0))
    if "junction_temperature_max" in plant:
        found.append(_junction_tile(result, plant["junction_temperature_max"].plant))
    if "battery_soc_min" in plant:
        found.append(_battery_tile(result, plant["battery_soc_min"].plant, plant.get("battery_margin_min")))
    causes = [
        plant[key] for key in ("throttled_card_hours_thermal", "throttled_card_hours_power") if key in plant
    ]
    if causes:
        hours = math.fsum(row.plant for row in causes)
        split = ", ".join(f"{row.plant:.3g} h by {row.name.rsplit('_', 1)[1]}" for row in causes)
        found.append(
            Tile(
                "Card-hours throttled", f"{hours:.3g} h", split.replace("thermal", "temperature"), hours == 0
            )
        )
    residual = _worst_residual(result)
    if residual is not None:
        good = residual <= RESIDUAL_BAR
        words = f"within {RESIDUAL_BAR:g}" if good else f"above {RESIDUAL_BAR:g}: do not trust"
        found.append(Tile("Energy not accounted for", f"{residual:.1e}", words, good))
    return found


def show(value: float, units: str) -> str:
    """Return a value in SI units as people read it: scaled watts, degrees Celsius, percent."""
    if not math.isfinite(value):
        return "–"
    if units == "K":
        return f"{value - KELVIN_AT_ZERO_CELSIUS:.1f} °C"
    if units == "W":
        factor, unit = power_scale(value)
        return f"{value / factor:.4g} {unit}"
    if units == "J":
        factor, unit = next(
            ((f, u) for f, u in ((3.6e12, "GWh"), (3.6e9, "MWh"), (3.6e6, "kWh")) if abs(value) >= f),
            (3.6e3, "Wh"),
        )
        return f"{value / factor:.4g} {unit}"
    if units == "1":
        return f"{100 * value:.2f} %"
    return f"{value:,.4g} {units.replace('m2', 'm²')}"


def _show_row(row: SummaryRow, value: float) -> str:
    if row.units == "K" and row.name.endswith("_margin_min"):  # a difference
        return f"{value:.1f} K" if math.isfinite(value) else "–"
    return f"{value:,.0f}" if row.name.endswith("_count") and math.isfinite(value) else show(value, row.units)


def _cards(plant: dict[str, SummaryRow]) -> str:
    return f"{plant['card_count'].plant:,.0f} cards" if "card_count" in plant else ""


def _junction_tile(result: xr.DataTree, hottest: float) -> Tile:
    plant = result["plant"].to_dataset()
    if "junction_temperature_slowdown" not in plant:
        return Tile("Junction, hottest", show(hottest, "K"))
    limit = float(plant["junction_temperature_slowdown"])
    words = f"{abs(limit - hottest):.1f} K {'below' if hottest < limit else 'above'} the slowdown limit"
    return Tile("Junction, hottest", show(hottest, "K"), words, hottest < limit)


def _battery_tile(result: xr.DataTree, lowest: float, margin: SummaryRow | None) -> Tile:
    plant = result["plant"].to_dataset()
    label = "Battery charge, lowest"
    if margin is not None:
        good = margin.plant >= 0
        side = "above" if good else "below"
        words = f"{100 * abs(margin.plant):.1f} points {side} the lowest allowed, at worst"
        return Tile(label, show(lowest, "1"), words, good)
    if "battery_soc_limit" in plant:
        limit = float(plant["battery_soc_limit"])
        return Tile(label, show(lowest, "1"), f"lowest allowed {show(limit, '1')}", lowest >= limit)
    return Tile(label, show(lowest, "1"))


def _worst_residual(result: xr.DataTree) -> float | None:
    ledger = result["ledger"].to_dataset()
    if "energy_residual" not in ledger or ledger.sizes.get("time", 0) == 0:
        return None
    return float(np.abs(np.asarray(ledger["energy_residual"], dtype=np.float64)).max())


def _case_name(result: xr.DataTree) -> str:
    return str(result.attrs.get("case_name") or resolved_case(result).get("name") or "Dawndusk run")


def _run_section(result: xr.DataTree) -> str:
    time = elapsed_seconds(result["plant"].to_dataset()["time"], result)
    factor, unit = time_scale(float(time[-1]))
    start = str(result.attrs["start"])[:19].replace("T", " ")
    facts = {
        "Case": _case_name(result),
        "Simulated": f"{time[-1] / factor:.4g} {unit} from {start} UTC, {time.size:,} time stamps",
        "Dawndusk": str(result.attrs.get("version", "unknown")),
    }
    if "wall_time" in result.attrs:
        wall = float(result.attrs["wall_time"])
        facts["Computing time"] = f"{wall:.3g} s ({time[-1] / wall:,.0f} × real time)" if wall > 0 else "–"
    versions = run_versions(result)
    system = [f"{key} {value}" for key, value in versions.items() if key not in ("platform", "cpu_count")]
    if versions:
        facts["Machine"] = f"{versions.get('platform', '')}, {versions.get('cpu_count', '?')} CPUs"
        facts["Software"] = ", ".join(system)
    items = "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts.items())
    return f"<dl>{items}</dl>"


def _headline_table(rows: list[SummaryRow], names: list[str]) -> str:
    several = len(names) > 1
    head = "".join(f"<th>{escape(name)}</th>" for name in names) + (
        '<th class="whole">plant</th>' if several else ""
    )
    body = []
    for row in rows:
        cells = [_cell(row, name, row.sub_center[name]) for name in names]
        if several:
            cells.append(_cell(row, "", row.plant, ' class="whole"'))
        body.append(f"<tr><td>{escape(row.label)}</td>{''.join(cells)}</tr>")
    return (
        f"<table id='headline'><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    )


def _cell(row: SummaryRow, subject: str, value: float, extra: str = "") -> str:
    # The full number travels with the rounded one: for checks, and for whoever copies it.
    return (
        f'<td{extra} data-name="{escape(row.name)}" data-subject="{escape(subject)}" data-value="{value!r}" '
        f'title="{value:.6g} {escape(row.units)}">{escape(_show_row(row, value))}</td>'
    )


def _chooser(subjects: list[str | None]) -> str:
    if len(subjects) == 1:
        return ""
    options = "".join(
        f'<option value="{escape(name or "")}">{escape(name or "whole plant")}</option>' for name in subjects
    )
    return f'<p class="screen"><label>Show <select id="subject">{options}</select></label></p>'


def _balance_table(result: xr.DataTree) -> str:
    lines = energy_balance(result)
    if not lines:
        return "<p>The result holds no energy ledger.</p>"
    body = []
    for index, (label, energy, share) in enumerate(lines):
        percent = f"{share:.1e}" if index == len(lines) - 1 else f"{100 * share:.2f} %"
        kind = ' class="sum"' if index in (0, len(lines) - 1) else ""
        amount = f'<td data-value="{energy!r}">{escape(show(energy, "J"))}</td>'
        body.append(f"<tr{kind}><td>{escape(label.capitalize())}</td>{amount}<td>{percent}</td></tr>")
    head = "<thead><tr><th></th><th>energy</th><th>of absorbed</th></tr></thead>"
    return f"<table id='balance'>{head}<tbody>{''.join(body)}</tbody></table>"


def _alarm_section(result: xr.DataTree) -> str:
    """Return what went beyond its limits in the run, nothing when nothing did."""
    alarms = run_alarms(result)
    if not alarms:
        return ""
    items = "".join(f"<li>{escape(alarm)}</li>" for alarm in alarms)
    return f"<h2>Beyond limits</h2><ul id='alarms'>{items}</ul>"


def _certificate_table(stored: Mapping[str, object]) -> str:
    """Return a certificate as a table: a line per module class when it has some, else a list."""
    if all(isinstance(value, Mapping) for value in stored.values()):
        groups = {str(key): dict(value) for key, value in stored.items() if isinstance(value, Mapping)}
    else:
        groups = {"all": dict(stored)}
    keys = [
        key for key in dict.fromkeys(key for group in groups.values() for key in group) if _plain(groups, key)
    ]
    head = "".join(f"<th>{escape(name)}</th>" for name in groups)
    rows = "".join(
        f"<tr><td>{escape(key.replace('_', ' '))}</td>"
        + "".join(f"<td>{escape(_short(group.get(key)))}</td>" for group in groups.values())
        + "</tr>"
        for key in keys
    )
    return (
        f"<div class='scroll'><table id='certificate'><thead><tr><th></th>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _plain(groups: Mapping[str, Mapping[str, object]], key: str) -> bool:
    """Whether all groups have text or a number for a key: long lists are in the result, not on the page."""
    return all(isinstance(group.get(key), str | int | float | None) for group in groups.values())


def _short(value: object) -> str:
    return "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _trust_section(result: xr.DataTree) -> str:
    parts = []
    residual = _worst_residual(result)
    if residual is not None:
        verdict = "within" if residual <= RESIDUAL_BAR else "<b>above</b>"
        parts.append(
            f"<p>Largest energy residual over the run: <b>{residual:.1e}</b>, "
            f"{verdict} the bar of {RESIDUAL_BAR:g}.</p>"
        )
    stored = certificate(result)
    if stored:
        parts.append(
            "<p>Panels were computed with a reduced model; its certificate, from held-out runs of the full "
            f"model:</p>{_certificate_table(stored)}"
        )
    elif (resolved_case(result).get("numerics") or {}).get("thermal") == "full":
        parts.append("<p>No reduced model was used: panels are solved by finite elements at every tick.</p>")
    parts.append("<p>The models are checked against published cases by <code>twin verify</code>.</p>")
    return "".join(parts)
