"""Reflected sunlight from a table: a spline of :func:`twin.albedo.albedo_factor` over all its angles."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import spline_filter

from twin.albedo import albedo_factor

FloatArray = NDArray[np.float64]

__all__ = ["AlbedoTable"]

_PADDING = 6
"""Grid points beyond each end of the zenith and tilt axes, so that the spline has no free end of its own."""


def _grid(count: int) -> FloatArray:
    return (np.arange(count + 2 * _PADDING) - _PADDING) / (count - 1)


@lru_cache(maxsize=16)
def _layer(distance_ratio: float, zeniths: int, tilts: int, azimuths: int) -> FloatArray:
    """Spline coefficients at one distance, over zenith, tilt and azimuth scaled to their ranges.

    Remembered, because all sub-centers of a plant share one altitude.
    """
    horizon = math.acos(1.0 / distance_ratio)
    zenith = _grid(zeniths) * (0.5 * math.pi + horizon)
    tilt = _grid(tilts) * (math.pi - horizon)
    azimuth = np.linspace(0.0, math.pi, azimuths)
    # A negative zenith or tilt angle is the same direction on the other side of the vertical.
    crossed = (zenith < 0.0)[:, None] ^ (tilt < 0.0)[None, :]
    turned = np.where(crossed[:, :, None], math.pi - azimuth, azimuth)

    def row(i: int) -> FloatArray:
        return albedo_factor(distance_ratio, abs(zenith[i]), np.abs(tilt)[:, None], turned[i])

    with ThreadPoolExecutor() as pool:  # the quadrature runs outside Python's lock
        values = np.stack(list(pool.map(row, range(zenith.size))))
    coefficients = np.asarray(spline_filter(values, order=3, mode="mirror"))
    coefficients.flags.writeable = False
    return coefficients


@njit(cache=True, nogil=True, inline="always")
def _spline_weights(fraction: float, weights: FloatArray) -> None:
    rest = 1.0 - fraction
    weights[0] = rest * rest * rest / 6.0
    weights[1] = 2.0 / 3.0 - 0.5 * fraction * fraction * (1.0 + rest)
    weights[2] = 2.0 / 3.0 - 0.5 * rest * rest * (1.0 + fraction)
    weights[3] = fraction * fraction * fraction / 6.0


@njit(cache=True, nogil=True, fastmath=True)
def _table_kernel(
    layers: FloatArray,
    coefficients: FloatArray,
    ratio: FloatArray,
    zenith: FloatArray,
    tilt: FloatArray,
    azimuth: FloatArray,
    factor: FloatArray,
) -> None:
    """Tensor-product cubic spline; `ratio` and `zenith` are per state, the others per state and face."""
    wz, wt, wa, wl = np.empty(4), np.empty(4), np.empty(4), np.ones(layers.size)
    zeniths = coefficients.shape[1] - 2 * _PADDING - 1
    tilts = coefficients.shape[2] - 2 * _PADDING - 1
    azimuths = coefficients.shape[3] - 1
    for i in range(ratio.size):
        horizon = math.acos(1.0 / ratio[i])
        u = zenith[i] / (0.5 * math.pi + horizon)
        if u >= 1.0:
            factor[i, :] = 0.0
            continue
        for m in range(layers.size):
            wl[m] = 1.0
            for n in range(layers.size):
                if n != m:
                    wl[m] *= (ratio[i] - layers[n]) / (layers[m] - layers[n])
        u *= zeniths
        iz = int(u)
        _spline_weights(u - iz, wz)
        iz += _PADDING - 1
        for face in range(tilt.shape[1]):
            v = tilt[i, face] / (math.pi - horizon)
            if v >= 1.0:
                factor[i, face] = 0.0
                continue
            v *= tilts
            it = int(v)
            _spline_weights(v - it, wt)
            it += _PADDING - 1
            w = azimuth[i, face] / math.pi * azimuths
            ia = min(int(w), azimuths - 1)
            _spline_weights(w - ia, wa)
            total = 0.0
            for m in range(layers.size):
                for p in range(4):
                    for q in range(4):
                        line = 0.0
                        for r in range(4):
                            k = ia - 1 + r
                            # Even about both ends: the factor does not know left from right.
                            k = -k if k < 0 else (2 * azimuths - k if k > azimuths else k)
                            line += wa[r] * coefficients[m, iz + p, it + q, k]
                        total += wl[m] * wz[p] * wt[q] * line
            factor[i, face] = max(0.0, total)


@dataclass(frozen=True)
class AlbedoTable:
    """Spline of `albedo_factor` for a range of distances: 1e-5 accurate, twenty times faster.

    Attributes
    ----------
    lowest, highest : float
        Range of distance ratios [-].
    layers : ndarray, shape (layer,)
        Distance ratios of the layers [-].
    coefficients : ndarray, shape (layer, zenith, tilt, azimuth)
        Coefficients of the tensor-product cubic spline [-].
    """

    lowest: float
    highest: float
    layers: FloatArray
    coefficients: FloatArray

    @classmethod
    def build(cls, lowest: float, highest: float, shape: tuple[int, int, int] = (72, 64, 32)) -> AlbedoTable:
        """Tabulate between two distance ratios; one layer when they are equal, else three.

        Parameters
        ----------
        lowest, highest : float
            Range of distance from the Earth's centre over the Earth's radius [-].
        shape : tuple of int
            Grid points over sun zenith angle, tilt and azimuth.

        Raises
        ------
        ValueError
            If the range is empty, wide (more than 4 % of the distance) or not above the Earth.
        """
        if not 1.0 < lowest <= highest:
            raise ValueError(f"distance ratios {lowest:g} to {highest:g}; expected 1 < lowest <= highest")
        if highest - lowest > 0.04 * lowest:
            raise ValueError(
                f"distance ratios {lowest:g} to {highest:g} span more than 4 %; "
                "use the exact albedo_factor instead"
            )
        middle, half = 0.5 * (lowest + highest), 0.5 * (highest - lowest)
        if half < 1e-7:
            # Rounded to a centimetre of altitude: rounding errors of the orbit then give the same layer.
            layers = np.array([round(middle, 9)])
        else:
            layers = middle + half * np.sqrt(0.75) * np.array([-1.0, 0.0, 1.0])
        coefficients = np.stack([_layer(float(layer), *shape) for layer in layers])
        return cls(lowest, highest, layers, coefficients)

    def factor(
        self, distance_ratio: FloatArray, sun_zenith: FloatArray, tilt: FloatArray, azimuth: FloatArray
    ) -> FloatArray:
        """Reflected sunlight on faces, over albedo times solar flux.

        Parameters
        ----------
        distance_ratio, sun_zenith : ndarray, shape (n,)
            As in `albedo_factor`.
        tilt, azimuth : ndarray, shape (n, face)
            As in `albedo_factor`, with the azimuth in 0 to pi.

        Returns
        -------
        ndarray, shape (n, face)
            Incident flux over (albedo · solar flux) [-].

        Raises
        ------
        ValueError
            If a distance is outside the table's range.
        """
        slack = 1e-7
        low, high = float(np.min(distance_ratio)), float(np.max(distance_ratio))
        if low < self.lowest - slack or high > self.highest + slack:
            raise ValueError(
                f"distance ratios {low:.6f} to {high:.6f} are outside the albedo table's "
                f"{self.lowest:.6f} to {self.highest:.6f}; build it for the whole orbit"
            )
        factor = np.empty(tilt.shape)
        _table_kernel(self.layers, self.coefficients, distance_ratio, sun_zenith, tilt, azimuth, factor)
        return factor
