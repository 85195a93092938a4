"""Orbits: sun-synchronous from altitude and local time, or real elements through SGP4.

Everything is in TEME of date (true equator, mean equinox), the frame of SGP4 and of :mod:`twin.sun`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twin.elements import Sgp4Elements, elements_from_lines, elements_from_message
from twin.kepler import (
    EARTH_GRAVITATIONAL_PARAMETER,
    EARTH_J2,
    EARTH_RADIUS,
    TROPICAL_YEAR,
    SecularElements,
    elements_from_state,
    solve_kepler,
    sun_synchronous_inclination,
)
from twin.sun import SECONDS_PER_DAY, days_since_j2000, mean_sun_right_ascension, sun_position

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class OrbitStates:
    """States along an orbit, n of them, in TEME of date.

    Attributes
    ----------
    time : ndarray, shape (n,)
        Seconds since the orbit's epoch [s].
    position : ndarray, shape (n, 3)
        Position from the Earth's centre [m].
    velocity : ndarray, shape (n, 3)
        Velocity [m/s].
    sun_direction : ndarray, shape (n, 3)
        Unit vector from the Earth's centre to the Sun [-].
    sun_distance : ndarray, shape (n,)
        Distance from the Earth's centre to the Sun [m].
    """

    time: FloatArray
    position: FloatArray
    velocity: FloatArray
    sun_direction: FloatArray
    sun_distance: FloatArray

    def __len__(self) -> int:
        return int(self.time.size)

    @property
    def radius(self) -> FloatArray:
        """Distance from the Earth's centre [m], shape (n,)."""
        return np.asarray(np.sqrt(np.einsum("ij,ij->i", self.position, self.position)))


