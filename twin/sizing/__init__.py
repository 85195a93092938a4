"""Radiator sizing: how much each sub-center needs, with what margin and confidence."""

from twin.sizing.margins import POLICIES, MarginPolicy
from twin.sizing.panels import Panels
from twin.sizing.size import Sizing, SizingOptions, SubCenterSizing, size

__all__ = ["POLICIES", "MarginPolicy", "Panels", "Sizing", "SizingOptions", "SubCenterSizing", "size"]
