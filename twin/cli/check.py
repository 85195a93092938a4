"""`twin check`: validate a case and print it with all defaults, units and where each value comes from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from twin.case import Case
from twin.case.tree import KeyPath, key_text
from twin.cli.console import output_console, print_json

__all__ = ["check"]


def check(
    case: Annotated[Path, typer.Argument(metavar="CASE", help="Case file (YAML).", show_default=False)],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a value; may be given several times."),
    ] = None,
    sources: Annotated[
        bool, typer.Option("--sources", help="Print the source of every value that has one.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the resolved case, origins and summary as JSON.")
    ] = False,
) -> None:
    r"""Validate a case and print it with all defaults and units.

    A value that the case does not state itself is marked with its origin: a case that it extends, the
    component library, the command line, or a default. Problems are listed one per line as
    FILE:LINE:COLUMN: KEY: what is wrong; what was expected. The exit code is then 2.

    \b
    Examples:
        twin check cases/experimental-satellite.yaml
        twin check cases/experimental-satellite.yaml --set mission.age="5 yr"
        twin check cases/experimental-satellite.yaml --sources
    """
    loaded = Case.load(case, set_ or ())
    resolved = loaded.resolved()
    if as_json:
        leaves = {key_text(path): loaded.origin(path) for path, _ in _leaves(resolved)}
        print_json(
            {
                "case": resolved,
                "origins": {key: origin for key, (origin, _) in leaves.items()},
                "sources": {key: source for key, (_, source) in leaves.items() if source},
                "summary": _summary(loaded),
            }
        )
        return
    _print_tree(loaded, resolved, sources)
    console = output_console()
    console.print("\n[bold]summary[/]")
    for name, value in _summary(loaded).items():
        console.print(f"  {name:<28} {value}", markup=False)
    console.print(f"\n[green]{loaded.name} is valid[/]")


def _leaves(data: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Scalars and rows of numbers, with their key paths."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _leaves(value, (*path, key))
    elif isinstance(data, list) and any(isinstance(item, dict) for item in data):
        for i, item in enumerate(data):
            yield from _leaves(item, (*path, i))
    else:
        yield path, data


def _print_tree(case: Case, resolved: dict[str, Any], sources: bool) -> None:
    from rich.markup import escape

    console = output_console()
    for depth, label, path, value in _lines(resolved, (), 0):
        indent = "  " * depth
        if value is None:
            console.print(f"{indent}[bold]{escape(label)}[/]")
            continue
        origin, source = case.origin(path)
        left = f"{indent}{label}: {value}"
        gap = " " * max(2, 64 - len(left))
        mark = f"{gap}[dim]{escape(origin)}[/]" if origin != "case" else ""
        console.print(f"{indent}{escape(label)}: [cyan]{escape(value)}[/]{mark}")
        if sources and source:
            console.print(f"{indent}    [dim]{escape(source)}[/]")


def _lines(data: Any, path: KeyPath, depth: int) -> Iterator[tuple[int, str, KeyPath, str | None]]:
    """Lines of the printed tree: depth, label, key path, and a value where the line has one."""
    items: Iterator[tuple[str | int, Any]] = iter(data.items() if isinstance(data, dict) else enumerate(data))
    for key, value in items:
        here = (*path, key)
        label = str(key) if isinstance(key, str) else _item_name(value, key)
        nested = isinstance(value, dict) or (
            isinstance(value, list) and any(isinstance(v, dict) for v in value)
        )
        if nested and _is_constant(value):
            yield depth, label, here, f"{value['bol']:g}"
        elif nested and value:
            yield depth, label, here, None
            yield from _lines(value, here, depth + 1)
        else:
            yield depth, label, here, _text(value)


def _item_name(value: Any, index: int) -> str:
    name = value.get("name") or value.get("class") if isinstance(value, dict) else None
    return f"[{index}] {name}" if name else f"[{index}]"


def _is_constant(value: Any) -> bool:
    """Tell a surface property that is the same at beginning and end of life: one number reads better."""
    return isinstance(value, dict) and set(value) == {"bol", "eol"} and value["bol"] == value["eol"]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and len(value) > 4 and isinstance(value[0], list):
        return f"[{_text(value[0])}, ... {_text(value[-1])}] ({len(value)} rows)"
    if isinstance(value, list):
        return "[" + ", ".join(_text(item) for item in value) + "]"
    return str(value)


def _summary(case: Case) -> dict[str, str]:
    """Sizes that follow from the case by closed forms."""
    from twin.case.consistency import compute_power, orbit_plane
    from twin.case.eclipse import longest_eclipse

    lines = {"cards": str(case.card_count), "modules": str(case.module_count)}
    plane = orbit_plane(case)
    if plane is not None:
        if case.orbit.tle is not None:
            lines["age of the elements at start"] = f"{plane.days_since_epoch(case.mission.start):.1f} d"
        lines["orbital period"] = f"{plane.period / 60.0:.2f} min"
        lines["run"] = f"{case.duration(plane.period) / 3600.0:.2f} h"
        lines["longest eclipse in a year"] = f"{longest_eclipse(plane, case.mission.start) / 60.0:.2f} min"
    modules = [
        (group.count, case.module_classes[group.class_]) for c in case.sub_centers for group in c.modules
    ]
    load = sum(n * (compute_power(case, m) + m.bus.housekeeping_power) for n, m in modules)
    lines["load under the jobs"] = f"{load / 1e3:.4g} kW (cards, hosts, housekeeping; before conversion)"
    lines["radiating area"] = f"{sum(n * m.radiator.radiating_area for n, m in modules):.4g} m2"
    lines["solar array area"] = f"{sum(n * m.solar_array.area for n, m in modules):.4g} m2"
    lines["battery energy"] = f"{sum(n * m.battery.energy for n, m in modules) / 3.6e6:.4g} kWh"
    return lines
