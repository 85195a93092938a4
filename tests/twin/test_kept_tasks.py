"""Values of tasks on disk: what is read is what was kept, damage is noticed, and nothing else can be made."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from twin.errors import RunFailed
from twin.kept_tasks import KeptTasks, from_tree, to_tree
from twin.sweep_cluster import Workers, run_tasks


@dataclass(frozen=True, eq=False)
class Figures:
    name: str
    values: np.ndarray
    parts: tuple["Figures", ...] = ()


@dataclass(frozen=True)
class Foreign:
    command: str


def kept(folder, about="case"):
    return KeptTasks(folder, about, (Figures,))


def same(a, b):
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, Figures):
        return a.name == b.name and same(a.values, b.values) and same(a.parts, b.parts)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return type(a) is type(b) and np.float64(a).tobytes() == np.float64(b).tobytes()
    return type(a) is type(b) and a == b


ARRAYS = hnp.arrays(
    st.sampled_from(["f8", "f4", "i8", "?", "<U3"]), hnp.array_shapes(min_dims=0, max_dims=3, max_side=3)
)
PLAIN = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | ARRAYS
    | st.datetimes(timezones=st.just(UTC)) | st.builds(Figures, st.text(max_size=3), ARRAYS)
)  # fmt: skip
TREES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(TREES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_read_is_what_was_kept(tmp_path, value):
    store = kept(tmp_path)
    store.put("key", value)
    there, found = store.find("key")
    assert there
    assert same(found, value)


def test_datasets_keep_dimensions_attributes_and_text(tmp_path):
    data = xr.Dataset(
        {"area": (("place", "age"), np.arange(4.0).reshape(2, 2), {"units": "m2"})},
        {"place": np.array(["east", "west"], dtype=object), "age": [0.0, np.nan]},
        {"note": "x"},
    )
    store = kept(tmp_path)
    store.put("key", {"study": data})
    xr.testing.assert_identical(store.find("key")[1]["study"], data)


def test_a_damaged_value_is_none(tmp_path):
    store = kept(tmp_path)
    store.put("key", [1.0, np.arange(5)])
    data = bytearray((tmp_path / "key.npz").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "key.npz").write_bytes(data)
    assert store.find("key") == (False, None)


def test_only_named_kinds_are_made(tmp_path):
    tree = to_tree(Foreign("touch x"), {})
    with pytest.raises(KeyError):
        from_tree(tree, {}, {"Figures": Figures})
    with pytest.raises(TypeError, match="cannot be kept"):
        to_tree(object(), {})


def double(value):
    CALLS.append(value)
    if value < 0.0:
        raise RuntimeError("negative")
    return Figures("double", np.array([2.0 * value]))


CALLS: list[float] = []


def test_only_what_is_missing_or_failed_is_done_again(tmp_path):
    CALLS.clear()
    tasks = [(1.0,), (-1.0,), (3.0,)]
    first = run_tasks(Workers(kept=kept(tmp_path)), double, tasks[:2], attempts=1)
    assert [bool(done.error) for done in first] == [False, True]
    ended = []
    store = kept(tmp_path)
    again = run_tasks(Workers(kept=store), double, tasks, attempts=1, done=ended.append)
    assert CALLS == [1.0, -1.0, -1.0, 3.0]
    assert store.found == 1
    assert [d.number for d in again] == [0, 1, 2]
    assert sorted(d.number for d in ended) == [0, 1, 2]
    assert again[0].value.values.tobytes() == first[0].value.values.tobytes()
    assert again[2].value.values[0] == 6.0
    # Of another case nothing is taken.
    run_tasks(Workers(kept=kept(tmp_path, "another")), double, tasks[:1])
    assert CALLS[-1] == 1.0


def test_the_key_holds_all_that_a_value_depends_on(tmp_path):
    store = kept(tmp_path)
    base = (1, np.arange(3.0), datetime(2026, 1, 1, tzinfo=UTC), slice(0, 3))
    other = [
        (2, *base[1:]),
        (1, np.arange(3), *base[2:]),
        (1, np.arange(3.0).reshape(3, 1), *base[2:]),
        (*base[:2], datetime(2026, 1, 2, tzinfo=UTC), base[3]),
        (*base[:3], slice(0, 4)),
    ]
    keys = {store.key(double, arguments) for arguments in (base, *other)}
    assert len(keys) == 6
    assert store.key(double, base) == kept(tmp_path).key(double, base)


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    from twin import checkpoint

    def full(path, saved):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save", full)
    with pytest.raises(RunFailed, match=r"No space left on device.*--resume"):
        kept(tmp_path).put("key", 1.0)
