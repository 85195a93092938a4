"""What is said of the hours ahead of a sub-center, and the alarms that it gives."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from twin.live.alarms import Alarm

CAUSES = ("heat", "power")

ALARM = 0.5
"""Chance of throttling within the horizon from which there is an alarm."""

NOW = 90.0
"""What is nearer than this is now [s]."""


@dataclass(frozen=True)
class Forecast:
    """Outlook of a sub-center.

    Attributes
    ----------
    sub_center : int
    time, horizon : float
        From when on [s since mission start], and how far [s].
    probability : dict of cause to float
        Chance that any followed module throttles within the horizon.
    time_to_limit : dict of cause to (early, median, late) or None
        When that begins, 5, 50 and 95 % of the members that do [s from `time`].
    worst : dict of cause to int
        Module that throttles first or comes nearest.
    radiator_margin, radiator_margin_low : float
        Lowest module now, mean and 5 % of the members [1].
    radiator_margin_trend : float
        Change of the lowest margin from now to its lowest point ahead, per orbit [1].
    margin_ahead : float
        Lowest 5 % of the members within the horizon.
    junction_headroom : float
        Kelvins that the hottest card stays below its limit, 5 % of the members [K].
    eclipse_exits : list of dict
        ``time`` [s], ``state_of_charge`` (mean) and ``low`` (5 %) of the lowest module at the end of each eclipse.
    state_of_charge_low : float
        Lowest 5 % within the horizon.
    cap : float or None
        Power of the cards of a module [W] that avoids throttling; None when none is expected.
    cap_probability : float
        Chance of throttling that is left with the cap.
    modules : list of int
        Those followed.
    track : dict of str to list
        For pictures: ``time`` [s], ``junction`` [K], ``state_of_charge``, ``radiator_margin``, of the worst module, at
        the unlucky 5 %.
    """

    sub_center: int
    time: float
    horizon: float
    probability: dict[str, float]
    time_to_limit: dict[str, tuple[float, float, float] | None]
    worst: dict[str, int]
    radiator_margin: float
    radiator_margin_low: float
    radiator_margin_trend: float
    margin_ahead: float
    junction_headroom: float
    eclipse_exits: list[dict[str, float]]
    state_of_charge_low: float
    cap: float | None
    cap_probability: float
    modules: list[int]
    track: dict[str, list[float]]

    def alarms(self, sub_center: str) -> list[Alarm]:
        """Return the alarms that this outlook gives."""
        found = []
        for cause in CAUSES:
            chance, when = self.probability[cause], self.time_to_limit[cause]
            if chance < ALARM or when is None:
                continue
            cap = "" if self.cap is None else f"; a cap of {self.cap / 1e3:.1f} kW per module avoids it"
            moment = "now" if when[1] < NOW else f"in {when[1] / 60.0:.0f} min"
            text = (
                f"throttling by {cause} {moment}, module {self.worst[cause]} first, with a chance of "
                f"{100 * chance:.0f} %{cap}"
            )
            # One alarm of a sub-center: which module comes first changes from forecast to forecast.
            found.append(
                Alarm("forecast", f"throttling by {cause}", sub_center, self.time, chance, text, when[1])
            )
        return found


def as_json(forecast: Forecast) -> dict[str, Any]:
    """Return a forecast for JSON: numbers that are none become null."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [plain(v) for v in value]
        return None if isinstance(value, float) and not np.isfinite(value) else value

    return {name: plain(value) for name, value in asdict(forecast).items()}
