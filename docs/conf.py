"""Sphinx: `make docs` builds docs/_build/html and treats warnings as errors."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from twin import __version__  # noqa: E402

project = "Dawndusk"
author = "The Dawndusk authors"
copyright = author  # noqa: A001
release = version = __version__
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "attrs_inline"]
myst_heading_anchors = 3
numpydoc_show_class_members = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": False}
# What a machine that only builds the pages need not have.
autodoc_mock_imports = ["dolfinx", "petsc4py", "mpi4py", "basix", "ufl"]
html_theme = "furo"
html_title = f"Dawndusk {release}"
# Equations are readable as text where the page has no network to fetch MathJax from.
nitpicky = False

_OUTWARD = re.compile(r"\[([^\]]*)\]\(((?:\.\./)+[^)#]+)(#[^)]*)?\)")


def _name_files_outside(app, docname, source) -> None:  # type: ignore[no-untyped-def]
    """Links from a page to a file of the checkout that is no page become the name of the file."""
    folder = (Path(app.srcdir) / docname).parent

    def name(match: re.Match[str]) -> str:
        target = (folder / match[2]).resolve()
        if target.is_relative_to(app.srcdir) or not target.exists():
            return match[0]  # a page, or a broken link, which is a warning
        return f"{match[1]} (`{target.relative_to(ROOT)}`)"

    source[0] = _OUTWARD.sub(name, source[0])


def setup(app) -> None:  # type: ignore[no-untyped-def]
    """Register the change of links."""
    app.connect("source-read", _name_files_outside)
