"""The recording of the International Space Station: a made-up one with a known orbit, and the real one where it is."""

import math
from pathlib import Path

import numpy as np
import pytest

from twin.errors import BadInput, RunFailed
from twin.intervals import Intervals
from twin.telemetry.iss import PARAMETERS, IssRecording
from twin.telemetry.iss_power import (
    available_power,
    discharging,
    eclipses,
    fit_array,
    fit_orbit,
    incidence_cosine,
    load_power,
    time_to_full,
)

REAL = Path(__file__).parents[4] / "shared" / "data" / "iss-telemetry"
PERIOD, SHADOW, BETA, ZERO, POWER = 5580.0, 1690.0, 0.93, math.radians(280.0), 21e3


def write(folder, number, time, value):
    # Sent on change, as the recorder has it.
    keep = np.concatenate([[True], np.diff(value) != 0.0])
    lines = [f"{3374.0 + t / 3600.0:.12f} {v:.10f}" for t, v in zip(time[keep], value[keep])]
    (folder / f"{number}.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    """Fourteen hours of two channels whose batteries follow the array exactly; 2A is turned away for a while."""
    folder = tmp_path_factory.mktemp("iss")
    time = np.arange(0.0, 14 * 3600.0, 10.0)
    phase = time % PERIOD
    dark = (phase >= 1000.0) & (phase < 1000.0 + SHADOW)
    noon = 1000.0 + 0.5 * SHADOW + 0.5 * PERIOD
    angle = 2.0 * math.pi * (time - noon) / PERIOD + 3.3
    write(folder, "S0000003", time, np.degrees(angle) % 360.0)
    for side, zero, away in (("S4", ZERO, False), ("P4", 0.0, True)):
        tilt = BETA + 0.5 * np.sin(time / 4000.0) * (time > 5 * 3600.0)
        cosine = math.cos(BETA) * np.cos(tilt) + math.sin(BETA) * np.sin(tilt)
        turned = away & (phase > 4000.0) & (phase < 4600.0)
        load = 8e3 + 1e3 * np.sin(time / 7000.0)
        voltage, missing = np.full(time.size, 160.0), 0.0
        for i in range(time.size):
            if dark[i] or turned[i]:
                missing += load[i] * 10.0 * (1.4 if dark[i] else 0.0)
                voltage[i] = 151.2
            elif missing > 0.0:
                missing -= (POWER * cosine[i] - load[i]) * 10.0
                voltage[i] = 151.7
        write(folder, f"{side}000001", time, voltage)
        write(folder, f"{side}000002", time, -load / voltage)
        write(folder, f"{side}000007", time, np.degrees(tilt + zero) % 360.0)
    return IssRecording.load(folder)


def test_units_and_clock(made_up, tmp_path):
    assert made_up.start.isoformat() == "2022-05-20T14:00:00+00:00"
    (tmp_path / "S1000001.txt").write_text("24.0 3600\n25.0 7200\n")
    (tmp_path / "P1000003.txt").write_text("24.5 4.0\n24.25 3.0\n")
    recording = IssRecording.load(tmp_path, 2023)
    assert recording.start.isoformat() == "2023-01-01T00:00:00+00:00"
    flow, temperature = recording["loop_a_mass_flow"], recording["loop_b_temperature"]
    assert flow.value.tolist() == [1.0, 2.0]
    assert temperature.time.tolist() == [900.0, 1800.0]
    assert temperature.value == pytest.approx([276.15, 277.15])
    assert flow.at([-1.0, 0.0, 3599.0, 3600.0])[1:].tolist() == [1.0, 1.0, 2.0]
    assert np.isnan(flow.at([-1.0])[0]) and np.isinf(flow.age([-1.0])[0])
    assert flow.age([3599.0])[0] == 3599.0
    batch = recording.samples()
    assert len(batch) == 4 and (np.diff(batch.time) >= 0.0).all()
    names = [line.name for line in PARAMETERS.values()]
    assert names[batch.parameter[0]] == "loop_a_mass_flow"


@pytest.mark.parametrize(
    ("text", "message"),
    [("12.0\n", "line 1"), ("1 2\n3 x\n", "line 2"), ("", "empty"), ("nan 1\n", "finite")],
)
def test_damaged_files_are_named(tmp_path, text, message):
    (tmp_path / "S4000001.txt").write_text(text)
    with pytest.raises(BadInput, match=message):
        IssRecording.load(tmp_path)


def test_folder_without_telemetry(tmp_path):
    with pytest.raises(BadInput, match=r"S4000001\.txt"):
        IssRecording.load(tmp_path)


def test_unknown_name(made_up):
    with pytest.raises(BadInput, match="did you mean 'channel_1a_voltage'"):
        made_up["channel_1a_voltge"]


def test_shadows_and_orbit_are_found(made_up):
    found = eclipses(made_up)
    want = 1000.0 + PERIOD * np.arange(9)
    np.testing.assert_allclose(found.start, want, atol=10.0)
    np.testing.assert_allclose(found.duration, SHADOW, atol=20.0)
    # Channel 2A alone discharges in sunlight too.
    time = np.arange(0.0, made_up.stop, 10.0)
    assert discharging(made_up, "2a", time).sum() > 1.2 * discharging(made_up, "1a", time).sum()
    orbit = fit_orbit(found)
    assert orbit.period == pytest.approx(PERIOD, abs=2.0)
    assert orbit.scatter < 10.0
    # Kepler: 5580 s belong to 6794 km; the shadow of 30 % of that orbit to the angle below.
    assert orbit.altitude == pytest.approx(416e3, abs=6e3)
    half = math.pi * SHADOW / PERIOD
    axis = orbit.altitude + 6378137.0
    want_beta = math.acos(math.sqrt(axis**2 - 6378137.0**2) / axis / math.cos(half))
    assert orbit.beta_angle == pytest.approx(want_beta, abs=0.01)


def test_too_few_shadows():
    with pytest.raises(RunFailed, match="at least three"):
        fit_orbit(Intervals(np.array([0.0]), np.array([1000.0])))


def test_array_is_recovered_from_its_battery(made_up):
    shadows = eclipses(made_up)
    orbit = fit_orbit(shadows)
    fit = fit_array(made_up, "1a", orbit, shadows)
    blind = fit_array(made_up, "1a", orbit, shadows, angles=False)
    assert fit.error < 120.0 < blind.error
    assert fit.power == pytest.approx(POWER, rel=0.1)
    assert fit.recharge == pytest.approx(1.4, abs=0.21)
    time = np.arange(0.0, made_up.stop, 10.0)
    power = available_power(made_up, "1a", orbit, fit, shadows, time)
    assert (power[shadows.contains(time)] == 0.0).all()
    assert power.max() <= fit.power
    assert incidence_cosine(made_up, "1a", orbit, fit.zero, time[time < 5 * 3600.0]).min() > 0.9


needs_data = pytest.mark.skipif(not REAL.is_dir(), reason=f"no recording in {REAL}")


@needs_data
def test_real_recording():
    """Figures of docs/guide/telemetry.md."""
    recording = IssRecording.load(REAL)
    assert len(recording.samples()) == 128_978
    shadows = eclipses(recording)
    assert len(shadows) == 9
    orbit = fit_orbit(shadows)
    assert orbit.period / 60.0 == pytest.approx(92.97, abs=0.05)
    assert orbit.scatter < 7.0
    # The station flew at 415 to 420 km in May 2022.
    assert orbit.altitude == pytest.approx(418e3, abs=6e3)
    assert math.degrees(orbit.beta_angle) == pytest.approx(53.4, abs=1.0)
    # Every shadow lies at the same angle of the alpha joint while that follows the Sun.
    joint = recording["alpha_joint_angle"]
    angle = np.degrees(np.interp(shadows.start[:3], joint.time, np.unwrap(joint.value))) % 360.0
    assert np.ptp(angle) < 2.0
    # The current never stops in the shadow: it is that of the loads.
    time = np.arange(0.0, recording.stop, 10.0)
    for channel in ("1a", "2a"):
        assert load_power(recording, channel, time)[shadows.contains(time)].min() > 4e3
    assert np.isfinite(time_to_full(recording, "1a", shadows)).sum() == 7
