"""A loop like those of the International Space Station: 35 kW of ammonia at 2.8 °C, on the coupled model.

Published: 35 kW a loop, supply at 2.8 °C, 8200 to 8900 lb/h of ammonia, half of six units of 8 panels of 3.33 x 2.64 m,
166 W/m² rated, in a worst case that is not published. Here it is the worst of what is: the hot set (1423 W/m², albedo
0.40, 286 W/m²), Z-93 at its hot end of life (0.24/0.90), the Sun far off the plane of the panels. Sheets and tubes of
the panels are assumed.
"""

import numpy as np
import pytest

from twin.ensemble import Samples
from twin.sizing.closed_design import loop_design
from twin.sizing.closed_form import area_steps

AREA = 3 * 8 * 3.33 * 2.64
SUPPLY = 275.95

STATION = (
    "mission.start=2026-10-10T00:00:00Z",
    "environment=hot",
    "mission.age=10 yr",
    "workload.jobs=[{name: even, kind: batch, cards: 60, level: 0.8}]",
    "module_classes.satellite.racks={count: 1, slots_per_rack: 60, cards: 60, overhead_power: 0 W, power_cap: 700 W, "
    "card: {extends: h100-sxm, power_spread: 0, resistance_spread: 0}}",
    "module_classes.satellite.radiator.panels=24",
    "module_classes.satellite.radiator.width=3.33 m",
    "module_classes.satellite.radiator.height=2.64 m",
    "module_classes.satellite.radiator.coating=z-93",
    "module_classes.satellite.radiator.tubes.count=22",
    "module_classes.satellite.radiator.mesh_size=0.5 m",
    "module_classes.satellite.radiator.tube_mesh_size=38 mm",
    "module_classes.satellite.coolant_loop.mass_flow=8550 lb/h",
    "module_classes.satellite.coolant_loop.supply_temperature=-5 degC",
    "module_classes.satellite.coolant_loop.body_conductance=0 W/K",
    "module_classes.satellite.solar_array.area=300 m2",
    "module_classes.satellite.battery.energy=80 kWh",
)


@pytest.mark.slow
def test_station_loop(load, panels, ensemble_of):
    """The rated supply temperature lies between those with the Sun 60° and 75° off the plane of the panels."""
    case = load(*STATION)
    design = case.module_classes["satellite"]
    assert design.radiator.panel_area == pytest.approx(AREA)
    ensemble = ensemble_of(case, panels, Samples(pointing=np.radians([60.0, 75.0])), 2)
    supply, back, length = np.zeros(2), np.zeros(2), 0.0

    def watch(tick, done):
        nonlocal supply, back, length
        places = done.groups[0].thermal.temperatures
        supply, back = supply + tick.dt * places["supply"], back + tick.dt * places["return"]
        length += tick.dt

    flown = ensemble.fly(watch)
    supply, back, heat = supply / length, back / length, flown.heat_rejected[:, 0]
    assert flown.bypass_min[:, 0] == pytest.approx(0.0, abs=1e-9)
    assert heat == pytest.approx(35e3, rel=0.02)
    assert heat / AREA == pytest.approx(166.0, rel=0.02)
    assert supply[0] < SUPPLY < supply[1]
    # Published flows and this heat: 6 to 8 K.
    assert np.all((back - supply > 6.0) & (back - supply < 8.0))
    for k in range(2):
        loop = loop_design(ensemble.groups[0], panels(design), k, 0.5 * flown.absorbed[k, 0] / AREA)
        assert area_steps(float(heat[k]), float(supply[k]), loop).film == pytest.approx(AREA, rel=0.02)
