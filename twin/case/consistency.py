"""Contradictions between parts of a case that are each valid on their own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from twin.case.eclipse import EARTH_RADIUS, OrbitPlane, longest_eclipse, plane_from_ltan, plane_from_tle
from twin.case.errors import CaseError
from twin.case.loading import COMMAND_LINE
from twin.case.module_class import Converter, ModuleClass
from twin.case.nearest import suggestion
from twin.case.reading import is_file
from twin.case.tree import KeyPath, Node, find, key_text
from twin.case.types import LENGTH, POWER, PRESSURE, TEMPERATURE
from twin.case.workload import BatchJob, InferenceJob, ReplayJob, TrainingJob

if TYPE_CHECKING:
    from twin.case.case import Case

__all__ = ["compute_power", "contradictions", "orbit_plane"]


GEOSTATIONARY_ALTITUDE = 35_786e3
"""Height above the equator (m)."""

DOSE_ALTITUDES = (700e3, 800e3)
"""Altitudes for which the dose is tabulated (m)."""


@dataclass(frozen=True)
class _Contradiction:
    """What is wrong at a key; `also` are the other keys that take part."""

    path: KeyPath
    problem: str
    expected: str
    hint: str = ""
    also: tuple[KeyPath, ...] = ()


Found = Iterator[_Contradiction]


def contradictions(case: Case, tree: Node) -> list[CaseError]:
    """List all contradictions, each where the case itself, not one that it extends, has a part in it."""
    checks = (
        _names,
        _references,
        _files,
        _jobs,
        _coolant,
        _battery,
        _caps,
        _shared_bus,
        _links,
        _dose,
        _steps,
    )
    return [_located(found, tree) for check in checks for found in check(case)]


def _located(found: _Contradiction, tree: Node) -> CaseError:
    node, shown = _written(found.path, tree)
    problem, path = f"{shown} {found.problem}".lstrip(), found.path
    others = [(other, *_written(other, tree)) for other in found.also]
    nearer = [item for item in others if item[2] and _distance(item[1]) < _distance(node)]
    if nearer:
        path, node, other_shown = min(nearer, key=lambda item: _distance(item[1]))
        problem = f"with {other_shown}, {found.path[-1]} {problem}"
    scalar = not (node.is_mapping or node.is_list)
    place = node.place if scalar else node.key_place
    return CaseError(
        problem,
        file=place.file,
        line=place.line,
        column=place.column,
        key=key_text(path),
        value=node.content if scalar else None,
        expected=found.expected,
        hint=found.hint,
    )


def _distance(node: Node) -> int:
    """How far from what the user has just written: the command line, the case, what it builds on."""
    return {COMMAND_LINE: 0, "case": 1}.get(node.origin, 2)


def _written(path: KeyPath, tree: Node) -> tuple[Node, str]:
    """Return the node at a path, and its value in quotes where it is one scalar that stands in the file."""
    node, walked = find(tree, path)
    scalar = walked == path and not (node.is_mapping or node.is_list)
    return node, f"'{node.content}'" if scalar else ""


def orbit_plane(case: Case) -> OrbitPlane | None:
    """Return the orbit's plane for closed forms; None for an orbit given by a file."""
    orbit = case.orbit
    if orbit.altitude is not None and orbit.ltan is not None:
        return plane_from_ltan(orbit.altitude, orbit.ltan, case.mission.start)
    if orbit.tle is not None:
        return plane_from_tle(*orbit.tle)
    return None


def compute_power(case: Case, design: ModuleClass) -> float:
    """Mean power (W) of cards and hosts of a module under the case's jobs, behind their supply."""
    racks, card = design.racks, design.racks.card
    ceiling = racks.power_cap or card.power_limit
    total = case.card_count
    shares = [(min(job.cards / total, 1.0), _mean_activity(job)) for job in case.workload.jobs]
    busy = sum(share for share, _ in shares)
    mean = sum(share * activity for share, activity in shares) / max(busy, 1.0)
    resident = card.resident_power + card.leakage_power
    per_card = card.idle_power + min(busy, 1.0) * (resident - card.idle_power) + mean * card.dynamic_power
    return racks.cards * (min(per_card, ceiling) + racks.overhead_power)


def _mean_activity(job: TrainingJob | InferenceJob | BatchJob | ReplayJob) -> float:
    if isinstance(job, TrainingJob):
        share = job.communication_fraction
        iteration = (1.0 - share) * job.compute_activity + share * job.communication_activity
        pause = job.checkpoint_duration / job.checkpoint_interval
        return (1.0 - pause) * iteration + pause * job.checkpoint_activity
    if isinstance(job, InferenceJob):
        return job.mean_activity
    return job.level if isinstance(job, BatchJob) else 0.0


def _names(case: Case) -> Found:
    lists: list[tuple[KeyPath, list[str]]] = [
        (("sub_centers",), [center.name for center in case.sub_centers]),
        (("workload", "jobs"), [job.name for job in case.workload.jobs]),
        (("ground_stations",), [station.name for station in case.ground_stations]),
        (("relay_satellites",), [relay.name for relay in case.relay_satellites]),
    ]
    for name, design in case.module_classes.items():
        lists.append((("module_classes", name, "body", "faces"), [face.name for face in design.body.faces]))
    for path, names in lists:
        for i, name in enumerate(names):
            if name in names[:i]:
                yield _Contradiction((*path, i, "name"), "is the name of two items", "a name for each")