class Propagator(Protocol):
    """What an orbit needs from its elements. `seconds` count from the epoch of the elements."""

    @property
    def epoch(self) -> datetime:
        """Epoch of the elements (UTC)."""

    @property
    def semi_major_axis(self) -> float:
        """Semi-major axis [m]."""

    @property
    def eccentricity(self) -> float:
        """Eccentricity [-]."""

    @property
    def inclination(self) -> float:
        """Inclination [rad]."""

    @property
    def gravitational_parameter(self) -> float:
        """Gravitational parameter of the Earth [m3/s2]."""

    @property
    def nodal_period(self) -> float:
        """Time from one ascending node to the next [s]."""

    def position_velocity(self, seconds: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Position [m] and velocity [m/s], both of shape (n, 3)."""

    def shifted(self, phase: float) -> Propagator:
        """Give the same orbit with the mean anomaly increased by `phase` [rad]."""


@dataclass(frozen=True)
class Orbit:
    """An orbit about the Earth and the instant its clock starts from.

    Attributes
    ----------
    propagator : Propagator
        The elements and how they move: `SecularElements` or `Sgp4Elements`.
    epoch : datetime
        The instant from which seconds are counted (UTC).
    """

    propagator: Propagator
    epoch: datetime

    @classmethod
    def from_altitude(
        cls,
        altitude: float,
        ltan: float,
        epoch: datetime,
        *,
        eccentricity: float = 0.0,
        argument_of_perigee: float = 0.5 * math.pi,
        phase: float = 0.0,
    ) -> Orbit:
        """Sun-synchronous orbit from its altitude and the local time of its ascending node.

        Parameters
        ----------
        altitude : float
            Semi-major axis less the Earth's equatorial radius [m].
        ltan : float
            Local *mean* solar time of the ascending node [h], a clock reading in 0 to 24: 18 is a
            dawn-dusk orbit that crosses the equator northwards at dusk. The apparent (true) local
            time differs from it by the equation of time, up to 16 minutes.
        epoch : datetime
            Instant from which seconds are counted (UTC).
        eccentricity : float
            Eccentricity [-].
        argument_of_perigee : float
            Argument of perigee at the epoch [rad]; 90 degrees is near the frozen orbit.
        phase : float
            Argument of latitude (mean) at the epoch [rad]: zero starts at the ascending node.

        Raises
        ------
        ValueError
            If `ltan` is outside 0 to 24, the altitude allows no sun-synchronous orbit, or the perigee is
            below 100 km.

        Notes
        -----
        Ω = α(mean Sun) + (LTAN - 12 h) · 15°/h: Vallado, Fundamentals of Astrodynamics and
        Applications, 4th ed., section 11.4.1.
        """
        if not 0.0 <= ltan <= 24.0:
            raise ValueError(f"ltan is {ltan:g}; expected a clock reading in hours, 0 to 24 (18 for dusk)")
        if not 150e3 <= altitude <= 6000e3:
            raise ValueError(
                f"altitude is {altitude:g} m; a sun-synchronous orbit needs 150 to 5970 km, given in metres"
            )
        perigee = (EARTH_RADIUS + altitude) * (1.0 - eccentricity) - EARTH_RADIUS
        if not (0.0 <= eccentricity < 1.0 and perigee >= 100e3):
            raise ValueError(
                f"eccentricity {eccentricity:g} puts the perigee at {perigee / 1e3:.0f} km; "
                "expected above 100 km"
            )
        mean_sun = float(mean_sun_right_ascension(days_since_j2000(epoch)))
        elements = SecularElements(
            epoch=_utc(epoch),
            semi_major_axis=EARTH_RADIUS + altitude,
            eccentricity=eccentricity,
            inclination=sun_synchronous_inclination(altitude, eccentricity),
            node=(mean_sun + (ltan - 12.0) * math.pi / 12.0) % (2.0 * math.pi),
            argument_of_perigee=argument_of_perigee,
            mean_anomaly=(phase - argument_of_perigee) % (2.0 * math.pi),
        )
        return cls(elements, elements.epoch)

    @classmethod
    def from_state(
        cls,
        position: ArrayLike,
        velocity: ArrayLike,
        epoch: datetime,
        *,
        j2: float = EARTH_J2,
        gravitational_parameter: float = EARTH_GRAVITATIONAL_PARAMETER,
    ) -> Orbit:
        """Orbit through a position and velocity, taken as mean elements.

        Parameters
        ----------
        position, velocity : array_like, shape (3,)
            Position [m] and velocity [m/s] at the epoch, TEME of date.
        epoch : datetime
            Instant from which seconds are counted (UTC).
        j2 : float
            Second zonal harmonic [-]; zero gives a Keplerian orbit fixed in space.
        gravitational_parameter : float
            Gravitational parameter of the Earth [m3/s2].

        Raises
        ------
        ValueError
            If the state is not of a closed orbit, or has no orbital plane.

        Notes
        -----
        Vallado, Fundamentals of Astrodynamics and Applications, 4th ed., algorithm 9.
        """
        elements = elements_from_state(
            np.asarray(position, dtype=np.float64),
            np.asarray(velocity, dtype=np.float64),
            _utc(epoch),
            j2,
            gravitational_parameter,
        )
        return cls(elements, elements.epoch)

    @classmethod
    def from_tle(cls, line1: str, line2: str, epoch: datetime | None = None) -> Orbit:
        """Orbit from a two-line element set, propagated by SGP4.

        Parameters
        ----------
        line1, line2 : str
            The two lines.
        epoch : datetime, optional
            Instant from which seconds are counted (UTC); by default the epoch of the elements.

        Raises
        ------
        ElementsError
            If a line is malformed or its checksum is wrong, or if SGP4 refuses the elements.
        """
        elements = elements_from_lines(line1, line2)
        return cls(elements, elements.epoch if epoch is None else _utc(epoch))

    @classmethod
    def from_omm(cls, path: str | Path, epoch: datetime | None = None) -> Orbit:
        """Orbit from a CCSDS orbit mean-elements message, propagated by SGP4.

        Parameters
        ----------
        path : path
            A file in XML, KVN, CSV or JSON; the first object in it is taken.
        epoch : datetime, optional
            Instant from which seconds are counted (UTC); by default the epoch of the elements.

        Raises
        ------
        ElementsError
            If the file is not such a message, or a needed keyword is missing.
        """
        elements = elements_from_message(Path(path))
        return cls(elements, elements.epoch if epoch is None else _utc(epoch))

    @property
    def semi_major_axis(self) -> float:
        """Semi-major axis [m]."""
        return self.propagator.semi_major_axis

    @property
    def inclination(self) -> float:
        """Inclination [rad]."""
        return self.propagator.inclination

    @property
    def period(self) -> float:
        """Keplerian period of the mean semi-major axis [s]: 2 pi sqrt(a³/mu)."""
        return 2.0 * math.pi * math.sqrt(self.semi_major_axis**3 / self.propagator.gravitational_parameter)

    @property
    def nodal_period(self) -> float:
        """Time from one ascending node to the next [s], flattening of the Earth included."""
        return self.propagator.nodal_period

    def shifted(self, phase: float) -> Orbit:
        """Give the same orbit with the satellite `phase` [rad] of mean anomaly further along."""
        return replace(self, propagator=self.propagator.shifted(phase))

    def starting(self, epoch: datetime) -> Orbit:
        """Give the same motion with seconds counted from `epoch` (UTC)."""
        return replace(self, epoch=_utc(epoch))

    def seconds_at(self, instant: datetime) -> float:
        """Seconds from the orbit's epoch to `instant` (UTC) [s]."""
        return (_utc(instant) - self.epoch).total_seconds()

    def instant_at(self, seconds: float) -> datetime:
        """Date (UTC) `seconds` [s] after the orbit's epoch."""
        return self.epoch + timedelta(seconds=float(seconds))

    def local_time_of_node(self, seconds: float) -> float:
        """Local mean solar time of the ascending node [h], 0 to 24, `seconds` [s] after the epoch.

        Notes
        -----
        From the plane of position and velocity at that instant; the inverse of `from_altitude`.
        """
        states = self.propagate([seconds])
        momentum = np.cross(states.position[0], states.velocity[0])
        node = math.atan2(momentum[0], -momentum[1])
        days = days_since_j2000(self.epoch) + seconds / SECONDS_PER_DAY
        return float((12.0 + (node - mean_sun_right_ascension(days)) * 12.0 / math.pi) % 24.0)

    def propagate(self, seconds: ArrayLike) -> OrbitStates:
        """States of the satellite and of the Sun.

        Parameters
        ----------
        seconds : array_like, shape (n,)
            Times since the orbit's epoch [s], in any order.

        Returns
        -------
        OrbitStates
            Position, velocity and Sun, all in TEME of date.

        Raises
        ------
        PropagationError
            If SGP4 reports an error (the satellite has decayed, for instance).
        """
        time = np.atleast_1d(np.asarray(seconds, dtype=np.float64))
        offset = (self.epoch - self.propagator.epoch).total_seconds()
        position, velocity = self.propagator.position_velocity(time + offset)
        direction, distance = sun_position(days_since_j2000(self.epoch) + time / SECONDS_PER_DAY)
        return OrbitStates(time, position, velocity, direction, distance)

    def chunks(
        self, start: float, stop: float, step: float, chunk_size: int = 32_768
    ) -> Iterator[OrbitStates]:
        """States every `step` from `start` (included) to `stop` (excluded), a chunk at a time.

        Parameters
        ----------
        start, stop, step : float
            Seconds since the orbit's epoch, and interval between states [s].
        chunk_size : int
            Largest number of states in a chunk: what bounds the memory.
        """
        if step <= 0.0:
            raise ValueError(f"step is {step:g} s; expected a positive interval")
        count = max(0, math.ceil((stop - start) / step - 1e-9))
        for first in range(0, count, chunk_size):
            yield self.propagate(start + step * np.arange(first, min(first + chunk_size, count)))


def _utc(instant: datetime) -> datetime:
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


__all__ = [
    "EARTH_GRAVITATIONAL_PARAMETER",
    "EARTH_J2",
    "EARTH_RADIUS",
    "TROPICAL_YEAR",
    "Orbit",
    "OrbitStates",
    "Propagator",
    "SecularElements",
    "Sgp4Elements",
    "solve_kepler",
    "sun_synchronous_inclination",
]
