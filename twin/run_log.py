"""The log of a run: one file per run, written by its first process, for people or for machines."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

LOG = logging.getLogger("twin.run")
"""Where the run says what it does; other parts log below ``twin`` as well."""

type LogForm = Literal["text", "json"]


def event(level: int, what: str, **values: object) -> None:
    """Log an event with values that a program can read.

    Parameters
    ----------
    level : int
        ``logging.INFO`` …
    what : str
        In words, the same words for the same kind of event.
    values : object
        Numbers and text in SI.
    """
    LOG.log(level, what, extra={"values": values})


class _Lines(logging.Formatter):
    """``2026-06-01T12:00:00Z info checkpoint simulated=3600 file=…``."""

    def format(self, record: logging.LogRecord) -> str:
        words = "".join(f" {key}={_plain(value)}" for key, value in _values(record).items())
        return f"{_moment(record)} {record.levelname.lower()} {record.getMessage()}{words}"


class _JsonLines(logging.Formatter):
    """One JSON object a line: time, level, event, and the values of the event."""

    def format(self, record: logging.LogRecord) -> str:
        head = {"time": _moment(record), "level": record.levelname.lower(), "event": record.getMessage()}
        return json.dumps(head | _values(record), default=str, ensure_ascii=False)


def _values(record: logging.LogRecord) -> dict[str, object]:
    return dict(getattr(record, "values", {}))


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _plain(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return json.dumps(text, ensure_ascii=False) if " " in text else text


@contextmanager
def log_to(path: Path, form: LogForm = "text", level: int = logging.INFO) -> Iterator[None]:
    """Write the log of this process to the end of a file while the block runs.

    Parameters
    ----------
    path : Path
        Appended to: a resumed run goes on in the log of its first part.
    form : {'text', 'json'}
    level : int
        Least level that is written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(_JsonLines() if form == "json" else _Lines())
    handler.setLevel(level)
    # A log that cannot be written (a full disk) must not end the run, nor fill the terminal with tracebacks.
    handler.handleError = lambda record: None  # type: ignore[method-assign]
    logger = logging.getLogger("twin")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        handler.close()
