"""A satellite whose panel has two dozen nodes: its reduced model is trained in seconds, once for all tests."""

from dataclasses import replace
from pathlib import Path

import pytest

from twin import component_models
from twin.case import Case
from twin.ensemble import DesignOrbit, Ensemble
from twin.reduced_training import TrainingSettings
from twin.sizing import Panels

CASES = Path(__file__).parents[3] / "cases"

COARSE = (
    "module_classes.satellite.radiator.mesh_size=0.8 m",
    "module_classes.satellite.radiator.tube_mesh_size=null",
    "module_classes.satellite.radiator.tubes.count=4",
    "numerics.exchange=none",
    "sizing.step=60 s",
    "sizing.card_step=2 s",
    "sizing.cards=16",
    "sizing.days=4",
)

TRAINING = TrainingSettings(
    relative_flow=(0.5, 2.0), least_runs=8, most_runs=10, passes=1, tolerance=0.5, orbit=1500.0, segments=3
)


@pytest.fixture(scope="session")
def load():
    """Return a function that loads the small case with more settings."""

    def with_settings(*settings: str) -> Case:
        return Case.load(CASES / "experimental-satellite.yaml", [*COARSE, *settings])

    return with_settings


@pytest.fixture(scope="session")
def panels():
    """Reduced panels, trained to a tenth of a kelvin rather than a hundredth."""
    pytest.importorskip("dolfinx")
    from solvers.reduced_training import ReductionSettings

    return Panels(TRAINING, reduction=ReductionSettings(regimes=3, most_modes=16, creeping_modes=16))


@pytest.fixture(scope="session")
def ensemble_of():
    """Return a function that builds samples of a case in the orbit at its start."""

    def built(case, panels, samples, count, **changes):
        when = DesignOrbit(
            (case.mission.start,),
            (component_models.environment_set(case),),
            step=case.sizing.step,
            card_step=case.sizing.card_step,
        )
        return Ensemble(case, 0, samples, count, replace(when, **changes), panels, case.sizing.cards)

    return built
