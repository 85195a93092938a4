"""One self-contained HTML page about a run: figures, plots, pictures and how far to trust them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

import xarray as xr
from plotly.offline import get_plotlyjs

from twin.results import (
    SummaryRow,
    elapsed_seconds,
    energy_balance,
    locate_result,
    open_result,
    resolved_case,
    run_alarms,
    run_versions,
    summary,
)
from viz.curves import RESIDUAL_BAR, time_scale
from viz.interactive import figures_json
from viz.report_scenes import scene_section, sizing_beside, throttling_beside, throttling_words
from viz.report_trust import trust_section, worst_residual
from viz.report_words import outline, plain, show, show_row


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
    page = report_html(result, scene_section(path), sizing_beside(path), throttling_beside(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(target.name + ".partial")
    aside.write_text(page, encoding="utf-8")
    aside.replace(target)
    return target


def report_html(result: xr.DataTree, scene: str = "", sizing: str = "", throttling: str | None = None) -> str:
    """Return the page about `result`.

    Parameters
    ----------
    result : DataTree
    scene, sizing : str
        HTML that is put before and after the plots.
    throttling : str, optional
        HTML about what held the cards back; made of the result without pictures unless given.
    """
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
        throttling=throttling_words(result) if throttling is None else throttling,
        scene=scene,
        sizing=sizing,
        alarms=_alarm_section(result),
        chooser=_chooser(subjects),
        balance=_balance_table(result),
        trust=trust_section(result),
        case=escape(str(result.attrs.get("case_text") or "\n".join(outline(case)))),
        plotly=get_plotlyjs(),
        figures=figures_json(result, subjects),
    )


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
        split = ", ".join(f"{plain(row.plant)} h by {row.name.rsplit('_', 1)[1]}" for row in causes)
        found.append(
            Tile(
                "Card-hours throttled",
                f"{plain(hours)} h",
                split.replace("thermal", "temperature"),
                hours == 0,
            )
        )
    residual = worst_residual(result)
    if residual is not None:
        good = residual <= RESIDUAL_BAR
        words = (
            f"of what was absorbed, within {RESIDUAL_BAR:g}"
            if good
            else f"above {RESIDUAL_BAR:g}: do not trust"
        )
        found.append(Tile("Energy not accounted for", f"{residual:.1e}", words, good))
    return found


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
        facts["Computing time"] = f"{plain(wall)} s ({time[-1] / wall:,.0f} × real time)" if wall > 0 else "–"
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
        f'title="{value:.6g} {escape(row.units)}">{escape(show_row(row, value))}</td>'
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
        small = index == len(lines) - 1 or 0.0 < abs(share) < 5e-5
        percent = f"{share:.1e}" if small else f"{100 * share:.2f} %"
        kind = ' class="sum"' if index in (0, len(lines) - 1) else ""
        amount = f'<td data-value="{energy!r}">{escape(show(energy, "J"))}</td>'
        body.append(f"<tr{kind}><td>{escape(label.capitalize())}</td>{amount}<td>{percent}</td></tr>")
    head = "<thead><tr><th></th><th>energy</th><th>share of absorbed</th></tr></thead>"
    return f"<table id='balance'>{head}<tbody>{''.join(body)}</tbody></table>"


def _alarm_section(result: xr.DataTree) -> str:
    """Return what went beyond its limits in the run, nothing when nothing did."""
    alarms = run_alarms(result)
    if not alarms:
        return ""
    items = "".join(f"<li>{escape(alarm)}</li>" for alarm in alarms)
    return f"<h2>Beyond limits</h2><ul id='alarms'>{items}</ul>"
