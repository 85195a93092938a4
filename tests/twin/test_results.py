"""The writer and reader of result.zarr: contract, streaming, resume, failure and clear errors."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from twin.errors import BadInput
from twin.result_variables import GROUPS, VARIABLES, find_variable
from twin.results import ResultLayout, ResultWriter, open_result, resolved_case
from twin.results.replace import partial_path, put_in_place

START = datetime(2026, 11, 10, 12, 0, 0, tzinfo=UTC)
OWNER = np.array([1, 0, 0, 1, 0])  # interleaved: three modules in the first sub-center, two in the second


@pytest.fixture
def layout() -> ResultLayout:
    return ResultLayout(
        ["alpha", "beta"],
        OWNER,
        ["wing", "core", "wing", "wing", "core"],
        {"quantile": np.array([0.5, 0.99])},
    )


def values_at(time: float) -> dict[str, dict[str, np.ndarray]]:
    return {
        "plant": {"solar_power": np.float64(time), "battery_soc": np.float64(0.5)},
        "sub_center": {"solar_power": np.array([time, 2 * time])},
        "module": {"card_power": 100.0 * np.arange(5) + time},
        "card": {"junction_temperature_quantile": np.array([[300, 301], [302, 303]])},
        "ledger": {"energy_residual": np.float64(1e-9)},
        "orbit": {"position": np.array([7e6, time, 0.0])},
    }  # fmt: skip


def write(path: Path, layout: ResultLayout, times: np.ndarray, **attributes: object) -> None:
    with ResultWriter.create(path, layout, START, attributes) as writer:
        for time in times:
            writer.append(time, values_at(time))


def test_contract_names_are_in_the_table() -> None:
    """The names that the design promises under Results."""
    promised = """
        solar_power load_power battery_soc card_power heat_rejected coolant_supply_temperature
        coolant_return_temperature junction_temperature_p50 junction_temperature_p99 junction_temperature_max
        throttled_fraction_thermal throttled_fraction_power throughput_fraction radiator_area
        radiator_margin"""
    for name in promised.split():
        for group in ("plant", "sub_center", "module"):
            assert find_variable(group, name).units
    assert find_variable("ledger", "energy_residual").units == "1"


def test_table_is_sound() -> None:
    keys = [(group, variable.name) for variable in VARIABLES for group in variable.groups]
    assert len(keys) == len(set(keys)), "a variable is listed twice in one group"
    for variable in VARIABLES:
        assert variable.long_name and variable.units and set(variable.groups) <= set(GROUPS)
        assert np.issubdtype(np.dtype(variable.dtype), np.floating)


def test_round_trip(tmp_path: Path, layout: ResultLayout) -> None:
    times = np.array([10.0, 20.0, 23.456789, 30.0])
    write(
        tmp_path / "result.zarr", layout, times, case={"name": "demo", "mission": {"age": 1.0}}, wall_time=2.5
    )
    tree = open_result(tmp_path)
    assert set(tree.children) == set(GROUPS)
    assert resolved_case(tree) == {"name": "demo", "mission": {"age": 1.0}}
    assert tree.attrs["complete"] and tree.attrs["wall_time"] == 2.5

    plant = tree["plant"].to_dataset()
    assert plant.solar_power.dims == ("time",)
    np.testing.assert_allclose(plant.solar_power, times)
    assert plant.solar_power.attrs["units"] == "W" and plant.solar_power.attrs["cell_methods"] == "time: mean"
    elapsed = (
        (plant.time.values - np.datetime64(START.replace(tzinfo=None), "ns")) / np.timedelta64(1, "ns") * 1e-9
    )
    np.testing.assert_allclose(elapsed, times, atol=1e-6)

    module = tree["module"].to_dataset()
    assert module.card_power.dims == ("time", "sub_center", "module")
    assert list(module.sub_center.values) == ["alpha", "beta"]
    np.testing.assert_allclose(module.card_power[0], [[110, 210, 410], [10, 310, np.nan]])
    np.testing.assert_array_equal(module.module_index, [[1, 2, 4], [0, 3, -1]])
    names = module.module_class.attrs["flag_meanings"].split()
    assert [[names[k] if k >= 0 else "" for k in row] for row in module.module_class.values] == [
        ["core", "wing", "core"],
        ["wing", "wing", ""],
    ]
    card = tree["card"].to_dataset()
    np.testing.assert_array_equal(
        card.junction_temperature_quantile.sel(quantile=0.99).isel(time=0), [301, 303]
    )
    assert list(tree["orbit"].direction.values) == ["x", "y", "z"]


@given(
    counts=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    seed=st.integers(0, 2**16),
)
def test_arrange_loses_no_module(counts: list[int], seed: int) -> None:
    """Whatever the order of the flat modules, each value lands once, in its own sub-center."""
    owner = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    layout = ResultLayout([f"s{k}" for k in range(len(counts))], owner)
    values = np.arange(owner.size, dtype=float)
    spread = layout.arrange(find_variable("module", "card_power"), "module", values)
    for index in range(len(counts)):
        row = spread[index]
        np.testing.assert_array_equal(row[np.isfinite(row)], values[owner == index])
    np.testing.assert_array_equal(layout.module_index[np.isfinite(spread)], spread[np.isfinite(spread)])


def test_memory_is_bounded_by_the_chunk(tmp_path: Path) -> None:
    """A long run keeps at most one chunk of each variable in memory, and reaches disk meanwhile."""
    layout = ResultLayout(["a"], np.zeros(4, dtype=int))
    writer = ResultWriter.create(tmp_path / "result.zarr", layout, START)
    for time in range(1, 3001):
        writer.append(float(time), {"module": {"card_power": np.full(4, time)}})
    on_disk = zarr.open_group(str(partial_path(tmp_path / "result.zarr")), mode="r")["module/time"].shape[0]
    assert on_disk == 2048
    buffered = sum(buffer.shape[0] for buffer in writer._streams["module"]._buffers.values())
    assert buffered == 1024
    writer.finish()
    np.testing.assert_array_equal(open_result(tmp_path)["module/card_power"][:, 0, 3], np.arange(1, 3001))


def test_resume_gives_the_same_result(tmp_path: Path, layout: ResultLayout) -> None:
    """Interrupted after a checkpoint and resumed: equal to the run without interruption."""
    times = np.arange(1.0, 1501.0)
    write(tmp_path / "whole.zarr", layout, times)
    target = tmp_path / "result.zarr"
    with pytest.raises(KeyboardInterrupt), ResultWriter.create(target, layout, START) as writer:
        for time in times[:1200]:
            writer.append(time, values_at(time))
            if time == 700:
                writer.flush()
        raise KeyboardInterrupt
    assert not target.exists()
    with ResultWriter.resume(target, until=700.0) as writer:
        assert writer.layout.module_index.tolist() == layout.module_index.tolist()
        for time in times[700:]:
            writer.append(time, values_at(time))
    whole, resumed = open_result(tmp_path / "whole.zarr"), open_result(target)
    for group in GROUPS:
        assert resumed[group].to_dataset().identical(whole[group].to_dataset())


def test_resume_needs_the_checkpoint_on_disk(tmp_path: Path, layout: ResultLayout) -> None:
    target = tmp_path / "result.zarr"
    writer = ResultWriter.create(target, layout, START)
    writer.append(1.0, values_at(1.0))
    writer.flush()
    with pytest.raises(ValueError, match="ends at 1 s, before the checkpoint at 5 s"):
        ResultWriter.resume(target, until=5.0)
    with pytest.raises(BadInput, match="without --resume"):
        ResultWriter.resume(tmp_path / "other.zarr", until=5.0)


def test_failure_keeps_the_result_that_was(tmp_path: Path, layout: ResultLayout) -> None:
    target = tmp_path / "result.zarr"
    write(target, layout, np.array([1.0, 2.0]))
    with pytest.raises(RuntimeError), ResultWriter.create(target, layout, START) as writer:
        writer.append(5.0, values_at(5.0))
        raise RuntimeError("solver failed")
    np.testing.assert_allclose(open_result(target)["plant/solar_power"], [1.0, 2.0])
    write(target, layout, np.array([7.0]))
    np.testing.assert_allclose(open_result(target)["plant/solar_power"], [7.0])
    assert sorted(item.name for item in tmp_path.iterdir()) == ["result.zarr"]


def test_failed_exchange_puts_the_old_one_back(tmp_path: Path) -> None:
    old = tmp_path / "folder"
    old.mkdir()
    (old / "mark").write_text("old")
    with pytest.raises(OSError):
        put_in_place(old)  # there is no folder.partial
    assert (old / "mark").read_text() == "old"


def test_programming_errors_are_named(tmp_path: Path, layout: ResultLayout) -> None:
    writer = ResultWriter.create(tmp_path / "result.zarr", layout, START)
    with pytest.raises(ValueError, match="nearest is 'solar_power'"):
        writer.append(1.0, {"plant": {"solar_powr": 1.0}})
    with pytest.raises(ValueError, match="result group 'plnt'"):
        writer.append(1.0, {"plnt": {"solar_power": 1.0}})
    with pytest.raises(ValueError, match=r"module/card_power: expected shape \(5,\), got \(4,\)"):
        writer.append(1.0, {"module": {"card_power": np.ones(4)}})
    with pytest.raises(ValueError, match="does not vary with time"):
        writer.append(1.0, {"plant": {"radiator_area": 1.0}})
    with pytest.raises(ValueError, match="varies with time"):
        ResultWriter.create(tmp_path / "b.zarr", layout, START, static={"plant": {"solar_power": 1.0}})
    with pytest.raises(ValueError, match="indices 0…0"):
        ResultLayout(["only"], np.array([0, 1]))

    writer = ResultWriter.create(tmp_path / "result.zarr", layout, START)
    writer.append(1.0, {"plant": {"solar_power": 1.0}})
    with pytest.raises(ValueError, match=r"missing \['solar_power'\], unexpected \['load_power'\]"):
        writer.append(2.0, {"plant": {"load_power": 1.0}})
    with pytest.raises(ValueError, match="expected more than 1 s, got 1 s"):
        writer.append(1.0, {"plant": {"solar_power": 1.0}})


def test_static_variables(tmp_path: Path, layout: ResultLayout) -> None:
    static = {"plant": {"radiator_area": 50.0}, "module": {"radiator_area": np.full(5, 10.0)}}
    with ResultWriter.create(tmp_path / "result.zarr", layout, START, static=static) as writer:
        writer.append(1.0, values_at(1.0))
    tree = open_result(tmp_path)
    assert float(tree["plant/radiator_area"]) == 50.0
    assert tree["module/radiator_area"].dims == ("sub_center", "module")
    assert float(tree["module/radiator_area"].sum()) == 50.0


def test_reader_says_what_is_wrong(tmp_path: Path, layout: ResultLayout) -> None:
    with pytest.raises(BadInput, match="no such result"):
        open_result(tmp_path / "missing.zarr")
    with pytest.raises(BadInput, match="not a Zarr group"):
        open_result(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput, match="is a file"):
        open_result(tmp_path / "file")
    zarr.open_group(str(tmp_path / "foreign.zarr"), mode="w")
    with pytest.raises(BadInput, match="not a Dawndusk result"):
        open_result(tmp_path / "foreign.zarr")

    target = tmp_path / "run" / "result.zarr"
    writer = ResultWriter.create(target, layout, START)
    writer.append(1.0, values_at(1.0))
    writer.flush()
    for path in (target, tmp_path / "run"):
        with pytest.raises(BadInput, match=r"half-written.*--resume"):
            open_result(path)
    with pytest.raises(BadInput, match="did not finish"):
        open_result(partial_path(target))
    writer.finish()
    meta = json.loads((target / "zarr.json").read_text())
    meta["attributes"] |= {"result_format": 99, "version": "9.9"}
    (target / "zarr.json").write_text(json.dumps(meta))
    with pytest.raises(BadInput, match=r"format 99, written by Dawndusk 9\.9"):
        open_result(target)
    (target / "zarr.json").write_text("{")
    with pytest.raises(BadInput, match="not a Zarr group"):
        open_result(target)
