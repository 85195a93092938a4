"""From the components of a case to the parameters of the physics."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from twin import component_models
from twin.card_model import CARDS
from twin.case import Case

CASES = Path(__file__).parents[2] / "cases"
YEAR = 365.25 * 86400.0


@pytest.fixture(scope="module")
def design():
    return Case.load(CASES / "experimental-satellite.yaml").module_classes["satellite"]


@pytest.mark.parametrize("name", CARDS)
def test_library_holds_the_calibrated_cards(name):
    """One truth: the card of the library is the one that docs/verification/calibration.md was made with."""
    settings = [
        f"module_classes.satellite.racks.card={name}",
        "module_classes.satellite.racks.power_cap=null",
    ]
    case = Case.load(CASES / "experimental-satellite.yaml", settings)
    card = component_models.card(case.module_classes["satellite"], name)
    for field in dataclasses.fields(card):
        expected = getattr(CARDS[name], field.name)
        assert getattr(card, field.name) == (
            expected if isinstance(expected, str) else pytest.approx(expected)
        )


def test_operators_cap_is_the_cards_limit(design):
    assert component_models.card(design, "h100").power_limit == 560.0


def test_coating_ages_linearly_and_then_stays(design):
    """OSR: beginning and end of life from the library, half-way between at half the life."""
    coating = design.radiator.coating
    new, half, old, older = (
        component_models.coating_at(coating, share * coating.end_of_life)[0] for share in (0.0, 0.5, 1.0, 3.0)
    )
    assert new == coating.absorptance.bol
    assert half == pytest.approx(0.5 * (coating.absorptance.bol + coating.absorptance.eol))
    assert old == older == coating.absorptance.eol


def test_solar_array_keeps_the_datasheet(design):
    """Efficiency at the reference point, and the fluence at the orbit's altitude between the table's rows."""
    array = component_models.solar_array(design, 750e3)
    assert array.cell.efficiency == pytest.approx(design.solar_array.cell.efficiency, rel=1e-3)
    rates = [rate for _, rate in design.solar_array.cell.fluence_rate]
    assert min(rates) <= array.fluence_rate <= max(rates)


def test_battery_has_the_energy_of_the_case(design):
    pack = component_models.battery(design)
    assert float(pack.energy) == pytest.approx(design.battery.energy)
    assert pack.cell.discharge_temperature_range[0] < pack.cell.charge_temperature_range[0]


def test_converters_have_the_efficiency_of_the_case(design):
    bus = component_models.bus(design)
    output = np.array([1e3, 5e3])
    np.testing.assert_allclose(output / bus.solar_regulator.input_for(output), 0.98, rtol=1e-12)
    np.testing.assert_allclose(output / bus.battery_converter.input_for(output), 0.97, rtol=1e-12)


def test_thermal_design(design):
    """Areas, conductances and emissivities add up from the parts."""
    new, old = (component_models.thermal(design, age) for age in (0.0, 10.0 * YEAR))
    assert new.panel_area == pytest.approx(2 * 1.6 * 3.0)
    assert new.plate_conductance == pytest.approx(8 * 50.0)
    assert new.body_radiating_area == pytest.approx(
        sum(f.area * f.coating.emissivity.bol for f in design.body.faces)
    )
    assert old.emissivity <= new.emissivity
    assert 0.63 < new.array_front_emissivity < 0.9
