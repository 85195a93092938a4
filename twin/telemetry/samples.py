"""Decoded telemetry as a structure of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntFlag
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Quality", "SampleBatch"]


class Quality(IntFlag):
    """What is known against a sample; 0 is good."""

    GOOD = 0
    RANGE = 1
    """Outside the range of the sensor."""
    RATE = 2
    """Changed faster than is credible."""
    STUCK = 4
    """Has not changed for too long."""
    SPIKE = 8
    """Alone among its neighbours in time."""
    DISAGREES = 16
    """Far from what the twin expects."""
    LATE = 32
    """Came after the window for late samples."""
    DUPLICATE = 64
    """Came before."""


@dataclass(frozen=True, eq=False)
class SampleBatch:
    """Samples; all arrays (n,).

    Attributes
    ----------
    parameter : int32 array
        Index into the dictionary.
    time : float64 array
        When it was measured [s since mission start].
    value : float64 array
        SI.
    quality : uint8 array
        `Quality` flags.
    sub_center : int16 array
        -1 for the plant as a whole.
    """

    parameter: NDArray[np.int32]
    time: NDArray[np.float64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    sub_center: NDArray[np.int16]

    def __len__(self) -> int:
        return int(self.parameter.size)

    @classmethod
    def empty(cls) -> Self:
        """Return a batch of nothing."""
        return cls.of(np.empty(0, np.int32), np.empty(0), np.empty(0), np.empty(0, np.int16))

    @classmethod
    def of(
        cls,
        parameter: NDArray,
        time: NDArray,
        value: NDArray,
        sub_center: NDArray,
        quality: NDArray | None = None,
    ) -> Self:
        """Build a batch from arrays of one length, all good unless `quality` is given."""
        flags = np.zeros(parameter.shape, np.uint8) if quality is None else quality.astype(np.uint8)
        return cls(
            parameter.astype(np.int32, copy=False),
            time.astype(np.float64, copy=False),
            value.astype(np.float64, copy=False),
            flags,
            sub_center.astype(np.int16, copy=False),
        )

    @classmethod
    def concatenate(cls, batches: Sequence[SampleBatch]) -> Self:
        """Join batches in order."""
        if not batches:
            return cls.empty()
        return cls(*(np.concatenate([getattr(b, f.name) for b in batches]) for f in fields(cls)))

    def take(self, where: NDArray) -> SampleBatch:
        """Return some of the samples: a mask, or indices in any order."""
        return SampleBatch(*(getattr(self, f.name)[where] for f in fields(self)))

    def by_time(self) -> SampleBatch:
        """Return the samples in order of time and, at one time, of parameter; the order of equal ones is kept."""
        if len(self) < 2:
            return self
        same = self.time[1:] == self.time[:-1]
        rising = (self.time[1:] > self.time[:-1]) | (same & (self.parameter[1:] >= self.parameter[:-1]))
        return self if rising.all() else self.take(np.lexsort((self.parameter, self.time)))
