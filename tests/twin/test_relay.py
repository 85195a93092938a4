"""Optical links, lines of sight and terminals: diffraction integrals, published links, closed forms."""

import dataclasses
import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special

from twin.intervals import Intervals, positive_intervals
from twin.kepler import EARTH_RADIUS
from twin.line_of_sight import (
    GEOSTATIONARY_RADIUS,
    geostationary_trajectory,
    grazing_height,
    intersatellite_contacts,
)
from twin.orbit import Orbit
from twin.relay import (
    LinkParameters,
    achievable_rate,
    aperture_gain,
    beam_half_angle,
    decibels,
    largest_link_range,
    link_budget,
    photons_per_bit,
    pointing_fade,
    pointing_loss,
    received_power,
    required_transmit_power,
    space_loss,
    truncation_efficiency,
)
from twin.sun import days_since_j2000
from twin.terminal import (
    TerminalParameters,
    TerminalState,
    delivered_bits,
    rated_link_rate,
    terminal_power,
    terminal_states,
)

EPOCH = datetime(2026, 6, 21, tzinfo=UTC)
CROSSLINK = LinkParameters(
    wavelength=1550e-9,
    transmit_power=1.0,
    transmit_aperture=0.08,
    receive_aperture=0.08,
    photons_per_bit=200.0,
    maximum_rate=10e9,
)


def far_field(truncation, obscuration, x):
    """Power per solid angle of a truncated Gaussian over an evenly lit disk's on axis, by numerical diffraction."""

    def integral(f):
        return integrate.quad(f, obscuration, 1.0, epsabs=1e-12)[0]

    amplitude = integral(lambda r: math.exp(-((truncation * r) ** 2)) * special.j0(x * r) * r)
    power_in_beam = 1.0 / (4.0 * truncation**2)  # of the whole Gaussian, aperture or not
    return 2.0 * amplitude**2 / power_in_beam


@pytest.mark.parametrize(("truncation", "obscuration"), [(1.12, 0.0), (0.8, 0.2), (1.0, 0.4), (2.0, 0.1)])
def test_transmit_gain_and_beam_are_the_diffraction_integral(truncation, obscuration):
    """On-axis gain and curvature against the Fraunhofer integral of the aperture (scipy quadrature)."""
    axis = far_field(truncation, obscuration, 0.0)
    assert truncation_efficiency(truncation, obscuration) == pytest.approx(axis, rel=1e-9)
    link = dataclasses.replace(CROSSLINK, truncation=truncation, transmit_obscuration=obscuration)
    angle = 0.05 * beam_half_angle(link)
    x = 2.0 * math.pi / link.wavelength * 0.5 * link.transmit_aperture * angle
    assert far_field(truncation, obscuration, x) / axis == pytest.approx(math.exp(-2.0 * 0.05**2), rel=1e-5)


def test_best_truncation_is_that_of_klein_and_degnan():
    """Klein and Degnan (1974): without obscuration the best ratio is 1.12, with an efficiency of 0.8145."""
    ratio = np.linspace(0.5, 2.0, 1501)
    value = truncation_efficiency(ratio)
    assert ratio[value.argmax()] == pytest.approx(1.12, abs=0.002)
    assert value.max() == pytest.approx(0.8145, abs=1e-4)


def test_gains_and_losses_by_hand():
    """0.135 m at 1064 nm: 112.0 dB; 45 000 km: -294.5 dB; 80 mm at 1550 nm: 104.2 dB (four figures by hand)."""
    assert decibels(aperture_gain(0.135, 1064e-9)) == pytest.approx(112.01, abs=0.01)
    assert decibels(space_loss(1064e-9, 45e6)) == pytest.approx(-294.51, abs=0.01)
    assert decibels(aperture_gain(0.08, 1550e-9)) == pytest.approx(104.20, abs=0.01)
    # -35.5 dBm for 10 Gbit/s on-off keying at 1550 nm and 1e-12, a figure in common use: 220 photons per bit.
    assert photons_per_bit(10 ** (-3.55 - 3.0), 10e9, 1550e-9) == pytest.approx(219.9, abs=0.2)


