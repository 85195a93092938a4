"""The component library: complete, sourced, and usable."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import TypeAdapter

from twin.case import types
from twin.case.components import (
    BatteryCell,
    Card,
    Coating,
    Coolant,
    EnvironmentSet,
    Material,
    SolarCell,
    Terminal,
)
from twin.case.library import KINDS, SHIPPED_LIBRARY, Library
from twin.case.tree import Node, plain

MODELS = {
    "batteries": BatteryCell,
    "cards": Card,
    "cells": SolarCell,
    "coatings": Coating,
    "coolants": Coolant,
    "environments": EnvironmentSet,
    "materials": Material,
    "terminals": Terminal,
}
LIBRARY = Library((SHIPPED_LIBRARY,))
ENTRIES = [(kind, name) for kind in KINDS for name in LIBRARY.entries(kind)]


def unsourced(node: Node, source: str, path: str) -> Iterator[str]:
    source = node.source or source
    if node.is_mapping:
        for key, child in node.children.items():
            yield from unsourced(child, source, f"{path}.{key}")
    elif not source:
        yield path


def test_every_kind_has_a_file_and_a_model() -> None:
    assert set(KINDS) == set(MODELS) == {path.stem for path in SHIPPED_LIBRARY.glob("*.yaml")}


@pytest.mark.parametrize(("kind", "name"), ENTRIES, ids=lambda part: part)
def test_components_are_valid_and_every_number_has_a_source(kind: str, name: str) -> None:
    node = LIBRARY.component(kind, name)
    assert node is not None
    component = TypeAdapter(MODELS[kind]).validate_python(plain(node))
    assert component.description
    # Words, switches and names in CoolProp need no source; numbers do.
    free = {f"{name}.description", f"{name}.scaled_with_distance", f"{name}.fluid"}
    assert set(unsourced(node, "", name)) <= free


@pytest.mark.parametrize(("kind", "name"), ENTRIES, ids=lambda part: part)
def test_what_is_assumed_says_why(kind: str, name: str) -> None:
    def sources(node: Node) -> Iterator[str]:
        yield node.source
        for child in node.children.values():
            yield from sources(child)

    node = LIBRARY.component(kind, name)
    assert node is not None
    for source in sources(node):
        assert source.strip() != "assumed"
        if "assumed" in source:
            assert len(source) > len("assumed: ") + 10


def test_h200_is_an_h100_with_more_memory() -> None:
    h100, h200 = (plain(LIBRARY.entries("cards")["h100-sxm"]), plain(LIBRARY.component("cards", "h200-sxm")))  # type: ignore[arg-type]
    assert {key for key in h100 if h100[key] != h200[key]} == {"description", "resident_power"}


def test_ves180_has_the_published_energy() -> None:
    """170 Wh at 160 Wh/kg: ESA ARTES, Development of High Specific Energy Li-Ion Cell."""
    cell = TypeAdapter(BatteryCell).validate_python(plain(LIBRARY.entries("batteries")["ves180"]))
    assert cell.energy / 3600.0 == pytest.approx(170.0, rel=0.005)
    assert cell.specific_energy / 3600.0 == pytest.approx(160.0, rel=0.005)


def test_four_junction_cell_keeps_the_published_efficiency() -> None:
    """27.5 % at 1e15 1-MeV electrons per cm²."""
    cell = TypeAdapter(SolarCell).validate_python(plain(LIBRARY.entries("cells")["zj-4j"]))
    assert cell.efficiency * cell.remaining_power[-1][1] == pytest.approx(0.275, abs=5e-4)
    assert cell.remaining_power[-1][0] == types.FLUENCE.parse("1e15 1/cm2")


@pytest.mark.parametrize("name", list(LIBRARY.entries("coolants")))
def test_coolant_limits_agree_with_coolprop(name: str) -> None:
    """Freezing and boiling against CoolProp; glycols are taken to boil like water, which errs low."""
    coolprop = pytest.importorskip("CoolProp.CoolProp")
    coolant = TypeAdapter(Coolant).validate_python(plain(LIBRARY.entries("coolants")[name]))
    if coolant.fluid.startswith("INCOMP::"):
        freezing = coolprop.PropsSI("T_FREEZE", "T", 300.0, "P", 3e5, coolant.fluid)
        boils = "Water"
    else:
        freezing, boils = coolprop.PropsSI("Ttriple", coolant.fluid), coolant.fluid
    assert coolant.minimum_temperature == pytest.approx(freezing, abs=0.2)
    for pressure, temperature in coolant.boiling:
        assert temperature == pytest.approx(coolprop.PropsSI("T", "P", pressure, "Q", 0, boils), abs=0.02)
    assert coolant.boiling_temperature(
        0.5 * (coolant.boiling[0][0] + coolant.boiling[1][0])
    ) == pytest.approx(0.5 * (coolant.boiling[0][1] + coolant.boiling[1][1]))
