"""Plots of a year of an orbit: beta angle, eclipses, and the heat that reaches each face."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.dates as mdates
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from viz.curves import BLUE, ECLIPSE_COLOUR, GRAY, ORANGE, SKY, VERMILION
from viz.plots import house_style

__all__ = ["write_orbit_plots"]

_PARTS = (
    ("solar_flux", "direct sunlight", ORANGE),
    ("albedo_flux", "reflected by the Earth", SKY),
    ("earth_infrared_flux", "Earth infrared", VERMILION),
)


def write_orbit_plots(year: xr.Dataset, revolutions: xr.Dataset, folder: Path) -> list[Path]:
    """Write four plots, each as PNG and SVG.

    Parameters
    ----------
    year : Dataset
        Over `time` (UTC): `beta_angle` [rad]. Over `flux_time` (UTC) and `face`: `solar_flux`, `albedo_flux`,
        `earth_infrared_flux` [W/m2], means of a day. Over `eclipse_time` (UTC): `eclipse_duration` and
        `umbra_duration` [s]. Over `season`: `season_start` and `season_end` (UTC). Attributes: `case_name`, `year`,
        `critical_beta_angle` [rad].
    revolutions : Dataset
        Over (day, elapsed, face) the three fluxes [W/m2], over (day, elapsed) `illuminated_fraction` [-];
        `elapsed` [s] and the words of `day` are coordinates.
    folder : Path
        Where the files go; made when missing.

    Returns
    -------
    list of Path
        The files written: beta_angle, eclipse_duration, face_fluxes_year, face_fluxes_orbit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with house_style():
        figures = {
            "beta_angle": _beta(year),
            "eclipse_duration": _eclipses(year),
            "face_fluxes_year": _year_fluxes(year),
            "face_fluxes_orbit": _orbit_fluxes(revolutions, year),
        }
        files: list[Path] = []
        for name, figure in figures.items():
            picture, drawing = (folder / f"{name}{suffix}" for suffix in (".png", ".svg"))
            figure.savefig(picture, dpi=150)
            figure.set_layout_engine("none")  # laid out once is enough
            figure.savefig(drawing, metadata={"Date": None})  # the same year gives the same file
            files += [picture, drawing]
    return files


def _figure(width: float, height: float, year: xr.Dataset) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    subject = f"{year.attrs['case_name']} · {year.attrs['year']}"
    figure.suptitle(subject, x=0.01, ha="left", fontsize=9.5, color="#555555")
    return figure


def _legend_above(axis: Axes) -> None:
    handles, labels = axis.get_legend_handles_labels()
    axis.legend(
        handles,
        labels,
        loc="lower left",
        bbox_to_anchor=(-0.005, 0.985),
        ncols=len(labels),
        borderaxespad=0.2,
    )


def _months(axis: Axes, year: xr.Dataset) -> None:
    first = int(year.attrs["year"])
    bounds = mdates.date2num(np.array([f"{first}-01-01", f"{first + 1}-01-01"], dtype="datetime64[D]"))
    axis.set_xlim(float(bounds[0]), float(bounds[1]))
    axis.xaxis.set_major_locator(mdates.MonthLocator())
    axis.xaxis.set_major_formatter(mdates.DateFormatter("%b"))


def _shade_seasons(axis: Axes, year: xr.Dataset) -> None:
    for i, (start, end) in enumerate(zip(year["season_start"].values, year["season_end"].values)):
        label = "eclipse season" if i == 0 else None
        axis.axvspan(start, end, color=ECLIPSE_COLOUR, alpha=0.6, linewidth=0, zorder=0, label=label)


def _beta(year: xr.Dataset) -> Figure:
    figure = _figure(9.6, 4.2, year)
    axis = figure.subplots()
    beta = np.degrees(year["beta_angle"].values)
    axis.plot(year["time"].values, beta, color=BLUE, label="beta angle")
    critical = float(np.degrees(year.attrs["critical_beta_angle"]))
    # Of the two limits, those that the plot comes near.
    near = [s * critical for s in (-1.0, 1.0) if beta.min() - 15.0 < s * critical < beta.max() + 15.0]
    for i, limit in enumerate(near):
        axis.axhline(
            limit,
            color=GRAY,
            linestyle=(0, (5, 2)),
            linewidth=1.3,
            label=f"critical beta ±{critical:.1f}°" if i == 0 else None,
        )
    _shade_seasons(axis, year)
    axis.set_title("Angle of the Sun above the orbital plane", pad=24)
    axis.set_ylabel("beta angle [°]")
    axis.set_xlabel("time [UTC]")
    _months(axis, year)
    _legend_above(axis)
    return figure