def _references(case: Case) -> Found:
    centers = [center.name for center in case.sub_centers]
    classes = list(case.module_classes)
    for i, center in enumerate(case.sub_centers):
        for j, group in enumerate(center.modules):
            if group.class_ not in classes:
                yield _Contradiction(
                    ("sub_centers", i, "modules", j, "class"),
                    "is not a module class of this case",
                    f"one of {', '.join(classes)}",
                    suggestion(group.class_, classes),
                )
    for i, job in enumerate(case.workload.jobs):
        if job.sub_center is not None and job.sub_center not in centers:
            yield _Contradiction(
                ("workload", "jobs", i, "sub_center"),
                "is not a sub-center of this case",
                f"one of {', '.join(centers)}",
                suggestion(job.sub_center, centers),
            )


def _classes_known(case: Case) -> bool:
    return all(group.class_ in case.module_classes for center in case.sub_centers for group in center.modules)


def _files(case: Case) -> Found:
    if case.path is None:
        return
    wanted: list[tuple[KeyPath, str]] = []
    if case.orbit.omm is not None:
        wanted.append((("orbit", "omm"), case.orbit.omm))
    for i, job in enumerate(case.workload.jobs):
        if isinstance(job, ReplayJob):
            wanted.append((("workload", "jobs", i, "trace"), job.trace))
    for path, name in wanted:
        if not is_file(case.path.parent / name):
            yield _Contradiction(path, "is not a file", f"a file relative to {case.path.parent}")


def _jobs(case: Case) -> Found:
    if not _classes_known(case):
        return
    cards = {
        center.name: sum(g.count * case.module_classes[g.class_].racks.cards for g in center.modules)
        for center in case.sub_centers
    }
    for i, job in enumerate(case.workload.jobs):
        where = f"sub-center {job.sub_center}" if job.sub_center else "plant"
        available = cards.get(job.sub_center or "", sum(cards.values()))
        if job.cards > available:
            yield _Contradiction(
                ("workload", "jobs", i, "cards"),
                f"is more cards than the {where} has: {available}",
                f"at most {available}",
                also=tuple(("module_classes", name, "racks", "cards") for name in case.module_classes),
            )

    budget = case.workload.power_budget
    for i, job in enumerate(case.workload.jobs):
        least = job.cards * (job.power_per_card or 0.0)
        if budget is not None and least > budget:
            yield _Contradiction(
                ("workload", "jobs", i, "power_per_card"),
                f"for {job.cards} cards is {POWER.format(least)}, more than workload.power_budget",
                f"at most {POWER.format(budget / job.cards)}",
                also=(("workload", "power_budget"), ("workload", "jobs", i, "cards")),
            )


def _links(case: Case) -> Found:
    terminals = [d.relay.terminal for d in case.module_classes.values() if d.relay is not None]
    for i, job in enumerate(case.workload.jobs):
        if job.data_rate > 0.0 and not terminals:
            yield _Contradiction(
                ("workload", "jobs", i, "data_rate"),
                "cannot leave a plant without relay terminals",
                "relay terminals in a module class",
                "or 0 bit/s",
                also=tuple(("module_classes", name, "relay") for name in case.module_classes),
            )
    for name, design in case.module_classes.items():
        # The highest orbit of a case is 5900 km above the ground.
        if design.relay is None or not case.relay_satellites or case.ground_stations:
            continue
        reach, height = design.relay.terminal.maximum_range, LENGTH.format(GEOSTATIONARY_ALTITUDE)
        if reach < GEOSTATIONARY_ALTITUDE - 5900e3:
            yield _Contradiction(
                ("module_classes", name, "relay", "terminal"),
                f"reaches {LENGTH.format(reach)}, and relay_satellites stand {height} high",
                "a terminal of that range, such as laser-geostationary",
                "relay_satellites: null drops those that come from extends",
            )


def _dose(case: Case) -> Found:
    plane = orbit_plane(case)
    if case.reliability is None or plane is None:
        return
    altitude = plane.semi_major_axis - EARTH_RADIUS
    low, high = DOSE_ALTITUDES
    if not low <= altitude <= high:
        yield _Contradiction(
            ("reliability",),
            f"needs the dose at {altitude / 1e3:.0f} km, which is known from {low / 1e3:g} to {high / 1e3:g} km",
            "an orbit between",
            "or no reliability: null",
            also=(("orbit", "altitude"),),
        )


