"""What shells and solids are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvers.errors import ModelError


@dataclass(frozen=True)
class Tabulated:
    """A factor that depends on temperature, by straight lines between points and constant beyond them.

    Attributes
    ----------
    temperature : sequence of float
        Ascending [K].
    factor : sequence of float
        Positive; multiplies the property it belongs to.

    Raises
    ------
    ModelError
        If temperatures do not ascend or a factor is not positive.
    """

    temperature: tuple[float, ...]
    factor: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "temperature", tuple(float(t) for t in self.temperature))
        object.__setattr__(self, "factor", tuple(float(f) for f in self.factor))
        if len(self.temperature) != len(self.factor) or len(self.temperature) < 2:
            raise ModelError("a table needs as many factors as temperatures, two or more")
        if not np.all(np.diff(self.temperature) > 0.0):
            raise ModelError(f"temperatures {self.temperature} K of a table must ascend")
        if not np.all(np.asarray(self.factor) > 0.0):
            raise ModelError(f"factors {self.factor} of a table must be positive")

    def __call__(self, temperature: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the factor at temperatures [K]."""
        return np.interp(temperature, self.temperature, self.factor)

    def integral(self, temperature: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ∫ factor dT from the first point of the table [K], exactly."""
        points, factor = np.asarray(self.temperature), np.asarray(self.factor)
        whole = np.concatenate([[0.0], np.cumsum(0.5 * (factor[1:] + factor[:-1]) * np.diff(points))])
        piece = np.clip(np.searchsorted(points, temperature, side="right") - 1, 0, points.size - 1)
        into = temperature - points[piece]
        slope = np.append(np.diff(factor) / np.diff(points), 0.0)[piece]
        # Left of the first point the factor is constant.
        slope = np.where(into < 0.0, 0.0, slope)
        return np.asarray(whole[piece] + factor[piece] * into + 0.5 * slope * into**2)

    def symbolic(self, temperature: Any) -> Any:
        """Return the factor as an expression of a form's temperature."""
        import ufl

        value: Any = self.factor[0]
        for i in range(len(self.factor) - 1):
            low, high = self.temperature[i], self.temperature[i + 1]
            slope = (self.factor[i + 1] - self.factor[i]) / (high - low)
            value = value + slope * (ufl.min_value(ufl.max_value(temperature, low), high) - low)
        return value


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
    conductivity_factor : Tabulated or callable, optional
        Multiplies the conductivity: a table, or ``f(T)`` of a UFL expression, e.g. ``lambda T: 1 + 2e-4 * (T - 300)``;
        positive over the temperatures that occur.
    specific_heat_factor : Tabulated, optional
        Multiplies the specific heat.

    Raises
    ------
    ModelError
        For a conductivity that is not positive definite, or a density or specific heat below zero.
    """

    conductivity: float | ArrayLike
    density: float = 0.0
    specific_heat: float = 0.0
    conductivity_factor: Tabulated | Callable[[Any], Any] | None = None
    specific_heat_factor: Tabulated | None = None

    def __post_init__(self) -> None:
        tensor = np.asarray(self.conductivity, dtype=float)
        if tensor.ndim == 0:
            if not (np.isfinite(tensor) and tensor > 0.0):
                raise ModelError(f"conductivity {tensor} W/mK; expected a positive number")
        elif (
            tensor.shape != (3, 3)
            or not np.allclose(tensor, tensor.T)
            or np.linalg.eigvalsh(tensor)[0] < -1e-12
        ):
            raise ModelError(
                "an orthotropic conductivity is a symmetric positive (3, 3) tensor in global axes"
            )
        for name in ("density", "specific_heat"):
            if not getattr(self, name) >= 0.0:
                raise ModelError(f"{name.replace('_', ' ')} {getattr(self, name)}; expected 0 or more")

    @property
    def volumetric_heat_capacity(self) -> float:
        """ρ·c [J/m³K], before any factor."""
        return self.density * self.specific_heat

    @property
    def heat_capacities(self) -> list[tuple[Tabulated | None, float]]:
        """ρ·c [J/m³K] with the factor that multiplies it."""
        return [(self.specific_heat_factor, self.volumetric_heat_capacity)]


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
        terms = [
            np.asarray(layer.material.conductivity, dtype=float) * layer.thickness for layer in self.layers
        ]
        if any(term.ndim for term in terms):
            terms = [term if term.ndim else term * np.eye(3) for term in terms]
        return np.asarray(np.sum(terms, axis=0))

    @property
    def heat_capacity(self) -> float:
        """Σ ρ·c·t [J/m²K]."""
        return sum(layer.material.volumetric_heat_capacity * layer.thickness for layer in self.layers)

    @property
    def heat_capacities(self) -> list[tuple[Tabulated | None, float]]:
        """ρ·c·t of each layer [J/m²K] with the factor that multiplies it."""
        return [
            (layer.material.specific_heat_factor, layer.material.volumetric_heat_capacity * layer.thickness)
            for layer in self.layers
        ]

    @property
    def conductivity_factor(self) -> Tabulated | Callable[[Any], Any] | None:
        """The factor of a temperature-dependent single layer."""
        factors = {layer.material.conductivity_factor for layer in self.layers}
        if factors == {None}:
            return None
        if len(factors) > 1:
            raise ModelError(
                "layers of one section must share their temperature dependence; give equivalent properties"
            )
        return factors.pop()
