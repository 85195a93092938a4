"""`twin orbit`: a year of a case's orbit."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from twin.cli.console import output_console, print_json, print_table
from twin.errors import BadInput

if TYPE_CHECKING:
    import xarray as xr

    from twin.attitude import Orientation
    from twin.case import Case
    from twin.season import FluxHistory, OrbitYear

__all__ = ["case_faces", "orbit"]

STEP = 30.0
"""Time between the instants whose fluxes are averaged [s]: daily means good to 0.1 %."""


def orbit(
    case: Annotated[Path, typer.Argument(metavar="CASE", help="Case file (YAML).", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Plots go to its folder orbit; out/NAME unless given.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the tables as JSON.")] = False,
    year: Annotated[
        int | None, typer.Option("--year", help="Year (UTC); that of mission.start unless given.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a value; may be given several times."),
    ] = None,
) -> None:
    r"""Print and plot beta, eclipse season and the heat on every face of a case over a year.

    \b
    Examples:
        twin orbit cases/experimental-satellite.yaml
        twin orbit cases/experimental-satellite.yaml --year 2030 --out out/2030
    """
    from twin.case import Case
    from twin.component_models import environment_set
    from twin.plant import reference_orbit
    from twin.season import flux_history, orbit_year
    from viz.orbit_plots import write_orbit_plots

    loaded = Case.load(case, set_ or ())
    chosen = loaded.mission.start.year if year is None else year
    if not 1960 <= chosen < 2100:
        raise BadInput(f"--year {chosen}: expected 1960 to 2099, for which the Sun is modelled")
    path = reference_orbit(loaded)
    years = {model: orbit_year(path, chosen, model) for model in ("conical", "cylindrical")}
    conical = years["conical"]
    faces = case_faces(loaded)
    environment = environment_set(loaded)
    # Means over whole revolutions: a part of one more would make the daily mean ripple.
    interval = path.nodal_period * max(1, round(86_400.0 / path.nodal_period))
    stop = conical.start + interval * math.ceil((conical.stop - conical.start) / interval)
    history = flux_history(
        path, list(faces.values()), environment, conical.start, stop, step=STEP, interval=interval
    )
    report = {
        "case": loaded.name,
        "year": chosen,
        "orbit": _orbit_rows(loaded, conical),
        "eclipse_seasons": _season_rows(years),
        "faces": _face_rows(faces, history),
    }
    folder = (out if out is not None else Path("out") / loaded.name) / "orbit"
    files = write_orbit_plots(
        _year_dataset(loaded.name, chosen, conical, list(faces), history),
        _revolutions(conical, faces, environment),
        folder,
    )
    if as_json:
        print_json({**report, "files": [str(file) for file in files]})
        return
    _print(report, folder)


def case_faces(case: Case) -> dict[str, Orientation]:
    """Faces of a case by name; faces of one orientation are one, under both names."""
    from twin.module_geometry import opposite

    several = len(case.module_classes) > 1
    names: dict[Orientation, list[str]] = {}
    for class_name, design in case.module_classes.items():
        radiator, array = design.radiator.orientation, design.solar_array.orientation
        own: list[tuple[str, Orientation]] = [
            ("radiator front", radiator),
            ("radiator back", opposite(radiator)),
            ("array front", array),
            ("array back", opposite(array)),
            *((f"body {face.name}", face.orientation) for face in design.body.faces),
        ]
        for name, orientation in own:
            names.setdefault(orientation, []).append(f"{class_name}: {name}" if several else name)
    return {_joined(listed): orientation for orientation, listed in names.items()}


def _joined(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 2 else f"{names[0]} and {len(names) - 1} more"


def _clock(hours: float) -> str:
    minutes = round(hours * 60.0) % 1440
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _orbit_rows(case: Case, year: OrbitYear) -> dict[str, Any]:
    import numpy as np

    from twin.orbit import EARTH_RADIUS
    from twin.shadow import critical_beta_angle

    path = year.orbit
    beta = np.degrees(year.beta)
    radius = _mean_radius(year)
    rows: dict[str, Any] = {
        "mean altitude above the equator's radius [km]": round((radius - EARTH_RADIUS) / 1e3, 3),
        "inclination [°]": round(math.degrees(path.inclination), 4),
        "period [min]": round(path.period / 60.0, 4),
        "nodal period [min]": round(path.nodal_period / 60.0, 4),
        "local mean time of the ascending node, at mission.start": _clock(path.local_time_of_node(0.0)),
        "smallest beta [°]": round(float(beta.min()), 3),
        "largest beta [°]": round(float(beta.max()), 3),
        "critical beta [°]": round(math.degrees(critical_beta_angle(radius)), 3),
    }
    if case.orbit.altitude is None:
        ends = (path.instant_at(year.start), path.instant_at(year.stop))
        oldest = max(abs((end - path.propagator.epoch).total_seconds()) for end in ends)
        rows["elements: most days from their epoch"] = round(oldest / 86400.0, 1)
    return rows


def _mean_radius(year: OrbitYear) -> float:
    """Mean distance from the Earth's centre over the first revolution of the year [m].

    SGP4's mean semi-major axis is not it: the flattening lifts a near-polar orbit by 4 km.
    """
    import numpy as np

    instants = year.start + year.orbit.nodal_period * np.arange(360) / 360.0
    return float(year.orbit.propagate(instants).radius.mean())


def _season_rows(years: dict[str, OrbitYear]) -> list[dict[str, Any]]:
    rows = []
    for model, year in years.items():
        for season in year.seasons:
            rows.append(
                {
                    "shadow": model,
                    "from": f"{season.start:%Y-%m-%d %H:%M}",
                    "to": f"{season.end:%Y-%m-%d %H:%M}",
                    "days": round(season.days, 2),
                    "eclipses": season.eclipses,
                    "longest [min]": round(season.longest / 60.0, 3),
                    "umbra [min]": round(season.longest_umbra / 60.0, 3),
                    "on": f"{season.longest_at:%Y-%m-%d}",
                    "dark [h]": round(season.dark_time / 3600.0, 2),
                    "dark in the year [h]": round(year.dark_time / 3600.0, 2),
                }
            )
    return rows


def _face_rows(faces: dict[str, Orientation], history: FluxHistory) -> list[dict[str, Any]]:
    total = history.total
    rows = []
    for i, (name, orientation) in enumerate(faces.items()):
        direction = orientation if isinstance(orientation, str) else [round(float(v), 4) for v in orientation]
        rows.append(
            {
                "face": name,
                "towards": direction if isinstance(direction, str) else str(direction),
                "sun [W/m²]": round(float(history.solar[:, i].mean()), 2),
                "albedo [W/m²]": round(float(history.albedo[:, i].mean()), 2),
                "Earth infrared [W/m²]": round(float(history.earth_infrared[:, i].mean()), 2),
                "mean [W/m²]": round(float(total[:, i].mean()), 2),
                "coldest day [W/m²]": round(float(total[:, i].min()), 2),
                "hottest day [W/m²]": round(float(total[:, i].max()), 2),
                "largest [W/m²]": round(float(history.largest[i]), 2),
            }
        )
    return rows


def _print(report: dict[str, Any], folder: Path) -> None:
    print_table(f"{report['case']}: orbit in {report['year']}", ("", "value"), list(report["orbit"].items()))
    seasons = report["eclipse_seasons"]
    console = output_console()
    if seasons:
        print_table(
            "eclipse seasons that begin in the year", list(seasons[0]), [list(r.values()) for r in seasons]
        )
    else:
        console.print("no eclipse season begins in the year", markup=False)
    faces = report["faces"]
    print_table("incident flux over the year, per face", list(faces[0]), [list(r.values()) for r in faces])
    console.print(f"plots in {folder}", markup=False)


def _year_dataset(
    name: str, number: int, year: OrbitYear, faces: list[str], history: FluxHistory
) -> xr.Dataset:
    import numpy as np
    import xarray as xr

    from twin.shadow import critical_beta_angle

    epoch = np.datetime64(year.orbit.epoch.replace(tzinfo=None), "ms")

    def dates(seconds: np.ndarray) -> np.ndarray:
        return np.asarray(epoch + np.round(np.asarray(seconds) * 1e3).astype("timedelta64[ms]"))

    def season_dates(bound: str) -> np.ndarray:
        values = [getattr(season, bound).replace(tzinfo=None) for season in year.seasons]
        return np.array(values, dtype="datetime64[ms]")

    flux = {"units": "W m-2"}
    return xr.Dataset(
        {
            "beta_angle": ("time", year.beta, {"long_name": "beta angle", "units": "rad"}),
            "solar_flux": (("flux_time", "face"), history.solar, flux),
            "albedo_flux": (("flux_time", "face"), history.albedo, flux),
            "earth_infrared_flux": (("flux_time", "face"), history.earth_infrared, flux),
            "eclipse_duration": ("eclipse_time", year.events.duration, {"units": "s"}),
            "umbra_duration": ("eclipse_time", year.events.umbra_duration, {"units": "s"}),
            "season_start": ("season", season_dates("start")),
            "season_end": ("season", season_dates("end")),
        },
        coords={
            "time": dates(year.time),
            "flux_time": dates(history.time),
            "face": faces,
            "eclipse_time": dates(year.events.middle),
        },
        attrs={
            "case_name": name,
            "year": number,
            "critical_beta_angle": critical_beta_angle(_mean_radius(year)),
        },
    )


def _revolutions(
    year: OrbitYear, faces: dict[str, Orientation], environment: Any, samples: int = 721
) -> xr.Dataset:
    """Fluxes over one revolution on the days of the smallest and the largest angle of the Sun to the plane."""
    import numpy as np
    import xarray as xr

    from twin.attitude import face_normals
    from twin.environment import incident_fluxes
    from twin.shadow import illuminated_fraction

    path, angle = year.orbit, np.abs(year.beta)
    elapsed = np.linspace(0.0, path.nodal_period, samples)
    labels, parts = [], []
    for word, day in (("nearest to", int(angle.argmin())), ("farthest from", int(angle.argmax()))):
        start = year.time[day]
        near = year.events.middle[np.abs(year.events.middle - start) < path.nodal_period]
        if near.size:  # with the eclipse in the middle of the picture
            start = near[0] - 0.5 * path.nodal_period
        states = path.propagate(start + elapsed)
        light = illuminated_fraction(states.position, states.sun_direction, sun_distance=states.sun_distance)
        fluxes = incident_fluxes(states, face_normals(list(faces.values()), states), environment, light)
        beta = math.degrees(year.beta[day])
        labels.append(f"{path.instant_at(start):%d %B}: Sun {word} the orbital plane, beta {beta:.0f}°")
        parts.append((fluxes.solar, fluxes.albedo, fluxes.earth_infrared, light))
    dims = ("day", "elapsed", "face")
    names = ("solar_flux", "albedo_flux", "earth_infrared_flux")
    data: dict[str, Any] = {
        name: (dims, np.stack([part[k] for part in parts]), {"units": "W m-2"})
        for k, name in enumerate(names)
    }
    data["illuminated_fraction"] = (dims[:2], np.stack([part[3] for part in parts]), {"units": "1"})
    return xr.Dataset(data, coords={"day": labels, "elapsed": elapsed, "face": list(faces)})
