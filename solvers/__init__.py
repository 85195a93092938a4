"""Field solvers: finite-element conduction, surface radiation, nodal networks and coolant loops.

Nothing here knows of plants or cases: arrays in, arrays out, in SI units.
"""
