"""Margin policies: what is added to a requirement before the radiator is sized for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from twin.case.sizing import Margin

__all__ = ["POLICIES", "MarginPolicy", "margin_policy"]


@dataclass(frozen=True)
class MarginPolicy:
    """Margins on a requirement.

    Attributes
    ----------
    name : str
    temperature : float
        By which every temperature limit is lowered [K].
    heat_load : float
        Share by which the radiator could reject more heat at the same temperatures: its area grows by as much [1].
    source : str
    """

    name: str
    temperature: float
    heat_load: float
    source: str


POLICIES: Mapping[str, MarginPolicy] = MappingProxyType(
    {
        policy.name: policy
        for policy in (
            MarginPolicy("none", 0.0, 0.0, "no margin"),
            MarginPolicy(
                "mil-std-1540",
                0.0,
                0.25,
                "25 % heat load for active control, pumped loops included (MIL-STD-1540)",
            ),
            MarginPolicy("mil-std-1540-passive", 11.0, 0.0, "11 K after correlation, 95 % (MIL-STD-1540)"),
            MarginPolicy("mil-std-1540-uncorrelated", 17.0, 0.0, "17 K before correlation (MIL-STD-1540)"),
            MarginPolicy("ecss", 10.0, 0.0, "5 K acceptance and 5 K qualification (ECSS-E-ST-31C)"),
        )
    }
)
"""Sets of margins by name."""


def margin_policy(margin: Margin) -> MarginPolicy:
    """Return the margins that a case names."""
    if margin.policy == "own":
        return MarginPolicy("own", margin.temperature, margin.heat_load, "of the case")
    return POLICIES[margin.policy]
