"""What shells and solids are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvers.errors import ModelError


@dataclass(frozen=True)
class Material:
    """A solid material.

    Attributes
    ----------
    conductivity : float or (3, 3) array
        Thermal conductivity, a tensor in global axes where it is orthotropic [W/mK].
    density : float
        [kg/m³].
    specific_heat : float
        [J/kgK].
    conductivity_factor : callable, optional
        ``f(T)`` of a UFL expression that multiplies the conductivity, for a temperature-dependent one, e.g.
        ``lambda T: 1 + 2e-4 * (T - 300)``; smooth and positive over the temperatures that occur.

    Raises
    ------
    ModelError
        For a conductivity that is not positive definite, or a density or specific heat below zero.
    """

    conductivity: float | ArrayLike
    density: float = 0.0
    specific_heat: float = 0.0
    conductivity_factor: Callable[[Any], Any] | None = None

    def __post_init__(self) -> None:
        tensor = np.asarray(self.conductivity, dtype=float)
        if tensor.ndim == 0:
            if not (np.isfinite(tensor) and tensor > 0.0):
                raise ModelError(f"conductivity {tensor} W/mK; expected a positive number")
        elif tensor.shape != (3, 3) or not np.allclose(tensor, tensor.T) or np.linalg.eigvalsh(tensor)[0] < -1e-12:
            raise ModelError("an orthotropic conductivity is a symmetric positive (3, 3) tensor in global axes")
        for name in ("density", "specific_heat"):
            if not getattr(self, name) >= 0.0:
                raise ModelError(f"{name.replace('_', ' ')} {getattr(self, name)}; expected 0 or more")

    @property
    def volumetric_heat_capacity(self) -> float:
        """ρ·c [J/m³K]."""
        return self.density * self.specific_heat


@dataclass(frozen=True)
class Layer:
    """One layer of a shell: a material and its thickness [m]."""

    material: Material
    thickness: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.thickness) and self.thickness > 0.0):
            raise ModelError(f"layer thickness {self.thickness} m; expected a positive number")


@dataclass(frozen=True)
class Section:
    """The build-up of a shell through its thickness; layers conduct in parallel, without a gradient across.

    Attributes
    ----------
    layers : sequence of Layer
    """

    layers: Sequence[Layer]

    @classmethod
    def of(cls, material: Material, thickness: float) -> Section:
        """Return the section of a plain plate."""
        return cls((Layer(material, thickness),))

    @property
    def thickness(self) -> float:
        """Total thickness [m]."""
        return sum(layer.thickness for layer in self.layers)

    @property
    def conductance(self) -> NDArray[np.float64]:
        """Σ k·t, a number or a (3, 3) tensor [W/K]."""
        terms = [np.asarray(layer.material.conductivity, dtype=float) * layer.thickness for layer in self.layers]
        if any(term.ndim for term in terms):
            terms = [term if term.ndim else term * np.eye(3) for term in terms]
        return np.asarray(np.sum(terms, axis=0))

    @property
    def heat_capacity(self) -> float:
        """Σ ρ·c·t [J/m²K]."""
        return sum(layer.material.volumetric_heat_capacity * layer.thickness for layer in self.layers)

    @property
    def conductivity_factor(self) -> Callable[[Any], Any] | None:
        """The factor of a temperature-dependent single layer."""
        factors = {layer.material.conductivity_factor for layer in self.layers}
        if factors == {None}:
            return None
        if len(factors) > 1:
            raise ModelError("layers of one section must share their temperature dependence; give equivalent properties")
        return factors.pop()
