"""Thermal model of one module: finite-element radiator, coolant loop and lumped nodes, solved together.

    cards → cold plate → coolant → radiator tubes → panels → space
                            ↘ body (electronics, faces) → space        solar wing: front | back → space

The panels are shells on dolfinx (`solvers.thermal`); everything else is a nodal network (`solvers.network`)
whose ports are the tube nodes of the panels. One implicit stage solves both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from twin.errors import BadInput
from twin.group_thermal import (
    HALF_RISE,
    PLATE_CONTENT,
    VALVE_LIMIT,
    VALVE_TIME,
    HeatLoads,
    ThermalTick,
)
from twin.module_parameters import ThermalParameters

if TYPE_CHECKING:
    from meshes.mesh import Mesh
    from solvers.coolant import LiquidLimitEvent, TubeCircuit
    from solvers.integrator import Step
    from solvers.network import Network

Array = NDArray[np.float64]

VARIABLE = ("emissivity", "view_to_space", "plate_conductance", "body_conductance")
"""Parameters that may change while a module runs."""


def panel_mesh(parameters: ThermalParameters) -> Mesh:
    """Return the panels of a radiator wing as separate pieces, one behind the other along the tubes."""
    from meshes.mesh import join
    from meshes.panel import radiator_panel

    p = parameters
    panel = radiator_panel(
        p.width,
        p.height,
        p.mesh_size,
        p.tubes,
        p.arrangement,  # type: ignore[arg-type]
        tube_cell_size=p.tube_mesh_size,
    )
    gap = 0.02 * p.height
    pieces = {
        f"panel-{number}": panel.moved(translation=np.array([0.0, number * (p.height + gap), 0.0]))
        for number in range(max(1, round(p.panels)))
    }
    return join(pieces)


def panel_circuit(parameters: ThermalParameters, mesh: Mesh, panel: int) -> TubeCircuit:
    """Return the coolant path of one panel: a serpentine, or tubes between manifolds of the same total bore."""
    from solvers.coolant import TubeCircuit

    p, name = parameters, f"panel-{panel}"
    if p.arrangement == "serpentine" or p.tubes == 1:
        lines = {f"{name}/tube-0": p.tube_diameter}
        path = mesh.line(f"{name}/tube-0")
        return TubeCircuit.on_lines(mesh, lines, int(path[0]), int(path[-1]), name)
    lines = {f"{name}/tube-{i}": p.tube_diameter for i in range(p.tubes)}
    manifold = p.tube_diameter * np.sqrt(p.tubes)
    lines |= {f"{name}/inlet-manifold": manifold, f"{name}/outlet-manifold": manifold}
    inlet = int(mesh.line(f"{name}/inlet-manifold")[0])
    outlet = int(mesh.line(f"{name}/outlet-manifold")[-1])
    return TubeCircuit.on_lines(mesh, lines, inlet, outlet, name)


class ModuleThermal:
    """Full finite-element thermal model of a module.

    Parameters
    ----------
    parameters : ThermalParameters
    tolerance : float
        Relative residual at which a step is solved.

    Notes
    -----
    Runs under MPI: every process makes the same calls; node temperatures are alike on all of them.
    """

    def __init__(self, parameters: ThermalParameters, tolerance: float = 1e-9):
        from solvers.fluids import fluid
        from solvers.materials import Material, Section
        from solvers.thermal import ThermalModel

        if parameters.panels != round(parameters.panels):
            raise BadInput(
                f"{parameters.panels} radiator panels: finite elements need a whole number; use "
                "numerics.thermal: reduced for other areas"
            )
        parameters = replace(parameters, panels=round(parameters.panels))
        p = self.parameters = parameters
        self.liquid = fluid(p.fluid, p.pressure)
        self.mesh = panel_mesh(p)
        fin, along = p.conductivity, p.conductivity_across
        conductivity: float | Array = fin if fin == along else np.diag([fin, along, fin])
        sheet = Section.of(Material(conductivity, p.density, p.specific_heat), p.thickness)
        self.model = ThermalModel(self.mesh, dict.fromkeys(self.mesh.regions, sheet), tolerance=tolerance)
        self.circuits = [panel_circuit(p, self.mesh, panel) for panel in range(round(p.panels))]
        self.network = self._network()
        self._index = self.network.index
        ports = {name: node for circuit in self.circuits for name, node in circuit.ports.items()}
        self.coupling = self.model.couple(self.network, ports)
        self._surfaces()
        self.bypass = 0.0
        self._target: tuple[float, float] | None = None
        self._rate: Array | None = None
        self.state: Array = self.model.state(p.supply_temperature, [self._initial_network()])

    # -- building ---------------------------------------------------------------------------------

    def _surfaces(self) -> None:
        p, model = self.parameters, self.model
        self.front = model.front()
        self.radiation = [model.radiate(self.front, p.emissivity * p.view_to_space)]
        self.flux_front = model.absorb(self.front)
        self.flux_back = None
        if p.two_sided:
            self.back = model.back()
            self.radiation.append(model.radiate(self.back, p.emissivity * p.view_to_space))
            self.flux_back = model.absorb(self.back)
        self.faces = 2 if p.two_sided else 1

    def _network(self) -> Network:
        from solvers.constants import SPACE_TEMPERATURE
        from solvers.network import Network, Stream

        p = self.parameters
        # Specific heat is constant in a run: taken in the middle of the loop it is within 0.01 K of the true one.
        density, heat, _, _ = (float(v) for v in self.liquid.at(p.supply_temperature + HALF_RISE))
        self.density, self.specific_heat = density, heat
        capacity = {
            "reservoir": (1.0 - PLATE_CONTENT) * p.inventory_mass * heat,
            "plate-outlet": PLATE_CONTENT * p.inventory_mass * heat,
            "return": 0.0,
            "cold-plate": p.cold_plate_capacity,
            "body": p.body_capacity,
            "battery": p.battery_capacity,
            "array-front": 0.5 * p.array_capacity,
            "array-back": 0.5 * p.array_capacity,
        }
        streams = [
            Stream("reservoir", "plate-outlet", {"cold-plate": 1.0}),
            Stream("plate-outlet", "return", {"body": 1.0}),
            Stream("return", "reservoir"),
        ]
        for circuit in self.circuits:
            content = circuit.volume() * density * heat
            capacity |= {circuit.fluid_node(i): float(c) for i, c in enumerate(content)}
            streams.append(Stream("return", circuit.inlet_name))
            streams.append(Stream(circuit.outlet_name, "reservoir"))
        for circuit in self.circuits:
            streams.extend(circuit.streams)
        radiators = [
            ("array-front", "space", p.array_front_emissivity * p.array_area),
            ("array-back", "space", p.array_back_emissivity * p.array_area),
        ]
        if p.body_radiating_area > 0.0:
            radiators.append(("body", "space", p.body_radiating_area))
        network = Network(
            capacity,
            boundaries=["space"],
            ports=[name for circuit in self.circuits for name in circuit.ports],
            conductors=[
                ("array-front", "array-back", p.array_conductance),
                ("battery", "body", p.battery_conductance),
            ],
            radiators=radiators,
            streams=streams,
        )
        self._space = SPACE_TEMPERATURE
        return network

    def _initial_network(self) -> Array:
        values = np.full(len(self.network.names), self.parameters.supply_temperature)
        values[self._index["space"]] = self._space
        return values

    # -- running ----------------------------------------------------------------------------------

    def node(self, name: str) -> float:
        """Temperature of a network node now [K]."""
        return float(self.model.split(self.state)[1][0][self._index[name]])

    def vary(self, parameters: ThermalParameters) -> None:
        """Change the emissivity and the conductances to the coolant; the state goes on.

        Raises
        ------
        BadInput
            If something else differs: that is another finite-element model.
        """
        changed = {name: getattr(parameters, name) for name in VARIABLE}
        parameters = replace(parameters, panels=round(parameters.panels, 9))
        if replace(self.parameters, **changed) != parameters:
            raise BadInput(
                f"module: only {', '.join(VARIABLE)} can change during a run with finite elements; use "
                "numerics.thermal: reduced to change the radiator area"
            )
        self.parameters = parameters
        for condition in self.radiation:
            condition.emissivity = parameters.emissivity * parameters.view_to_space

    def set_flow(self, mass_flow: float, bypass: float) -> None:
        """Set the coolant flow [kg/s] and the share past the radiator."""
        p = self.parameters
        rate = mass_flow * self.specific_heat
        through = (1.0 - bypass) / len(self.circuits)
        # Films in the tubes follow the flow; plate and body keep the conductance of the rated flow.
        rates = [rate, rate, bypass * rate]
        conductance = [p.plate_conductance, p.body_conductance, 0.0]
        for _ in self.circuits:
            rates += [through * rate, through * rate]
            conductance += [0.0, 0.0]
        mean = float(np.mean([self.node(c.inlet_name) for c in self.circuits]))
        for circuit in self.circuits:
            rates += list(through * rate * circuit.share)
            conductance += list(circuit.conductance(self.liquid, through * mass_flow, mean))
        self.network.set_flow(np.array(rates), np.array(conductance))

    def _move_valve(self, dt: float) -> float:
        """Let the valve follow its set point over a step; return its mean position (second order in the step)."""
        target = self.valve_target()
        ahead = target
        if self._target is not None:
            previous, span = self._target
            ahead = float(np.clip(target + 0.5 * (target - previous) * dt / span, 0.0, VALVE_LIMIT))
        self._target = (target, dt)
        decay = np.exp(-dt / VALVE_TIME)
        mean = ahead + (self.bypass - ahead) * (1.0 - decay) * VALVE_TIME / dt
        self.bypass = ahead + (self.bypass - ahead) * decay
        return mean

    def radiator_outlet(self) -> float:
        """Mean coolant temperature at the outlets of the radiator [K]."""
        return float(np.mean([self.node(c.outlet_name) for c in self.circuits]))

    def valve_target(self) -> float:
        """Share past the radiator that would hold the supply temperature [1]."""
        from solvers.coolant import bypass_share

        p = self.parameters
        return bypass_share(
            p.supply_temperature, self.node("return"), self.radiator_outlet(), most=VALVE_LIMIT
        )

    def _set_loads(self, loads: HeatLoads) -> None:
        self.flux_front.value = loads.radiator_front
        if self.flux_back is not None:
            self.flux_back.value = loads.radiator_back
        heat = np.zeros(self.network.free)
        for name, value in loads.nodes.items():
            heat[self._index[name]] = value
        self.network.heat_input = heat

    def settle(self, loads: HeatLoads, mass_flow: float) -> None:
        """Go to the steady state of constant loads, with the valve where it holds the supply temperature."""
        from functools import cache

        from scipy.optimize import toms748

        self._set_loads(loads)

        @cache  # the search asks for both ends again, which are far from everything between
        def opening(bypass: float) -> float:
            self.bypass = bypass
            self.set_flow(mass_flow, bypass)
            self.state = self.model.solve_steady(self.state)
            return self.valve_target() - bypass

        # A closed valve that is too warm, or an open one that is too cold, is where the valve stays.
        if opening(0.0) > 0.0 and opening(VALVE_LIMIT) < 0.0:
            toms748(opening, 0.0, VALVE_LIMIT, xtol=1e-3)
        self._rate = self._target = None

    def step(self, loads: HeatLoads, mass_flow: float, time: float, dt: float, jump: bool) -> ThermalTick:
        """Advance by one implicit step.

        Parameters
        ----------
        loads : HeatLoads
            Mean over the step.
        mass_flow : float
            [kg/s].
        time, dt : float
            Start and length [s].
        jump : bool
            Whether loads jumped since the last step (eclipse entry or exit).
        """
        from solvers.integrator import advance

        self._set_loads(loads)
        self.set_flow(mass_flow, self._move_valve(dt))
        start = self.state
        taken = advance(self.model, start, time, dt, None if jump else self._rate)
        self.state, self._rate = taken.end, taken.rates[1]
        return self._account(taken, start)

    def _account(self, taken: Step, start: Array) -> ThermalTick:
        from solvers.integrator import STAGE_WEIGHTS

        p, net = self.parameters, self.network
        balance = self.model.balance(taken, start)
        node_emission = coolant = 0.0
        radiators = (
            ("array-front", p.array_front_emissivity * p.array_area),
            ("array-back", p.array_back_emissivity * p.array_area),
            ("body", p.body_radiating_area),
        )
        for stage, weight in zip(taken.stages, STAGE_WEIGHTS):
            temperature = self.model.split(stage)[1][0]
            for name, area in radiators:
                t = float(temperature[self._index[name]])
                node_emission += weight * net.sigma * area * (t**4 - self._space**4)
            supply, outlet = (float(temperature[self._index[n]]) for n in ("reservoir", "plate-outlet"))
            coolant += weight * net.capacity_rate[0] * (outlet - supply)
        before, after = (self.model.split(s)[1][0][: net.free] for s in (start, taken.end))
        stored = balance.stored + float(net.capacity @ (after - before))
        return ThermalTick(
            temperatures=self.temperatures(),
            heat_rejected=(balance.emitted - balance.absorbed) / taken.dt,
            emitted=balance.emitted / taken.dt + node_emission,
            absorbed=balance.absorbed / taken.dt,
            coolant_heat=coolant,
            stored=stored,
            bypass_fraction=self.bypass,
        )

    def liquid_limits(self, time: float) -> list[LiquidLimitEvent]:
        """Return where the coolant freezes or boils now, the worst first; `time` is told in the events [s]."""
        from solvers.coolant import liquid_limits

        return liquid_limits(self.network, self.liquid, self.model.split(self.state)[1][0], time=time)

    def temperatures(self) -> dict[str, float]:
        """Temperatures now by place [K]."""
        low, high = self.model.extremes(self.state)
        return {
            "panel_min": low,
            "panel_mean": self.model.area_mean(self.front, self.state),
            "panel_max": high,
            "supply": self.node("reservoir"),
            "return": self.node("return"),
            "radiator_outlet": self.radiator_outlet(),
            "cold_plate": self.node("cold-plate"),
            "body": self.node("body"),
            "battery": self.node("battery"),
            "array": self.node("array-front"),
            "array_back": self.node("array-back"),
        }

    def panel_field(self) -> Array | None:
        """Temperature of every mesh node on rank 0 [K]."""
        return self.model.field(self.state)

    def snapshot(self) -> dict[str, Array]:
        """Return all that a restart needs, on rank 0 in mesh numbering; collective."""
        state, rate = self.state, np.zeros_like(self.state) if self._rate is None else self._rate
        return {
            "field": np.asarray(self.model.field(state)),
            "field_rate": np.asarray(self.model.field(rate)),
            "network": self.model.split(state)[1][0].copy(),
            "network_rate": self.model.split(rate)[1][0].copy(),
            "valve": np.array(
                [self.bypass, float(self._rate is not None), *(self._target or (np.nan, np.nan))]
            ),
        }

    def restore(self, saved: Mapping[str, Array]) -> None:
        """Continue from a snapshot, given on rank 0 (the others may pass what they like for the fields)."""
        model = self.model
        self.state = np.concatenate([model.from_field(saved["field"]), saved["network"]])
        self.bypass = float(saved["valve"][0])
        target, span = (float(v) for v in saved["valve"][2:])
        self._rate, self._target = None, None if np.isnan(target) else (target, span)
        if saved["valve"][1]:
            self._rate = np.concatenate([model.from_field(saved["field_rate"]), saved["network_rate"]])
