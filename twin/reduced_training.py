"""Training of the reduced thermal model of a class of modules from finite-element runs, and its certificate.

One panel of the wing is trained: panels in parallel carry equal flows and see the same, so that a module with one panel
and loads, flow and capacities divided by the number of panels has the same temperatures. Runs with random loads, flows
and coatings follow one after the other; each is first a test of the model trained so far, then part of its training,
until the tests are passed. The certificate comes from orbits that no training saw.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from solvers.reduced import NODES
from solvers.reduced_panel import FORMAT, ReducedPanel
from twin.group_thermal import HALF_RISE, PLATE_CONTENT, VALVE_LIMIT, VALVE_TIME, HeatLoads
from twin.module_parameters import ThermalParameters
from twin.reduced_histories import (
    CERTIFICATE_ORBITS,
    EXTENSIVE,
    TrainingSettings,
    one_panel,
    orbit_history,
    shed_heat,
    training_history,
    wing_heat,
)
from twin.reduced_runs import FullRun, full_panel, full_runs, kept_in, run_reduced, snapshots_of

if TYPE_CHECKING:
    from solvers.reduced_training import ReductionSettings
    from twin.module_thermal import ModuleThermal

__all__ = [
    "TrainingSettings",
    "cache_folder",
    "certificate",
    "content_key",
    "reduced_panel",
    "symmetry_error",
    "train",
]

Progress = Callable[[str, float], None]

STANDARD = TrainingSettings()

VERSION = 6
"""Changes when training gives other numbers."""

_AGEING = (
    "emissivity", "view_to_space", "array_front_emissivity", "array_back_emissivity", "body_radiating_area",
)  # fmt: skip
"""Parameters of the reduced model itself."""


def cache_folder() -> Path:
    """Return the folder of trained models."""
    base = os.environ.get("DAWNDUSK_CACHE")
    if base:
        return Path(base) / "reduced"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "dawndusk" / "reduced"


def content_key(parameters: ThermalParameters, *settings: object) -> str:
    """Return the fingerprint of all that a trained model depends on."""
    one = asdict(one_panel(parameters))
    for name in _AGEING:
        one.pop(name)
    constants = [VERSION, FORMAT, HALF_RISE, PLATE_CONTENT, VALVE_LIMIT, VALVE_TIME]
    text = json.dumps([constants, one, [repr(s) for s in settings]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def train(
    parameters: ThermalParameters,
    settings: TrainingSettings = STANDARD,
    reduction: ReductionSettings | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> ReducedPanel:
    """Train and certify a reduced panel.

    Parameters
    ----------
    parameters : ThermalParameters
    settings : TrainingSettings
    reduction : ReductionSettings, optional
    folder : Path, optional
        Where finished runs are kept; an interrupted training goes on from there.
    progress : callable, optional
        Called with (what is being done, share done).

    Raises
    ------
    ConvergenceError
        If the runs allowed do not reach the tolerance.
    """
    from solvers.errors import ConvergenceError
    from solvers.reduced_training import ReductionSettings, reduce_panel
    from twin.module_thermal import ModuleThermal

    reduction, tell = reduction or ReductionSettings(), progress or (lambda what, share: None)
    folder = folder or cache_folder()
    one = one_panel(parameters)
    tell("finite-element model", 0.0)
    module = ModuleThermal(one)
    full = full_panel(module)
    histories = [training_history(one, settings, k) for k in range(settings.most_runs)]
    runs = full_runs(module, iter(histories), folder / f"runs-{content_key(parameters, settings)}")
    seen: list[FullRun] = []
    tests: list[float] = []
    panel: ReducedPanel | None = None
    for number, run in enumerate(runs):
        tell("training runs", min(0.55, 0.55 * number / settings.least_runs) if panel is None else 0.85)
        if panel is not None:
            tests.append(_rms(run_reduced(panel, one, histories[number], run), run))
            last = tests[-settings.passes :]
            if len(last) == settings.passes and max(last) <= settings.tolerance:
                break
        seen.append(run)
        # A run that was predicted well enough waits for the next reduction.
        if len(seen) >= settings.least_runs and (panel is None or tests[-1] > settings.tolerance):
            low, high = (float(f(f(r.nodes[NODES.index("return")]) for r in seen)) for f in (min, max))
            box = replace(settings.box(parameters), inlet_temperature=(low, high))
            panel = reduce_panel(
                full,
                snapshots_of(histories[: len(seen)], seen),
                box,
                reduction,
                lambda share: tell("modes and samples", 0.55 + 0.3 * share),
            )
    else:
        if not tests or tests[-1] > 2.0 * settings.tolerance:
            raise ConvergenceError(
                f"reduced model: after {len(seen)} training runs the RMS error of the next one is "
                f"{tests[-1] if tests else np.nan:.3g} K (tolerance {settings.tolerance:g} K); allow more runs or modes"
            )
    assert panel is not None
    tell("certificate", 0.9)
    notes = {
        "training_runs": len(seen),
        "training_tests": tests,
        "modes": [r.modes for r in panel.regimes],
        "samples": [len(r.samples) for r in panel.regimes],
        "operator_error": max(float(r.errors[0]) for r in panel.regimes),
        "sampling_error": max(float(r.errors[1]) for r in panel.regimes),
        "full_nodes": round(full.capacity.size * parameters.panels),
    }
    certified = certificate(panel, module, settings, folder / f"orbits-{content_key(parameters, settings)}")
    if parameters.panels > 1:
        notes["symmetry_error"] = symmetry_error(parameters)
    tell("certificate", 1.0)
    return replace(panel, certificate={**certified, **notes})


def _rms(found: FullRun, full: FullRun) -> float:
    return float(np.sqrt(np.mean((found.temperatures - full.temperatures) ** 2)))


def certificate(
    panel: ReducedPanel, module: ModuleThermal, settings: TrainingSettings, folder: Path
) -> dict[str, Any]:
    """Return the errors of a reduced panel in orbits that it was not trained on.

    Parameters
    ----------
    panel : ReducedPanel
    module : ModuleThermal
        Of one panel.
    settings : TrainingSettings
    folder : Path
        Where the full runs are kept.

    Returns
    -------
    dict
        ``max_error``, ``rms_error`` (all nodes of panel and coolant, all times), ``node_error`` (largest, of the lumped
        nodes: supply, return, cold plate, body, ...) [K], ``energy_error`` (heat radiated in the orbit, relative),
        ``ledger_residual`` (relative), and the same for each orbit.
    """
    p = module.parameters
    histories = [orbit_history(p, settings, o, settings.step) for o in CERTIFICATE_ORBITS.values()]
    least, most = settings.emissivity
    histories = [replace(h, emissivity=float(np.clip(h.emissivity, least, most))) for h in histories]
    orbits: dict[str, dict[str, float]] = {}
    for name, history, full in zip(CERTIFICATE_ORBITS, histories, full_runs(module, iter(histories), folder)):
        found = run_reduced(panel, p, history, full)
        error = found.temperatures - full.temperatures
        radiated = float(full.emitted @ history.dt)
        inward = (history.front + history.back) * panel.area.sum() + history.heat.sum(axis=1)
        left = found.stored - history.dt * (inward - found.emitted)
        orbits[name] = {
            "max_error": float(np.abs(error).max()),
            "rms_error": _rms(found, full),
            "node_error": float(np.abs(found.nodes - full.nodes).max()),
            "energy_error": float(abs(found.emitted @ history.dt - radiated)) / radiated,
            "ledger_residual": float(np.abs(left).sum()) / radiated,
        }
    worst = {key: max(orbit[key] for orbit in orbits.values()) for key in orbits["nominal"]}
    return {**worst, "orbits": orbits}


def symmetry_error(parameters: ThermalParameters) -> float:
    """Return the largest difference between the panels of a module of two and the module of one panel [K]."""
    from twin.module_thermal import ModuleThermal

    one = one_panel(parameters)
    two = replace(one, panels=2, **{name: 2.0 * getattr(one, name) for name in EXTENSIVE})
    fields = []
    for p in (two, one):
        module = ModuleThermal(p)
        nodes = wing_heat(p)
        nodes["cold-plate"] = 0.7 * shed_heat(p, p.emissivity)
        loads = HeatLoads(80.0, 20.0, nodes)
        for k in range(3):
            module.step(loads, p.mass_flow, 10.0 * k, 10.0, k == 0)
        fields.append(np.asarray(module.panel_field()))
    return float(np.abs(fields[0].reshape(2, -1) - fields[1]).max())


def is_trained(
    parameters: ThermalParameters,
    settings: TrainingSettings = STANDARD,
    reduction: ReductionSettings | None = None,
) -> bool:
    """Return whether the cache has the reduced panel of a class of modules."""
    from solvers.reduced_training import ReductionSettings

    return _panel_path(cache_folder(), parameters, settings, reduction or ReductionSettings()).exists()


def _panel_path(folder: Path, *of: object) -> Path:
    return folder / f"panel-{content_key(*of)}.npz"  # type: ignore[arg-type]


def reduced_panel(
    parameters: ThermalParameters,
    settings: TrainingSettings = STANDARD,
    reduction: ReductionSettings | None = None,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> ReducedPanel:
    """Return the certified reduced panel of a class of modules, trained unless the cache has it.

    Parameters
    ----------
    parameters : ThermalParameters
        Of any module of the class: coatings may differ.
    settings, reduction, folder, progress
        As :func:`train`.
    """
    from solvers.reduced_training import ReductionSettings

    folder, reduction = folder or cache_folder(), reduction or ReductionSettings()
    path = _panel_path(folder, parameters, settings, reduction)
    if path.exists():
        try:
            return ReducedPanel.load(path)
        except (OSError, ValueError, KeyError, EOFError, TypeError, BadZipFile):
            path.unlink(missing_ok=True)  # of another format, or cut off by a full disk: trained anew
    panel = train(parameters, settings, reduction, folder, progress)
    with kept_in(folder):
        panel.save(path)
    return panel
