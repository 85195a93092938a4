"""The radiating fin, against an independent boundary-value solution."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from twin.verification.registry import Check, ReferenceCase

PUBLISHED = {0.1: (0.956821, 0.890035), 1.0: (0.779145, 0.533989), 5.0: (0.575596, 0.273762)}
"""Radiation number N: (tip temperature over base temperature, fin efficiency)."""


def radiating_fin() -> Iterator[Check]:
    """θ″ = Nθ⁴, θ(0) = 1, θ′(1) = 0 with N = faces·εσT_b³L²/(kt), solved as a plate."""
    from meshes.panel import radiator_panel
    from solvers.constants import STEFAN_BOLTZMANN
    from solvers.materials import Material, Section
    from solvers.thermal import ThermalModel

    base, length, thickness, emissivity = 350.0, 0.2, 1e-3, 0.9
    plate = radiator_panel(width=length, height=0.02, cell_size=0.002)
    for number, (tip, efficiency) in PUBLISHED.items():
        conductivity = 2 * emissivity * STEFAN_BOLTZMANN * base**3 * length**2 / (number * thickness)
        model = ThermalModel(plate, {"panel": Section.of(Material(conductivity), thickness)})
        model.fix("left", base)
        for face in (model.front(), model.back()):
            model.radiate(face, emissivity, sink_temperature=0.0)
        field = model.field(model.solve_steady(base))
        assert field is not None
        area = model.front().node_area[np.argsort(model.discretization.node_of_dof[: model.owned])]
        mean_fourth = float(area @ field**4) / float(area.sum())
        yield Check(
            f"tip temperature ratio, N = {number:g}",
            tip,
            float(field[plate.facet("right")].mean()) / base,
            1e-3,
            True,
        )
        yield Check(f"fin efficiency, N = {number:g}", efficiency, mean_fourth / base**4, 1e-3, True)


CASES = (
    ReferenceCase(
        "radiating-fin", "plate fin between tube and mid-plane", "Incropera-type fin BVP", radiating_fin
    ),
)
