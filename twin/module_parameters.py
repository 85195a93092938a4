"""What a module's thermal model needs to know, in SI numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ThermalParameters:
    """Thermal design of a module at its present age.

    Attributes
    ----------
    panels : float
        Radiator panels, in parallel on the coolant; finite elements need a whole number.
    width, height, thickness : float
        Of a panel: across the tubes, along them, and of its conducting sheets together [m].
    conductivity, conductivity_across : float
        In the plane: across the tubes (the fin direction), and along them [W/mK].
    density, specific_heat : float
        Of the sheets [kg/m³, J/kgK].
    emissivity : float
        Of the radiating faces.
    two_sided : bool
        Whether the back face radiates as well.
    view_to_space : float
        Share of the view that neighbours do not take.
    tubes : int
        Tubes of a panel, or passes of a serpentine.
    arrangement : {"parallel", "serpentine"}
    tube_diameter : float
        Bore [m].
    mesh_size : float
        Largest element edge [m].
    fluid : str
        CoolProp name.
    pressure : float
        [Pa].
    mass_flow : float
        Rated, through the cold plates [kg/s].
    supply_temperature : float
        Set point [K].
    inventory_mass : float
        Coolant outside the radiator [kg].
    plate_conductance, cold_plate_capacity : float
        All cold plates to the coolant [W/K]; their metal [J/K].
    body_conductance, body_capacity, body_radiating_area : float
        Body to coolant [W/K], heat capacity [J/K], Σ ε·A of its faces [m²].
    battery_capacity, battery_conductance : float
        [J/K]; to the body [W/K].
    array_area, array_capacity, array_conductance : float
        Solar wing [m²], whole heat capacity [J/K], front to back [W/K].
    array_front_emissivity, array_back_emissivity : float
    tube_mesh_size : float, optional
        Element edge across the tubes at a tube; `mesh_size` unless given [m].
    """

    panels: float
    width: float
    height: float
    thickness: float
    conductivity: float
    conductivity_across: float
    density: float
    specific_heat: float
    emissivity: float
    two_sided: bool
    view_to_space: float
    tubes: int
    arrangement: str
    tube_diameter: float
    mesh_size: float
    fluid: str
    pressure: float
    mass_flow: float
    supply_temperature: float
    inventory_mass: float
    plate_conductance: float
    cold_plate_capacity: float
    body_conductance: float
    body_capacity: float
    body_radiating_area: float
    battery_capacity: float
    battery_conductance: float
    array_area: float
    array_capacity: float
    array_conductance: float
    array_front_emissivity: float
    array_back_emissivity: float
    tube_mesh_size: float | None = None

    @property
    def panel_area(self) -> float:
        """Area of all panels, one face [m²]."""
        return self.panels * self.width * self.height
