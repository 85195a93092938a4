"""Training that is interrupted takes runs from files: a run must not know which ones this process made before it."""

from pathlib import Path

import numpy as np
import pytest

from twin import component_models
from twin.case import Case
from twin.errors import RunFailed
from twin.reduced_histories import TrainingSettings, one_panel, training_history
from twin.reduced_runs import full_panel, full_runs, run_full

CASE = Path(__file__).parents[2] / "cases/experimental-satellite.yaml"
COARSE = (
    "module_classes.satellite.radiator.mesh_size=0.8 m",
    "module_classes.satellite.radiator.tube_mesh_size=null",
    "module_classes.satellite.radiator.tubes.count=4",
)


@pytest.fixture(scope="module")
def parameters():
    pytest.importorskip("dolfinx")
    return one_panel(component_models.thermal(Case.load(CASE, COARSE).module_classes["satellite"], 0.0))


def module_of(parameters):
    from twin.module_thermal import ModuleThermal

    module = ModuleThermal(parameters)
    full_panel(module)
    return module


def test_a_run_follows_from_its_history_alone(parameters):
    settings = TrainingSettings(segments=2)
    first, second = (training_history(parameters, settings, k) for k in range(2))
    used = module_of(parameters)
    run_full(used, first)
    after, alone = run_full(used, second), run_full(module_of(parameters), second)
    for name in ("temperatures", "nodes", "bypass", "emitted", "stored"):
        assert getattr(after, name).tobytes() == getattr(alone, name).tobytes(), name


def test_a_full_disk_is_told(parameters, tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    history = training_history(parameters, TrainingSettings(segments=1), 0)
    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(RunFailed, match=r"training .* cannot be kept \(No space left on device\)"):
        next(full_runs(module_of(parameters), iter([history]), tmp_path))
    assert not list(tmp_path.iterdir())
