"""The parameter dictionary of a case: what every number of its telemetry is.

Parameters are numbered without gaps: for each sub-center its own quantities, then for each kind of module
packet and each module its quantities; the plant's come last. So the parameters of a sub-center are one range,
and those of a packet follow each other.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin.errors import BadInput
from twin.telemetry.layout import MOST_SUB_CENTERS, PacketLayout
from twin.telemetry.quantities import PACKETS, QUANTITIES, Quantity, Scope, packet_of
from twin.telemetry.scales import class_scales
from twin.telemetry.time_code import tai_seconds

if TYPE_CHECKING:
    from twin.case import Case

__all__ = ["Dictionary", "Parameter"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LAYOUTS: tuple[PacketLayout, ...] = tuple(PacketLayout(kind) for kind in PACKETS)


@dataclass(frozen=True)
class Parameter:
    """One entry of the dictionary.

    Attributes
    ----------
    index : int
    name : str
        ``sub_center/module/quantity``, or the statistic in place of the module; ``plant`` as sub-center.
    quantity : Quantity
        Line of the table: unit, statistic, words, modes.
    sub_center, module : int
        -1 where it is that of all.
    period : float
        Between samples [s].
    low, high : float
        Range of the sensor.
    noise, bias : float
        Standard deviations of a reading and of the calibration.
    rate : float
        Largest credible change [1/s].
    """

    index: int
    name: str
    quantity: Quantity
    sub_center: int
    module: int
    period: float
    low: float
    high: float
    noise: float
    bias: float
    rate: float


@dataclass(frozen=True, eq=False)
class Dictionary:
    """All parameters of a plant as arrays; see `of_case`.

    Attributes
    ----------
    case_name : str
    start : datetime
        Mission start, time zero of samples.
    sub_centers : tuple of str
    modules : (sub_center,) int array
        Modules of each sub-center.
    plant_index : (module,) int array
        Place of each module, sub-center by sub-center, in the flat arrays of `twin.plant.Plant`.
    period : float
        Between samples [s].
    module_scales, sub_center_scales, plant_scales : mapping of scale to (module,), (sub_center,), (1,) array
        What ranges and noise are multiples of.
    """

    case_name: str
    start: datetime
    sub_centers: tuple[str, ...]
    modules: Ints
    plant_index: Ints
    period: float
    module_scales: dict[str, Floats]
    sub_center_scales: dict[str, Floats]
    plant_scales: dict[str, Floats]

    @classmethod
    def of_case(cls, case: Case) -> Dictionary:
        """Generate the dictionary of a case.

        Raises
        ------
        BadInput
            If there are more sub-centers or modules than packets can name.
        """
        if len(case.sub_centers) > MOST_SUB_CENTERS:
            raise BadInput(
                f"telemetry: {len(case.sub_centers)} sub-centers; a packet can name up to {MOST_SUB_CENTERS}"
            )
        members: dict[str, list[int]] = {}
        for number, center in enumerate(case.sub_centers):
            if center.module_count > 2**16:
                raise BadInput(
                    f"telemetry: {center.module_count} modules in '{center.name}'; a packet can name up to {2**16}"
                )
            for group in center.modules:
                members.setdefault(group.class_, []).extend([number] * group.count)
        # The plant orders modules by class, telemetry by sub-center.
        owner = np.concatenate([np.array(rows) for rows in members.values()])
        order = np.argsort(owner, kind="stable")
        sizes = [len(rows) for rows in members.values()]
        per_class = [class_scales(case.module_classes[name]) for name in members]
        scales = {
            name: np.repeat([scale[name] for scale in per_class], sizes)[order] for name in per_class[0]
        }
        count = len(case.sub_centers)
        sums = {name: np.bincount(owner[order], values, minlength=count) for name, values in scales.items()}
        sums["one"] = np.ones(count)
        return cls(
            case_name=case.name,
            start=case.mission.start,
            sub_centers=tuple(center.name for center in case.sub_centers),
            modules=np.bincount(owner, minlength=count).astype(np.int64),
            plant_index=order.astype(np.int64),
            period=case.numerics.thermal_step,
            module_scales=scales,
            sub_center_scales=sums,
            plant_scales={n: np.ones(1) if n == "one" else v.sum(keepdims=True) for n, v in sums.items()},
        )

    # -- numbering --------------------------------------------------------------------------------

    @property
    def layouts(self) -> tuple[PacketLayout, ...]:
        """Kinds of packet in order."""
        return LAYOUTS

    @cached_property
    def first_module(self) -> Ints:
        """Where the modules of each sub-center begin in module order, (sub_center + 1,)."""
        return np.concatenate([[0], np.cumsum(self.modules)])

    @cached_property
    def _per_module(self) -> int:
        return sum(layout.fields for layout in LAYOUTS if layout.kind.scope == "module")

    @cached_property
    def _own(self) -> int:
        return sum(layout.fields for layout in LAYOUTS if layout.kind.scope == "sub_center")

    @cached_property
    def bounds(self) -> Ints:
        """First parameter of each sub-center, then that of the plant, then their number, (sub_center + 2,)."""
        sizes = self._own + self._per_module * self.modules
        plant = sum(layout.fields for layout in LAYOUTS if layout.kind.scope == "plant")
        return np.concatenate([[0], np.cumsum([*sizes, plant])])

    @property
    def size(self) -> int:
        """Number of parameters."""
        return int(self.bounds[-1])

    def __len__(self) -> int:
        return self.size

    def first(self, layout: PacketLayout) -> Ints:
        """First parameter of a kind of packet in each sub-center, (sub_center,); (1,) for the plant."""
        scope = layout.kind.scope
        if scope == "plant":
            return self.bounds[-2:-1]
        if scope == "sub_center":
            return self.bounds[: len(self.sub_centers)]
        before = 0
        for other in LAYOUTS:
            if other is layout:
                break
            before += other.fields if other.kind.scope == "module" else 0
        return self.bounds[: len(self.sub_centers)] + self._own + before * self.modules

    def of_sub_center(self, sub_center: int) -> slice:
        """Return the parameters of a sub-center and its modules; -1 gives those of the plant."""
        at = len(self.sub_centers) if sub_center < 0 else sub_center
        return slice(int(self.bounds[at]), int(self.bounds[at + 1]))

    def of_quantity(self, name: str, scope: Scope = "module", sub_center: int | None = None) -> Ints:
        """Return the parameters of a quantity, by sub-center and module.

        Parameters
        ----------
        name : str
            Of a quantity of the table.
        scope : {"module", "sub_center", "plant"}
        sub_center : int, optional
            Of one sub-center only.

        Returns
        -------
        int array
            (module,), (sub_center,) or (1,) indices; modules in the order of `modules`, sub-center by sub-center.

        Raises
        ------
        ValueError
            There is no such quantity; the message names the nearest one.
        """
        kind = packet_of(name, scope)
        layout = next(x for x in LAYOUTS if x.kind is kind)
        field = next(i for i, line in enumerate(kind.quantities) if line.name == name)
        first = self.first(layout)
        if scope == "plant":
            return first + field
        chosen = range(len(self.sub_centers)) if sub_center is None else (sub_center,)
        if scope == "sub_center":
            return np.array([first[c] + field for c in chosen])
        return np.concatenate([first[c] + field + layout.fields * np.arange(self.modules[c]) for c in chosen])

    # -- columns, (parameter,) --------------------------------------------------------------------

    @cached_property
    def quantity_index(self) -> NDArray[np.int16]:
        """Line of `twin.telemetry.quantities.QUANTITIES` of each parameter."""
        return self._column(lambda number, count: np.full(count, number), np.int16)

    @cached_property
    def sub_center(self) -> NDArray[np.int16]:
        """Sub-center of each parameter, -1 for those of the plant."""
        out = np.full(self.size, -1, np.int16)
        for number in range(len(self.sub_centers)):
            out[self.of_sub_center(number)] = number
        return out

    @cached_property
    def module(self) -> NDArray[np.int32]:
        """Module within its sub-center of each parameter, -1 for those of sub-centers and plant."""
        out = np.full(self.size, -1, np.int32)
        within = np.concatenate([np.arange(n) for n in self.modules])
        for kind, line in QUANTITIES:
            if kind.scope == "module":
                out[self.of_quantity(line.name)] = within
        return out

    @cached_property
    def low(self) -> Floats:
        """Lower end of the range."""
        return self._scaled("low")

    @cached_property
    def high(self) -> Floats:
        """Upper end of the range."""
        return self._scaled("high")

    @cached_property
    def noise(self) -> Floats:
        """Standard deviation of a reading."""
        return self._scaled("noise")

    @cached_property
    def bias(self) -> Floats:
        """Standard deviation of the calibration error."""
        return self._scaled("bias")

    @cached_property
    def rate(self) -> Floats:
        """Largest credible change [1/s]."""
        return self._scaled("rate")

    def scale(self, line: Quantity, scope: Scope) -> Floats:
        """What the numbers of a line are multiples of, for each module, sub-center or the plant."""
        scales = {
            "module": self.module_scales,
            "sub_center": self.sub_center_scales,
            "plant": self.plant_scales,
        }
        return scales[scope][line.scale]

    def _scaled(self, name: str) -> Floats:
        out = np.zeros(self.size)
        for kind, line in QUANTITIES:
            at = self.of_quantity(line.name, kind.scope)
            value = getattr(line, name)
            out[at] = value * self.scale(line, kind.scope) if value else 0.0
        return out

    def _column(self, values, dtype) -> NDArray:  # type: ignore[no-untyped-def]
        out = np.zeros(self.size, dtype)
        for number, (kind, line) in enumerate(QUANTITIES):
            at = self.of_quantity(line.name, kind.scope)
            out[at] = values(number, at.size)
        return out

    # -- entries ----------------------------------------------------------------------------------

    def name(self, index: int) -> str:
        """Return ``sub_center/module/quantity`` of a parameter."""
        _, line = QUANTITIES[self.quantity_index[index]]
        center, module = int(self.sub_center[index]), int(self.module[index])
        where = "plant" if center < 0 else self.sub_centers[center]
        return f"{where}/{module if module >= 0 else line.statistic}/{line.name}"

    def names(self) -> Iterator[str]:
        """Yield all names in order."""
        return (self.name(index) for index in range(self.size))

    def __getitem__(self, index: int) -> Parameter:
        i = range(self.size)[index]
        return Parameter(
            i, self.name(i), QUANTITIES[self.quantity_index[i]][1], int(self.sub_center[i]), int(self.module[i]),
            self.period, *(float(getattr(self, n)[i]) for n in ("low", "high", "noise", "bias", "rate")),
        )  # fmt: skip

    def index(self, name: str) -> int:
        """Return the parameter of a name.

        Raises
        ------
        BadInput
            There is no such parameter; the message says which part of the name is wrong and what is near it.
        """
        from twin.case.nearest import suggestion

        parts = name.split("/")
        if len(parts) != 3:
            raise BadInput(
                f"parameter '{name}': expected SUB_CENTER/MODULE/QUANTITY, such as '{self.name(self.size // 2)}'"
            )
        place, part, what = parts
        centers = [*self.sub_centers, "plant"]
        if place not in centers:
            hint = suggestion(place, centers)
            raise BadInput(
                f"parameter '{name}': no sub-center '{place}'; expected one of {', '.join(centers)}"
                + (f" ({hint})" if hint else "")
            )
        center = centers.index(place) if place != "plant" else -1
        scope: Scope = "plant" if center < 0 else "module" if part.isdecimal() else "sub_center"
        try:
            found = self.of_quantity(what, scope, center)
        except ValueError as error:
            raise BadInput(f"parameter '{name}': {error}") from None
        if scope == "module" and int(part) >= found.size:
            raise BadInput(f"parameter '{name}': no module {part}; expected 0 to {found.size - 1}")
        return int(found[int(part) if scope == "module" else 0])

    # -- identity ---------------------------------------------------------------------------------

    @cached_property
    def start_seconds(self) -> float:
        """Mission start as atomic seconds since 1958 [s]."""
        return tai_seconds(self.start)

    @cached_property
    def fingerprint(self) -> int:
        """32 bits that differ when sub-centers, modules, mission start or the table of quantities do."""
        words = {
            "case": self.case_name,
            "start": self.start_seconds,
            "sub_centers": [[name, int(count)] for name, count in zip(self.sub_centers, self.modules)],
            "quantities": [[kind.number, line.name, line.unit, line.is_mode] for kind, line in QUANTITIES],
        }
        return zlib.crc32(json.dumps(words).encode())
