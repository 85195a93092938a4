"""A whole run in a folder: the contract of the result, checkpoints, failures that lose nothing."""

import numpy as np
import pytest

import twin.run as run_module
from twin.errors import BadInput
from twin.results import open_result, resolved_case, run_alarms
from twin.run import RunOptions, run

CONTRACT = (
    "solar_power", "load_power", "battery_soc", "card_power", "heat_rejected", "coolant_supply_temperature",
    "coolant_return_temperature", "junction_temperature_p50", "junction_temperature_p99", "junction_temperature_max",
    "throttled_fraction_thermal", "throttled_fraction_power", "throughput_fraction", "radiator_area", "radiator_margin",
)  # fmt: skip


@pytest.fixture(scope="module")
def case(satellite):
    return satellite("mission.duration=10 min", "numerics.thermal_step=20 s")


@pytest.fixture(scope="module")
def finished(case, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    run(case, out)
    return out


def test_contract_of_the_result(finished, case):
    """Design, section 5: groups, names, units, the resolved case and the wall time."""
    result = open_result(finished)
    assert {"plant", "sub_center", "module", "card", "ledger", "orbit"} <= set(result.children)
    for group in ("plant", "sub_center", "module"):
        dataset = result[group].to_dataset()
        assert set(CONTRACT) <= set(dataset)
        assert all("units" in dataset[name].attrs and "long_name" in dataset[name].attrs for name in CONTRACT)
    assert result["sub_center"].to_dataset()["solar_power"].dims == ("time", "sub_center")
    assert result["module"].to_dataset()["solar_power"].dims == ("time", "sub_center", "module")
    assert abs(float(result["ledger"]["energy_residual"][-1])) < 1e-6
    assert resolved_case(result)["name"] == case.name
    assert float(result.attrs["wall_time"]) > 0.0


def test_levels_agree(finished):
    """One module: its values are those of its sub-center and of the plant."""
    result = open_result(finished)
    for name in CONTRACT:
        plant = np.asarray(result["plant"][name])
        np.testing.assert_allclose(
            np.asarray(result["sub_center"][name]).reshape(plant.shape), plant, rtol=2e-3
        )
        if not name.startswith("junction_temperature_p"):
            np.testing.assert_allclose(
                np.asarray(result["module"][name]).reshape(plant.shape), plant, rtol=1e-5
            )


def test_averages_keep_energy(finished):
    """Mean powers times their intervals give the energies of the ledger."""
    result = open_result(finished)
    plant, ledger = result["plant"].to_dataset(), result["ledger"].to_dataset()
    interval = plant["tick_duration"]
    assert float((plant["card_power"] * interval).sum()) == pytest.approx(
        float(ledger["card_energy"][-1]), rel=1e-5
    )
    assert float((plant["solar_power"] * interval).sum()) == pytest.approx(
        float(ledger["electrical_energy"][-1]), rel=1e-5
    )
    assert float((plant["absorbed_power"] * interval).sum()) == pytest.approx(
        float(ledger["absorbed_energy"][-1]), rel=1e-5
    )


def test_fields_open(finished):
    import pyvista as pv

    reader = pv.get_reader(finished / "fields" / "panel.pvd")
    assert list(reader.time_values) == [60.0, 300.0, 600.0]
    reader.set_active_time_value(reader.time_values[-1])
    temperature = reader.read()[0]["temperature"]
    result = open_result(finished)
    assert temperature.max() == pytest.approx(float(result["plant"]["panel_temperature_max"][-1]), rel=1e-4)


class Interrupted(Exception):
    pass


def test_resume_equals_the_undisturbed_run(finished, case, tmp_path, monkeypatch):
    """A run that dies after a checkpoint and is resumed gives the same numbers to rounding."""
    monkeypatch.setattr(run_module, "CHECKPOINT_INTERVAL", 0.0)

    def stop(tick, end):
        if tick.end > 400.0:
            raise Interrupted

    with pytest.raises(Interrupted):
        run(case, tmp_path, watch=stop)
    assert len(list((tmp_path / "checkpoints").glob("at-*.npz"))) == 2
    assert not (tmp_path / "result.zarr").exists()
    run(case, tmp_path, RunOptions(resume=True))
    assert not (tmp_path / "checkpoints").exists()
    whole, resumed = open_result(finished), open_result(tmp_path)
    for group in ("plant", "module", "ledger", "card"):
        for name, values in whole[group].to_dataset().items():
            if name == "energy_residual":
                continue
            np.testing.assert_allclose(
                np.asarray(resumed[group][name]),
                np.asarray(values),
                rtol=1e-6,
                atol=1e-6,
                err_msg=f"{group}/{name}",
            )


def test_boiling_coolant_is_told_with_place_and_time(satellite, tmp_path):
    """Ammonia at 15 bar boils at 311.7 K (CoolProp), below the return temperature."""
    hot = satellite("mission.duration=2 min", "module_classes.satellite.coolant_loop.pressure=15 bar")
    alarms = run_alarms(run(hot, tmp_path))
    assert any("boiling at 'return'" in alarm and "t = 10 s" in alarm for alarm in alarms)
    assert len(alarms) == len(set(alarms))


def test_no_alarm_in_a_sound_run(finished):
    assert run_alarms(open_result(finished)) == []


def test_nothing_to_resume(case, tmp_path):
    with pytest.raises(BadInput, match="no checkpoint"):
        run(case, tmp_path, RunOptions(resume=True))


def test_checkpoint_of_another_plant(case, satellite, tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "CHECKPOINT_INTERVAL", 0.0)

    def stop(tick, end):
        if tick.end > 100.0:
            raise Interrupted

    with pytest.raises(Interrupted):
        run(case, tmp_path, watch=stop)
    other = satellite("mission.duration=10 min", "module_classes.satellite.radiator.mesh_size=0.3 m")
    with pytest.raises(BadInput, match="another case"):
        run(other, tmp_path, RunOptions(resume=True))


def test_a_failed_run_keeps_the_result_that_was_there(finished, case, tmp_path):
    run(case, tmp_path, RunOptions(duration=60.0))
    before = open_result(tmp_path)["plant"].to_dataset().sizes["time"]

    def stop(tick, end):
        raise Interrupted

    with pytest.raises(Interrupted):
        run(case, tmp_path, watch=stop)
    assert open_result(tmp_path)["plant"].to_dataset().sizes["time"] == before


def test_batteries_out_of_their_window_are_told(satellite, tmp_path):
    """A body warmed by coolant hotter than the cells may be: told once, with the module and the limit."""
    warm = satellite(
        "mission.duration=20 s",
        "module_classes.satellite.coolant_loop.supply_temperature=45 degC",
        "module_classes.satellite.coolant_loop.body_conductance=50 kW/K",
        "module_classes.satellite.racks.card.target_temperature=80 degC",
    )
    alarms = [alarm for alarm in run_alarms(run(warm, tmp_path)) if "battery" in alarm]
    assert len(alarms) == 1
    assert "module 0 (satellite)" in alarms[0]
    assert "is not charged" in alarms[0]