def test_pointing_loss_is_the_mean_over_errors():
    """Against a Monte Carlo of two-axis errors, and the fade against its quantile."""
    link = dataclasses.replace(CROSSLINK, pointing_bias=3e-6, pointing_jitter=2e-6)
    random = np.random.default_rng(1)
    errors = random.normal(0.0, 2e-6, (400_000, 2))
    width = beam_half_angle(link)
    square = (errors[:, 0] + 3e-6) ** 2 + errors[:, 1] ** 2
    assert pointing_loss(link) == pytest.approx(np.exp(-2.0 * square / width**2).mean(), rel=2e-3)
    profile = np.exp(-2.0 * (errors**2).sum(axis=1) / width**2)
    assert pointing_fade(link, 0.01) == pytest.approx(np.quantile(profile, 0.01), rel=0.02)
    still = dataclasses.replace(CROSSLINK, pointing_jitter=0.0)
    assert pointing_loss(still) == 1.0


def test_alphasat_link_closes_at_a_tenth_of_a_watt():
    """Heine et al. (ICSOS 2015, doi 10.1109/ICSOS.2015.7425059): links over 42 000 km with 100 mW transmit power.

    Homodyne receivers, 135 mm, 1064 nm, 1.8 Gbit/s, rated to 45 000 km (Seel et al., IEEE Aerospace 2011),
    2.2 W nominal. Homodyne BPSK takes 9 photons per bit for 1e-9 at the quantum limit. With optics of 0.8 and 0.6
    (assumed) the 100 mW link must have those photons, with little to spare, and the nominal one some 10 dB more.
    """
    link = LinkParameters(
        wavelength=1064e-9,
        transmit_power=0.1,
        transmit_aperture=0.135,
        receive_aperture=0.135,
        photons_per_bit=4.0,
        maximum_rate=1.8e9,
        transmit_efficiency=0.8,
        receive_efficiency=0.6,
        pointing_jitter=0.3e-6,
        margin=1.0,
    )
    weak = float(link_budget(link, 42e6).received_photons) / 1.8e9
    assert 9.0 < weak < 18.0
    nominal = link_budget(dataclasses.replace(link, transmit_power=2.2, photons_per_bit=9.0), 45e6)
    assert nominal.rate == 1.8e9
    assert 9.0 < decibels(nominal.margin) < 15.0


def test_lunar_link_reaches_its_published_rate():
    """LLCD: 0.5 W, 10 cm, four telescopes of 40 cm, 622 Mbit/s from 400 000 km (Boroson et al. 2009, 2014).

    Assumed: 3.5 photons per bit at a photon counter, behind 8 dB of optics, detector and air.
    """
    link = LinkParameters(
        wavelength=1550e-9,
        transmit_power=0.5,
        transmit_aperture=0.10,
        receive_aperture=math.sqrt(4.0) * 0.40,
        photons_per_bit=3.5,
        maximum_rate=622e6,
        transmit_efficiency=0.6,
        receive_efficiency=0.3,
        pointing_jitter=2e-6,
        margin=1.0,
    )
    found = link_budget(link, 400e6, atmosphere=0.8)
    assert found.rate == 622e6
    assert 0.0 < decibels(found.margin) < 5.0
    assert achievable_rate(link, 4 * 400e6, 0.8) < 622e6


def test_announced_links_close_with_terminals_of_their_class():
    """1 Gbit/s over 40 741 km (2026-03) and 10 Gbit/s over 8000 km take about a watt from 10 cm."""
    crossing = dataclasses.replace(
        CROSSLINK, transmit_aperture=0.125, receive_aperture=0.125, maximum_rate=1e9, photons_per_bit=50.0
    )
    assert 0.05 < required_transmit_power(crossing, 40_741e3) < 10.0
    commercial = dataclasses.replace(CROSSLINK, photons_per_bit=100.0)
    assert 0.1 < required_transmit_power(commercial, 8000e3) < 10.0


sizes = st.floats(0.01, 2.0)


