"""The energy ledger: every joule absorbed is emitted, sent out, stored as heat or stored in the batteries."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ENTRIES = ("absorbed", "received", "emitted", "exported", "stored", "battery", "electrical", "cards")
"""What is booked per module, cumulative since the start of the run [J]."""


@dataclass
class Ledger:
    """Cumulative energies of every module.

    Attributes
    ----------
    modules : int
    entries : mapping of entry to (module,) array
        ``absorbed + received = emitted + exported + stored + battery``; ``received`` is what came from other modules,
        and sums to zero over the plant. ``electrical`` (what the arrays delivered) and ``cards`` (what the cards drew)
        are for the record.
    """

    modules: int
    entries: dict[str, Array] = field(init=False)

    def __post_init__(self) -> None:
        self.entries = {name: np.zeros(self.modules) for name in ENTRIES}

    def book(self, modules: slice, **energies: Array) -> None:
        """Add energies of a tick [J] for some modules."""
        for name, value in energies.items():
            self.entries[name][modules] += value

    @property
    def residual(self) -> Array:
        """Energy not accounted for over energy absorbed, per module [1]."""
        return _residual(self.entries)

    @property
    def plant(self) -> dict[str, float]:
        """Sums over the plant [J]."""
        return {name: float(values.sum()) for name, values in self.entries.items()}

    @property
    def plant_residual(self) -> float:
        """Energy of the plant not accounted for over energy absorbed [1]."""
        return float(_residual({name: np.array([value]) for name, value in self.plant.items()})[0])


def _residual(entries: dict[str, Array]) -> Array:
    gone = entries["emitted"] + entries["exported"] + entries["stored"] + entries["battery"]
    missing = entries["absorbed"] + entries["received"] - gone
    return np.divide(
        missing, entries["absorbed"], out=np.zeros_like(missing), where=entries["absorbed"] > 0.0
    )
