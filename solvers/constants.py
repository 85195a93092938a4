"""Physical constants that the solvers share."""

STEFAN_BOLTZMANN = 5.670374419e-8
"""Stefan-Boltzmann constant [W/m²K⁴], CODATA 2018."""

SPACE_TEMPERATURE = 2.725
"""Temperature of the cosmic background [K], Fixsen 2009, doi 10.1088/0004-637X/707/2/916."""
