"""Every reference case of `twin verify`, one test each."""

import pytest

from twin.verification import Check, reference_cases, run_case
from twin.verification.registry import select


@pytest.mark.parametrize("name", reference_cases())
def test_reference_case(name):
    checks = run_case(reference_cases()[name])
    assert checks
    failed = [f"{c.quantity}: {c.obtained!r}, expected {c.expected!r}" for c in checks if not c.passed]
    assert not failed


def test_the_published_list_is_there():
    """Section 5 of the reference data, by id."""
    wanted = {
        "nafems-t2", "nafems-t3", "vpcs-tpnv01", "triangle-cavity", "two-slabs-gap", "view-factors", "radiating-fin",
        "loop-radiator", "lumped-cooling", "cube-in-orbit", "four-nodes", "mms-shell", "mms-solid", "mms-time",
    }  # fmt: skip
    assert wanted <= set(reference_cases())


def test_a_wrong_number_fails():
    assert not Check("x", 1.0, 1.1, 0.05).passed
    assert not Check("x", 1.0, float("nan"), 0.05).passed
    assert Check("x", 200.0, 201.0, 0.01, relative=True).passed


def test_unknown_case_names_the_nearest():
    from twin.errors import BadInput

    with pytest.raises(BadInput, match="nafems-t2"):
        select(["nafems-t22"])
