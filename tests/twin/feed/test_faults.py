import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.errors import BadInput
from twin.feed.faults import FAULTS, parse_fault, parse_time

PERIOD = 6000.0


def fault(text, dictionary, jobs=("training",)):
    return parse_fault(text, dictionary, PERIOD, jobs)


def test_the_example_of_the_documentation(dictionary):
    one = fault("pump:0.9@30m", dictionary)
    assert (one.kind.name, one.value, one.start, one.stop) == ("pump", 0.9, 1800.0, math.inf)
    assert one.modules(dictionary).all()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90.0), ("90s", 90.0), ("30m", 1800.0), ("30min", 1800.0), ("1.5h", 5400.0), ("2d", 172800.0),
     ("1.5orbits", 9000.0), (" 2 h ", 7200.0)],
)  # fmt: skip
def test_times(text, seconds):
    assert parse_time(text, PERIOD) == seconds


@given(st.text(max_size=30))
@settings(deadline=None)
def test_any_text_is_a_fault_or_a_clear_message(dictionary, text):
    try:
        one = fault(text, dictionary)
    except BadInput as error:
        assert str(error).startswith(f"--fault {text}: ")
        assert "expected" in str(error) or "leave" in str(error) or "before it begins" in str(error)
    else:
        assert one.kind.name in FAULTS


def test_places(dictionary):
    assert fault("pump/beta", dictionary).modules(dictionary).tolist() == [False] * 3 + [True] * 2
    assert fault("pump/*/1", dictionary).modules(dictionary).tolist() == [False, True, False, False, True]
    names = [dictionary.name(i) for i in fault("stuck/beta/1/battery_soc", dictionary).parameters(dictionary)]
    assert names == ["beta/1/battery_soc"]
    assert fault("stuck/battery_soc", dictionary).parameters(dictionary).size == 5
    assert fault("stuck/alpha/*", dictionary).parameters(dictionary).size == 3 * 33
    sums = fault("bias:9/alpha/mean/load_power", dictionary).parameters(dictionary)
    assert [dictionary.name(i) for i in sums] == ["alpha/mean/load_power"]
    plant = fault("bias:9/plant/*/position_x", dictionary).parameters(dictionary)
    assert [dictionary.name(i) for i in plant] == ["plant/point/position_x"]
    assert fault("loss/beta", dictionary).sub_centers(dictionary).tolist() == [False, True]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pmup:0.9", "did you mean 'pump'"),
        ("pump:0", "a number from 0.05 to 2"),
        ("pump:fast", "a number from 0.05 to 2"),
        ("loss:150%", "from 0 to 1"),
        ("stuck:3/battery_soc", "takes no value"),
        ("stuck", "no place"),
        ("stuck/batery_soc", "did you mean 'battery_soc'"),
        ("stuck/array_mode", "no measured quantity"),
        ("pump@soon", "expected such as 90s, 30m"),
        ("pump@2h..1h", "before it begins"),
        ("pump/gamma", "no sub-center 'gamma'"),
        ("pump/alpha/3", "no module '3'; expected 0 to 2"),
        ("pump/alpha/1/battery_soc", "expected pump@START/SUB_CENTER"),
        ("pump/alpha/²", "no module '²'"),
        ("bias:1e999/battery_soc", "expected a number such as 2"),
        ("surge:1.2/trainig", "did you mean 'training'"),
        ("loss/alpha/1", "expected loss@START/SUB_CENTER"),
    ],
)
def test_messages_say_what_is_wrong(dictionary, text, message):
    with pytest.raises(BadInput) as caught:
        fault(text, dictionary)
    assert message in str(caught.value)
    assert text in str(caught.value)


def test_a_fault_lasts_from_start_to_stop(dictionary):
    one = fault("outage@1h..2h", dictionary)
    assert [one.active(t) for t in np.array([3599.0, 3600.0, 7199.0, 7200.0])] == [False, True, True, False]