@settings(max_examples=80, deadline=None)
@given(st.floats(1e4, 1e9), st.floats(1.0, 100.0), sizes, st.floats(1.0, 5.0), st.floats(0.0, 1e-4))
def test_rate_falls_with_range_and_rises_with_receiver(distance, further, size, larger, jitter):
    link = dataclasses.replace(CROSSLINK, receive_aperture=size, pointing_jitter=jitter)
    near, far = achievable_rate(link, [distance, distance * further])
    assert 0.0 < far <= near <= link.maximum_rate
    wide = dataclasses.replace(link, receive_aperture=size * larger)
    assert achievable_rate(wide, distance) >= near * (1 - 1e-12)
    shaky = dataclasses.replace(link, pointing_jitter=jitter + 1e-6)
    assert received_power(shaky, distance) <= received_power(link, distance) * (1 + 1e-12)
    reach = largest_link_range(link)
    assert achievable_rate(link, reach) == pytest.approx(link.maximum_rate)
    assert required_transmit_power(link, reach) == pytest.approx(link.transmit_power, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(sizes, st.floats(1.0, 5.0))
def test_larger_transmit_aperture_helps_a_steady_beam(size, larger):
    steady = dataclasses.replace(CROSSLINK, transmit_aperture=size, pointing_jitter=0.0)
    wide = dataclasses.replace(steady, transmit_aperture=size * larger)
    assert received_power(wide, 5e8) >= received_power(steady, 5e8) * (1 - 1e-12)


@pytest.mark.parametrize(
    ("name", "value"),
    [("wavelength", 0.0), ("receive_efficiency", 1.5), ("transmit_obscuration", 1.0), ("margin", 0.5)],
)
def test_wrong_link_parameters_are_named(name, value):
    with pytest.raises(ValueError, match=name):
        dataclasses.replace(CROSSLINK, **{name: value})


def test_wrong_distances_are_refused():
    with pytest.raises(ValueError, match="distances above 0"):
        link_budget(CROSSLINK, [1e6, 0.0])
    with pytest.raises(ValueError, match="sensitivity"):
        photons_per_bit(0.0, 1.0, 1.0)


def test_grazing_height_by_geometry():
    """Two places at radius a, half-angle t: the line grazes at a cos t; in one line, at the lower end."""
    a, t = EARTH_RADIUS + 750e3, 0.3
    first, second = a * np.array([np.cos(t), np.sin(t), 0.0]), a * np.array([np.cos(t), -np.sin(t), 0.0])
    assert grazing_height(first, second)[0] == pytest.approx(a * np.cos(t) - EARTH_RADIUS, rel=1e-12)
    assert grazing_height(first, 2.0 * first)[0] == pytest.approx(750e3)
    assert grazing_height(first, -first)[0] == pytest.approx(-EARTH_RADIUS)


def test_satellites_of_one_orbit_see_each_other_up_to_the_limb():
    """Same circular orbit: in view while the half-angle is below acos((R + h)/a), always or never."""
    orbit = Orbit.from_altitude(750e3, 18.0, EPOCH)
    limit = 2.0 * math.acos((EARTH_RADIUS + 100e3) / orbit.semi_major_axis)

    def place(phase):
        return lambda t: orbit.shifted(phase).propagate(t).position

    day = 86_400.0
    assert intersatellite_contacts(place(0.0), place(0.99 * limit), 0.0, day).total == pytest.approx(day)
    assert len(intersatellite_contacts(place(0.0), place(1.01 * limit), 0.0, day)) == 0
    short = 2.0 * orbit.semi_major_axis * math.sin(0.45 * limit)
    assert len(intersatellite_contacts(place(0.0), place(0.99 * limit), 0.0, day, maximum_range=short)) == 0


def test_opposite_orbits_meet_for_the_closed_form_time():
    """Counter-rotating circles: in view within acos((R + h)/a) of each meeting, twice per revolution."""
    radius, rate = EARTH_RADIUS + 750e3, 1.05e-3

    def circle(sign):
        def place(t):
            angle = sign * rate * np.asarray(t)
            return radius * np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], axis=1)

        return place

    found = intersatellite_contacts(circle(1.0), circle(-1.0), 100.0, 2.0 * math.pi / rate + 2000.0)
    half = math.acos((EARTH_RADIUS + 100e3) / radius) / rate
    assert len(found) >= 2
    np.testing.assert_allclose(found.duration[:-1][found.start[:-1] > 1000.0], 2.0 * half, atol=1e-3)
    np.testing.assert_allclose(
        (found.start + found.stop)[found.start > 1000.0][0] / 2.0, math.pi / rate, atol=1e-3
    )


def test_geostationary_relay_sees_a_low_orbit_for_most_of_it():
    """Share of the day within 0.2 % of another test of visibility (cone and tangent sphere) on a fine grid."""
    orbit = Orbit.from_altitude(750e3, 18.0, EPOCH)
    relay = geostationary_trajectory(1.9, days_since_j2000(EPOCH))
    found = intersatellite_contacts(lambda t: orbit.propagate(t).position, relay, 0.0, 86_400.0)
    time = np.arange(0.0, 86_400.0, 5.0)
    places = orbit.propagate(time).position
    assert np.linalg.norm(relay(time[:1])[0]) == GEOSTATIONARY_RADIUS
    # Independent test of visibility: beyond the tangent plane or outside of the cylinder of the blocking sphere.
    unit = relay(time) / GEOSTATIONARY_RADIUS
    behind = np.einsum("ij,ij->i", places, unit)
    blocked_radius = EARTH_RADIUS + 100e3
    tangent = math.asin(blocked_radius / GEOSTATIONARY_RADIUS)
    away = np.linalg.norm(places - behind[:, None] * unit, axis=1)
    in_cone = np.arctan2(away, GEOSTATIONARY_RADIUS - behind) < tangent
    beyond = np.linalg.norm(places - relay(time), axis=1) > GEOSTATIONARY_RADIUS * math.cos(tangent)
    assert found.total / 86_400.0 == pytest.approx(1.0 - (in_cone & beyond).mean(), abs=2e-3)
    assert 0.5 < found.total / 86_400.0 < 0.8


