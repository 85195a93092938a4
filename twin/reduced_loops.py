"""Per-module parameters of reduced modules, as arrays: what may differ between the modules of a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvers.reduced import LoopParameters
from twin.errors import BadInput
from twin.group_thermal import PLATE_CONTENT
from twin.module_parameters import ThermalParameters

Array = NDArray[np.float64]

PANEL_FIELDS = (
    "width", "height", "thickness", "conductivity", "conductivity_across", "density", "specific_heat", "two_sided",
    "tubes", "arrangement", "tube_diameter", "mesh_size", "tube_mesh_size", "fluid",
    "pressure",
)  # fmt: skip
"""What all modules of a group must share: their panels are of one kind, and so is their coolant."""

VARIABLE_FIELDS = (
    "panels", "emissivity", "view_to_space", "supply_temperature", "inventory_mass", "plate_conductance",
    "cold_plate_capacity", "body_conductance", "body_capacity", "body_radiating_area", "battery_capacity",
    "battery_conductance", "array_area", "array_capacity", "array_conductance", "array_front_emissivity",
    "array_back_emissivity",
)  # fmt: skip
"""What may differ between modules, and change while they run."""

_POSITIVE = ("panels", "view_to_space", "emissivity", "supply_temperature", "inventory_mass")


def values_of(modules: Sequence[ThermalParameters], first: int = 0) -> dict[str, Array]:
    """Return the variable fields of modules as arrays, from the module `first` on; all must be of one kind.

    Raises
    ------
    BadInput
        If the panels of the modules are not of one kind.
    """
    if not modules:
        raise BadInput("reduced model: no modules; expected at least one")
    design = modules[0]
    for name in PANEL_FIELDS:
        kind = getattr(design, name)
        for i, p in enumerate(modules):
            if getattr(p, name) != kind:
                raise BadInput(
                    f"reduced model: module {i - first} has {name} {getattr(p, name)!r}, not {kind!r} as the others; "
                    "modules of a class share their kind of panel and coolant (make two classes)"
                )
    return {
        name: np.array([getattr(p, name) for p in modules[first:]], dtype=float) for name in VARIABLE_FIELDS
    }


def spread(design: ThermalParameters, count: int, values: Mapping[str, ArrayLike]) -> dict[str, Array]:
    """Return the variable fields of modules that are alike but for some of them.

    Parameters
    ----------
    design : ThermalParameters
        For all that `values` does not name.
    count : int
        Modules.
    values : mapping of field to float or (module,) array

    Raises
    ------
    BadInput
        Names the field, the module and the value.
    """
    return changed({name: np.full(count, float(getattr(design, name))) for name in VARIABLE_FIELDS}, values)


def changed(before: Mapping[str, Array], values: Mapping[str, ArrayLike]) -> dict[str, Array]:
    """Return variable fields with some of them replaced; parameters and errors as :func:`spread`."""
    from difflib import get_close_matches

    count = len(before["panels"])
    after = dict(before)
    for name, value in values.items():
        if name not in VARIABLE_FIELDS:
            near = get_close_matches(name, VARIABLE_FIELDS, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; one of {', '.join(VARIABLE_FIELDS)}"
            raise BadInput(f"reduced model: {name!r} cannot differ between the modules of a class{hint}")
        each = np.asarray(value, dtype=float)
        if each.shape not in ((), (1,), (count,)):
            raise BadInput(
                f"reduced model: {name} has shape {each.shape}; expected one value or one for each of {count} modules"
            )
        each = np.broadcast_to(each, (count,)).copy()
        fits = each > 0.0 if name in _POSITIVE else each >= 0.0
        if not np.all(fits & np.isfinite(each)):
            bad = int(np.argmin(fits & np.isfinite(each)))
            what = "above 0" if name in _POSITIVE else "of 0 or more"
            raise BadInput(
                f"reduced model: {name} of module {bad} is {each[bad]:g}; expected a finite number {what}"
            )
        after[name] = each
    return after


def loop_parameters(values: Mapping[str, Array], specific_heat: float) -> LoopParameters:
    """Return the loops of modules.

    Parameters
    ----------
    values : mapping of field to (module,) array
        All of `VARIABLE_FIELDS`.
    specific_heat : float
        Of the coolant [J/kgK].
    """
    coolant = values["inventory_mass"] * specific_heat
    same = (
        "plate_conductance", "body_conductance", "battery_conductance", "array_conductance", "body_capacity",
        "battery_capacity", "array_capacity", "panels",
    )  # fmt: skip
    return LoopParameters(
        emissivity=values["emissivity"] * values["view_to_space"],
        reservoir_capacity=(1.0 - PLATE_CONTENT) * coolant,
        outlet_capacity=PLATE_CONTENT * coolant,
        plate_capacity=values["cold_plate_capacity"],
        body_area=values["body_radiating_area"],
        front_area=values["array_front_emissivity"] * values["array_area"],
        back_area=values["array_back_emissivity"] * values["array_area"],
        **{name: values[name] for name in same},
    )
