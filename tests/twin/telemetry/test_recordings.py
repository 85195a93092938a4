import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.errors import BadInput
from twin.telemetry import Encoder, SampleBatch
from twin.telemetry.recordings import read_samples, write_samples


def batch_of(dictionary, rows):
    parameter = np.array([row[0] for row in rows], dtype=np.int32)
    return SampleBatch.of(
        parameter,
        np.array([row[1] for row in rows], dtype=float),
        np.array([row[2] for row in rows], dtype=float),
        dictionary.sub_center[parameter],
        np.array([row[3] for row in rows], dtype=np.uint8),
    )


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
ROWS = st.lists(
    st.tuples(st.integers(0, 199), st.floats(0.0, 1e9), NUMBERS, st.integers(0, 255)), min_size=1, max_size=30
)


@settings(deadline=None, max_examples=30)
@given(ROWS, st.sampled_from([".csv", ".parquet"]))
def test_what_is_written_is_read(dictionary, tmp_path_factory, rows, suffix):
    batch = batch_of(dictionary, rows)
    path = tmp_path_factory.mktemp("samples") / f"day{suffix}"
    assert write_samples(path, dictionary, [batch, SampleBatch.empty()]) == len(rows)
    back = SampleBatch.concatenate(list(read_samples(path, dictionary)))
    for name in ("parameter", "time", "value", "quality", "sub_center"):
        np.testing.assert_array_equal(getattr(back, name), getattr(batch, name))


def test_recorded_packets(dictionary, tmp_path):
    layout = dictionary.layouts[0]
    rows = Encoder(dictionary).encode(layout, 0, 20.0, np.full((3, layout.fields), 300.0))
    (tmp_path / "day.ccsds").write_bytes(rows.tobytes())
    back = SampleBatch.concatenate(list(read_samples(tmp_path / "day.ccsds", dictionary)))
    assert len(back) == 39 and (back.time == 20.0).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,value\n1,2\n", "no column 'parameter'"),
        ("time,parameter,value\n1,center-0/0/batery_soc,2\n", "did you mean 'battery_soc'"),
        ("time,parameter,value\nsoon,center-0/0/battery_soc,2\n", "cannot be read"),
        ("time,parameter,value\n,center-0/0/battery_soc,2\n", "row 1: no time"),
        ("", "cannot be read"),
    ],
)
def test_damaged_tables_are_named(dictionary, tmp_path, text, message):
    path = tmp_path / "day.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match=message) as caught:
        list(read_samples(path, dictionary))
    assert "day.csv" in str(caught.value)


def test_values_that_are_missing_are_left_out(dictionary, tmp_path):
    path = tmp_path / "day.csv"
    path.write_text("time,parameter,value\n1,center-0/0/battery_soc,\n2,center-0/0/battery_soc,0.5\n")
    (batch,) = read_samples(path, dictionary)
    assert batch.time.tolist() == [2.0] and batch.quality.tolist() == [0]


def test_other_names_and_other_files(dictionary, tmp_path):
    with pytest.raises(BadInput, match=r"\.csv or \.parquet"):
        write_samples(tmp_path / "day.xlsx", dictionary, [])
    (tmp_path / "noise.ccsds").write_bytes(bytes(1000))
    with pytest.raises(BadInput, match="no packet"):
        list(read_samples(tmp_path / "noise.ccsds", dictionary))
    (tmp_path / "day.parquet").write_bytes(bytes(1000))
    with pytest.raises(BadInput, match="cannot be read"):
        list(read_samples(tmp_path / "day.parquet", dictionary))
