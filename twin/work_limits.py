"""What holds the work of a tick back, per module: data that wait for the link, cards that are missing, and more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.compute import FleetTick
from twin.job_placement import JobPlacement
from twin.limiting_factor import LimitingFactor, limiting_factor
from twin.workload import WAITING, Workload

__all__ = ["LinkLoad", "WorkLimits", "link_load", "work_limits"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LinkLoad:
    """Data that jobs want to exchange with the world outside their sub-center.

    Attributes
    ----------
    demand, rate : ndarray, shape (module,)
        Wanted by the cards, and carried by the terminals [bit/s].
    shortfall : ndarray, shape (module,)
        Share of the sub-center's demand that its links cannot carry; 0 without demand [1].
    served : ndarray, shape (job,)
        Share of its work for which a job gets its data: that of its worst sub-center [1].
    """

    demand: Floats
    rate: Floats
    shortfall: Floats
    served: Floats


def link_load(
    placement: JobPlacement,
    activity: Floats,
    data_rate: Floats,
    rate: Floats,
    sub_center: NDArray[np.int64],
) -> LinkLoad:
    """Share the links of each sub-center among the jobs in it.

    Parameters
    ----------
    placement : JobPlacement
        Cards of each job in each module.
    activity : ndarray, shape (job,)
        Mean activity in the tick [1].
    data_rate : ndarray, shape (job,)
        Of a card at full work [bit/s].
    rate : ndarray, shape (module,)
        Carried by the terminals of each module; modules of a sub-center share them [bit/s].
    sub_center : ndarray of int, shape (module,)
        Sub-center of each module.

    Returns
    -------
    LinkLoad
        Jobs are served in proportion to what they want; a job waits for the slowest of its parts.
    """
    demand = placement.per_module(activity * data_rate)
    centers = int(sub_center.max()) + 1
    wanted, carried = (np.bincount(sub_center, v, centers) for v in (demand, rate))
    share = np.ones(centers)
    np.divide(carried, wanted, out=share, where=wanted > carried)
    served = np.where(data_rate > 0.0, np.minimum(placement.lowest(share[sub_center]), 1.0), 1.0)
    return LinkLoad(demand, rate, (1.0 - share)[sub_center], served)


@dataclass(frozen=True, eq=False)
class WorkLimits:
    """What held back the work of a tick; arrays (module,).

    Attributes
    ----------
    asked : ndarray
        Activity of the jobs on the cards, before the link slows them [card].
    link : LinkLoad
    without_data : ndarray
        Share of card time in which cards wait for data [1].
    without_cards : ndarray
        Share of card time lost to failed cards, and to idle ones that interrupted jobs wait beside [1].
    limit : LimitingFactor
        What holds each module back most.
    """

    asked: Floats
    link: LinkLoad
    without_data: Floats
    without_cards: Floats
    limit: LimitingFactor


def work_limits(
    workload: Workload,
    placement: JobPlacement,
    activity: Floats,
    link: LinkLoad,
    cards: FleetTick,
    cards_per_module: NDArray[np.int64],
) -> WorkLimits:
    """Compare what power, heat, cards and link hold back.

    Parameters
    ----------
    workload : Workload
        Its queue at the start of the tick.
    placement : JobPlacement
    activity : ndarray, shape (job,)
        Mean activity that the jobs ask for [1].
    link : LinkLoad
    cards : FleetTick
    cards_per_module : ndarray of int, shape (module,)

    Notes
    -----
    While a job waits for cards after an interrupt, working cards that stand idle beside it are counted as
    missing ones, up to as many as it needs.
    """
    count = np.maximum(cards_per_module, 1)
    asked = placement.per_module(activity)
    busy = placement.per_module(np.ones(len(workload.jobs)))
    idle = np.maximum(count * (1.0 - cards.failed_fraction) - busy, 0.0)
    waiting = float(workload.cards[(workload.state == WAITING) & (workload.interruptions > 0)].sum())
    stranded = idle * min(1.0, waiting / max(float(idle.sum()), 1.0))
    without_cards = np.minimum(cards.failed_fraction + stranded / count, 1.0)
    limit = limiting_factor(
        power=cards.throttled_fraction_power,
        heat=cards.throttled_fraction_thermal,
        cards=without_cards,
        link=link.shortfall,
        work_asked=asked + stranded,
    )
    without_data = placement.per_module(1.0 - link.served) / count
    return WorkLimits(asked, link, without_data, without_cards, limit)
