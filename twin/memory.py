"""What a run will need of memory, before it starts: a plant that cannot fit is refused, not killed hours later."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from twin.case import Case
from twin.case.module_class import ModuleClass
from twin.errors import BadInput

if TYPE_CHECKING:
    from solvers.reduced_training import ReductionSettings
    from twin.reduced_histories import TrainingSettings

BASE = 480e6
"""Program, libraries and what does not grow with the case, measured [bytes]."""
PER_CARD = 60.0
"""Largest need per card, states, jobs and passing copies [bytes]."""
PER_MODULE = 40e3
"""Need per reduced module: states, environment and the buffers of results [bytes]."""
PER_NODE = 2.5e3
"""Need per node of finite-element panels: matrices, grids, fields; measured 1.9 kB [bytes]."""
PER_TRAINING_NODE = 8.0 * 48 * 220 * 1.3 * 3.5
"""Training of a reduced model, per node of one panel: 48 runs of 220 steps of panel and coolant (1.3 nodes), held as
runs, as snapshots of both ends of steps, and as the part of a range of flow [bytes]."""
PER_MEMBER = 12e3
"""Live twin, per module and member of its ensemble: states, what sensors should say in the last ticks; measured 8.0 kB
[bytes]."""
PER_WORKER = 550e6
"""Worker process of a sizing or a sweep, with a part of its samples [bytes]."""
TUBE_SHARE = 1.1
"""Nodes of a mesh over those of its even grid: tubes lie on mesh lines of their own, in coarse meshes more [1]."""

SMALLER_TRAINING = "a larger mesh_size of the panels, a cache with the model trained elsewhere"


@dataclass(frozen=True)
class MemoryEstimate:
    """Need of one process.

    Attributes
    ----------
    cards, modules, nodes : int
        What was counted; nodes of finite-element panels, those of this process only.
    total : float
        Largest need [bytes].
    training : float
        Need while a reduced model is trained that the cache does not have; 0 if it is there [bytes].
    """

    cards: int
    modules: int
    nodes: int
    total: float
    training: float = 0.0

    def __str__(self) -> str:
        parts = [f"{self.cards:,} cards", f"{self.modules:,} modules"]
        if self.nodes:
            parts.append(f"{self.nodes:,} nodes of finite elements")
        if self.training >= self.total:
            return f"{size_text(self.total)} to train the reduced model of a panel"
        return f"{size_text(self.total)} for {', '.join(parts)}"


def estimate(case: Case, processes: int = 1) -> MemoryEstimate:
    """Return what one process of a run needs.

    Parameters
    ----------
    case : Case
    processes : int
        MPI processes, which share the nodes of the meshes and nothing else.
    """
    nodes = 0
    if case.numerics.thermal == "full":
        nodes = sum(
            group.count * panel_nodes(case.module_classes[group.class_])
            for center in case.sub_centers
            for group in center.modules
        )
    cards, modules, own = case.card_count, case.module_count, -(-nodes // processes)
    training = training_need(case) if case.numerics.thermal == "reduced" else 0.0
    total = max(training, BASE + PER_CARD * cards + PER_MODULE * modules + PER_NODE * own)
    return MemoryEstimate(cards, modules, own, total, training)


def training_need(
    case: Case, settings: TrainingSettings | None = None, reduction: ReductionSettings | None = None
) -> float:
    """Return what the training of the reduced models takes that the cache does not have, 0 for none [bytes].

    Parameters
    ----------
    case : Case
    settings, reduction : optional
        Of the training; those of a run unless given.
    """
    from twin.component_models import thermal
    from twin.reduced_training import STANDARD, is_trained

    used = {group.class_ for center in case.sub_centers for group in center.modules}
    nodes = [
        panel_nodes(design) / design.radiator.panels
        for name, design in case.module_classes.items()
        if name in used and not is_trained(thermal(design, case.mission.age), settings or STANDARD, reduction)
    ]
    return BASE + PER_TRAINING_NODE * max(nodes) if nodes else 0.0


def refuse_sizing(case: Case, workers: int) -> None:
    """Refuse a sizing or a sweep of sizings that needs more memory than there is.

    Parameters
    ----------
    case : Case
    workers : int
        Processes on this machine beside this one.

    Raises
    ------
    BadInput
    """
    from twin.sizing.panels import SIZING_TRAINING

    _refuse(
        case,
        training_need(case, SIZING_TRAINING),
        BASE + PER_WORKER * workers,
        f"{workers} workers (--workers)",
    )


def refuse_live(case: Case, members: int, settings: TrainingSettings, reduction: ReductionSettings) -> None:
    """Refuse a live twin that needs more memory than there is.

    Parameters
    ----------
    case : Case
    members : int
        Of each ensemble.
    settings, reduction
        Of the training of its panels.

    Raises
    ------
    BadInput
    """
    need = BASE + PER_MEMBER * case.module_count * members
    what = f"{case.module_count:,} modules of {members} members (--members)"
    _refuse(case, training_need(case, settings, reduction), need, what)


def _refuse(case: Case, training: float, need: float, what: str) -> None:
    there, way = available(), "fewer of them"
    if training > need:
        need, what, way = training, "the training of a reduced model", SMALLER_TRAINING
    if need > there:
        raise BadInput(
            f"{case.name} needs about {size_text(need)} for {what}, and this machine has {size_text(there)} left; it "
            f"takes {way}, or a machine with more memory"
        )


def panel_nodes(design: ModuleClass) -> int:
    """Return about how many nodes the panels of one module of a class have."""
    radiator = design.radiator
    fine = radiator.mesh_size if radiator.tube_mesh_size is None else radiator.tube_mesh_size
    across = radiator.width / min(fine, radiator.mesh_size) + 1.0 + radiator.tubes.count
    along = radiator.height / radiator.mesh_size + 1.0
    return int(TUBE_SHARE * radiator.panels * across * along)


def available() -> float:
    """Return what this process may still take [bytes]: the machine, the control group and the limit of the shell."""
    limits = [_of_machine(), *_of_control_groups()]
    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    if soft != resource.RLIM_INFINITY:
        limits.append(float(soft))
    return min(limits)


def _of_machine() -> float:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return float("inf")
    found = {line.split(":")[0]: line.split(":")[1] for line in lines if ":" in line}
    return float(found["MemAvailable"].split()[0]) * 1024.0 if "MemAvailable" in found else float("inf")


def _of_control_groups() -> list[float]:
    """What is left in the control groups of this process (batch systems and containers set them)."""
    left = []
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    for line in lines:
        if not line.startswith("0::"):
            continue
        folder = Path("/sys/fs/cgroup") / line.removeprefix("0::").strip("/")
        while folder != folder.parent and folder.is_relative_to("/sys/fs/cgroup"):
            try:
                limit = (folder / "memory.max").read_text(encoding="ascii").strip()
                used = (folder / "memory.current").read_text(encoding="ascii").strip()
            except OSError:
                limit = used = "max"
            if limit != "max":
                left.append(float(limit) - float(used))
            folder = folder.parent
    return left


def refuse_what_does_not_fit(case: Case, processes: int = 1) -> None:
    """Refuse a run that needs more memory than there is.

    Raises
    ------
    BadInput
        With what it needs, what there is, and what makes it smaller.
    """
    need, there = estimate(case, processes), available()
    here = min(processes, _processes_here(processes))
    if need.total * here <= there:
        return
    ways = []
    if need.nodes * PER_NODE > 0.3 * need.total:
        ways.append("numerics.thermal=reduced, a larger mesh_size, or MPI processes on more nodes")
    if need.cards * PER_CARD > 0.3 * need.total:
        ways.append("fewer modules in sub_centers or fewer cards in racks")
    if need.training >= need.total:
        ways = [SMALLER_TRAINING]
    each = f" in each of {here} processes" if here > 1 else ""
    raise BadInput(
        f"{case.name} needs about {need}{each}, and this machine has {size_text(there)} left; it takes "
        f"{' or '.join(ways) or 'a machine with more memory'}"
    )


def _processes_here(processes: int) -> int:
    """Processes of the run on this node."""
    import os

    for name in ("OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "SLURM_NTASKS_PER_NODE"):
        if os.environ.get(name, "").isdecimal():
            return int(os.environ[name])
    return processes


def size_text(size: float) -> str:
    """Return bytes as people read them."""
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if size >= scale:
            return f"{size / scale:,.1f} {unit}"
    return f"{size:.0f} bytes"
