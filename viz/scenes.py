"""Scenes by name: what to show of a result, when, and coloured by what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twin.errors import BadInput
from viz.center_scene import CardsScene, CenterScene
from viz.module_view import ModuleView
from viz.paints import DEFAULT_PAINT, Paint
from viz.plant_data import PlantData
from viz.plant_scene import PlantScene
from viz.rack_scene import RackScene
from viz.stage import Scene


@dataclass(frozen=True)
class Choice:
    """What to show.

    Attributes
    ----------
    scene : str
        One of `viz.plant_data.SCENES`.
    sub_center, module : int
        Which one, for the scenes ``sub_center``, ``module`` and ``racks``.
    """

    scene: str
    sub_center: int = 0
    module: int = 0


def usual_scene(data: PlantData) -> str:
    """Return the scene that says most: the module of a single satellite, else the plant."""
    return "module" if int(data.present.sum()) == 1 and "module" in data.scenes else data.scenes[0]


def make_scene(data: PlantData, choice: Choice) -> Scene:
    """Return the scene of a choice.

    Raises
    ------
    BadInput
        There is no such scene, sub-center or module.
    """
    if choice.scene == "racks" and "racks" not in data.scenes:
        raise BadInput(
            "scene 'racks': the result holds no maps of cards; run the case again with this version"
        )
    if choice.scene not in data.scenes:
        raise BadInput(f"scene {choice.scene!r}: expected one of {', '.join(data.scenes)}")
    if not 0 <= choice.sub_center < len(data.sub_centers):
        raise BadInput(f"sub-center {choice.sub_center}: expected 0…{len(data.sub_centers) - 1}")
    if choice.scene == "plant":
        return PlantScene(data)
    if choice.scene == "cards":
        return CardsScene(data)
    if choice.scene == "sub_center":
        return CenterScene(data, choice.sub_center)
    present = data.present[choice.sub_center]
    if not (0 <= choice.module < present.size and present[choice.module]):
        name = data.sub_centers[choice.sub_center]
        raise BadInput(
            f"module {choice.module}: sub-center {name} has the modules 0…{int(present.sum()) - 1}"
        )
    if choice.scene == "racks":
        return RackScene(data, choice.sub_center, choice.module)
    return ModuleView(data, choice.sub_center, choice.module)


def sub_center_index(data: PlantData, name: str | None) -> int:
    """Return the index of a sub-center by name, the first for None.

    Raises
    ------
    BadInput
        There is none of this name.
    """
    if name is None:
        return 0
    if name not in data.sub_centers:
        raise BadInput(f"--sub-center {name}: expected one of {', '.join(data.sub_centers)}")
    return data.sub_centers.index(name)


def usual_paint(data: PlantData, scene: str, paints: Sequence[Paint] | None = None) -> Paint:
    """Return what a scene is coloured by unless told.

    Raises
    ------
    BadInput
        The result holds nothing to colour by.
    """
    known = {paint.variable: paint for paint in (data.paints if paints is None else paints)}
    if not known:
        raise BadInput(f"{data.path or data.name}: holds no values of modules to colour by")
    wanted = DEFAULT_PAINT[scene]
    return known.get(wanted) or next(iter(known.values()))
