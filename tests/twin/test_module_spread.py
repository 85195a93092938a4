"""Spread between modules of a class, without a thermal model."""

from types import SimpleNamespace

import numpy as np
import pytest

from twin.module_group import ModuleGroup


def group(case, modules, seed=1, first=0):
    """Modules of the satellite that only know the density of their coolant."""
    design = case.module_classes["satellite"]
    return ModuleGroup(
        "satellite",
        design,
        slice(first, first + modules),
        np.zeros(modules, int),
        np.zeros(modules),
        750e3,
        1e-8,
        seed,
        thermal_model=lambda base, values: SimpleNamespace(coolant_density=590.0),
    )


def test_mass_flow_of_modules(satellite):
    """Mean and deviation as asked; a module keeps its own whatever the others are; pumps follow the affinity laws."""
    case = satellite("module_classes.satellite.spread.mass_flow=0.05")
    many = group(case, 4000)
    rated = case.module_classes["satellite"].coolant_loop.mass_flow
    ratio = many.mass_flow / rated
    assert ratio.mean() == pytest.approx(1.0, abs=3e-3)
    assert ratio.std() == pytest.approx(0.05, rel=0.05)
    np.testing.assert_array_equal(group(case, 10, first=20).mass_flow, many.mass_flow[20:30])
    assert (group(case, 10, seed=2).mass_flow != many.mass_flow[:10]).all()
    alike = group(satellite(), 3)
    np.testing.assert_array_equal(alike.mass_flow, rated)
    np.testing.assert_allclose(many.pump_power, alike.pump_power[0] * ratio**3)


def test_spreads_are_independent(satellite):
    """Flow, coating and array of a module come from different draws."""
    case = satellite(
        "module_classes.satellite.spread.mass_flow=0.05",
        "module_classes.satellite.spread.emissivity=0.02",
        "module_classes.satellite.spread.array_power=0.02",
    )
    many = group(case, 4000)
    columns = np.stack([many.mass_flow, many.remaining, many.thermal_values["emissivity"]])
    correlation = np.corrcoef(columns) - np.eye(3)
    assert np.abs(correlation).max() < 0.06
