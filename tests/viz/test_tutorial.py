"""The tutorial runs from start to end, with shorter times."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "docs/tutorials/from-case-to-sizing.ipynb"
SHORTER = {
    "DURATION = 5_900.0": "DURATION = 600.0",
    "SAMPLES = 8": "SAMPLES = 2",
    '"out" / "tutorial"': '"{out}"',
}


def test_the_tutorial_has_its_output() -> None:
    """What a reader sees without running it: every cell in order, pictures, no errors, and the decision at its end."""
    cells = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = [output.output_type for cell in cells for output in cell.outputs]
    assert "error" not in kinds and kinds.count("execute_result") >= 3
    words = "".join(output.get("text", "") for cell in cells for output in cell.outputs)
    assert "lowest margin of this orbit" in words and "m²" in words
    last = "".join(output.get("text", "") for output in cells[-1].outputs)
    assert "required at worst" in last and last.strip().endswith(("enough", "too small"))


@pytest.mark.slow  # a sizing, and the training of a reduced model where it is not in the cache
def test_tutorial_runs(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        for long, short in SHORTER.items():
            cell.source = cell.source.replace(long, short.format(out=tmp_path) if "{out}" in short else short)
    NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
    words = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert "required at worst" in words
