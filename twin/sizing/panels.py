"""Reduced panels for sizing: trained for flows far from the rated one, because fewer panels carry more each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from solvers.reduced_panel import ReducedPanel
from twin import component_models
from twin.case.module_class import ModuleClass
from twin.module_parameters import ThermalParameters
from twin.reduced_training import TrainingSettings, content_key, reduced_panel

if TYPE_CHECKING:
    from solvers.reduced_training import ReductionSettings

__all__ = ["SIZING_TRAINING", "Panels"]

SIZING_TRAINING = TrainingSettings(relative_flow=(0.5, 2.0))
"""Between half and twice the rated flow through a panel: twice to half the area of the design."""


class Panels:
    """The reduced panels of module classes, each trained once (or read from the cache of trained panels).

    Parameters
    ----------
    training : TrainingSettings
    progress : callable, optional
        Called with (what is being done, share done).
    reduction : ReductionSettings, optional
    """

    def __init__(
        self,
        training: TrainingSettings = SIZING_TRAINING,
        progress: Callable[[str, float], None] | None = None,
        reduction: ReductionSettings | None = None,
    ):
        self.training, self.reduction, self.progress = training, reduction, progress
        self._known: dict[str, ReducedPanel] = {}

    def __call__(self, design: ModuleClass) -> ReducedPanel:
        """Return the panel of a class."""
        parameters: ThermalParameters = component_models.thermal(design, 0.0)
        key = content_key(parameters, self.training)
        if key not in self._known:
            self._known[key] = reduced_panel(
                parameters,
                self.training,
                self.reduction,
                progress=self.progress,
            )
        return self._known[key]

    def without_progress(self) -> Panels:
        """Return the same panels without the callable, which workers elsewhere cannot call."""
        other = Panels(self.training, reduction=self.reduction)
        other._known = self._known
        return other
