"""How flat arrays over the plant are laid out in a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import zarr
from numpy.typing import ArrayLike, NDArray

from twin.result_variables import AXES, Variable


@dataclass(frozen=True)
class ResultLayout:
    """Coordinates of a result, and where each flat module goes in (sub_center, module).

    Attributes
    ----------
    sub_centers : sequence of str
        Names, in order.
    module_sub_center : (module,) int array
        Sub-center index of each flat module.
    module_class : sequence of str, optional
        Class name of each flat module.
    axes : mapping of str to (n,) array
        Coordinate values of the further axes in use, see `twin.result_variables.AXES`.

    Raises
    ------
    ValueError
        A module points to no sub-center, the class list has another length, or an axis is unknown.
    """

    sub_centers: Sequence[str]
    module_sub_center: NDArray[np.integer]
    module_class: Sequence[str] = ()
    axes: Mapping[str, NDArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        owner = np.asarray(self.module_sub_center)
        if owner.ndim != 1 or owner.size == 0 or not np.issubdtype(owner.dtype, np.integer):
            raise ValueError(
                f"module_sub_center: expected integers of shape (module,), got shape {owner.shape}"
            )
        if owner.min() < 0 or owner.max() >= len(self.sub_centers):
            raise ValueError(
                f"module_sub_center: expected indices 0…{len(self.sub_centers) - 1}, "
                f"got {owner.min()}…{owner.max()}"
            )
        if len(self.module_class) not in (0, owner.size):
            raise ValueError(f"module_class: expected {owner.size} names, got {len(self.module_class)}")
        for name in self.axes:
            if name not in AXES:
                raise ValueError(f"axis {name!r}: expected one of {', '.join(AXES)}")
        object.__setattr__(self, "module_sub_center", owner)
        object.__setattr__(self, "axes", {"direction": np.array(["x", "y", "z"], dtype=object), **self.axes})

    @cached_property
    def modules_per_sub_center(self) -> NDArray[np.int64]:
        """Number of modules of each sub-center, shape (sub_center,)."""
        return np.bincount(self.module_sub_center, minlength=len(self.sub_centers))

    @cached_property
    def module_position(self) -> NDArray[np.int64]:
        """Position of each flat module inside its sub-center, shape (module,)."""
        position = np.empty(self.module_sub_center.size, dtype=np.int64)
        for index in range(len(self.sub_centers)):
            members = np.flatnonzero(self.module_sub_center == index)
            position[members] = np.arange(members.size)
        return position

    @cached_property
    def module_index(self) -> NDArray[np.int64]:
        """Flat index of each (sub_center, module), -1 where there is no such module."""
        index = np.full((len(self.sub_centers), self.length("module")), -1, dtype=np.int64)
        index[self.module_sub_center, self.module_position] = np.arange(self.module_sub_center.size)
        return index

    def length(self, dimension: str) -> int:
        """Return the number of entries along `dimension` (any but time).

        Raises
        ------
        ValueError
            The axis was not given when the result was created.
        """
        if dimension == "sub_center":
            return len(self.sub_centers)
        if dimension == "module":
            return int(self.modules_per_sub_center.max())
        if dimension not in self.axes:
            raise ValueError(f"axis {dimension!r} has no coordinate values: pass it in ResultLayout(axes=…)")
        return len(self.axes[dimension])

    def shape(self, variable: Variable, group: str) -> tuple[int, ...]:
        """Return the shape of one time slice of `variable` in the file."""
        return tuple(self.length(name) for name in variable.dimensions(group) if name != "time")

    def arrange(self, variable: Variable, group: str, values: ArrayLike) -> NDArray:
        """Return `values` in the shape of the file; flat modules are spread and padded with NaN.

        Raises
        ------
        ValueError
            The values have another shape than the layout expects.
        """
        array = np.asarray(values, dtype=variable.dtype)
        shape = self.shape(variable, group)
        expected = shape if group != "module" else (self.module_sub_center.size, *shape[2:])
        if array.shape != expected:
            raise ValueError(f"{group}/{variable.name}: expected shape {expected}, got {array.shape}")
        if group != "module":
            return array
        spread = np.full(shape, np.nan, dtype=variable.dtype)
        spread[self.module_sub_center, self.module_position] = array
        return spread


def write_layout(root: zarr.Group, layout: ResultLayout, groups: Sequence[str]) -> None:
    """Write the coordinates that do not change with time into each group that uses them."""
    index = layout.module_index
    for name in groups:
        group = root[name]
        assert isinstance(group, zarr.Group)
        if name in ("sub_center", "module", "card"):
            _coordinate(group, "sub_center", np.array(layout.sub_centers, dtype=object), "sub-center")
        if name == "module":
            _coordinate(group, "module", np.arange(index.shape[1]), "module within its sub-center")
            attributes = {
                "long_name": "flat index of the module in the run, -1 where there is none",
                "units": "1",
            }
            _array(group, "module_index", index, ("sub_center", "module"), attributes)
            if layout.module_class:
                _write_classes(group, layout, index)


def write_axis(group: zarr.Group, layout: ResultLayout, name: str) -> None:
    """Write the coordinate of the further axis `name` into `group` unless it is there."""
    if name not in group:
        units, long_name = AXES[name]
        _coordinate(group, name, np.asarray(layout.axes[name]), long_name, units)


def read_layout(root: zarr.Group) -> ResultLayout:
    """Return the layout that a result was created with."""
    index = np.asarray(root["module/module_index"][...])  # type: ignore[index]
    names = [str(name) for name in np.asarray(root["module/sub_center"][...])]  # type: ignore[index]
    sub_center, _ = np.nonzero(index >= 0)
    owner = np.empty(sub_center.size, dtype=np.int64)
    owner[index[index >= 0]] = sub_center
    axes: dict[str, NDArray] = {}
    for _, group in root.groups():
        axes |= {name: np.asarray(group[name][...]) for name in AXES if name in group}  # type: ignore[index]
    return ResultLayout(names, owner, axes=axes)


def _write_classes(group: zarr.Group, layout: ResultLayout, index: NDArray[np.int64]) -> None:
    classes = sorted(set(layout.module_class))
    codes = np.array([classes.index(name) for name in layout.module_class])
    attributes: dict[str, Any] = {
        "long_name": "class of the module, -1 where there is none",
        "flag_values": list(range(len(classes))),
        "flag_meanings": " ".join(classes),
    }
    _array(
        group, "module_class", np.where(index >= 0, codes[index], -1), ("sub_center", "module"), attributes
    )


def _coordinate(group: zarr.Group, name: str, values: NDArray, long_name: str, units: str = "") -> None:
    attributes: dict[str, Any] = {"long_name": long_name}
    if units and values.dtype != object:
        attributes["units"] = units
    _array(group, name, values, (name,), attributes)


def _array(
    group: zarr.Group, name: str, values: NDArray, dimensions: Sequence[str], attributes: Mapping[str, Any]
) -> None:
    array = group.create_array(
        name,
        shape=values.shape,
        dtype=str if values.dtype == object else values.dtype,
        chunks=values.shape,
        dimension_names=tuple(dimensions),
        attributes=dict(attributes),
    )
    array[...] = values
