"""How far to trust a run: energy that is missing, and the certificate of the reduced model."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np
import xarray as xr

from twin.results import certificate, resolved_case
from viz.curves import RESIDUAL_BAR

CERTIFICATE = {
    "max_error": ("largest error of a panel node, any time", "K"),
    "rms_error": ("error of the panel nodes, root mean square", "K"),
    "node_error": ("largest error of coolant, plates and body", "K"),
    "energy_error": ("error of the heat radiated in an orbit, relative", "1"),
    "ledger_residual": ("energy not accounted for, relative", "1"),
    "training_runs": ("runs that it was trained on", ""),
    "operator_error": ("error of the operators between table points, relative", "1"),
    "sampling_error": ("error of the sampled radiation, relative", "1"),
    "full_nodes": ("nodes of the finite element model", ""),
    "symmetry_error": ("difference between equal panels", "K"),
}
"""Words and units of what a certificate may hold."""


def worst_residual(result: xr.DataTree) -> float | None:
    """Return the largest relative energy residual of a run, None when the result has no ledger."""
    ledger = result["ledger"].to_dataset()
    if "energy_residual" not in ledger or ledger.sizes.get("time", 0) == 0:
        return None
    return float(np.abs(np.asarray(ledger["energy_residual"], dtype=np.float64)).max())


def trust_section(result: xr.DataTree) -> str:
    """Return the section as HTML."""
    parts = []
    residual = worst_residual(result)
    if residual is not None:
        verdict = "within" if residual <= RESIDUAL_BAR else "<b>above</b>"
        parts.append(
            f"<p>Largest energy residual over the run: <b>{residual:.1e}</b> of what was absorbed until then, "
            f"{verdict} the bar of {RESIDUAL_BAR:g}.</p>"
        )
    stored = certificate(result)
    if stored:
        parts.append(
            "<p>Panels were computed with a reduced model. Its certificate compares it with runs of the full finite "
            f"element model over orbits that it was not trained on:</p>{_table(stored)}"
        )
    elif (resolved_case(result).get("numerics") or {}).get("thermal") == "full":
        parts.append("<p>No reduced model was used: panels are solved by finite elements at every tick.</p>")
    parts.append("<p>The models are checked against published cases by <code>twin verify</code>.</p>")
    return "".join(parts)


def _table(stored: Mapping[str, object]) -> str:
    """Return a certificate as a table: a column per module class; classes with the same one share it."""
    if all(isinstance(value, Mapping) for value in stored.values()):
        groups = {str(key): dict(value) for key, value in stored.items() if isinstance(value, Mapping)}
    else:
        groups = {"all": dict(stored)}
    columns: dict[str, Mapping[str, object]] = {}
    for name, group in groups.items():
        twin = next((known for known, other in columns.items() if other == group), None)
        if twin is None:
            columns[name] = group
        else:
            columns = {f"{k}, {name}" if k == twin else k: v for k, v in columns.items()}
    keys = [
        key
        for key in dict.fromkeys(key for group in columns.values() for key in group)
        if _plain(columns, key)
    ]
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    rows = "".join(
        f"<tr><td>{escape(_label(key))}</td>"
        + "".join(f"<td>{escape(_short(key, group.get(key)))}</td>" for group in columns.values())
        + "</tr>"
        for key in keys
    )
    return (
        f"<div class='scroll'><table id='certificate'><thead><tr><th></th>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _label(key: str) -> str:
    return CERTIFICATE.get(key, (key.replace("_", " "), ""))[0]


def _plain(groups: Mapping[str, Mapping[str, object]], key: str) -> bool:
    """Whether all groups have text or a number for a key: long lists are in the result, not on the page."""
    return all(isinstance(group.get(key), str | int | float | None) for group in groups.values())


def _short(key: str, value: object) -> str:
    if value is None:
        return "–"
    unit = CERTIFICATE.get(key, ("", ""))[1]
    number = (
        f"{value:.3g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
    )
    return f"{number} {unit}" if unit == "K" else number
