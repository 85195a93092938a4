"""A case: what is simulated, as frozen typed models in SI units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, ValidationError

from twin.case.availability import GroundStation, RelaySatellite, Reliability
from twin.case.base import FromLibrary, Model
from twin.case.components import EnvironmentSet
from twin.case.errors import CaseError
from twin.case.library import SHIPPED_LIBRARY, Library
from twin.case.loading import Loaded, load_tree, tree_from_plain
from twin.case.mission import Interconnect, Mission, Numerics, OrbitChoice, SubCenter
from twin.case.module_class import ModuleClass
from twin.case.sizing import Sizing
from twin.case.structure import shape_of
from twin.case.tree import KeyPath, Node, plain
from twin.case.types import OrbitCount
from twin.case.workload import Workload

__all__ = ["Case"]


def _nominal_environment() -> EnvironmentSet:
    named = Library((SHIPPED_LIBRARY,)).component("environments", "nominal")
    assert named is not None
    return EnvironmentSet.model_validate(plain(named))


class Case(Model):
    """Everything that a run needs to know.

    `Case.load(path)` reads a file; attributes are SI floats, `resolved()` writes units again.
    """

    name: str
    """Short name, used for output folders and titles."""
    description: str = ""
    """What it is, in words."""
    mission: Mission
    """Time span."""
    environment: Annotated[EnvironmentSet, FromLibrary("environments")] = Field(
        default_factory=_nominal_environment, json_schema_extra={"default": "nominal"}
    )
    """Sun and Earth: nominal, mean, hot, cold, or values."""
    orbit: OrbitChoice
    """Orbit."""
    sub_centers: tuple[SubCenter, ...] = Field(min_length=1)
    """Parts of the plant."""
    module_classes: dict[str, ModuleClass] = Field(min_length=1)
    """Designs of modules by name."""
    interconnect: Interconnect = Interconnect()
    """Buses and coolant loops that modules share."""
    workload: Workload = Workload()
    """What the cards do."""
    reliability: Reliability | None = None
    """Failures and upsets of the cards (default: none)."""
    ground_stations: tuple[GroundStation, ...] = ()
    """Stations that relay terminals see."""
    relay_satellites: tuple[RelaySatellite, ...] = ()
    """Geostationary satellites that relay terminals reach."""
    numerics: Numerics = Numerics()
    """Steps and accuracy."""
    sizing: Sizing = Sizing()
    """Requirement, margins and uncertainty of `twin size`."""

    _tree: Node | None = PrivateAttr(default=None)
    _path: Path | None = PrivateAttr(default=None)

    @classmethod
    def load(cls, path: str | Path, overrides: Sequence[str] = ()) -> Case:
        """Read and check a case file.

        Parameters
        ----------
        path : str or Path
            YAML file.
        overrides : sequence of str
            `key.path=value`, as after `--set`; checked like the file.

        Raises
        ------
        CaseError
            Its `problems` are all that is wrong, each with file, line, key, value and what was expected.
        """
        path = Path(path)
        return cls._from_loaded(load_tree(path, overrides, shape_of(cls)), path)

    @classmethod
    def from_resolved(cls, data: Mapping[str, Any], overrides: Sequence[str] = ()) -> Case:
        """Build a case from what `resolved()` gave, for example out of a result."""
        loaded = tree_from_plain(dict(data), "resolved case", overrides, shape_of(cls))
        return cls._from_loaded(loaded, None)

    @classmethod
    def _from_loaded(cls, loaded: Loaded, path: Path | None) -> Case:
        from twin.case.consistency import contradictions
        from twin.case.messages import from_validation

        tree = loaded.tree
        try:
            case = cls.model_validate(plain(tree))
        except ValidationError as error:
            problems = [
                *loaded.problems.values(),
                *from_validation(error, tree, shape_of(cls), loaded.problems),
            ]
            raise CaseError.collected(problems) from None
        case._tree = tree
        case._path = path
        problems = contradictions(case, tree)
        if problems:
            raise CaseError.collected(problems)
        return case

    @property
    def path(self) -> Path | None:
        """File it was loaded from."""
        return self._path

    @property
    def card_count(self) -> int:
        """Cards of the whole plant."""
        return sum(
            group.count * self.module_classes[group.class_].racks.cards
            for center in self.sub_centers
            for group in center.modules
        )

    @property
    def module_count(self) -> int:
        """Modules of the whole plant."""
        return sum(center.module_count for center in self.sub_centers)

    def duration(self, orbital_period: float) -> float:
        """Length of the run (s), for an orbit of this period (s)."""
        length = self.mission.duration
        if isinstance(length, OrbitCount):
            return float(length) * orbital_period
        assert isinstance(length, timedelta)
        return length.total_seconds()

    def resolved(self) -> dict[str, Any]:
        """Return the whole case with defaults and library values, as a case file would write it.

        Only JSON types; quantities are text with units, and `Case.from_resolved` gives an equal case.
        """
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def origin(self, path: KeyPath) -> tuple[str, str]:
        """Return where a value comes from (case, extends, library, command line, default) and its source."""
        node, source = self._tree, ""
        for step in path:
            if node is None:
                break
            source = node.source or source
            if node.is_mapping:
                if step not in node.children or node.children[str(step)].content is None:
                    return "default", ""
                node = node.children[str(step)]
            elif node.is_list and isinstance(step, int) and step < len(node.content):
                node = node.content[step]
            else:
                break
        if node is None:
            return "default", ""
        return node.origin, node.source or source
