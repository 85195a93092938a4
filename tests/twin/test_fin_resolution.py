"""The sheet between two tubes as a fin, on the mesh that a module is solved on."""

from dataclasses import replace

import numpy as np
import pytest

from twin import component_models
from twin.case import Case

pytest.importorskip("dolfinx")

from pathlib import Path

from twin.group_thermal import HeatLoads
from twin.module_thermal import ModuleThermal, panel_mesh

CASES = Path(__file__).parents[2] / "cases"


@pytest.mark.parametrize(
    "name, class_",
    [("gigawatt", "interior"), ("sub-center", "edge"), ("experimental-satellite", "satellite")],
)
def test_shipped_cases_resolve_the_fin(name, class_):
    """At least three mesh lines between neighbouring tubes: four elements."""
    p = component_models.thermal(Case.load(CASES / f"{name}.yaml").module_classes[class_], 0.0)
    mesh = panel_mesh(replace(p, panels=1))
    columns = np.unique(mesh.points[:, 0].round(9))
    first, second = (mesh.points[mesh.line(f"panel-0/tube-{k}")[0], 0] for k in (0, 1))
    between = ((columns > first + 1e-6) & (columns < second - 1e-6)).sum()
    assert between >= 3


def test_fin_efficiency_of_the_mesh():
    """tanh(mL)/(mL) with h = 4 ε σ T³ of both faces (Incropera, straight fin with an adiabatic tip)."""
    p = component_models.thermal(Case.load(CASES / "gigawatt.yaml").module_classes["interior"], 0.0)
    mesh = panel_mesh(replace(p, panels=1))
    x = np.unique(mesh.points[:, 0].round(9))
    tubes = np.sort([mesh.points[mesh.line(f"panel-0/tube-{k}")[0], 0] for k in (3, 4)])
    x = x[(x >= tubes[0] - 1e-6) & (x <= tubes[1] + 1e-6)]
    coefficient = 2.0 * 4.0 * p.emissivity * 5.670374419e-8 * 312.0**3
    # Linear elements with lumped losses between two tubes held at 1, as the solver has them.
    edge = np.diff(x)
    lump = np.zeros(x.size)
    lump[:-1] += edge / 2
    lump[1:] += edge / 2
    k = p.conductivity * p.thickness / edge
    matrix = np.diag(coefficient * lump)
    for i, value in enumerate(k):
        matrix[i : i + 2, i : i + 2] += value * np.array([[1, -1], [-1, 1]])
    inner = slice(1, -1)
    theta = np.ones(x.size)
    theta[inner] = np.linalg.solve(matrix[inner, inner], -matrix[inner, [0, -1]].sum(axis=1))
    found = (lump @ theta) / lump.sum()
    half = 0.5 * (tubes[1] - tubes[0])
    m = np.sqrt(coefficient / (p.conductivity * p.thickness))
    assert found == pytest.approx(np.tanh(m * half) / (m * half), rel=0.01)


def test_a_finer_fin_changes_the_module_little(satellite):
    """Four elements between tubes against eight, in a settled module: heat that the panels shed within 1 %."""
    design = component_models.thermal(satellite().module_classes["satellite"], 0.0)
    pitch = design.width / design.tubes
    loads = HeatLoads(
        60.0, 30.0, {"cold-plate": 5000.0, "body": 600.0, "battery": 20.0, "array-front": 20000.0}
    )
    mean = []
    for parts in (4, 8):
        module = ModuleThermal(replace(design, tube_mesh_size=pitch / parts), 1e-8)
        module.settle(loads, design.mass_flow)
        mean.append(module.temperatures()["panel_mean"] ** 4)
    assert mean[0] == pytest.approx(mean[1], rel=0.01)
