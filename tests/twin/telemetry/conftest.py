from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from twin.case import Case
from twin.telemetry import Dictionary

CASES = Path(__file__).parents[3] / "cases"


def many(dictionary: Dictionary, modules: tuple[int, ...]) -> Dictionary:
    """The dictionary of a plant with more sub-centers and modules of the same class."""
    count = sum(modules)
    center = np.repeat(np.arange(len(modules)), modules)
    scales = {name: np.repeat(values[:1], count) for name, values in dictionary.module_scales.items()}
    return replace(
        dictionary,
        sub_centers=tuple(f"center-{i}" for i in range(len(modules))),
        modules=np.array(modules),
        plant_index=np.arange(count),
        module_scales=scales,
        sub_center_scales={name: np.bincount(center, values) for name, values in scales.items()},
    )


@pytest.fixture(scope="session")
def satellite() -> Case:
    return Case.load(CASES / "experimental-satellite.yaml")


@pytest.fixture(scope="session")
def small(satellite: Case) -> Dictionary:
    return Dictionary.of_case(satellite)


@pytest.fixture(scope="session")
def dictionary(small: Dictionary) -> Dictionary:
    """Two sub-centers with three and two modules."""
    return many(small, (3, 2))
