"""Ensemble assimilation: many small local analyses at once, bounded parameters, and checks of consistency.

Knows nothing of plants or telemetry: arrays are (local analysis, …, member).
"""

from twin.assimilation.consistency import ConsistencyMonitor, Innovation, innovation_statistics
from twin.assimilation.ensemble_transform import Analysis, analyse, transform
from twin.assimilation.inflation import AdaptiveInflation, relaxed_spread
from twin.assimilation.lasting_errors import LastingErrors, restore_spread, sensitivity
from twin.assimilation.parameters import BoundedParameters

__all__ = [
    "AdaptiveInflation",
    "Analysis",
    "BoundedParameters",
    "ConsistencyMonitor",
    "Innovation",
    "LastingErrors",
    "analyse",
    "innovation_statistics",
    "relaxed_spread",
    "restore_spread",
    "sensitivity",
    "transform",
]
