"""Whether the heat of every connected piece of a model can leave it: without a way out there is no steady state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from solvers.errors import ModelError

if TYPE_CHECKING:
    from solvers.thermal import ThermalModel


def check_ways_out(model: ThermalModel) -> None:
    """Raise if a piece of the mesh neither radiates, convects, is held nor is coupled to anything. Collective.

    Raises
    ------
    ModelError
        Names the regions of the piece and a node of it.
    """
    model.loads.gather(0.0)
    comm, conduction, loads = model.comm, model.conduction, model.loads
    out = loads.radiating > 0.0
    if loads.film.size:
        out |= loads.film > 0.0
    out[conduction.fixed_dofs] = True
    for coupling in model.couplings:
        first_state = coupling.initial_state(300.0)
        coupling.begin(first_state, 1.0, first_state, 0.0)
        if not comm.allreduce(int(np.any(coupling.diagonal != 0.0))):
            coupling.heat(np.full(model.owned, 300.0))
        out |= coupling.diagonal > 0.0
    if comm.allreduce(int(out.all())) == comm.size:
        return
    first, last = conduction.matrix.getOwnershipRange()
    graphs = [m.getValuesCSR() for m in conduction.all_matrices()]
    rows = np.concatenate([np.repeat(np.arange(first, last), np.diff(p)) for p, _, _ in graphs])
    columns = np.concatenate([c for _, c, _ in graphs])
    nodes = model.discretization.node_of_dof[: model.owned]
    parts = comm.gather((rows, columns, out, nodes), root=0)
    message = None
    if parts is not None:
        rows, columns, out, nodes = (np.concatenate(part) for part in zip(*parts))
        n = out.size
        graph = sparse.coo_array((np.ones(rows.size, np.int8), (rows, columns)), shape=(n, n)).tocsr()
        count, piece = connected_components(graph, directed=False)
        ways = np.bincount(piece, weights=out, minlength=count)
        stuck = np.flatnonzero(ways == 0)
        if stuck.size:
            node = int(nodes[piece == stuck[0]].min())
            message = (
                f"heat has no way out of {_place(model, node)} (the piece with node {node}; {count} pieces in all): "
                "every emissivity and film coefficient there is zero and no temperature is fixed; "
                "add radiate(), convect(), fix(), connect() or couple()"
            )
    message = comm.bcast(message, root=0)
    if message:
        raise ModelError(message)


def _place(model: ThermalModel, node: int) -> str:
    assert model.mesh is not None
    touching = np.flatnonzero((model.mesh.cells == node).any(axis=1))
    names = [name for name, cells in model.mesh.regions.items() if np.isin(touching, cells).any()]
    return f"region {names[0]!r}" if names else "the mesh"
