"""What is fed with broken files: one class per kind of input, and what it may answer."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import random
import shutil
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from mutations import HOSTILE_VALUES, mutate_bytes, mutate_text

from twin.errors import DawnduskError

CASES = Path(__file__).parents[2] / "cases"
OVERRIDES = (
    "mission.age", "mission.duration", "orbit.altitude", "module_classes", "workload.jobs", "sub_centers[0].name",
    "sub_centers.0.modules.0.count", "numerics.thermal_step", "environment", "a.b.c", "", "=", "[", "x[",
)  # fmt: skip


class Refused(Exception):
    """The input was answered with a message."""


class Target:
    """A kind of input. `try_one` returns when the input was taken, and raises `Refused` when it was refused."""

    name = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.marker = folder / "code-was-run"
        self.prepare()

    def prepare(self) -> None:
        """Make the sound inputs that are then broken."""

    def try_one(self, rng: random.Random) -> Path:
        """Break an input and read it."""
        raise NotImplementedError

    def read(self, path: Path, reader) -> None:  # type: ignore[no-untyped-def]
        """Call `reader`; an expected error with a message that names the file is a refusal."""
        try:
            reader(path)
        except DawnduskError as error:
            _must_be_a_message(str(error))
            raise Refused(str(error)) from None


def _must_be_a_message(text: str) -> None:
    if not text.strip() or "Traceback" in text or len(text) > 40_000:
        raise AssertionError(f"this is no message: {text[:200]!r}")


class CaseFiles(Target):
    """Case files through `twin check`; some also with broken overrides."""

    name = "case files"

    def prepare(self) -> None:
        shutil.copytree(CASES / "library", self.folder / "library")
        self.sound = {}
        for path in sorted(CASES.glob("*.yaml")):
            shutil.copy(path, self.folder)
            self.sound[path.name] = path.read_text(encoding="utf-8")
        # The resolved form says every value there is, so that every one is broken now and then.
        from twin.case import Case

        self.sound["resolved.yaml"] = _as_yaml(Case.load(CASES / "experimental-satellite.yaml").resolved())

    def try_one(self, rng: random.Random) -> Path:
        from twin.case import Case

        name = rng.choice(list(self.sound))
        path = self.folder / "case.yaml"
        path.write_bytes(mutate_text(rng, self.sound[name], str(self.marker)))
        overrides = []
        if rng.random() < 0.15:
            overrides = [f"{rng.choice(OVERRIDES)}={rng.choice(HOSTILE_VALUES)}"]
        if rng.random() < 0.05:
            self._through_the_command(path, overrides)
        else:
            self.read(path, lambda p: Case.load(p, overrides).resolved())
        return path

    def _through_the_command(self, path: Path, overrides: list[str]) -> None:
        from twin.cli import main

        out, err = io.StringIO(), io.StringIO()
        options = [word for text in overrides for word in ("--set", text)]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["check", str(path), *options])
        if code == 2:
            _must_be_a_message(err.getvalue())
            raise Refused
        if code != 0 or not out.getvalue():
            raise AssertionError(f"twin check ended with {code}: {err.getvalue()[-300:]}")


def _as_yaml(data: object, indent: int = 0) -> str:
    """Write JSON types as block YAML with quoted text, one value a line."""
    pad = " " * indent
    if isinstance(data, dict):
        lines = []
        for key, value in data.items():
            if isinstance(value, dict | list) and value:
                lines.append(f"{pad}{key}:\n{_as_yaml(value, indent + 2)}")
            else:
                lines.append(f"{pad}{key}: {json.dumps(value, ensure_ascii=False)}")
        return "\n".join(lines)
    if isinstance(data, list):
        return "\n".join(
            f"{pad}- {_as_yaml(item, indent + 2).lstrip()}"
            if isinstance(item, dict)
            else f"{pad}- {json.dumps(item)}"
            for item in data
        )
    return f"{pad}{json.dumps(data)}"


class Traces(Target):
    """Recorded workloads, in all formats that are read."""

    name = "traces"

    def prepare(self) -> None:
        import pandas as pd

        times = [float(i) for i in range(40)]
        power = {
            "ts": times,
            "per_gpu": {"0": [300.0 + i for i in range(40)], "1": [310.0] * 40},
            "run_id": "r",
        }
        power["phases"] = [{"phase": "load", "t_start": 0.0, "t_end": 3.0}]
        jobs = "name,kind,cards,submit_time,duration,estimate,power_per_card,activity\n"
        jobs += "a,batch,4,0,3600,4000,600,0.8\nb,inference,2,10,,,,\nc,training,8,5,7200,,650,\n"
        swf = "; Version: 2.2\n" + "\n".join(
            f"{i} {10 * i} 5 {100 + i} 4 -1 -1 4 200 -1 1 1 1 1 1 1 -1 -1" for i in range(20)
        )
        duty = "value,timestamp_anon,container_ip\n" + "\n".join(
            f"{i * 2},{60 * i},c{i % 2}" for i in range(40)
        )
        activity = "time,activity\n" + "\n".join(f"{60 * i},{0.02 * i}" for i in range(40))
        files = {"power.json": json.dumps(power), "jobs.csv": jobs, "jobs.swf": swf, "duty.csv": duty}
        self.sound = {name: text.encode() for name, text in (files | {"activity.csv": activity}).items()}
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w:gz") as tar:
            member = tarfile.TarInfo("duty.csv")
            member.size = len(duty)
            tar.addfile(member, io.BytesIO(duty.encode()))
        self.sound["duty.tar.gz"] = archive.getvalue()
        self.surf = self.folder / "surf"
        self.surf.mkdir()
        frames = {
            "tasks": pd.DataFrame(
                {
                    "id": ["1", "2"],
                    "submission_time": pd.to_datetime(["2026-01-01T00:00:00Z", "2026-01-01T00:10:00Z"]),
                    "cpu_capacity": [2000.0, 4000.0],
                }
            ),
            "fragments": pd.DataFrame(
                {
                    "id": ["1", "1", "2"],
                    "duration": [300e3, 600e3, 900e3],
                    "cpu_usage": [100.0, 1500.0, 3000.0],
                }
            ),
            "consumption": pd.DataFrame(
                {"timestamp": [30e3 * (i + 1) for i in range(50)], "power_draw": 5e3}
            ),
        }
        for name, frame in frames.items():
            frame.to_parquet(self.surf / f"{name}.parquet")
        self.parquet = {path.name: path.read_bytes() for path in self.surf.glob("*.parquet")}

    def try_one(self, rng: random.Random) -> Path:
        from twin.traces import read_duty_cycle, read_gpu_power, read_job_csv, read_surf, read_swf
        from twin.traces.replay import _from_csv

        readers = {
            "power.json": read_gpu_power,
            "jobs.csv": read_job_csv,
            "jobs.swf": read_swf,
            "duty.csv": read_duty_cycle,
            "duty.tar.gz": read_duty_cycle,
            "activity.csv": lambda path: _from_csv(path, None),  # type: ignore[arg-type]
        }
        if rng.random() < 0.15:
            name = rng.choice(sorted(self.parquet))
            path = self.surf / name
            path.write_bytes(mutate_bytes(rng, self.parquet[name]))
            try:
                self.read(self.surf, read_surf)
            finally:
                path.write_bytes(self.parquet[name])
            return path
        name = rng.choice(sorted(readers))
        path = self.folder / name
        path.write_bytes(_mutate_table(rng, name, self.sound[name]))
        self.read(path, readers[name])
        return path


def _mutate_table(rng: random.Random, name: str, data: bytes) -> bytes:
    if name.endswith(".gz") or rng.random() < 0.4:
        return mutate_bytes(rng, data)
    if name.endswith(".json"):
        return _mutate_json(rng, data)
    separator = "," if name.endswith(".csv") else " "
    rows = [line.split(separator) for line in data.decode().splitlines()]
    for _ in range(rng.randrange(1, 4)):
        row = rng.choice(rows)
        values = (*HOSTILE_VALUES, "-5", "1e18", "1e308", "-1e308", "0", "0.5", "NaN", "inf", "-inf")
        row[rng.randrange(len(row))] = rng.choice(values)
    text = io.StringIO()
    if separator == ",":
        csv.writer(text, quoting=csv.QUOTE_NONE, escapechar="\\", quotechar=None).writerows(rows)
    else:
        text.write("\n".join(separator.join(row) for row in rows))
    return text.getvalue().encode("utf-8", "surrogatepass")


def _mutate_json(rng: random.Random, data: bytes) -> bytes:
    """Put something else in the place of one value, keep the form."""
    tree = json.loads(data)
    place, key = {"": tree}, ""
    holder: object = place
    while True:
        value = holder[key]  # type: ignore[index]
        if isinstance(value, dict) and value and rng.random() < 0.8:
            holder, key = value, rng.choice(list(value))
        elif isinstance(value, list) and value and rng.random() < 0.8:
            holder, key = value, rng.randrange(len(value))  # type: ignore[assignment]
        else:
            break
    wrong = (
        None,
        True,
        -1,
        0,
        1e308,
        -1e308,
        10**400,
        1.5,
        "",
        "x",
        [],
        {},
        [[]],
        {"a": 1},
        float("nan"),
        2**63,
    )
    holder[key] = rng.choice(wrong)  # type: ignore[index]
    return json.dumps(place[""]).encode()


class Meshes(Target):
    """Meshes in several formats."""

    name = "meshes"

    def prepare(self) -> None:
        import meshio

        side = np.linspace(0.0, 1.0, 4)
        points = np.array([[x, y, 0.0] for y in side for x in side])
        quads = [[4 * j + i, 4 * j + i + 1, 4 * j + i + 5, 4 * j + i + 4] for j in range(3) for i in range(3)]
        cells = [t for a, b, c, d in quads for t in ([a, b, c], [a, c, d])]
        blocks = [("triangle", np.array(cells)), ("line", np.array([[0, 1], [1, 2], [2, 3]]))]
        mesh = meshio.Mesh(points, blocks)
        mesh.cell_sets = {
            "panel": [np.arange(18), np.array([], dtype=int)],
            "tube": [np.array([], dtype=int), np.arange(3)],
        }
        tags = [np.ones(18, dtype=np.int32), np.full(3, 2, dtype=np.int32)]
        places = {"gmsh:dim_tags": np.tile([2, 1], (len(points), 1))}
        gmsh = meshio.Mesh(
            points, blocks, places, cell_data={"gmsh:physical": tags, "gmsh:geometrical": tags}
        )
        gmsh.field_data = {"panel": np.array([1, 2]), "tube": np.array([2, 1])}
        meshio.gmsh.write(self.folder / "gmsh22.msh", gmsh, "2.2", binary=False)
        meshio.gmsh.write(self.folder / "gmsh41.msh", gmsh, "4.1", binary=True)
        for name in ("mesh.inp", "mesh.vtk", "mesh.vtu", "mesh.med", "mesh.stl", "mesh.obj", "mesh.xdmf"):
            with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
                meshio.write(self.folder / name, mesh)
        found = [p for p in self.folder.iterdir() if p.is_file()]
        self.sound = {p.name: p.read_bytes() for p in sorted(found) if p.suffix not in (".h5", ".hdf5")}

    def try_one(self, rng: random.Random) -> Path:
        from meshes.files import read_mesh
        from meshes.mesh import MeshError

        name = rng.choice(sorted(self.sound))
        path = self.folder / f"broken-{name}"
        data = self.sound[name]
        path.write_bytes(
            mutate_bytes(rng, data) if rng.random() < 0.6 else mutate_text(rng, data.decode("latin-1"))
        )
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                read_mesh(path)
        except MeshError as error:
            _must_be_a_message(str(error))
            raise Refused from None
        return path


class Results(Target):
    """`result.zarr` with damaged, lost and foreign files, read as the report reads it."""

    name = "results"

    def prepare(self) -> None:
        from twin.results import ResultLayout, ResultWriter

        layout = ResultLayout(["east", "west"], np.array([0, 0, 1]))
        self.sound = self.folder / "sound.zarr"
        start = datetime(2026, 6, 1, tzinfo=UTC)
        with ResultWriter.create(
            self.sound, layout, start, {"case": {"name": "x"}, "case_name": "x"}
        ) as writer:
            for i in range(30):
                plant = {"solar_power": 1e3 + i, "tick_duration": 10.0, "load_power": 900.0}
                module = {"battery_soc": [1.0 - 0.01 * i, 0.9, 0.8]}
                writer.append(10.0 * (i + 1), {"plant": plant, "module": module})
        self.files = sorted(p.relative_to(self.sound) for p in self.sound.rglob("*") if p.is_file())

    def try_one(self, rng: random.Random) -> Path:
        path = self.folder / "broken.zarr"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(self.sound, path)
        for _ in range(rng.choice((1, 1, 2, 3))):
            self._damage(rng, path, path / rng.choice(self.files))
        self.read(path, _read_result)
        return path

    def _damage(self, rng: random.Random, root: Path, file: Path) -> None:
        if not file.is_file():
            return
        kind = rng.randrange(6)
        if kind == 0:
            file.unlink()
        elif kind == 1:
            file.write_bytes(b"")
        elif kind == 2 and file.name == "zarr.json":
            with contextlib.suppress(ValueError):  # it is broken already
                file.write_bytes(_mutate_json(rng, file.read_bytes()))
        elif kind == 3:
            other = rng.choice(self.files)
            if (root / other).is_file():
                shutil.copy(root / other, file.with_name("copied"))
                file.with_name("copied").replace(file)
        else:
            file.write_bytes(mutate_bytes(rng, file.read_bytes()))


def _read_result(path: Path) -> None:
    from twin.results import open_result, reading, resolved_case, run_alarms, run_versions

    result = open_result(path)
    with reading(path):
        result.load()
        resolved_case(result)
        run_versions(result)
        run_alarms(result)


class Checkpoints(Target):
    """Checkpoint files."""

    name = "checkpoints"

    def prepare(self) -> None:
        from twin.checkpoint import save

        path = self.folder / "sound.npz"
        arrays = {
            "time": np.array(10.0),
            "fleet/temperature": np.linspace(300.0, 310.0, 64, dtype=np.float32),
        }
        save(path, arrays | {"alarms": np.array("[]"), "workload/usable": np.ones(64, dtype=bool)})
        self.sound = path.read_bytes()

    def try_one(self, rng: random.Random) -> Path:
        from twin.checkpoint import load

        path = self.folder / "broken.npz"
        broken = mutate_bytes(rng, self.sound)
        path.write_bytes(broken)
        self.read(path, load)
        if broken != self.sound:
            raise AssertionError("a damaged checkpoint was taken for a whole one")
        return path


class Packets(Target):
    """A telemetry stream with damaged packets: no sample may come out that was not sent."""

    name = "packets"

    def prepare(self) -> None:
        from twin.case import Case
        from twin.telemetry.dictionary import Dictionary
        from twin.telemetry.packets import Encoder

        self.dictionary = Dictionary.of_case(Case.load(CASES / "experimental-satellite.yaml"))
        encoder, rng = Encoder(self.dictionary), np.random.default_rng(1)
        pieces = []
        for step in range(12):
            for layout in self.dictionary.layouts:
                values = rng.uniform(1.0, 100.0, (1, layout.fields))
                pieces.append(encoder.encode(layout, 0, 10.0 * step, values).tobytes())
        self.packets = pieces
        self.sent = self._decoded(random.Random(0), b"".join(pieces))
        if len(self.sent) < 12 * sum(layout.fields for layout in self.dictionary.layouts):
            raise AssertionError("the sound stream does not come through")

    def _decoded(self, rng: random.Random, stream: bytes) -> set[tuple[int, float, float]]:
        from twin.telemetry.decoding import Decoder

        decoder, found, at = Decoder(self.dictionary), set(), 0
        while at < len(stream):
            size = rng.choice((1, 7, 64, 500, 5000))
            batch = decoder.samples(stream[at : at + size], last=at + size >= len(stream))
            found |= set(
                zip(batch.parameter.tolist(), batch.time.tolist(), batch.value.tolist(), strict=True)
            )
            at += size
        return found

    def try_one(self, rng: random.Random) -> Path:
        packets = list(self.packets)
        if rng.random() < 0.2:
            rng.shuffle(packets)
        stream = mutate_bytes(rng, b"".join(packets))
        path = self.folder / "stream.bin"
        path.write_bytes(stream)
        found: set[tuple[int, float, float]] = set()
        self.read(path, lambda _: found.update(self._decoded(rng, stream)))
        if not found <= self.sent:
            raise AssertionError(f"{len(found - self.sent)} samples came out that were not sent")
        if found != self.sent:
            raise Refused("packets left out")
        return path


TARGETS: tuple[type[Target], ...] = (CaseFiles, Traces, Meshes, Results, Checkpoints, Packets)
