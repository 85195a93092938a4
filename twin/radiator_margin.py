"""How much of a radiator its module does not need at the moment."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def cooling_integral(cold: ArrayLike, hot: ArrayLike, sink: ArrayLike) -> Array:
    r"""Return ∫ dT/(T⁴ − T_s⁴) between two coolant temperatures.

    A coolant that follows a radiator obeys ṁc dT/dA = −εησ(T⁴ − T_s⁴), so this integral is
    proportional to the area that cools it from `hot` to `cold`:
    :math:`\frac{1}{4 s^3}\ln\left|\frac{T-s}{T+s}\right| - \frac{1}{2 s^3}\arctan\frac{T}{s}`.

    Parameters
    ----------
    cold, hot, sink : array_like
        [K]; both coolant temperatures above the sink.

    Returns
    -------
    ndarray
        [1/K³]; infinite where the coolant would have to reach the sink.
    """
    low, high, s = np.broadcast_arrays(*(np.asarray(v, dtype=float) for v in (cold, hot, sink)))
    # Below a fifth of the temperature the closed form cancels; two terms beyond the first are good to 1e-8.
    weak = s < 0.2 * low
    series = sum(
        s ** (4 * k) / (4 * k + 3) * (low ** -(4.0 * k + 3) - high ** -(4.0 * k + 3)) for k in range(3)
    )
    level = np.where(weak, 0.5 * low, s)

    def primitive(t: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            logarithm = np.log(np.abs((t - level) / (t + level)))
        return np.asarray(logarithm / (4.0 * level**3) - np.arctan(t / level) / (2.0 * level**3))

    with np.errstate(invalid="ignore"):
        closed = primitive(high) - primitive(low)
    return np.where(low > s, np.where(weak, series, closed), np.inf)


def radiator_use(
    supply_target: ArrayLike, hot: ArrayLike, outlet: ArrayLike, bypass: ArrayLike, sink: ArrayLike
) -> tuple[Array, Array]:
    """Return what of the radiator is needed and what is used, both as an area up to the same factor [1/K³].

    Parameters
    ----------
    supply_target : array_like
        Set point of the coolant supply [K].
    hot, outlet : array_like
        Coolant at the radiator's inlet and outlet [K].
    bypass : array_like
        Share of the coolant past the radiator.
    sink : array_like
        Effective sink temperature of the radiating faces [K].

    Notes
    -----
    Needed is ∫(target…hot), the area to cool all coolant to the target; used is (1 − bypass)·∫(outlet…hot), the area
    that cools the present part of it to the present outlet; both with film and fin resistance as they are now.
    """
    heat, target = np.asarray(hot, dtype=float), np.asarray(supply_target, dtype=float)
    needed = np.where(heat > target, cooling_integral(np.minimum(target, heat), heat, sink), 0.0)
    used = (1.0 - np.asarray(bypass, dtype=float)) * cooling_integral(np.minimum(outlet, heat), heat, sink)
    return needed, used


def radiator_margin(needed: ArrayLike, used: ArrayLike) -> Array:
    """Return the share of the radiator area that could be missing with the supply temperature still met.

    Negative when the radiator is too small now: −0.1 means that a tenth more area is needed.

    Parameters
    ----------
    needed, used : array_like
        From :func:`radiator_use`, or averages of them over the swings of the load.
    """
    wanted, there = np.asarray(needed, dtype=float), np.asarray(used, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        margin = 1.0 - wanted / there
    # Without heat to reject there is nothing to measure the radiator by: all of it is spare.
    return np.where(there > 0.0, margin, np.where(wanted > 0.0, -np.inf, 1.0))


def temperature_margin(supply_target: ArrayLike, rise: ArrayLike, used: ArrayLike, sink: ArrayLike) -> Array:
    """Return by how much the coolant supply could be colder than its set point with the heat as it is [K].

    Negative when the radiator is too small: how far above the set point the supply settles.

    Parameters
    ----------
    supply_target : array_like
        Set point of the coolant supply [K].
    rise : array_like
        Of the coolant from supply to return: the heat over the capacity rate of the whole flow [K].
    used : array_like
        What is used of the radiator, from :func:`radiator_use` [1/K³].
    sink : array_like
        Effective sink temperature [K].

    Notes
    -----
    With all coolant through the radiator the supply T obeys ∫(T…T + rise) = used; the integral falls as T rises.
    """
    target, warm, area, cold = np.broadcast_arrays(
        *(np.asarray(v, dtype=float) for v in (supply_target, rise, used, sink))
    )
    low, high = cold + 1e-6, np.maximum(target, cold) + 300.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        too_cold = cooling_integral(middle, middle + warm, cold) > area
        low, high = np.where(too_cold, middle, low), np.where(too_cold, high, middle)
    # Without heat any supply down to the sink would do.
    return target - np.where(warm > 0.0, 0.5 * (low + high), cold)
