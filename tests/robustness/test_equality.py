"""The kill matrix sees a difference of one bit, and none where there is none."""

import numpy as np
import pytest
import xarray as xr
from equality import of_trees


def tree(values, names):
    numbers = np.array(values)
    return xr.DataTree.from_dict(
        {"/": xr.Dataset(), "/plant": xr.Dataset({"power": ("time", numbers), "name": ("time", names)})}
    )


NAMES = np.array(["a", "b"], dtype=np.dtypes.StringDType())


def test_equal_trees_are_equal():
    assert of_trees(tree([1.0, np.nan], NAMES), tree([1.0, np.nan], NAMES.astype(object))) == []


@pytest.mark.parametrize(
    ("values", "names", "place"),
    [
        ([1.0, np.nextafter(2.0, 3.0)], NAMES, "plant/power"),
        ([1.0, -0.0], NAMES, "plant/power"),
        ([1.0, 2.0], np.array(["a", "c"], dtype=np.dtypes.StringDType()), "plant/name"),
    ],
    ids=["bit", "sign", "text"],
)
def test_one_bit_is_seen(values, names, place):
    there = tree([1.0, 0.0] if values[1] == 0.0 else [1.0, 2.0], NAMES)
    assert of_trees(tree(values, names), there) == [place]


def test_nothing_is_not_equal_to_nothing():
    assert of_trees(xr.DataTree(), xr.DataTree())
