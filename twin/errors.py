"""Errors that are expected: the command line prints them in one line, without a traceback."""

from __future__ import annotations

__all__ = ["BadInput", "DawnduskError", "RunFailed", "RunStopped"]


class DawnduskError(Exception):
    """Anything that went wrong for a reason that can be told to the user."""

    exit_code: int = 1


class BadInput(DawnduskError, ValueError):
    """The user gave something that cannot be used; the message says place, value, expected and fix."""

    exit_code = 2


class RunFailed(DawnduskError, RuntimeError):
    """The input was sound, but the run did not reach its end or a check was not met."""

    exit_code = 1


class RunStopped(DawnduskError, RuntimeError):
    """A signal asked the run to end; what was done is on disk, and the run can be resumed."""

    exit_code = 130
