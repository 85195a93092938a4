"""The tables that `twin size` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twin.cli.console import output_console, print_table

if TYPE_CHECKING:
    from twin.sizing import Sizing

__all__ = ["print_sizing"]

SHOWN_CURVE = range(0, 13, 2)
"""Areas of the curve that are printed; all are in the dataset."""


def print_sizing(sizing: Sizing) -> None:
    """Print the tables of a sizing."""
    from twin.sizing.tables import design_rows

    _areas(sizing)
    for row in design_rows(sizing):
        output_console().print(row["text"], markup=False)
    _closed_forms(sizing)
    _curve(sizing)
    _what_if(sizing)
    _drives(sizing)


def _areas(sizing: Sizing) -> None:
    from twin.sizing.tables import area_rows

    rows = []
    for row in area_rows(sizing):
        less = "≤ " if row["at_least"] else ""
        rows.append(
            (
                row["sub_center"], f"{row['age']:g}", _area(row["design"]), less + _area(row["needed"]),
                _area(row["p50"]), _area(row["p95"]), less + _area(row["required"]), _percent(row["spare"]),
                row["binding"],
            )
        )  # fmt: skip
    heads = (
        "sub-center", "age [yr]", "design", "needed", "P50", "P95", f"with margin ({sizing.margin.name})",
        "design over that [%]", "decided by",
    )  # fmt: skip
    print_table(f"{sizing.case.name}: radiator area in m², one face", heads, rows)


def _closed_forms(sizing: Sizing) -> None:
    from twin.sizing.tables import closed_form_rows

    print_table(
        "closed forms in m², one effect after the other, beside the coupled model",
        (
            "sub-center", "age [yr]", "supply allowed [°C]", "one temperature", "coolant cools", "fins", "film",
            "coupled model", "over film [%]",
        ),
        [
            (
                row["sub_center"], f"{row['age']:g}", _celsius(row["supply"]),
                *(_area(row[name]) for name in ("isothermal", "loop", "fins", "film", "needed")),
                _percent(row["difference"]),
            )
            for row in closed_form_rows(sizing)
        ],
    )  # fmt: skip


def _curve(sizing: Sizing) -> None:
    from twin.sizing.tables import curve_rows

    by_center: dict[str, list[dict[str, float]]] = {}
    for row in curve_rows(sizing):
        by_center.setdefault(row["sub_center"], []).append(row)
    if not by_center:
        return
    print_table(
        "what area costs in the worst orbit (mean over what is uncertain)",
        (
            "sub-center", "area [m²]", "over needed [%]", "card-hours lost [%]", "card-hours lost",
            "card-hours for a m² less", "samples that throttle [%]",
        ),
        [
            (
                name, _area(row["area"]), _percent(row["over_needed"]), _number(row["throttled_fraction"], 100.0),
                f"{row['throttled_card_hours']:,.0f}", f"{row['card_hours_by_area']:,.2f}",
                _number(row["throttling_probability"], 100.0),
            )
            for name, rows in by_center.items()
            for row in (rows[k] for k in SHOWN_CURVE if k < len(rows))
        ],
    )  # fmt: skip


def _what_if(sizing: Sizing) -> None:
    from twin.sizing.tables import what_if_rows

    changes = what_if_rows(sizing)
    if not changes:
        return
    print_table(
        "what if (design as it is, in the worst orbit)",
        (
            "sub-center", "what", "throttled [%]", "by power [%]", "work [%]", "junction p99 [°C]", "supply [°C]",
            "area needed [m²]",
        ),
        [
            (
                row["sub_center"], row["what_if"], _number(row["throttled_fraction"], 100.0),
                _number(row["throttled_fraction_power"], 100.0), _number(row["work"], 100.0),
                _celsius(row["junction_temperature_p99"]), _celsius(row["coolant_supply_temperature_max"]),
                _area(row["needed"], "none is enough"),
            )
            for row in changes
        ],
    )  # fmt: skip


def _drives(sizing: Sizing) -> None:
    from twin.sizing.tables import sensitivity_rows

    drives = sensitivity_rows(sizing)
    if not drives:
        return
    print_table(
        "what drives the area (last age; the strongest first)",
        ("sub-center", "variable", "first order", "total", "area at its P5 / P95 [%]"),
        [
            (
                row["sub_center"], row["variable"].replace("_", " "), f"{row['first_order']:.2f}",
                f"{row['total_order']:.2f}", f"{100.0 * row['swing'][0]:+.1f} / {100.0 * row['swing'][1]:+.1f}",
            )
            for row in drives
        ],
    )  # fmt: skip


def _area(value: float | None, none: str = "–") -> str:
    """An area as people read it: of a satellite to the hundredth, of a plant without decimals."""
    if value is None:
        return none
    return f"{value:,.2f}" if abs(value) < 1e3 else f"{value:,.0f}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100.0 * share:+.1f}"


def _number(value: float | None, scale: float) -> str:
    return "–" if value is None else f"{scale * value:.2f}"


def _celsius(value: float | None) -> str:
    return "–" if value is None else f"{value - 273.15:.1f}"
