"""Two-line elements and mean-elements messages through SGP4."""

import json
import pickle
from datetime import UTC, datetime

import numpy as np
import pytest

from twin.elements import ElementsError, PropagationError
from twin.orbit import Orbit

# Vanguard 1, the first case of the published verification set.
LINE1 = "1 00005U 58002B   00179.78495062  .00000023  00000-0  28098-4 0  4753"
LINE2 = "2 00005  34.2682 348.7242 1859667 331.7664  19.3264 10.82419157413667"
FIELDS = {
    "OBJECT_NAME": "VANGUARD 1",
    "OBJECT_ID": "1958-002B",
    "EPOCH": "2000-06-27T18:50:19.733568",
    "MEAN_MOTION": "10.82419157",
    "ECCENTRICITY": ".1859667",
    "INCLINATION": "34.2682",
    "RA_OF_ASC_NODE": "348.7242",
    "ARG_OF_PERICENTER": "331.7664",
    "MEAN_ANOMALY": "19.3264",
    "EPHEMERIS_TYPE": "0",
    "CLASSIFICATION_TYPE": "U",
    "NORAD_CAT_ID": "5",
    "ELEMENT_SET_NO": "475",
    "REV_AT_EPOCH": "41366",
    "BSTAR": ".28098E-4",
    "MEAN_MOTION_DOT": ".23E-6",
    "MEAN_MOTION_DDOT": "0",
}


def _xml(fields):
    metadata = {"OBJECT_NAME", "OBJECT_ID"}
    tle = {"EPHEMERIS_TYPE", "CLASSIFICATION_TYPE", "NORAD_CAT_ID", "ELEMENT_SET_NO", "REV_AT_EPOCH", "BSTAR"}
    tle |= {"MEAN_MOTION_DOT", "MEAN_MOTION_DDOT"}
    groups = {"metadata": "", "meanElements": "", "tleParameters": ""}
    for key, value in fields.items():
        group = "metadata" if key in metadata else "tleParameters" if key in tle else "meanElements"
        groups[group] += f"<{key}>{value}</{key}>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ndm><omm><body><segment>'
        f"<metadata>{groups['metadata']}</metadata><data><meanElements>{groups['meanElements']}</meanElements>"
        f"<tleParameters>{groups['tleParameters']}</tleParameters></data></segment></body></omm></ndm>"
    )


def _kvn(fields):
    head = "CCSDS_OMM_VERS = 2.0\nCOMMENT a = b\nREF_FRAME = TEME\nTIME_SYSTEM = UTC\n"
    return head + "\n".join(f"{key} = {value}" for key, value in fields.items()) + "\n"


WRITERS = {
    "xml": _xml,
    "kvn": _kvn,
    "json": lambda fields: json.dumps([fields]),
    "csv": lambda fields: ",".join(fields) + "\n" + ",".join(fields.values()) + "\n",
}


def test_published_verification_case():
    """Vallado et al. (2006), Revisiting Spacetrack Report #3, satellite 00005, 0 to 4320 min [km]."""
    states = Orbit.from_tle(LINE1, LINE2).propagate(60.0 * np.array([0.0, 360.0, 4320.0]))
    expected = [
        [7022.46529266, -1400.08296755, 0.03995155],
        [-7154.03120202, -3783.17682504, -3536.19412294],
        [-9060.47373569, 4658.70952502, 813.68673153],
    ]
    np.testing.assert_allclose(states.position / 1e3, expected, atol=2e-5)
    np.testing.assert_allclose(states.velocity[0] / 1e3, [1.893841015, 6.405893759, 4.534807250], atol=1e-8)


def test_epoch_and_mean_elements_of_the_two_lines():
    """The epoch is day 179.78495062 of 2000; the period is near 2 pi / mean motion."""
    orbit = Orbit.from_tle(LINE1, LINE2)
    assert abs((orbit.epoch - datetime(2000, 6, 27, 18, 50, 19, 733568, tzinfo=UTC)).total_seconds()) < 1e-5
    assert orbit.nodal_period == pytest.approx(86400.0 / 10.82419157, rel=2e-3)
    assert np.degrees(orbit.inclination) == pytest.approx(34.2682)


