"""Results on disk: a streaming writer and a reader of ``result.zarr``."""

from twin.results.layout import ResultLayout
from twin.results.reader import (
    certificate,
    locate_result,
    open_result,
    reading,
    resolved_case,
    run_alarms,
    run_versions,
)
from twin.results.summary import SummaryRow, elapsed_seconds, energy_balance, summary, tick_weights
from twin.results.writer import ResultWriter, run_environment

__all__ = [
    "ResultLayout",
    "ResultWriter",
    "SummaryRow",
    "certificate",
    "elapsed_seconds",
    "energy_balance",
    "locate_result",
    "open_result",
    "reading",
    "resolved_case",
    "run_alarms",
    "run_environment",
    "run_versions",
    "summary",
    "tick_weights",
]
