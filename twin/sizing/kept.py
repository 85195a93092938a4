"""What a sizing keeps of its tasks, so that one that was killed goes on."""

from __future__ import annotations

from pathlib import Path

from twin import __version__
from twin.case import Case
from twin.kept_tasks import KeptTasks
from twin.reduced_training import VERSION
from twin.sizing.closed_form import AreaSteps
from twin.sizing.design_case import DesignCase
from twin.sizing.nominal_area import NominalArea
from twin.sizing.panels import SIZING_TRAINING
from twin.sizing.tasks import ChunkAreas

__all__ = ["kept_tasks"]

FOLDER = "tasks"


def kept_tasks(folder: Path, case: Case, resume: bool) -> KeptTasks:
    """Return what the sizing in a folder keeps of its tasks; what an earlier one left goes unless resumed.

    Parameters
    ----------
    folder : Path
        Of the sizing.
    case : Case
    resume : bool
    """
    about = {
        "case": case.resolved(),
        "version": [__version__, VERSION, repr(SIZING_TRAINING)],
    }
    kept = KeptTasks(folder / FOLDER, about, (AreaSteps, ChunkAreas, DesignCase, NominalArea))
    if not resume:
        kept.discard()
    return kept
