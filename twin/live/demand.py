"""What the cards of a sub-center ask for, and how much hotter than the mean the hottest gets: what forecasts assume."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SHORT = 120.0
"""Time over which power is averaged: longer than an iteration of a job, shorter than its checkpoints [s]."""

FADE = 1800.0
"""Time in which a level that is no longer reached is forgotten [s]."""

HELD = 0.05
"""Share of cards held back from which their power says nothing of what they would draw."""

STEADY = 0.9
"""Share of the sustained power from which the hottest card says something: after a checkpoint the mean lags behind."""

GAPS = 120
"""Ticks over which the hottest card is watched."""

HOT = 0.95
"""Share of those ticks in which it was no hotter than what forecasts assume."""


class CardDemand:
    """Power that the cards of each module ask for while they work, and the excess of their hottest one.

    Parameters
    ----------
    modules : int
    rise : (module,) array
        Rise of a junction over its plate for a watt of the module's cards [K/W].

    Attributes
    ----------
    sustained : (module,) array
        Highest mean power over two minutes, forgotten within half an hour unless the cards are held back [W]; NaN
        before the first reading.
    """

    def __init__(self, modules: int, rise: Array):
        self._rise = rise
        self._elapsed = 0.0
        self._short = np.full(modules, np.nan)
        self.sustained = np.full(modules, np.nan)
        self._gaps = np.full((GAPS, modules), np.nan)
        self._ticks = 0

    def follow(self, power: Array, held: Array, warmth: Array, dt: float) -> None:
        """Take in a tick.

        Parameters
        ----------
        power : (module,) array
            Mean over the tick [W].
        held : (module,) array
            Share of cards that are held back; NaN where unknown.
        warmth : (module,) array
            Hottest junction over the cold plate [K]; NaN where unknown.
        dt : float
            [s].
        """
        self._elapsed += dt
        # At first the mean over what there is: a single tick may be one part of an iteration only.
        share = max(-np.expm1(-dt / SHORT), dt / self._elapsed)
        before = np.where(np.isnan(self._short), power, self._short)
        self._short = before + share * (power - before)
        if self._elapsed < 2.0 * SHORT:
            self.sustained = self._short.copy()
        else:
            faded = self.sustained - np.expm1(-dt / FADE) * (self._short - self.sustained)
            low = np.where(np.nan_to_num(held) > HELD, self.sustained, faded)
            self.sustained = np.maximum(self._short, low)
        steady = self._short >= STEADY * self.sustained
        self._gaps[self._ticks % GAPS] = np.where(steady, warmth - self._rise * self._short, np.nan)
        self._ticks += 1

    def hottest(self) -> Array:
        """Return the excess of the hottest junction over that of the mean power, (module,) [K]; NaN if unknown."""
        known = np.isfinite(self._gaps).any(axis=0)
        out = np.full(known.shape, np.nan)
        if known.any():
            out[known] = np.nanquantile(self._gaps[:, known], HOT, axis=0)
        return out

    # -- state ------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, NDArray]:
        """Return all that a restart needs."""
        return {
            "short": self._short.copy(), "sustained": self.sustained.copy(), "gaps": self._gaps.copy(),
            "ticks": np.array(self._ticks), "elapsed": np.array(self._elapsed),
        }  # fmt: skip

    def restore(self, saved: Mapping[str, NDArray]) -> None:
        """Continue from a snapshot."""
        self._short, self.sustained = np.array(saved["short"]), np.array(saved["sustained"])
        self._gaps, self._ticks = np.array(saved["gaps"]), int(saved["ticks"])
        self._elapsed = float(saved["elapsed"])
