from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from twin.case import Case
from twin.telemetry import Dictionary

CASES = Path(__file__).parents[3] / "cases"

COARSE = [
    "module_classes.satellite.radiator.mesh_size=0.5 m",
    "module_classes.satellite.radiator.tube_mesh_size=null",
    "module_classes.satellite.radiator.tubes.count=4",
]


@pytest.fixture(scope="session")
def satellite() -> Case:
    """The experimental satellite with a coarse radiator, one orbit."""
    return Case.load(CASES / "experimental-satellite.yaml", [*COARSE, "mission.duration=10 min"])


@pytest.fixture(scope="session")
def small(satellite: Case) -> Dictionary:
    return Dictionary.of_case(satellite)


@pytest.fixture(scope="session")
def dictionary(small: Dictionary) -> Dictionary:
    """Two sub-centers with three and two modules of the satellite's class."""
    modules = (3, 2)
    center = np.repeat(np.arange(2), modules)
    scales = {name: np.repeat(values[:1], 5) for name, values in small.module_scales.items()}
    return replace(
        small,
        sub_centers=("alpha", "beta"),
        modules=np.array(modules),
        plant_index=np.arange(5),
        module_scales=scales,
        sub_center_scales={name: np.bincount(center, values) for name, values in scales.items()},
    )
