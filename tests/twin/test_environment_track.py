"""Fluxes per tick: exact contacts, averages that keep energy, the eclipse ahead."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.attitude import face_normals
from twin.environment import EnvironmentSet, incident_fluxes
from twin.environment_track import EnvironmentTrack, tick_edges
from twin.orbit import Orbit
from twin.shadow import eclipse_events

EPOCH = datetime(2026, 6, 21, tzinfo=UTC)
FACES = ["edge_on", "sun", "nadir"]


@pytest.fixture(scope="module")
def orbit():
    return Orbit.from_altitude(750e3, 18.0, EPOCH)


@pytest.fixture(scope="module")
def track(orbit):
    return EnvironmentTrack([orbit, orbit.shifted(np.pi)], [FACES], EnvironmentSet.named("nominal"), 10.0)


@given(
    st.floats(0.0, 1e5),
    st.floats(1.0, 5e3),
    st.floats(0.5, 60.0),
    st.lists(st.floats(0.0, 1.2e5), max_size=12),
)
def test_edges(start, length, step, contacts):
    """The span is covered once, no tick is longer than the step (but for dropped slivers), contacts are boundaries."""
    edges = tick_edges(start, start + length, step, np.unique(contacts))
    assert edges[0] == start and edges[-1] == start + length
    widths = np.diff(edges)
    assert (widths > 0.0).all()
    assert widths.max() <= 1.02 * step + 1e-9
    for contact in contacts:
        if start < contact < start + length:
            assert np.min(np.abs(edges - contact)) == 0.0


def test_means_are_those_of_the_fluxes(orbit, track):
    """Energy on each face over an orbit equals a fine integral of the incident fluxes."""
    ticks = list(track.ticks(0.0, orbit.period))
    dt = np.array([t.dt for t in ticks])
    time = np.linspace(0.0, orbit.period, 20001)
    states = orbit.propagate(time)
    fluxes = incident_fluxes(states, face_normals(FACES, states), EnvironmentSet.named("nominal"))
    for name, fine in (
        ("direct", fluxes.solar),
        ("albedo", fluxes.albedo),
        ("infrared", fluxes.earth_infrared),
    ):
        mean = sum(d * getattr(t.faces[0], name)[0] for d, t in zip(dt, ticks, strict=True))
        np.testing.assert_allclose(mean, np.trapezoid(fine, time, axis=0), rtol=1e-3, atol=500.0)


def test_ticks_end_on_the_contacts_of_all_sub_centers(orbit, track):
    ends = np.array([t.time + t.dt for t in track.ticks(0.0, orbit.period)])
    for one in track.orbits:
        for contact in eclipse_events(one, 0.0, orbit.period).boundaries:
            assert np.min(np.abs(ends - contact)) < 1e-6
            assert track.is_contact(float(contact))


def test_outlook(orbit, track):
    """Time to the next eclipse falls second by second, is zero within, and the rest of it shrinks to nothing."""
    (first, *_), previous = eclipse_events(orbit, 0.0, 2.0 * orbit.period).middle, np.inf
    for tick in track.ticks(0.0, orbit.period):
        ahead, left = float(tick.outlook.time_to_eclipse[0]), float(tick.outlook.duration[0])
        if ahead > 0.0 and tick.time < first:
            assert ahead < previous
            previous = ahead
        if ahead == 0.0:
            assert 0.0 < left < 19.0 * 60.0


def test_a_restart_in_the_middle_gives_the_same_ticks(orbit, track):
    whole = [t for t in track.ticks(0.0, 1500.0) if t.time >= 600.0]
    again = list(track.ticks(600.0, 1500.0))
    np.testing.assert_allclose([t.time for t in again], [t.time for t in whole], rtol=0, atol=1e-6)
    assert [t.jump for t in again[1:]] == [t.jump for t in whole[1:]]
    for a, b in zip(again, whole, strict=True):
        np.testing.assert_allclose(a.faces[0].direct, b.faces[0].direct, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(a.faces[0].albedo, b.faces[0].albedo, rtol=1e-4, atol=1e-6)