@pytest.mark.parametrize("form", list(WRITERS))
def test_message_gives_the_orbit_of_the_two_lines(tmp_path, form):
    """The same elements as XML, KVN, CSV or JSON move as the two lines do."""
    path = tmp_path / "elements.omm"
    path.write_text(WRITERS[form](FIELDS), encoding="utf-8")
    time = np.linspace(0.0, 86400.0, 20)
    lines, message = Orbit.from_tle(LINE1, LINE2), Orbit.from_omm(path)
    np.testing.assert_allclose(message.propagate(time).position, lines.propagate(time).position, atol=0.1)
    assert message.propagator.name == "VANGUARD 1"


def test_optional_keywords_may_be_absent(tmp_path):
    """A message with only what SGP4 needs is accepted."""
    path = tmp_path / "elements.json"
    needed = {key: value for key, value in FIELDS.items() if not key.startswith(("MEAN_MOTION_D", "OBJECT"))}
    for key in ("EPHEMERIS_TYPE", "CLASSIFICATION_TYPE", "ELEMENT_SET_NO", "REV_AT_EPOCH"):
        needed.pop(key)
    path.write_text(json.dumps(needed))
    assert Orbit.from_omm(path).semi_major_axis == pytest.approx(Orbit.from_tle(LINE1, LINE2).semi_major_axis)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps([{**FIELDS, "BSTAR": ""}]), "no BSTAR"),
        (json.dumps([{**FIELDS, "REF_FRAME": "EME2000"}]), "REF_FRAME is EME2000; expected TEME"),
        (json.dumps([{**FIELDS, "MEAN_MOTION": "fast"}]), "fast"),
        (json.dumps([]), "holds no orbit mean-elements message"),
        ("[1, 2", "not an orbit mean-elements message"),
        ("<ndm><omm></omm></ndm>", "holds no orbit"),
        ("<ndm>", "not an orbit mean-elements message"),
        ("just words", "holds no orbit"),
    ],
)
def test_bad_messages_are_refused_with_the_reason(tmp_path, text, message):
    """Each failure is one error that names the file and what is wrong."""
    path = tmp_path / "bad.omm"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ElementsError, match=message) as caught:
        Orbit.from_omm(path)
    assert "bad.omm" in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    """The path is in the message."""
    with pytest.raises(ElementsError, match=r"nowhere\.xml"):
        Orbit.from_omm(tmp_path / "nowhere.xml")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((LINE1, LINE2[:-1] + "0"), "line 2"),
        ((LINE2, LINE1), "line 1"),
        ((LINE1[:60], LINE2), "69 characters"),
        (
            (LINE1, "2 00006  34.2682 348.7242 1859667 331.7664  19.3264 10.82419157413668"),
            "different satellites",
        ),
    ],
)
def test_bad_lines_are_refused(lines, message):
    """Wrong checksum, swapped lines, a cut line, lines of two satellites."""
    with pytest.raises(ElementsError, match=message):
        Orbit.from_tle(*lines)


def test_a_decayed_satellite_is_an_error_in_words():
    """SGP4's error code comes out as text with the date, not as NaN. Case 28872 of the verification set."""
    orbit = Orbit.from_tle(
        "1 28872U 05037B   05333.02012661  .25992681  00000-0  24476-3 0  1534",
        "2 28872  96.4736 157.9986 0303955 244.0492 110.6523 16.46015938 10708",
    )
    with pytest.raises(PropagationError, match=r"28872.*2006"):
        orbit.propagate([0.0, 60.0 * 86400.0])


def test_orbits_are_values(tmp_path):
    """An orbit can be compared, hashed, pickled (for other processes), shifted and restarted."""
    orbit = Orbit.from_tle(LINE1, LINE2)
    again = pickle.loads(pickle.dumps(orbit))
    assert again == orbit
    assert hash(again) == hash(orbit)
    np.testing.assert_array_equal(again.propagate([10.0]).position, orbit.propagate([10.0]).position)
    later = orbit.starting(datetime(2000, 6, 28, tzinfo=UTC))
    offset = orbit.seconds_at(later.epoch)
    np.testing.assert_allclose(
        later.propagate([60.0]).position, orbit.propagate([offset + 60.0]).position, atol=1e-2
    )
    assert orbit.shifted(0.1).propagator.mean_anomaly == pytest.approx(orbit.propagator.mean_anomaly + 0.1)
