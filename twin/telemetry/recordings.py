"""Samples in files of other programs: CSV and parquet, one sample per row, and results in Zarr.

Columns: ``time`` [s since mission start], ``parameter`` (its name in the dictionary), ``value`` [SI], and
``quality`` where it is known (0 is good).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from twin.errors import BadInput, RunFailed
from twin.telemetry.decoding import Decoder
from twin.telemetry.dictionary import Dictionary
from twin.telemetry.samples import SampleBatch
from twin.telemetry.transport import read_file

__all__ = ["ROWS", "read_samples", "write_samples"]

ROWS = 500_000
"""Most rows in memory at once."""

_COLUMNS = {"time": pa.float64(), "parameter": pa.string(), "value": pa.float64()}
_QUALITY = ("quality", pa.uint8())


def read_samples(path: Path, dictionary: Dictionary) -> Iterator[SampleBatch]:
    """Yield the samples of a file in pieces: packets, CSV, parquet, or a result in Zarr, by its name.

    Parameters
    ----------
    path : Path
        ``*.csv``, ``*.parquet``, a result or run folder, or recorded packets (any other name).
    dictionary : Dictionary
        Of the case that the file belongs to.

    Yields
    ------
    SampleBatch

    Raises
    ------
    BadInput
        The file is missing, damaged or of another case; the message says where and what was expected.
    """
    if path.is_dir():
        yield from _read_result(path, dictionary)
    elif path.suffix in (".csv", ".parquet"):
        yield from _read_table(path, dictionary)
    else:
        decoder = Decoder(dictionary)
        for data in read_file(path):
            yield decoder.samples(data)
        yield decoder.samples(b"", last=True)
        if decoder.counts.packets == 0:
            raise BadInput(
                f"{path}: no packet of case '{dictionary.case_name}' in {decoder.counts.bytes} bytes; expected "
                "recorded packets, *.csv, *.parquet or a result"
            )


def _read_result(path: Path, dictionary: Dictionary) -> Iterator[SampleBatch]:
    from twin.results import open_result
    from twin.telemetry.replay import replayed

    owner = dictionary.sub_center
    for time, values, _ in replayed(open_result(path), dictionary):
        there = np.flatnonzero(np.isfinite(values))
        yield SampleBatch.of(there, np.full(there.size, time), values[there], owner[there])


def _read_table(path: Path, dictionary: Dictionary) -> Iterator[SampleBatch]:
    number_of = _Numbers(path, dictionary)
    row = 0
    for table in _tables(path):
        missing = [name for name in _COLUMNS if name not in table.column_names]
        if missing:
            raise BadInput(
                f"{path}: no column '{missing[0]}'; has {', '.join(table.column_names)}, "
                f"expected {', '.join(_COLUMNS)}"
            )
        codes = table["parameter"].combine_chunks().dictionary_encode()
        names = number_of(codes.dictionary.to_pylist())
        time, value = (_numbers(path, table, name, row) for name in ("time", "value"))
        if codes.null_count:
            raise BadInput(
                f"{path}, row {row + 1} or later: a parameter is empty; expected names of the dictionary"
            )
        parameter = names[codes.indices.to_numpy()]
        there = np.isfinite(value)
        quality = (
            table["quality"].to_numpy().astype(np.uint8)
            if "quality" in table.column_names
            else np.zeros(len(value))
        )
        yield SampleBatch.of(
            parameter[there],
            time[there],
            value[there],
            dictionary.sub_center[parameter[there]],
            quality[there],
        )
        row += len(value)


def _tables(path: Path) -> Iterator[pa.Table]:
    try:
        if path.suffix == ".parquet":
            for batch in pa.parquet.ParquetFile(path).iter_batches(ROWS):
                yield pa.Table.from_batches([batch])
            return
        options = pa.csv.ConvertOptions(column_types={**_COLUMNS, _QUALITY[0]: _QUALITY[1]})
        for batch in pa.csv.open_csv(path, convert_options=options):
            yield pa.Table.from_batches([batch])
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(
            f"{path}: cannot be read ({error}); expected the columns time, parameter, value"
        ) from None


def _numbers(path: Path, table: pa.Table, name: str, first: int) -> NDArray[np.float64]:
    try:
        values = np.asarray(table[name].to_numpy(), dtype=float)
    except (ValueError, TypeError, pa.ArrowInvalid):
        raise BadInput(f"{path}: column '{name}' holds {table[name].type}; expected numbers") from None
    if name == "time" and not np.isfinite(values).all():
        row = first + int(np.flatnonzero(~np.isfinite(values))[0]) + 1
        raise BadInput(f"{path}, row {row}: no time; expected seconds since mission start")
    return values


class _Numbers:
    """Numbers of names, each looked up once."""

    def __init__(self, path: Path, dictionary: Dictionary):
        self.path, self.dictionary = path, dictionary
        self.known: dict[str, int] = {}

    def __call__(self, names: list[str]) -> NDArray[np.int64]:
        for name in names:
            if name not in self.known:
                try:
                    self.known[name] = self.dictionary.index(name)
                except BadInput as error:
                    raise BadInput(f"{self.path}: {error}") from None
        return np.array([self.known[name] for name in names], dtype=np.int64)


def write_samples(path: Path, dictionary: Dictionary, batches: Iterable[SampleBatch]) -> int:
    """Write samples to ``*.csv`` or ``*.parquet``, aside and then put in place; return their number.

    Raises
    ------
    BadInput
        The name ends in something else.
    RunFailed
        The file cannot be written.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise BadInput(f"{path}: '{path.suffix}'; expected a name that ends in .csv or .parquet")
    partial, count = path.with_name(f".{path.name}.partial"), 0
    named: dict[int, str] = {}

    def names(batch: SampleBatch) -> list[str]:
        for number in np.unique(batch.parameter).tolist():
            if number not in named:
                named[number] = dictionary.name(number)
        return [named[number] for number in batch.parameter.tolist()]

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        count = (_write_csv if path.suffix == ".csv" else _write_parquet)(partial, batches, names)
        partial.replace(path)
    except OSError as error:
        raise RunFailed(f"{path}: cannot be written ({error.strerror})") from None
    return count


def _write_csv(path: Path, batches: Iterable[SampleBatch], names: Callable[[SampleBatch], list[str]]) -> int:
    count = 0
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow((*_COLUMNS, _QUALITY[0]))
        for batch in batches:
            rows.writerows(
                zip(batch.time.tolist(), names(batch), batch.value.tolist(), batch.quality.tolist())
            )
            count += len(batch)
    return count


def _write_parquet(
    path: Path, batches: Iterable[SampleBatch], names: Callable[[SampleBatch], list[str]]
) -> int:
    schema = pa.schema([*_COLUMNS.items(), _QUALITY])
    count = 0
    with pa.parquet.ParquetWriter(path, schema) as writer:
        for batch in batches:
            columns = [batch.time, names(batch), batch.value, batch.quality]
            writer.write_table(pa.table(dict(zip(schema.names, columns)), schema=schema))
            count += len(batch)
    return count
