"""What holds the work of a tick back, per module: data that wait for the link, cards that are missing, and more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.compute import FleetTick
from twin.job_placement import JobPlacement
from twin.limiting_factor import LimitingFactor, limiting_factor
from twin.link_routing import LinkState, Router
from twin.relay_network import RelayTick
from twin.workload import WAITING, Workload

__all__ = ["LinkLoad", "Traffic", "WorkLimits", "link_load", "work_limits"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LinkLoad:
    """Data that jobs want to exchange with the world outside their sub-center.

    Attributes
    ----------
    demand, rate : ndarray, shape (module,)
        Wanted by the cards, and carried by the terminals at most [bit/s].
    shortfall : ndarray, shape (module,)
        Share of the sub-center's demand that its links do not carry; 0 without demand [1].
    served : ndarray, shape (job,)
        Share of its work for which a job gets its data: that of its worst part [1].
    """

    demand: Floats
    rate: Floats
    shortfall: Floats
    served: Floats


@dataclass(frozen=True, eq=False)
class Traffic:
    """What the jobs exchange with the world outside their sub-center.

    Attributes
    ----------
    data_rate : ndarray, shape (job,)
        Of a card at full work [bit/s].
    outward : ndarray of bool, shape (job,)
        Jobs that serve people: all of their data goes to the outside of the plant. The others exchange it between
        their parts in different sub-centers, and with the outside if they are in one.
    """

    data_rate: Floats
    outward: NDArray[np.bool_]


def link_load(
    placement: JobPlacement,
    activity: Floats,
    traffic: Traffic,
    relay: RelayTick,
    sub_center: NDArray[np.int64],
    router: Router,
) -> LinkLoad:
    """Route the data of the jobs over the links of a plant.

    Parameters
    ----------
    placement : JobPlacement
        Cards of each job in each module.
    activity : ndarray, shape (job,)
        Mean activity in the tick [1].
    traffic : Traffic
    relay : RelayTick
        Links and their rates.
    sub_center : ndarray of int, shape (module,)
        Sub-center of each module.
    router : Router

    Returns
    -------
    LinkLoad
        A job waits for the slowest of its parts.

    Notes
    -----
    A job over several sub-centers passes its data around a ring of them, as all-reduce does (Patarasuk and Yuan,
    J. Parallel Distrib. Comput. 69 (2009) 117): each part sends what its cards want to the next one.
    """
    each = activity * traffic.data_rate
    demand = placement.per_module(each)
    centers = int(sub_center.max()) + 1
    served = np.ones(activity.size)
    if not demand.any():
        return LinkLoad(demand, relay.rate, np.zeros_like(demand), served)
    links = relay.links if relay.links is not None else LinkState.wide_open(centers)
    wants = each[placement.job] > 0.0
    part, place = np.unique(
        placement.job[wants] * centers + sub_center[placement.module[wants]], return_inverse=True
    )
    amount = np.bincount(place.ravel(), placement.cards[wants] * each[placement.job[wants]])
    job, center = part // centers, part % centers
    # The parts of a job stand together: the next one is the next row, the first one after the last.
    first = np.searchsorted(job, job)
    last = np.searchsorted(job, job, side="right") - 1
    row = np.arange(job.size)
    following = np.where(row == last, first, row + 1)
    to = np.where(traffic.outward[job] | (first == last), centers, center[following])
    flow, which = np.unique(center * (centers + 1) + to, return_inverse=True)
    wanted = np.bincount(which.ravel(), amount)
    ends = [(int(f) // (centers + 1), int(f) % (centers + 1)) for f in flow]
    share = router.shares(links, ends, wanted)[which.ravel()]
    np.minimum.at(served, job, share)
    asked = np.bincount(center, amount, centers)
    carried = np.bincount(center, amount * share, centers)
    short = 1.0 - np.divide(carried, asked, out=np.ones(centers), where=asked > 0.0)
    return LinkLoad(demand, relay.rate, short[sub_center], served)


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
