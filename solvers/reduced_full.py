"""A radiator panel with its tubes in full, as a reduced model is made from it, and its operators on modes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import sparse

from solvers.network_kernels import stream_exchange

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FullPanel:
    """A panel with its tubes in full: what a reduced model is made from.

    Vectors over "all" nodes hold the n nodes of the panel, in mesh numbering, and then the f fluid nodes.

    Attributes
    ----------
    conduction : (n, n) sparse array
        Heat that leaves the nodes by conduction per kelvin [W/K].
    ends : (e, 2) int array
        Fluid nodes (among all) that each stream leaves and enters.
    walls : (w, 2) int array
        Stream and wall node (of the panel) of every contact.
    wall_weight : (w,) array
        Share of a stream's conductance at each contact; those of a stream sum to 1.
    share : (e,) array
        Part of the panel's flow in each stream.
    film : callable
        ``film(mass_flow, temperature)``: conductance between coolant and wall of each stream [W/K], shape (m, e), for
        m flows through the panel [kg/s] at m inlet temperatures [K].
    viscosity : callable
        Dynamic viscosity of the coolant at temperatures; films change their law at a Reynolds number.
    capacity : (all,) array
        [J/K].
    area : (n,) array
        Of one face [m²].
    faces : int
    inlet, outlet : int
        Fluid nodes (among all) where the coolant enters and leaves.
    specific_heat, coolant_density : float
        [J/kgK, kg/m³].
    liquid_range : (float, float)
        Freezing and boiling temperature of the coolant [K].
    """

    conduction: sparse.csr_array
    ends: Integers
    walls: Integers
    wall_weight: Array
    share: Array
    film: Callable[[Array, Array], Array]
    viscosity: Callable[[Array], Array]
    capacity: Array
    area: Array
    faces: int
    inlet: int
    outlet: int
    specific_heat: float
    coolant_density: float
    liquid_range: tuple[float, float]

    @property
    def nodes(self) -> int:
        """Nodes of the panel."""
        return len(self.area)

    @property
    def weights(self) -> Array:
        """Weights of the mean square in which modes are best: panel by area, coolant by node."""
        fluid = len(self.capacity) - self.nodes
        return np.concatenate([self.area / self.area.sum(), np.full(fluid, 1.0 / fluid)])

    @cached_property
    def groups(self) -> tuple[Integers, Integers]:
        """Streams that are alike: one of each kind, and the kind of every stream."""
        # Alike at three flows, laminar and turbulent, is alike at all.
        probes = np.array([1e-4, 1e-2, 1.0]) / self.share.max()
        seen = self._exchange(probes, np.full(3, np.mean(self.liquid_range)), np.arange(len(self.share)))
        digits = np.round(np.log(np.maximum(seen.reshape(6, -1).T, 1e-200)), 9)
        _, kind, of = np.unique(digits, axis=0, return_index=True, return_inverse=True)
        return kind.astype(np.int64), of.reshape(-1).astype(np.int64)

    def _exchange(self, mass_flow: Array, temperature: Array, streams: Integers) -> Array:
        """Return entering and standing exchange of streams, (m, 2, k) [W/K]."""
        rate = mass_flow[:, None] * self.specific_heat * self.share[streams]
        return _exchanges(rate, np.ascontiguousarray(self.film(mass_flow, temperature)[:, streams]))

    def coefficients(self, mass_flow: Array, temperature: Array) -> Array:
        """Return the exchange of one stream of each kind by its entering and its standing fluid, (m, 2·kinds) [W/K]."""
        return self._exchange(mass_flow, temperature, self.groups[0]).reshape(len(mass_flow), -1)

    def exchange(self, mass_flow: float, temperature: float, vectors: Array) -> Array:
        """Return the heat that leaves all nodes through the coolant, the inlet supplied at 0 K; (all, k) → (all, k)."""
        up, down = self.ends.T
        rate = mass_flow * self.specific_heat * self.share
        found = self.coefficients(np.array([mass_flow]), np.array([temperature])).reshape(2, -1)
        entering, standing = found[:, self.groups[1]]
        stream, wall = self.walls.T
        a, b = ((self.wall_weight * v[stream])[:, None] for v in (entering, standing))
        given = a * (vectors[up[stream]] - vectors[wall]) + b * (vectors[down[stream]] - vectors[wall])
        out = np.zeros_like(vectors)
        np.add.at(out, down, rate[:, None] * (vectors[down] - vectors[up]))
        np.add.at(out, down[stream], given)
        np.add.at(out, wall, -given)
        out[self.inlet] += mass_flow * self.specific_heat * vectors[self.inlet]
        return out


@njit(cache=True)
def _exchanges(rate: Array, film: Array) -> Array:
    count, streams = rate.shape
    out = np.empty((count, 2, streams))
    for i in range(count):
        for k in range(streams):
            out[i, 0, k], out[i, 1, k] = stream_exchange(rate[i, k], film[i, k])
    return out


def carried_matrix(full: FullPanel, basis: Array) -> Array:
    """Return what the coolant carries per unit of capacity rate, on modes, (r, r).

    Its columns sum to what leaves at the outlet.
    """
    up, down = (basis[end] for end in full.ends.T)
    entering = np.outer(basis[full.inlet], basis[full.inlet])
    return np.asarray(entering + (full.share[:, None] * down).T @ (down - up))


def exchange_matrices(full: FullPanel, basis: Array) -> Array:
    """Return the exchange between wall and coolant on modes: a matrix for each of `FullPanel.coefficients`.

    Parameters
    ----------
    full : FullPanel
    basis : (all, r) array

    Returns
    -------
    (2·kinds, r, r) array
    """
    up, down = (basis[end] for end in full.ends.T)
    stream, node = full.walls.T
    wall, (kinds, kind) = basis[node], full.groups
    tests = full.wall_weight[:, None] * (down[stream] - wall)
    rights = (up[stream] - wall, down[stream] - wall)
    out = np.empty((2, len(kinds), basis.shape[1], basis.shape[1]))
    for k in range(len(kinds)):
        at = kind[stream] == k
        for half, right in enumerate(rights):
            out[half, k] = tests[at].T @ right[at]
    return out.reshape(-1, basis.shape[1], basis.shape[1])
