"""Ionising dose of trapped particles behind shielding, and what chips tolerate.

Dose is in gray (1 krad = 10 Gy), dose rate in gray per second. The table holds for dawn-dusk orbits of 700 to
800 km; it is not carried further without saying so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator
from scipy.special import log_ndtr

from twin.errors import BadInput

__all__ = [
    "COMMERCIAL_CARD",
    "RADIATION_RESISTANT_CHIP",
    "SUN_SYNCHRONOUS_DOSE",
    "YEAR",
    "DoseRangeError",
    "DoseTable",
    "DoseTolerance",
    "dose_survival_hazard",
    "extrapolated_dose_rate",
    "proton_dose_rate",
    "time_to_dose",
    "trapped_dose_rate",
]

Floats = NDArray[np.float64]

YEAR = 365.25 * 86400.0
"""Julian year [s]."""

KRAD = 10.0
"""A kilorad [Gy]."""


class DoseRangeError(BadInput):
    """A dose was asked for outside of the table."""


@dataclass(frozen=True, eq=False)
class DoseTable:
    """Yearly dose over altitude and shielding.

    Attributes
    ----------
    altitude : ndarray, shape (a,)
        Altitudes, increasing [m].
    shielding : ndarray, shape (s,)
        Thicknesses of aluminium, increasing [m].
    dose_rate : ndarray, shape (a, s)
        Dose rate in silicon [Gy/s].
    source : str
        Where it comes from.

    Raises
    ------
    ValueError
        If shapes disagree, an axis does not increase or a value is not positive.
    """

    altitude: Floats
    shielding: Floats
    dose_rate: Floats
    source: str

    def __post_init__(self) -> None:
        if self.dose_rate.shape != (self.altitude.size, self.shielding.size):
            raise ValueError(
                f"dose table: shape {self.dose_rate.shape}, expected ({self.altitude.size}, "
                f"{self.shielding.size}), one row per altitude and one column per thickness"
            )
        axes_increase = (np.diff(self.altitude) > 0.0).all() and (np.diff(self.shielding) > 0.0).all()
        if not axes_increase or self.shielding[0] <= 0.0 or not (self.dose_rate > 0.0).all():
            raise ValueError(
                "dose table: expected increasing altitudes and thicknesses and positive dose rates"
            )

    @cached_property
    def _log_curves(self) -> PchipInterpolator:
        # A dose-depth curve bends even on these axes; straight lines between points would lie above it.
        return PchipInterpolator(np.log(self.shielding), np.log(self.dose_rate), axis=1, extrapolate=True)

    def log_rate(self, altitude: Floats, shielding: Floats) -> Floats:
        """Logarithm of the dose rate; end slopes continue outside of the table. Both arrays of shape (n,)."""
        inside = np.clip(shielding, self.shielding[0], self.shielding[-1])
        rows = self._log_curves(np.log(inside)).T
        beyond = np.log(shielding / inside)
        slope = self._log_curves.derivative()(np.log(inside)).T
        rows = rows + slope * beyond[:, None]
        at = np.clip(np.searchsorted(self.altitude, altitude, side="right") - 1, 0, self.altitude.size - 2)
        weight = (altitude - self.altitude[at]) / (self.altitude[at + 1] - self.altitude[at])
        n = np.arange(at.size)
        return np.asarray((1.0 - weight) * rows[n, at] + weight * rows[n, at + 1])


SUN_SYNCHRONOUS_DOSE = DoseTable(
    altitude=np.array([700e3, 750e3, 800e3]),
    shielding=1e-3 * np.array([1.0, 2.0, 3.0, 4.0, 5.0, 10.0]),
    dose_rate=KRAD
    / YEAR
    * np.array(
        [
            [8.8, 3.2, 1.50, 0.82, 0.51, 0.24],
            [10.2, 3.7, 1.76, 0.99, 0.63, 0.31],
            [11.7, 4.2, 2.04, 1.17, 0.77, 0.40],
        ]
    ),
    source="AE8max + AP8min with SHIELDOSE-2, centre of an aluminium sphere, no solar protons",
)
"""Trapped dose of dawn-dusk orbits, without margin."""


def trapped_dose_rate(
    altitude: ArrayLike, shielding: ArrayLike, table: DoseTable = SUN_SYNCHRONOUS_DOSE
) -> Floats:
    """Dose rate behind shielding.

    Parameters
    ----------
    altitude : array_like
        Altitude above the equatorial radius [m].
    shielding : array_like
        Thickness of aluminium all around [m].
    table : DoseTable, optional
        Doses to interpolate.

    Returns
    -------
    ndarray
        Dose rate in silicon [Gy/s].

    Raises
    ------
    DoseRangeError
        If the point lies outside of the table.

    Notes
    -----
    Log dose over log thickness by a monotone cubic (Fritsch and Carlson, SIAM J. Numer. Anal. 17 (1980) 238),
    linear in altitude: dose-depth curves are smooth on these axes (Seltzer, SHIELDOSE, NBS TN 1116, 1980).
    """
    rate, outside = extrapolated_dose_rate(altitude, shielding, table)
    if outside.any():
        h, d = (
            np.broadcast_to(np.asarray(v, float), outside.shape)[outside][0] for v in (altitude, shielding)
        )
        raise DoseRangeError(
            f"dose behind {1e3 * d:g} mm of aluminium at {h / 1e3:g} km: the table covers "
            f"{1e3 * table.shielding[0]:g}-{1e3 * table.shielding[-1]:g} mm and {table.altitude[0] / 1e3:g}-"
            f"{table.altitude[-1] / 1e3:g} km; stay inside or give a table of your own"
        )
    return rate


def extrapolated_dose_rate(
    altitude: ArrayLike, shielding: ArrayLike, table: DoseTable = SUN_SYNCHRONOUS_DOSE
) -> tuple[Floats, NDArray[np.bool_]]:
    """Dose rate that continues the end slopes of the table, and where it had to.

    Parameters
    ----------
    altitude, shielding : array_like
        As in `trapped_dose_rate` [m].
    table : DoseTable, optional
        Doses to interpolate.

    Returns
    -------
    rate : ndarray
        Dose rate [Gy/s].
    outside : ndarray of bool
        True where the value is an extrapolation.

    Raises
    ------
    DoseRangeError
        If a thickness is not positive or a value is not finite.
    """
    h, d = np.broadcast_arrays(np.asarray(altitude, dtype=float), np.asarray(shielding, dtype=float))
    if not (np.isfinite(h).all() and np.isfinite(d).all() and (d > 0.0).all()):
        raise DoseRangeError("dose: expected finite altitudes and shielding thicknesses above 0 m")
    outside = (h < table.altitude[0]) | (h > table.altitude[-1])
    outside = outside | (d < table.shielding[0]) | (d > table.shielding[-1])
    # An end point that was computed (1e-3 * 10) is still in the table.
    close = 1e-9
    outside &= (
        (h < table.altitude[0] * (1 - close))
        | (h > table.altitude[-1] * (1 + close))
        | (d < table.shielding[0] * (1 - close))
        | (d > table.shielding[-1] * (1 + close))
    )
    rate = np.exp(table.log_rate(h.ravel(), d.ravel())).reshape(h.shape)
    return rate, outside


def proton_dose_rate(altitude: ArrayLike, table: DoseTable = SUN_SYNCHRONOUS_DOSE) -> Floats:
    """Dose rate of the penetrating protons alone, the measure of the flux that upsets chips.

    Electrons do not upset logic. They are stopped by 10 mm of aluminium, whereas the protons that upset
    (above some 40 MeV) pass through it and thinner shields alike: the dose behind the thickest column of the
    table is that of the protons, and the upset rate hardly depends on shielding.

    Parameters
    ----------
    altitude : array_like
        Altitude [m].
    table : DoseTable, optional
        Doses to interpolate.

    Returns
    -------
    ndarray
        Dose rate [Gy/s].

    Raises
    ------
    DoseRangeError
        If the altitude lies outside of the table.
    """
    return trapped_dose_rate(altitude, table.shielding[-1], table)


@dataclass(frozen=True)
class DoseTolerance:
    """What a kind of chip endures.

    Attributes
    ----------
    name : str
        Kind of chip.
    first_effects : float
        Dose at which irregularities begin [Gy].
    median_failure : float
        Dose at which half of the parts have failed [Gy].
    spread : float
        Standard deviation of the logarithm of the failing dose between parts [1].
    source : str
        Where it comes from.
    """

    name: str
    first_effects: float
    median_failure: float
    spread: float
    source: str = ""

    def __post_init__(self) -> None:
        if not (0.0 < self.first_effects <= self.median_failure and self.spread > 0.0):
            raise ValueError(
                f"dose tolerance of {self.name}: first effects {self.first_effects} Gy, failure "
                f"{self.median_failure} Gy, spread {self.spread}; expected 0 < first <= failure, spread > 0"
            )


COMMERCIAL_CARD = DoseTolerance(
    name="commercial card",
    first_effects=2.0 * KRAD,
    median_failure=15.0 * KRAD,
    spread=0.3,
    source="67 MeV protons on a datacenter accelerator: memory irregular from 2 krad, "
    "no hard failure up to 15 krad, here taken as the median (arXiv 2511.19468); spread assumed",
)
"""Accelerator as it is sold for use on the ground."""

RADIATION_RESISTANT_CHIP = DoseTolerance(
    name="radiation-resistant chip",
    first_effects=100.0 * KRAD,
    median_failure=1000.0 * KRAD,
    spread=0.3,
    source="assumed: hardened logic is sold for 100 krad to 1 Mrad; a two-dimensional-material "
    "radio chip, not a compute card, took 10 Mrad (doi 10.1038/s41586-025-10027-9)",
)
"""Hardened logic."""


def dose_survival_hazard(tolerance: DoseTolerance, dose: ArrayLike) -> Floats:
    """Cumulative hazard of failing by dose, ``-ln(1 - F(dose))`` with a log-normal F.

    Parameters
    ----------
    tolerance : DoseTolerance
        Kind of chip.
    dose : array_like
        Dose so far [Gy].

    Returns
    -------
    ndarray
        Cumulative hazard [1].

    Notes
    -----
    Failing doses of a lot are taken as log-normal, as in MIL-HDBK-814 (1994).
    """
    value = np.asarray(dose, dtype=float)
    if (value < 0.0).any() or np.isnan(value).any():
        raise ValueError("dose: negative or NaN, expected gray >= 0")
    tiny = tolerance.median_failure * 1e-30
    return np.asarray(
        -log_ndtr(-np.log(np.maximum(value, tiny) / tolerance.median_failure) / tolerance.spread)
    )


def time_to_dose(dose: ArrayLike, dose_rate: ArrayLike, design_margin: float = 2.0) -> Floats:
    """Time until a dose is reached, at `design_margin` times the computed rate [s].

    Parameters
    ----------
    dose : array_like
        Limit [Gy].
    dose_rate : array_like
        Computed rate [Gy/s].
    design_margin : float, optional
        Factor on the dose; 2 is customary.

    Returns
    -------
    ndarray
        Time [s].
    """
    if not design_margin >= 1.0:
        raise ValueError(f"design margin is {design_margin}, expected at least 1")
    return np.asarray(np.asarray(dose, float) / (design_margin * np.asarray(dose_rate, float)))