def _eclipses(year: xr.Dataset) -> Figure:
    figure = _figure(9.6, 4.2, year)
    axis = figure.subplots()
    time = year["eclipse_time"].values
    if time.size:
        # A line would join the seasons: a gap of more than two days is left open.
        gaps = np.flatnonzero(np.diff(time) > np.timedelta64(2, "D")) + 1
        for name, colour, label in (
            ("eclipse_duration", SKY, "umbra and penumbra"),
            ("umbra_duration", BLUE, "umbra"),
        ):
            minutes = year[name].values / 60.0
            axis.fill_between(
                np.insert(time, gaps, time[gaps]),
                np.insert(minutes, gaps, np.nan),
                color=colour,
                linewidth=0,
                alpha=0.85,
                label=label,
            )
        _legend_above(axis)
    else:
        axis.text(0.5, 0.5, "no eclipse in this year", transform=axis.transAxes, ha="center", color=GRAY)
    axis.set_title("Time in the Earth's shadow per revolution", pad=24)
    axis.set_ylabel("duration [min]")
    axis.set_xlabel("time [UTC]")
    axis.set_ylim(bottom=0.0)
    _months(axis, year)
    return figure


def _stack(axis: Axes, x: NDArray[np.generic], fluxes: xr.Dataset) -> None:
    base = np.zeros(len(x))
    for name, label, colour in _PARTS:
        top = base + fluxes[name].values
        axis.fill_between(x, base, top, color=colour, linewidth=0, alpha=0.9, label=label)
        base = top


def _shared_legend(figure: Figure, axis: Axes) -> None:
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))


def _year_fluxes(year: xr.Dataset) -> Figure:
    faces: Sequence[str] = [str(face) for face in year["face"].values]
    columns = min(3, len(faces))
    rows = -(-len(faces) // columns)
    figure = _figure(3.6 * columns + 0.6, 2.3 * rows + 1.0, year)
    # Each face has a scale of its own: a radiator's 60 W/m² would vanish beside an array's 1400.
    grid = figure.subplots(rows, columns, squeeze=False)
    for axis, face in zip(grid.ravel(), faces):
        _stack(axis, year["flux_time"].values, year.sel(face=face))
        _shade_seasons(axis, year)
        axis.set_title(face, fontsize=9.5)
        axis.set_ylim(0.0, 1.15 * axis.get_ylim()[1])
        axis.yaxis.set_major_locator(MaxNLocator(nbins=5))
        _months(axis, year)
        axis.xaxis.set_major_locator(mdates.MonthLocator(bymonth=(1, 4, 7, 10)))
    for axis in grid.ravel()[len(faces) :]:
        axis.set_visible(False)
    figure.supylabel("incident flux, mean of a day [W/m²]", fontsize=10)
    _shared_legend(figure, grid.ravel()[0])
    return figure


def _orbit_fluxes(revolutions: xr.Dataset, year: xr.Dataset) -> Figure:
    faces = [str(face) for face in revolutions["face"].values]
    days = [str(day) for day in revolutions["day"].values]
    figure = _figure(4.8 * len(days) + 0.6, 1.55 * len(faces) + 1.4, year)
    grid = figure.subplots(len(faces), len(days), sharex=True, sharey="row", squeeze=False)
    minutes = revolutions["elapsed"].values / 60.0
    for column, day in enumerate(days):
        for row, face in enumerate(faces):
            axis = grid[row, column]
            _stack(axis, minutes, revolutions.sel(day=day, face=face))
            dark = revolutions["illuminated_fraction"].sel(day=day).values < 0.5
            axis.fill_between(
                minutes,
                0.0,
                1.0,
                where=dark,
                transform=axis.get_xaxis_transform(),
                color=ECLIPSE_COLOUR,
                alpha=0.6,
                linewidth=0,
                zorder=0,
                label="eclipse",
            )
            axis.set_title(f"{day}\n\n{face}" if row == 0 else face, fontsize=9.5)
            axis.yaxis.set_major_locator(MaxNLocator(nbins=4))
            axis.set_ylim(bottom=0.0)
        grid[-1, column].set_xlabel("time within one revolution [min]")
        grid[-1, column].set_xlim(minutes[0], minutes[-1])
    figure.supylabel("incident flux [W/m²]", fontsize=10)
    _shared_legend(figure, grid[0, 0])
    return figure