def _coolant(case: Case) -> Found:
    for name, design in case.module_classes.items():
        loop = design.coolant_loop
        here: KeyPath = ("module_classes", name, "coolant_loop")
        path = (*here, "supply_temperature")
        also = ((*here, "pressure"), (*here, "fluid", "fluid"), ("module_classes", name, "racks", "card"))
        fluid = loop.fluid
        boiling = min(fluid.boiling_temperature(loop.pressure), fluid.maximum_temperature)
        label = fluid.description or fluid.fluid
        target = design.racks.card.target_temperature
        if loop.supply_temperature <= fluid.minimum_temperature:
            limit = TEMPERATURE.format(fluid.minimum_temperature)
            problem = f"is below the coldest temperature of {label}, {limit}"
            yield _Contradiction(path, problem, f"a temperature above {limit}", also=also)
        elif loop.supply_temperature >= boiling:
            limit = TEMPERATURE.format(round(boiling, 2))
            problem = f"is above the boiling point of {label} at {PRESSURE.format(loop.pressure)}, {limit}"
            yield _Contradiction(
                path, problem, f"a temperature below {limit}", "or a higher coolant_loop.pressure", also
            )
        elif loop.supply_temperature >= target:
            limit = TEMPERATURE.format(target)
            problem = f"is not below the card's target temperature, {limit}"
            yield _Contradiction(path, problem, f"a temperature below {limit}", also=also)


def _battery(case: Case) -> Found:
    plane = orbit_plane(case)
    for name, design in case.module_classes.items():
        battery, here = design.battery, ("module_classes", name, "battery")
        limit = (*here, "depth_of_discharge_limit")
        lowest = 1.0 - battery.depth_of_discharge_limit
        if battery.initial_state_of_charge < lowest - 1e-12:
            yield _Contradiction(
                (*here, "initial_state_of_charge"),
                "is deeper than depth_of_discharge_limit allows",
                f"at least {lowest:g}",
                also=(limit,),
            )
        if plane is None or design.bus.eclipse_policy != "ride_through" or not _classes_known(case):
            continue
        shadow = longest_eclipse(plane, case.mission.start)
        chain = design.bus.conversion
        load = design.bus.housekeeping_power + compute_power(case, design) / _best(chain.card_supply)
        needed = load * shadow / _best(chain.battery_converter)
        usable = battery.energy * battery.depth_of_discharge_limit
        if usable < needed:
            size = math.ceil(needed / battery.depth_of_discharge_limit / 3.6e5) / 10.0
            yield _Contradiction(
                (*here, "energy"),
                f"is too small to ride through an eclipse: {load / 1e3:.3g} kW for {shadow / 60.0:.3g} min "
                f"takes {needed / 3.6e6:.3g} kWh, and {battery.depth_of_discharge_limit:.0%} of it is "
                f"{usable / 3.6e6:.3g} kWh",
                f"at least {size:g} kWh",
                "or bus.eclipse_policy: shed or hybrid, or a deeper depth_of_discharge_limit",
                (
                    limit,
                    ("module_classes", name, "bus", "eclipse_policy"),
                    ("module_classes", name, "bus", "housekeeping_power"),
                    ("module_classes", name, "racks", "cards"),
                    ("module_classes", name, "racks", "overhead_power"),
                    ("module_classes", name, "racks", "power_cap"),
                    ("orbit", "altitude"),
                ),
            )


def _best(converter: Converter) -> float:
    return max(efficiency for _, efficiency in converter.efficiency)


def _caps(case: Case) -> Found:
    for name, design in case.module_classes.items():
        racks, bus = design.racks, design.bus
        if bus.power_cap is None:
            continue
        floor = bus.housekeeping_power + racks.cards * (racks.card.idle_power + racks.overhead_power)
        if bus.power_cap < floor:
            yield _Contradiction(
                ("module_classes", name, "bus", "power_cap"),
                "is less than the module draws with idle cards",
                f"at least {POWER.format(math.ceil(floor))}",
                also=(("module_classes", name, "racks", "cards"),),
            )


def _shared_bus(case: Case) -> Found:
    chosen, here = case.interconnect.bus, ("interconnect", "bus")
    if chosen == "module" or not _classes_known(case):
        return
    used = list(dict.fromkeys(group.class_ for center in case.sub_centers for group in center.modules))
    first = case.module_classes[used[0]].bus
    for name in used[1:]:
        bus = case.module_classes[name].bus
        if (bus.conversion, bus.voltage, bus.eclipse_policy) != (
            first.conversion,
            first.voltage,
            first.eclipse_policy,
        ):
            yield _Contradiction(
                here,
                f"puts modules on one bus whose buses differ: classes {used[0]} and {name}",
                "classes with the same bus.voltage, bus.conversion and bus.eclipse_policy",
                "or interconnect.bus: module",
                also=(("module_classes", name, "bus"),),
            )
            return
    phases = {center.phase for center in case.sub_centers}
    if chosen == "plant" and len(phases) > 1:
        yield _Contradiction(
            here,
            "puts sub-centers on one bus that fly apart from each other: their phases differ",
            "sub_center",
            "or the same phase for all sub-centers",
            also=(("sub_centers",),),
        )


def _steps(case: Case) -> Found:
    length = case.mission.duration
    if isinstance(length, timedelta) and length.total_seconds() < case.numerics.thermal_step:
        yield _Contradiction(
            ("mission", "duration"),
            "is shorter than one thermal step",
            f"at least {case.numerics.thermal_step:g} s",
            also=(("numerics", "thermal_step"),),
        )
