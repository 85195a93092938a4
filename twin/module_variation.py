"""How a module differs from the design of its class: manufacturing spread, samples of a study, faults, estimates."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ModuleVariation:
    """Factors on properties of modules, one for all or one per module; 1 is the design.

    Attributes
    ----------
    emissivity, absorptance : float or (module,) array
        Of the faces of the radiator (never above 1 after the factor).
    radiator_area : float or (module,) array
        More or fewer panels of the same kind; finite elements need a whole number of them.
    mass_flow : float or (module,) array
        Flow of the coolant.
    plate_conductance : float or (module,) array
        Cold plates to coolant.
    array_power : float or (module,) array
        Power of the solar cells.
    battery_capacity : float or (module,) array
        Remaining share of the battery, at most 1.
    card_power : float or (module,) array
        Electrical power of the cards at the same work, hence their heat.

    Raises
    ------
    ValueError
        If a factor is not a positive number.
    """

    emissivity: ArrayLike = 1.0
    absorptance: ArrayLike = 1.0
    radiator_area: ArrayLike = 1.0
    mass_flow: ArrayLike = 1.0
    plate_conductance: ArrayLike = 1.0
    array_power: ArrayLike = 1.0
    battery_capacity: ArrayLike = 1.0
    card_power: ArrayLike = 1.0

    def __post_init__(self) -> None:
        for f in fields(self):
            values = np.asarray(getattr(self, f.name), dtype=float)
            if not (np.isfinite(values).all() and (values > 0.0).all()):
                bad = values[~(np.isfinite(values) & (values > 0.0))].flat[0]
                raise ValueError(f"variation {f.name}: {bad}, expected factors above 0 (1 is the design)")
        if np.any(np.asarray(self.battery_capacity, dtype=float) > 1.0):
            raise ValueError(
                "variation battery_capacity: above 1, expected the remaining share of the battery"
            )

    def of(self, name: str, count: int) -> Array:
        """Return a factor for each of `count` modules.

        Raises
        ------
        ValueError
            If it was given for another number of modules.
        """
        values = np.asarray(getattr(self, name), dtype=float)
        if values.ndim and values.shape != (count,):
            raise ValueError(f"variation {name}: shape {values.shape}, expected one value or ({count},)")
        return np.broadcast_to(values, (count,)).copy()
