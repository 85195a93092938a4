"""Radiator sizing: how much each sub-center needs, with what margin and confidence."""

from twin.sizing.margins import POLICIES, MarginPolicy
from twin.sizing.panels import Panels
from twin.sizing.size import Sizing, SubCenterSizing, size

__all__ = ["POLICIES", "MarginPolicy", "Panels", "Sizing", "SubCenterSizing", "size"]
