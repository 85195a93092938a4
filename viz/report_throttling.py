"""What held the cards back: which cause, in which sub-center and modules, how much and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from viz.plant_data import PlantData

type Floats = NDArray[np.float64]

CAUSES = {
    "throttled_fraction_thermal": "temperature",
    "throttled_fraction_power": "power: the cap, or the limit of the card itself",
    "throttled_fraction_cards": "failed cards, or others missing that the job waits for",
    "throttled_fraction_link": "waiting for data",
}
"""Variables of a result with the share of time that cards are held back, and the cause in words."""

NOTICED = 1e-3
"""Share of the time from which a module counts as held back [1]."""

MOST_ROWS = 24
"""Lines of the table."""

LEAST = 1e-6
"""Share of card time below which a cause is not worth a line [1]."""


@dataclass(frozen=True)
class Place:
    """How much the modules of one class in one sub-center were held back by one cause.

    Attributes
    ----------
    variable : str
        Of `CAUSES`.
    sub_center, modules : str
        Name, and the class of the modules.
    count, touched : int
        Modules there are, and those held back for more than `NOTICED` of the time.
    card_hours : float
        Cards x share of time x hours [h].
    share : float
        Of the card time of these modules [1].
    worst : int
        Module that was held back most, number in its sub-center.
    worst_share : float
        Of its card time [1].
    peak, begin, end : int
        Time stamp at which it was worst, and the first and last one with more than half of that.
    peak_share : float
        Of the cards, at `peak` [1].
    """

    variable: str
    sub_center: str
    modules: str
    count: int
    touched: int
    card_hours: float
    share: float
    worst: int
    worst_share: float
    peak: int
    begin: int
    end: int
    peak_share: float


def throttled_places(data: PlantData) -> list[Place]:
    """Return where cards were held back, most card-hours first within a cause."""
    hours = np.diff(data.times, prepend=0.0) / 3_600.0
    names, codes = data.classes
    cards = data.static("card_count")
    found: list[Place] = []
    for variable in CAUSES:
        if variable not in data.result["module"].to_dataset():
            continue
        values = data.values(variable)
        here = [
            place
            for center, center_name in enumerate(data.sub_centers)
            for code, class_name in enumerate(names)
            if (members := np.flatnonzero(data.present[center] & (codes[center] == code))).size
            and (
                place := _place(
                    variable, center_name, class_name, members, values[:, center, members].astype(float),
                    np.ones(members.size) if cards is None else cards[center, members], hours,
                )
            )
        ]  # fmt: skip
        found += sorted(here, key=lambda place: -place.card_hours)
    return found


def _place(
    variable: str,
    sub_center: str,
    modules: str,
    members: NDArray[np.int64],
    values: Floats,
    cards: Floats,
    hours: Floats,
) -> Place | None:
    each = hours @ np.nan_to_num(values) / hours.sum()
    share = float(each @ cards / cards.sum())
    if share < LEAST:
        return None
    course = np.nan_to_num(values) @ cards / cards.sum()
    peak = int(course.argmax())
    much = np.flatnonzero(course >= 0.5 * course[peak])
    worst = int(each.argmax())
    return Place(
        variable, sub_center, modules, members.size, int((each > NOTICED).sum()),
        float(each @ cards * hours.sum()), share, int(members[worst]), float(each[worst]), peak, int(much[0]),
        int(much[-1]), float(course[peak]),
    )  # fmt: skip


def throttling_section(data: PlantData, places: Sequence[Place], pictures: str = "") -> str:
    """Return the section of the report: words, a table of places, and `pictures`."""
    parts = [
        '<section id="throttling"><h2>What held the cards back</h2>',
        f"<p>{_in_words(data, places)}</p>",
    ]
    if places:
        parts.append(_table(data, places))
        parts.append(
            "<p class='soft'>Held back: a card that has work and runs below its full clock, is off, or waits. A module "
            f"counts when that is more than {100 * NOTICED:g} % of its card time. The span is that with more than "
            "half of the worst share. A synchronous job runs at the pace of its slowest card: a small share of cards "
            "held back can cost much more work, see <i>throughput</i> above.</p>"
        )
    return "".join([*parts, pictures, "</section>"])


def _in_words(data: PlantData, places: Sequence[Place]) -> str:
    if not places:
        return "Nothing: no card was held back by temperature, power, failures or links."
    sentences = []
    for variable, cause in CAUSES.items():
        here = [place for place in places if place.variable == variable]
        if not here:
            continue
        total = sum(place.card_hours for place in here)
        first = here[0]
        part = f"{100 * first.card_hours / total:.0f} % of it" if len(here) > 1 else "all of it"
        sentences.append(
            f"<b>{escape(cause[:1].upper() + cause[1:])}</b> took {total:,.0f} card-hours, {part} from the "
            f"modules “{escape(first.modules)}” of {escape(first.sub_center)}, most at "
            f"{data.utc(first.peak):%Y-%m-%d %H:%M} UTC ({_percent(first.peak_share)} of their cards)."
        )
    if all(place.variable != "throttled_fraction_thermal" for place in places):
        sentences.insert(0, "Temperature held no card back.")
    return " ".join(sentences)


def _table(data: PlantData, places: Sequence[Place]) -> str:
    heads = ("cause", "sub-center", "modules", "card-hours [h]", "share of card time", "modules touched",
             "worst module (its share)", "worst at, UTC (share of cards)", "span, UTC")  # fmt: skip
    rows = []
    for place in places[:MOST_ROWS]:
        cells = (
            CAUSES[place.variable].partition(":")[0].partition(",")[0],
            place.sub_center,
            place.modules,
            f"{place.card_hours:,.0f}" if place.card_hours >= 10 else f"{place.card_hours:.2g}",
            _percent(place.share),
            f"{place.touched:,} of {place.count:,}",
            f"{place.worst} ({_percent(place.worst_share)})",
            f"{data.utc(place.peak):%m-%d %H:%M} ({_percent(place.peak_share)})",
            _span(data, place),
        )
        rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    if len(places) > MOST_ROWS:
        rest = sum(place.card_hours for place in places[MOST_ROWS:])
        rows.append(
            f"<tr><td colspan='3'>{len(places) - MOST_ROWS} more places</td><td>{rest:,.0f}</td>"
            f"<td colspan='{len(heads) - 4}'></td></tr>"
        )
    head = "".join(f"<th>{escape(word)}</th>" for word in heads)
    return (
        f"<div class='scroll'><table id='places' class='words'><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _span(data: PlantData, place: Place) -> str:
    """A value is the mean over the interval that ends at its time stamp: it holds from the stamp before."""
    begin = data.utc(place.begin - 1) if place.begin > 0 else data.start
    end = data.utc(place.end)
    return (
        f"{begin:%m-%d %H:%M} to {end:%H:%M}"
        if begin.date() == end.date()
        else f"{begin:%m-%d %H:%M} to {end:%m-%d %H:%M}"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g}\N{NO-BREAK SPACE}%"


def result_has_causes(result: xr.DataTree) -> bool:
    """Whether a result says what held the cards back."""
    return any(variable in result["module"].to_dataset() for variable in CAUSES)
