"""Signals end work at a place where nothing is lost."""

import os
import signal

import pytest
from pydantic import BaseModel, field_serializer

from twin.errors import RunStopped
from twin.stop_request import StopRequest, ends_at_once
from twin.sweep_cluster import Workers, run_tasks


@pytest.fixture(autouse=True)
def signals_as_on_a_terminal():
    """A shell that runs tests in the background lets them ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_block_ends_at_once_with_the_code_of_the_signal(number):
    before = signal.getsignal(number)
    said = f"stopped by {number.name}; parts are kept"
    with pytest.raises(RunStopped, match=said) as ended, ends_at_once("parts are kept"):
        os.kill(os.getpid(), number)
        pytest.fail("it went on")
    assert ended.value.exit_code == 128 + number
    assert signal.getsignal(number) is before


def test_a_library_may_give_the_interrupt_another_name():
    """Pydantic makes an error of its own of one that comes while a field is serialised."""

    class Interrupted(BaseModel):
        field: int = 0

        @field_serializer("field")
        def serialise(self, value: int) -> int:
            os.kill(os.getpid(), signal.SIGINT)
            return value

    with pytest.raises(RunStopped, match="stopped by SIGINT"), ends_at_once("parts are kept"):
        Interrupted().model_dump_json()


def test_without_a_signal_nothing_happens():
    with ends_at_once("parts are kept"):
        pass
    with pytest.raises(ValueError, match="own"), ends_at_once("parts are kept"):
        raise ValueError("own")


CALLS = []


def interrupted(number):
    CALLS.append(number)
    os.kill(os.getpid(), signal.SIGTERM)


def stopped(number):
    CALLS.append(number)
    raise RunStopped("stopped by SIGTERM at t = 60 s")


@pytest.mark.parametrize("task", [interrupted, stopped])
def test_a_signal_is_no_failure_of_a_task(task):
    """It is not tried again, and the tasks after it do not begin."""
    CALLS.clear()
    with pytest.raises(RunStopped), ends_at_once("parts are kept"):
        run_tasks(Workers(), task, [(1,), (2,)])
    assert CALLS == [1]


def test_training_ends_between_its_runs():
    from twin.run import _ends_training

    told = []
    with StopRequest() as request:
        tell = _ends_training(lambda what, share: told.append(what), request)
        tell("training runs", 0.1)
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(
            RunStopped, match=r"SIGTERM while .* trained \(certificate\); its finished runs are kept"
        ):
            tell("certificate", 0.9)
    assert told == ["training runs"]
