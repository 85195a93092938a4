"""Put a feed together: from a case with hidden properties, or from a finished result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin.case.nearest import suggestion
from twin.errors import BadInput
from twin.feed.faults import Fault, parse_fault
from twin.feed.hidden import FACTORS, HiddenPlant, drawn_factors
from twin.feed.link import Link
from twin.feed.sensors import SensorErrors, Sensors
from twin.feed.session import Feed, simulated
from twin.feed.truth import Truth
from twin.plant import Plant, reference_orbit
from twin.telemetry.dictionary import Dictionary
from twin.telemetry.replay import replayed

if TYPE_CHECKING:
    import xarray as xr

    from twin.case import Case

__all__ = ["FeedOptions", "hidden_factors", "parse_faults", "replay_feed", "simulate_feed"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FeedOptions:
    """What a feed does beside its case.

    Attributes
    ----------
    faults : tuple of str
        ``KIND[:VALUE][@START[..STOP]][/PLACE]``.
    hidden : tuple of str
        ``NAME=FACTOR`` for all modules.
    spread : float
        Standard deviation of factors that are drawn for every module.
    errors : SensorErrors
    seed : int
        Of all that is drawn.
    """

    faults: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    spread: float = 0.0
    errors: SensorErrors = field(default_factory=SensorErrors)
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("noise", "bias", "drift"):
            value = getattr(self.errors, name)
            if not 0.0 <= value < 1e6:
                raise BadInput(f"--{name} {value:g}: expected a factor of at least 0; 1 is usual")
        if not 0.0 <= self.spread < 1.0:
            raise BadInput(f"--spread {self.spread:g}: expected a number from 0 up to 1, such as 0.03")


def parse_faults(case: Case, dictionary: Dictionary, texts: Sequence[str]) -> list[Fault]:
    """Return the faults that texts describe for a case.

    Raises
    ------
    BadInput
        See `twin.feed.faults.parse_fault`.
    """
    period = reference_orbit(case).period
    jobs = [job.name for job in case.workload.jobs]
    return [parse_fault(text, dictionary, period, jobs) for text in texts]


def hidden_factors(options: FeedOptions, modules: int) -> dict[str, Floats]:
    """Return the hidden factors of every module, (module,) each in the order of the plant.

    Raises
    ------
    BadInput
        If there is no such property, or the factor makes no sense.
    """
    factors = drawn_factors(options.spread, options.seed, modules)
    for text in options.hidden:
        name, equal, written = text.partition("=")
        if name not in FACTORS:
            hint = suggestion(name, FACTORS)
            raise BadInput(
                f"--hidden {text}: no property '{name}'; expected one of {', '.join(FACTORS)}"
                + (f" ({hint})" if hint else "")
            )
        try:
            value = float(written) if equal else 0.0
        except ValueError:
            value = 0.0
        most = 1.0 if name == "battery_capacity" else 10.0
        if not 0.0 < value <= most:
            raise BadInput(f"--hidden {text}: expected a factor above 0 up to {most:g}, such as {name}=0.95")
        factors[name] = factors[name] * value
    factors["battery_capacity"] = np.minimum(factors["battery_capacity"], 1.0)
    return factors


def simulate_feed(
    case: Case,
    options: FeedOptions | None = None,
    folder: Path | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> tuple[Feed, Truth | None]:
    """Return the feed of a hidden plant, and the record of what is true in it.

    Parameters
    ----------
    case : Case
        What everybody knows; its thermal model is that of the hidden plant.
    options : FeedOptions, optional
    folder : Path, optional
        Of the record; none is kept without it. Call its `finish` when the feed has ended.
    progress : callable, optional
        Called with words and a share while a reduced model is trained.

    Raises
    ------
    BadInput
        If a fault or a hidden property does not fit the case.

    Examples
    --------
    >>> feed, truth = simulate_feed(case, FeedOptions(faults=("pump:0.9@30m",)), Path("out/feed"))
    >>> for shipment in feed:
    ...     stream.write(b"".join(shipment.packets))
    >>> truth.finish(feed.time, 0.0, feed.sensors)
    """
    choice = options or FeedOptions()
    dictionary = Dictionary.of_case(case)
    faults = parse_faults(case, dictionary, choice.faults)
    factors = hidden_factors(choice, int(dictionary.modules.sum()))
    sensors = Sensors(dictionary, choice.errors, faults, choice.seed)
    plant = Plant.build(case, progress)
    for fault in faults:
        if fault.kind.name == "contacts" and not plant.relay.reports:
            raise BadInput(
                f"--fault {fault.text}: the case has no relay terminals with ground_stations or relay_satellites"
            )
    hidden = HiddenPlant(case, dictionary, factors, faults, plant)
    truth = None if folder is None else Truth(folder, case, hidden, faults)
    return Feed(
        simulated(hidden, plant.duration, truth), sensors, Link(dictionary, faults, choice.seed)
    ), truth


def replay_feed(result: xr.DataTree, case: Case, options: FeedOptions | None = None) -> Feed:
    """Return the feed of a finished result.

    Parameters
    ----------
    result : DataTree
    case : Case
        That it was made from.
    options : FeedOptions, optional
        Faults of sensors and link only.

    Raises
    ------
    BadInput
        If a fault or a hidden property would change the plant, or the result is of another case.
    """
    choice = options or FeedOptions()
    dictionary = Dictionary.of_case(case)
    faults = parse_faults(case, dictionary, choice.faults)
    for fault in faults:
        if fault.kind.layer in ("plant", "work"):
            raise BadInput(
                f"--fault {fault.text}: a finished run cannot break; give a CASE, or a fault of sensors or link"
            )
    if choice.hidden or choice.spread:
        raise BadInput("--hidden, --spread: a result is what it is; give a CASE for hidden properties")
    sensors = Sensors(dictionary, choice.errors, faults, choice.seed)
    return Feed(replayed(result, dictionary), sensors, Link(dictionary, faults, choice.seed))
