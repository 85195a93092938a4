"""A small satellite that runs in seconds, for tests of the coupled simulation."""

from pathlib import Path

import pytest

from twin.case import Case

CASES = Path(__file__).parents[2] / "cases"

COARSE = (
    "module_classes.satellite.radiator.mesh_size=0.4 m",
    "module_classes.satellite.radiator.tube_mesh_size=null",
    "module_classes.satellite.radiator.panels=1",
    "module_classes.satellite.radiator.tubes.count=6",
    "module_classes.satellite.radiator.height=6 m",
)


@pytest.fixture(scope="session")
def satellite():
    """Return a function that loads the experimental satellite on a coarse mesh, with more settings."""

    def load(*settings: str, file: str = "experimental-satellite.yaml") -> Case:
        return Case.load(CASES / file, [*COARSE, *settings])

    return load
