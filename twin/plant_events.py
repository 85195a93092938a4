"""The events of a run's cards, drawn as far as they are asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.card_events import CardEvents, EventCalendar
from twin.failures import ReliabilityParameters
from twin.reliability import module_environment, plant_calendar

__all__ = ["PlantEvents"]

Floats = NDArray[np.float64]

_NOTHING = CardEvents(np.empty(0), np.empty(0, np.int64), np.empty(0, np.int8))


@dataclass
class PlantEvents:
    """Failures, upsets and replacements of all cards of a plant.

    Attributes
    ----------
    parameters : ReliabilityParameters or None
        Kind of card; None for cards that never fail.
    altitude, shielding : float
        For dose and upsets [m].
    cards_per_module : (module,) int array
    age : (module,) array
        Of the cards at time zero [s].
    seed : int

    Notes
    -----
    A calendar is the same for any end as far as it goes, so that it can be drawn anew for a longer run and a
    resumed run needs no state.
    """

    parameters: ReliabilityParameters | None
    altitude: float
    shielding: float
    cards_per_module: NDArray[np.int64]
    age: Floats
    seed: int
    _calendar: EventCalendar | None = None

    def reach(self, stop: float) -> None:
        """Draw all events up to `stop` [s]."""
        if self.parameters is None or (self._calendar is not None and stop <= self._calendar.stop):
            return
        surroundings = module_environment(self.parameters, self.altitude, self.shielding)
        self._calendar = plant_calendar(
            self.parameters, surroundings, self.cards_per_module, self.age, stop, self.seed
        )

    def draw_events(self, time: float, dt: float) -> CardEvents:
        """Return the events in ``[time, time + dt)`` [s]."""
        if self._calendar is None or time + dt > self._calendar.stop:
            # Well ahead, so that a run without an end does not draw a calendar every tick.
            self.reach(2.0 * (time + dt))
        return _NOTHING if self._calendar is None else self._calendar.draw_events(time, dt)

    def silent_errors(self, time: float) -> int:
        """Errors up to `time` [s] that nothing reports."""
        return self.draw_events(0.0, time).count("silent_error")
