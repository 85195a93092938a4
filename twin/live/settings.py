"""How the live twin works: size of the ensembles, times of its cycles, how far it looks ahead."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin.errors import BadInput


@dataclass(frozen=True)
class LiveSettings:
    """How the live twin works.

    Attributes
    ----------
    members : int
        Of the ensembles.
    step : float
        Longest tick of the model [s].
    cycle : float
        Time between analyses [s].
    late : float
        How late a sample may be and still count [s].
    hold : float
        How long a cycle waits for missing samples while others go on [s].
    checkpoint : float
        Time between checkpoints [s].
    orbits : float
        How far forecasts look ahead.
    seed : int
    """

    members: int = 24
    step: float = 10.0
    cycle: float = 30.0
    late: float = 120.0
    hold: float = 10.0
    checkpoint: float = 600.0
    orbits: float = 1.0
    seed: int = 1

    def __post_init__(self) -> None:
        if self.members < 4:
            raise BadInput(
                f"live: {self.members} members; expected 4 or more (24 or more for good error bars)"
            )
        if not 0.0 < self.step <= self.cycle:
            raise BadInput(
                f"live: step of {self.step} s and cycle of {self.cycle} s; expected 0 < step <= cycle"
            )

    @property
    def ticks_kept(self) -> int:
        """Ticks for which late samples still count."""
        return int(np.ceil(self.late / self.step)) + 1

    @property
    def ticks_ahead(self) -> int:
        """Ticks that are computed ahead."""
        return int(np.ceil(2.0 * self.cycle / self.step)) + 4
