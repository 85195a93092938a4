"""Streaming writer of ``result.zarr``: memory does not grow with simulated time."""

from __future__ import annotations

import json
import math
import os
import platform
import tomllib
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import zarr
from numpy.typing import ArrayLike
from zarr.codecs import ZstdCodec

from twin.result_variables import GROUPS, Variable, find_variable
from twin.results.layout import ResultLayout, read_layout, write_axis, write_layout
from twin.results.reader import RESULT_FORMAT, open_store
from twin.results.replace import partial_path, put_in_place, remove

type GroupValues = Mapping[str, Mapping[str, ArrayLike]]

CHUNK_BYTES = 2**22
"""Aimed size of one chunk in memory [bytes]: good for a parallel file system, small in memory."""
LONGEST_CHUNK = 1024
"""Largest number of ticks in one chunk."""


class ResultWriter:
    """Write a result tick by tick, aside in ``<path>.partial``, and put it in place when it is complete.

    Use `create` or `resume`, then `append` once per tick. As a context manager it calls `finish` when the
    block ends well; when it fails, what was written stays in ``<path>.partial`` for `resume`, and a result
    that was at `path` before stays as it was.

    Examples
    --------
    >>> layout = ResultLayout(["center"], np.zeros(3, dtype=int))
    >>> with ResultWriter.create("out/result.zarr", layout, start, {"case": case}) as writer:
    ...     for tick in simulate(case):
    ...         values = {"plant": {"solar_power": 1e3}, "module": {"battery_soc": [1.0, 0.9, 0.8]}}
    ...         writer.append(tick.time, values)
    """

    def __init__(self, path: Path, layout: ResultLayout, root: zarr.Group) -> None:
        self.path = path
        self.layout = layout
        self._root = root
        self._streams: dict[str, _GroupStream] = {}
        self._last_time = -math.inf

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        layout: ResultLayout,
        start: datetime,
        attributes: Mapping[str, Any] | None = None,
        static: GroupValues | None = None,
    ) -> Self:
        """Start a new result; an unfinished one at the same path is dropped, a finished one is kept for now.

        Parameters
        ----------
        path : path
            Where the result will be, usually ``…/result.zarr``.
        layout : ResultLayout
            Sub-centers, modules and further axes.
        start : datetime
            Moment of time zero; UTC when it has no zone.
        attributes : mapping, optional
            Root attributes: ``case`` (resolved case; mappings are stored as JSON text), ``case_text``,
            ``certificate``, …
        static : {group: {name: array}}, optional
            Variables without time, shaped as in `append`.

        Raises
        ------
        ValueError
            A static variable is unknown or has the wrong shape.
        """
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        remove(partial_path(target))
        utc = start.replace(tzinfo=UTC) if start.tzinfo is None else start.astimezone(UTC)
        root = zarr.open_group(str(partial_path(target)), mode="w-", zarr_format=3)
        root.attrs.update(
            {
                "Conventions": "CF-1.11",
                "title": "Dawndusk result",
                "result_format": RESULT_FORMAT,
                "complete": False,
                "start": utc.isoformat(),
                "version": _own_version(),
                "environment": json.dumps(run_environment()),
                **_storable(attributes or {}),
            }
        )
        for group in GROUPS:
            root.create_group(group)
        write_layout(root, layout, tuple(GROUPS))
        writer = cls(target, layout, root)
        writer._write_static(static or {})
        return writer

    @classmethod
    def resume(cls, path: str | os.PathLike[str], until: float) -> Self:
        """Continue the unfinished result of `path` after a checkpoint.

        Parameters
        ----------
        path : path
            As given to `create`.
        until : float
            Time of the checkpoint [s since start]; later ticks are dropped and will be written again.

        Raises
        ------
        BadInput
            There is nothing to resume.
        ValueError
            The file ends before the checkpoint, so that ticks would be missing.
        """
        target = Path(path)
        root = open_store(partial_path(target), mode="r+")
        for aside in partial_path(target).rglob("*.partial"):  # half-written chunks of a run that was killed
            aside.unlink(missing_ok=True)
        writer = cls(target, read_layout(root), root)
        for name in GROUPS:
            group = root[name]
            assert isinstance(group, zarr.Group)
            if "time" in group:
                stream = _GroupStream.reopen(group, name, writer.layout)
                last = stream.truncate(until)
                if until > 0.0 and last < until - 1e-6:
                    raise ValueError(
                        f"{partial_path(target)}: group {name!r} ends at {last:g} s, "
                        f"before the checkpoint at {until:g} s"
                    )
                writer._streams[name] = stream
        writer._last_time = until
        return writer

    @property
    def attributes(self) -> dict[str, Any]:
        """Root attributes as stored."""
        return dict(self._root.attrs)

    def append(self, time: float, values: GroupValues) -> None:
        """Add one tick.

        Parameters
        ----------
        time : float
            End of the tick [s since start]; increases from call to call.
        values : {group: {name: array}}
            SI values: scalar in ``plant``, ``ledger``, ``orbit``; (sub_center,) in ``sub_center``;
            flat (module,) in ``module``; further axes last. The first call for a group sets its variables.

        Raises
        ------
        ValueError
            A variable is unknown, missing compared with the first tick, or has the wrong shape; or time does
            not increase.
        """
        if not time > self._last_time:
            raise ValueError(f"time of a tick: expected more than {self._last_time:g} s, got {time:g} s")
        for name, variables in values.items():
            if name not in self._streams:
                self._streams[name] = self._new_stream(name, tuple(variables))
        for name, stream in self._streams.items():
            stream.append(time, values.get(name, {}))
        self._last_time = time

    def flush(self) -> None:
        """Write everything that is buffered to disk: call it at a checkpoint."""
        for stream in self._streams.values():
            stream.flush()

    def finish(self, attributes: Mapping[str, Any] | None = None) -> Path:
        """Complete the result and put it in place; return its path.

        Parameters
        ----------
        attributes : mapping, optional
            Last root attributes, such as ``wall_time`` [s].
        """
        self.flush()
        self._root.attrs.update({**_storable(attributes or {}), "complete": True})
        with warnings.catch_warnings():
            # Not yet in the standard of Zarr 3; readers that do not know it pass over it.
            warnings.filterwarnings("ignore", message=".*[Cc]onsolidated")
            zarr.consolidate_metadata(self._root.store)
        put_in_place(self.path)
        return self.path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            if partial_path(self.path).exists():  # not yet finished by the caller
                self.finish()
        else:
            self.flush()

    def _new_stream(self, name: str, variables: tuple[str, ...]) -> _GroupStream:
        table = {variable: find_variable(name, variable) for variable in variables}
        group = self._root[name]
        assert isinstance(group, zarr.Group)
        start = datetime.fromisoformat(self._root.attrs["start"])  # type: ignore[arg-type]
        return _GroupStream.create(group, name, table, self.layout, start)

    def _write_static(self, static: GroupValues) -> None:
        for name, variables in static.items():
            group = self._root[name]
            assert isinstance(group, zarr.Group)
            for key, values in variables.items():
                variable = find_variable(name, key)
                if variable.sampling != "static":
                    raise ValueError(f"{name}/{key} varies with time: give it to append()")
                array = _create_array(group, variable, name, self.layout, ticks=1)
                array[...] = self.layout.arrange(variable, name, values)