def test_downlink_of_the_announced_pass():
    """120 Gbit/s, pass of 108 s, 12.656 Tbit (2026-01): with 4 s of acquisition within 1.5 %."""
    span = Intervals(np.array([0.0]), np.array([108.0]))
    assert delivered_bits(span, 120e9, 4.0)[0] == pytest.approx(12.656e12, rel=0.015)
    # What the announced figure itself leaves for acquisition: 2.5 s.
    assert pytest.approx(2.53, abs=0.01) == 108.0 - 12.656e12 / 120e9
    assert delivered_bits(span, 120e9, 200.0)[0] == 0.0


def test_terminal_states_and_power():
    terminal = TerminalParameters()
    contacts = Intervals(np.array([100.0, 500.0]), np.array([200.0, 600.0]))
    outages = Intervals(np.array([520.0]), np.array([540.0]))
    state = terminal_states(
        terminal, contacts, outages, [0.0, 101.0, 104.5, 199.0, 210.0, 521.0, 541.0, 545.0]
    )
    names = [TerminalState(s).name for s in state]
    assert names == ["STANDBY", "ACQUIRING", "UP", "UP", "STANDBY", "OFF", "ACQUIRING", "UP"]
    power = terminal_power(terminal, state)
    np.testing.assert_allclose(power.electrical, power.heat + power.light, rtol=1e-15)
    assert power.electrical.tolist() == [15.0, 100.0, 100.0, 100.0, 15.0, 0.0, 100.0, 100.0]
    assert power.light[2] == pytest.approx(2.0) and power.light[1] == 0.0
    with pytest.raises(ValueError, match="codes"):
        terminal_power(terminal, [4])
    with pytest.raises(ValueError, match="terminal"):
        TerminalParameters(heat_fraction=1.2)
    assert rated_link_rate(10e9, 8e6, [8e6, 8.1e6]).tolist() == [10e9, 0.0]


def disjoint(edges):
    pairs = np.array(sorted(edges)[: 2 * (len(edges) // 2)], dtype=float).reshape(-1, 2)
    return Intervals(pairs[:, 0], pairs[:, 1])


spans = st.lists(st.floats(0.0, 100.0), max_size=12, unique=True).map(disjoint)


@settings(max_examples=100, deadline=None)
@given(spans, spans)
def test_algebra_of_spans(a, b):
    """Union, intersection and gaps against membership of points, and lengths add up."""
    at = np.linspace(-1.0, 101.0, 777) + 1e-7
    both, either = a.intersection(b), Intervals.union([a, b])
    np.testing.assert_array_equal(both.contains(at), a.contains(at) & b.contains(at))
    np.testing.assert_array_equal(either.contains(at), a.contains(at) | b.contains(at))
    assert both.total + either.total == pytest.approx(a.total + b.total, abs=1e-9)
    assert a.total + a.gaps(0.0, 100.0).total == pytest.approx(100.0)


def test_positive_intervals_finds_what_lies_between_samples():
    """sin(t) - c with a span of 0.4 s and gaps of 0.4 s, sampled every 2 s; closed-form bounds."""
    c = math.cos(0.2)
    high = positive_intervals(lambda t: np.sin(t) - c, 0.0, 20.0, 2.0)
    np.testing.assert_allclose(high.start, 0.5 * math.pi - 0.2 + 2.0 * math.pi * np.arange(3), atol=1e-5)
    np.testing.assert_allclose(high.duration, 0.4, atol=1e-5)
    rest = positive_intervals(lambda t: c - np.sin(t), 0.0, 20.0, 2.0)
    assert high.total + rest.total == pytest.approx(20.0, abs=1e-4)
    with pytest.raises(ValueError, match="step"):
        positive_intervals(np.sin, 0.0, 1.0, 0.0)
    with pytest.raises(ValueError, match="overlap"):
        Intervals(np.array([0.0, 1.0]), np.array([2.0, 3.0]))
