"""What takes cards out of service, and who the plant talks to."""

from __future__ import annotations

from typing import Annotated, Literal

from twin.case.base import Model, as_written
from twin.case.types import (
    ANGLE,
    EVENT_RATE,
    LENGTH,
    DataRate,
    Duration,
    Fraction,
    NonNegativeNumber,
    PositiveDuration,
    PositiveNumber,
    WeakFraction,
)

__all__ = ["GroundStation", "RelaySatellite", "Reliability"]

EventRate = Annotated[float, EVENT_RATE.at_least("0 1/yr")]
Longitude = Annotated[float, ANGLE.at_least("-360 deg").up_to("360 deg").such_as("76 deg")]


class Reliability(Model):
    """Failures, upsets and spares of the cards; a case without it has none of them."""

    card: Literal["commercial", "radiation_resistant"] = "commercial"
    """What the card endures: dose (first effects 2 krad or 100 krad) and upsets per dose [arXiv 2511.19468]."""
    shielding: Annotated[float, LENGTH.at_least("1 mm").up_to("10 mm").such_as("5 mm")] = as_written("5 mm")
    """Aluminium all around the cards; assumed."""
    random_failures: EventRate = as_written("11.06 %/yr")
    """Of a card in service: 268 in 54 days on 16 384 cards [Grattafiori et al. 2024, table 5]."""
    other_interrupts: EventRate = as_written("6.23 %/yr")
    """By hosts, network and software, which leave the card whole: 151 in the same run."""
    weak_fraction: WeakFraction = 0.02
    """Cards that fail early in spite of burn-in; assumed."""
    infant_time: PositiveDuration = as_written("60 d")
    """Weibull scale of early failures; assumed."""
    infant_shape: PositiveNumber = 0.7
    """Weibull shape of early failures, below 1; assumed."""
    wear_out_time: PositiveDuration = as_written("12 yr")
    """Weibull scale of wear-out; assumed, takes 7 % by year five."""
    wear_out_shape: PositiveNumber = 3.0
    """Weibull shape of wear-out, above 1; assumed."""
    spare_fraction: NonNegativeNumber = 0.05
    """Cold spares of a module over its cards, rounded down to whole cards; assumed."""
    replacement_time: Duration = as_written("10 min")
    """From a failure until a spare has taken over; assumed."""


class GroundStation(Model):
    """A station that optical terminals see in passes, clouds permitting."""

    name: str
    """Name."""
    latitude: Annotated[float, ANGLE.at_least("-90 deg").up_to("90 deg").such_as("39.5 deg")]
    """Geodetic latitude."""
    longitude: Longitude
    """East longitude."""
    altitude: Annotated[float, LENGTH.at_least("-500 m").up_to("10 km").such_as("1300 m")] = as_written("0 m")
    """Above the ellipsoid."""
    minimum_elevation: Annotated[float, ANGLE.at_least("0 deg").up_to("89 deg").such_as("20 deg")] = (
        as_written("20 deg")
    )
    """Lowest elevation of use."""
    cloud_free_fraction: Fraction = 1.0
    """Share of the time with a cloud-free line of sight."""
    cloudy_spell: PositiveDuration = as_written("6 h")
    """Mean length of a cloudy spell; assumed."""
    data_rate: DataRate | None = None
    """Highest rate it takes (default: the terminal's own)."""


class RelaySatellite(Model):
    """A geostationary satellite that passes data on to the ground."""

    name: str
    """Name."""
    longitude: Longitude
    """East longitude."""
    data_rate: DataRate | None = None
    """Highest rate per link it takes (default: the terminal's own)."""