class _GroupStream:
    """The buffered time series of one group; all its variables share one chunk length."""

    def __init__(
        self, group: zarr.Group, name: str, table: Mapping[str, Variable], layout: ResultLayout
    ) -> None:
        self._group = group
        self._name = name
        self._table = table
        self._layout = layout
        self._arrays = {key: _member(group, key) for key in (*table, "time")}
        self._chunk = self._arrays["time"].chunks[0]
        self._written = min(array.shape[0] for array in self._arrays.values())
        self._filled = 0
        self._time = np.empty(self._chunk)
        self._buffers = {
            key: np.empty((self._chunk, *layout.shape(variable, name)), dtype=variable.dtype)
            for key, variable in table.items()
        }

    @classmethod
    def create(
        cls,
        group: zarr.Group,
        name: str,
        table: Mapping[str, Variable],
        layout: ResultLayout,
        start: datetime,
    ) -> _GroupStream:
        """Create the arrays of the group, empty."""
        sizes = [
            np.dtype(line.dtype).itemsize * math.prod(layout.shape(line, name)) for line in table.values()
        ]
        ticks = int(np.clip(CHUNK_BYTES // max(sizes, default=1), 1, LONGEST_CHUNK))
        group.create_array(
            "time",
            shape=(0,),
            chunks=(ticks,),
            dtype="float64",
            dimension_names=("time",),
            attributes={
                "long_name": "end of the tick (UTC)",
                "standard_name": "time",
                "units": f"seconds since {start.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}",
                "calendar": "proleptic_gregorian",
            },
        )
        for variable in table.values():
            if variable.sampling == "static":
                raise ValueError(
                    f"{name}/{variable.name} does not vary with time: give it to create(static=…)"
                )
            _create_array(group, variable, name, layout, ticks)
        return cls(group, name, table, layout)

    @classmethod
    def reopen(cls, group: zarr.Group, name: str, layout: ResultLayout) -> _GroupStream:
        """Open the arrays of the group that vary with time."""
        keys = [key for key in group.array_keys() if key != "time" and _varies(_member(group, key))]
        return cls(group, name, {key: find_variable(name, key) for key in keys}, layout)

    def append(self, time: float, values: Mapping[str, ArrayLike]) -> None:
        """Buffer one tick; write the chunk when it is full."""
        if values.keys() != self._table.keys():
            missing, extra = self._table.keys() - values.keys(), values.keys() - self._table.keys()
            raise ValueError(
                f"group {self._name!r} at {time:g} s: every tick has the variables of the first one; "
                f"missing {sorted(missing)}, unexpected {sorted(extra)}"
            )
        for key, variable in self._table.items():
            self._buffers[key][self._filled] = self._layout.arrange(variable, self._name, values[key])
        self._time[self._filled] = time
        self._filled += 1
        if (self._written + self._filled) % self._chunk == 0:
            self.flush()

    def flush(self) -> None:
        """Write the buffered ticks; time goes last, so that a tick with a time stamp is whole."""
        if self._filled == 0:
            return
        end = self._written + self._filled
        for key, data in (*self._buffers.items(), ("time", self._time)):
            array = self._arrays[key]
            array.resize((end, *array.shape[1:]))
            array[self._written : end] = data[: self._filled]
        self._written, self._filled = end, 0

    def truncate(self, until: float) -> float:
        """Drop the ticks after `until` [s] and return the time of the last one kept."""
        times = np.asarray(self._arrays["time"][: self._written])
        # A checkpoint's time went through text or another precision: half a microsecond is no tick.
        self._written = int(np.searchsorted(times, until + 5e-7, side="right"))
        for array in self._arrays.values():
            array.resize((self._written, *array.shape[1:]))
        return float(times[self._written - 1]) if self._written else -math.inf


def written_until(path: str | os.PathLike[str]) -> float:
    """Return the time to which the unfinished result of `path` is whole [s since start]; infinite without ticks.

    Raises
    ------
    BadInput
        There is no unfinished result.
    """
    root = open_store(partial_path(Path(path)), mode="r")
    groups = [root[name] for name in GROUPS if name in root]
    series = [group for group in groups if isinstance(group, zarr.Group) and "time" in group]
    if not series:
        return math.inf  # nothing is written before the first checkpoint, which is of time zero
    ends = []
    for group in series:
        arrays = [_member(group, key) for key in group.array_keys() if _varies(_member(group, key))]
        whole = min(array.shape[0] for array in arrays)
        ends.append(float(_member(group, "time")[whole - 1]) if whole else 0.0)  # type: ignore[arg-type]
    return min(ends)


def run_environment() -> dict[str, str]:
    """Return the versions that a reader needs to repeat the run: Python, platform and main packages."""
    names = ("numpy", "scipy", "xarray", "zarr", "numba", "fenics-dolfinx", "petsc4py", "CoolProp", "sgp4")
    versions = {name: _installed_version(name) for name in names}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(aliased=True),
        "cpu_count": str(os.cpu_count()),
        **{name: version for name, version in versions.items() if version != "unknown"},
    }


def _own_version() -> str:
    version = _installed_version("dawndusk")
    source = Path(__file__).parents[2] / "pyproject.toml"
    if version == "unknown" and source.is_file():  # run from a checkout that is not installed
        return str(
            tomllib.loads(source.read_text(encoding="utf-8")).get("project", {}).get("version", version)
        )
    return version


def _installed_version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"


def _storable(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes as scalars and text only, so that the tree also fits netCDF."""
    return {
        key: json.dumps(value, default=str) if isinstance(value, Mapping | list | tuple) else value
        for key, value in attributes.items()
    }


def _create_array(
    group: zarr.Group, variable: Variable, name: str, layout: ResultLayout, ticks: int
) -> zarr.Array:
    dimensions = variable.dimensions(name)
    for axis in variable.axes:
        layout.length(axis)
        write_axis(group, layout, axis)
    shape = layout.shape(variable, name)
    timed = dimensions[:1] == ("time",)
    return group.create_array(
        variable.name,
        shape=(0, *shape) if timed else shape,
        chunks=(ticks, *shape) if timed else shape,
        dtype=variable.dtype,
        fill_value=math.nan,
        compressors=ZstdCodec(checksum=True),  # a damaged chunk is found, not read
        dimension_names=dimensions,
        attributes=dict(variable.attributes()),
    )


def _varies(array: zarr.Array) -> bool:
    return "time" in (getattr(array.metadata, "dimension_names", None) or ())


def _member(group: zarr.Group, name: str) -> zarr.Array:
    array = group[name]
    assert isinstance(array, zarr.Array)
    return array
