"""Pictures of a sizing: areas and their distribution, throttling over area, what drives the area, trade, years."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from viz.curves import BLUE, GRAY, GREEN, KELVIN_AT_ZERO_CELSIUS, ORANGE, PURPLE, SKY, VERMILION
from viz.plots import STYLE

__all__ = ["open_sizing", "plot_style", "sizing_figures", "write_sizing_plots"]

YEAR = 365.25 * 86400.0

COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, GRAY)

MOST_CENTERS = 4
"""Sub-centers that are drawn; others follow the same design in most plants."""


def plot_style() -> Any:
    """Return the settings of the pictures for `matplotlib.rc_context`."""
    return dict(STYLE)


def open_sizing(path: Path) -> xr.DataTree:
    """Open a ``sizing.zarr``, or the folder that holds it.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    target = path if path.name.endswith(".zarr") else path / "sizing.zarr"
    if not target.is_dir():
        raise FileNotFoundError(f"{target}: no sizing; 'twin size CASE --out FOLDER' writes one")
    return xr.open_datatree(target, engine="zarr", consolidated=False)


def _scale(values: Any) -> tuple[float, str]:
    """Unit for areas that people read."""
    return (1e4, "10⁴ m²") if np.nanmax(np.asarray(values, dtype=float)) >= 1e5 else (1.0, "m²")


def _years(age: float) -> str:
    return "begin of life" if age == 0.0 else f"{age / YEAR:g} years"


def _figure(rows: int = 1, columns: int = 1, width: float = 8.0, height: float = 4.2) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height * rows), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)


def _centers(data: xr.Dataset) -> list[str]:
    return [str(name) for name in data["sub_center"].values[:MOST_CENTERS]]


def draw_distribution(tree: xr.DataTree) -> Figure | None:
    """Draw the cumulative distribution of the area needed, with quantiles, design and closed form."""
    if "samples" not in tree:
        return None
    samples, area = tree["samples"].to_dataset(), tree["area"].to_dataset()
    names = _centers(samples)
    figure, axes = _figure(1, len(names), max(8.0, 4.0 * len(names)))
    for axis, name in zip(axes[0], names):
        one = samples.sel(sub_center=name)
        scale, unit = _scale(one["area"])
        for k, age in enumerate(one["age"].values):
            values = np.sort(np.where(np.isnan(one["area"][k]), np.inf, one["area"][k])) / scale
            share = (np.arange(values.size) + 1.0) / values.size
            good = np.isfinite(values)
            axis.step(
                values[good], 100.0 * share[good], where="post", color=COLOURS[k], label=_years(float(age))
            )
            if good[-1]:
                top = np.interp([0.5, 0.95], share, values)
                axis.plot(top, [50.0, 95.0], "o", color=COLOURS[k], markersize=5)
        design = area.sel(sub_center=name)
        for label, key, colour, line in (
            ("design", "design_area", "black", "-"), ("with margin", "required", GREEN, "-."),
            ("closed form", "closed_form", GRAY, "--"),
        ):  # fmt: skip
            value = float(np.atleast_1d(design[key])[-1]) / scale
            axis.axvline(value, color=colour, linewidth=1.2, linestyle=line, label=label)
        axis.set(title=name, xlabel=f"radiator area, one face [{unit}]", ylim=(0.0, 100.0))
    axes[0][0].set_ylabel("samples that this area is enough for [%]\n(dots: P50 and P95)")
    _legend_below(figure, axes[0][0])
    return figure


def _legend_below(figure: Figure, axis: Axes) -> None:
    """Put the legend of an axis below the figure, where it hides no line."""
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=6)


def draw_throttling(tree: xr.DataTree) -> Figure | None:
    """Draw card-hours held back by temperature, and the probability of any, over the area."""
    if "curve" not in tree:
        return None
    data, area = tree["curve"].to_dataset(), tree["area"].to_dataset()
    figure, axes = _figure(1, 2, 10.0)
    scale, unit = _scale(data["area"])
    for k, name in enumerate(_centers(data)):
        one = data.sel(sub_center=name)
        x = one["area"] / scale
        axes[0][0].plot(x, 100.0 * one["throttled_fraction"], color=COLOURS[k], label=name)
        axes[0][0].plot(x, 100.0 * one["throttled_fraction_p95"], color=COLOURS[k], linestyle=":")
        axes[0][1].plot(x, 100.0 * one["throttling_probability"], color=COLOURS[k], label=name)
        needed = float(area["needed"].sel(sub_center=name)[-1]) / scale
        for axis in axes[0]:
            mark = "needed, nothing uncertain" if k == 0 else None
            axis.axvline(needed, color=COLOURS[k], linewidth=0.8, linestyle="--", label=mark)
    axes[0][0].set(
        title="Card-hours lost to temperature", ylabel="share, mean (dotted: P95) [%]",
        xlabel=f"radiator area, one face [{unit}]",
    )  # fmt: skip
    axes[0][0].set_yscale("symlog", linthresh=0.01)
    axes[0][0].set_ylim(0.0, 100.0)
    axes[0][1].set(
        title="Probability of throttling",
        ylabel="samples that throttle in the worst orbit [%]",
        xlabel=f"radiator area, one face [{unit}]",
    )  # fmt: skip
    _legend_below(figure, axes[0][0])
    return figure


def draw_tornado(tree: xr.DataTree) -> Figure | None:
    """Draw what each uncertain variable does to the area, and its share of the variance."""
    if "sensitivity" not in tree:
        return None
    data = tree["sensitivity"].to_dataset().isel(sub_center=0, age=-1)
    of = f"{data['sub_center'].values}, {_years(float(data['age']))}"
    order = np.argsort(data["total_order"].values)
    names = [str(data["variable"].values[i]).replace("_", " ") for i in order]
    figure, axes = _figure(1, 2, 10.0, 0.32 * len(names) + 1.6)
    swing = 100.0 * data["swing"].values[order]
    place = np.arange(len(names))
    axes[0][0].barh(place, swing[:, 0], color=BLUE, label="variable at its P5")
    axes[0][0].barh(place, swing[:, 1], color=VERMILION, label="at its P95")
    axes[0][0].axvline(0.0, color="black", linewidth=0.8)
    axes[0][0].set(title=f"Change of the area needed ({of})", xlabel="[%]", yticks=place, yticklabels=names)
    axes[0][0].legend(loc="best")
    axes[0][1].barh(place + 0.2, data["total_order"].values[order], 0.38, color=BLUE, label="total")
    axes[0][1].barh(
        place - 0.2, np.maximum(data["first_order"].values[order], 0.0), 0.38, color=SKY, label="first order",
        xerr=data["first_order_confidence"].values[order], ecolor=GRAY,
    )  # fmt: skip
    axes[0][1].set(title="Share of the variance (Sobol indices)", xlabel="[1]", yticks=place, yticklabels=[])
    # Few samples leave first-order indices uncertain, below 0 too, where there is nothing to see.
    axes[0][1].set_xlim(
        -0.05, 1.1 * max(float(data["total_order"].max()), float(data["first_order"].max()), 0.5)
    )
    axes[0][1].legend(loc="lower right")
    return figure


def draw_trade(tree: xr.DataTree) -> Figure | None:
    """Draw mass against card-hours held back, by supply temperature, with the variants that no other one beats."""
    if "trade" not in tree:
        return None
    data = tree["trade"].to_dataset().isel(sub_center=0)
    data = data.where(np.isfinite(data["mass"]), drop=True)
    figure, axes = _figure(1, 2, 10.5)
    heavy = float(data["mass"].max()) >= 1e4
    celsius = data["supply_set_point"] - KELVIN_AT_ZERO_CELSIUS
    front = data["non_dominated"].values.astype(bool)
    for axis, x, label in (
        (
            axes[0][0],
            data["mass"] / (1e3 if heavy else 1.0),
            f"radiator and array [{'t' if heavy else 'kg'}]",
        ),
        (
            axes[0][1],
            data["area"] / _scale(data["area"])[0],
            f"radiator area, one face [{_scale(data['area'])[1]}]",
        ),
    ):
        # Variants whose valve is open are the same whatever their set point: the colder ones lie inside the warmer.
        colder = np.argsort(-celsius.values)
        sizes = 14.0 + 2.2 * (celsius.values - celsius.values.min())
        shown = axis.scatter(
            x.values[colder], 100.0 * data["throttled_fraction"].values[colder], c=celsius.values[colder],
            s=sizes[colder], cmap="cividis", zorder=2,
        )  # fmt: skip
        order = np.argsort(x.values[front])
        axis.plot(
            x.values[front][order], 100.0 * data["throttled_fraction"].values[front][order], "o", color=VERMILION,
            markersize=11, markerfacecolor="none", label="no other is better", zorder=3,
        )  # fmt: skip
        axis.set_yscale("symlog", linthresh=0.01)
        axis.set_ylim(bottom=-0.001)
        axis.set(xlabel=label)
    axes[0][0].set_ylabel("card-hours lost to temperature [%]")
    axes[0][0].set_title(str(data["sub_center"].values))
    axes[0][0].legend()
    figure.colorbar(shown, ax=axes[0][1], label="coolant supply set point [°C]")
    return figure


def draw_years(tree: xr.DataTree) -> Figure | None:
    """Draw the area needed from launch on."""
    if "years" not in tree:
        return None
    data, area = tree["years"].to_dataset(), tree["area"].to_dataset()
    figure, axes = _figure()
    scale, unit = _scale(data["needed"])
    axis: Axes = axes[0][0]
    for k, name in enumerate(_centers(data)):
        one = data.sel(sub_center=name)
        axis.plot(one["year"], one["needed"] / scale, "o-", color=COLOURS[k], markersize=4, label=name)
    margin = 1.0 + float(tree.attrs["heat_load_margin"])
    if margin > 1.0:
        first = data.isel(sub_center=0)
        axis.plot(
            first["year"], margin * first["needed"] / scale, "--", color=GRAY,
            label=f"with {100 * (margin - 1.0):.0f} % heat load",
        )  # fmt: skip
    axis.axhline(float(area["design_area"][0]) / scale, color="black", linewidth=1.2, label="design")
    axis.set(xlabel="years from launch", ylabel=f"radiator area needed, one face [{unit}]")
    _legend_below(figure, axis)
    return figure


def draw_convergence(tree: xr.DataTree) -> Figure | None:
    """Draw how quantiles settle with the number of samples."""
    if "statistics" not in tree:
        return None
    data = tree["statistics"].to_dataset().isel(sub_center=0, age=-1)
    figure, axes = _figure()
    scale, unit = _scale(data["quantile"])
    axis: Axes = axes[0][0]
    for k, probability in enumerate(data["probability"].values):
        one = data.sel(probability=probability)
        label = f"P{100 * probability:.0f}"
        axis.plot(data["size"], one["running"] / scale, "o-", color=COLOURS[k], markersize=4, label=label)
        low, high = (float(one[n]) / scale for n in ("quantile_low", "quantile_high"))
        axis.axhspan(low, high, color=COLOURS[k], alpha=0.15, linewidth=0.0)
    axis.set(xlabel="samples", ylabel=f"area needed [{unit}]", xscale="log", title="Bands: 95 % confidence")
    sizes = data["size"].values[::3]
    axis.set_xticks(sizes, [str(int(n)) for n in sizes])
    axis.set_xticks([], minor=True)
    _legend_below(figure, axis)
    return figure


def draw_search(tree: xr.DataTree) -> Figure | None:
    """Draw the area that each day of the year asks for, and the angle of the Sun."""
    data = tree["design_case"].to_dataset()
    figure, axes = _figure()
    axis: Axes = axes[0][0]
    days = data["day"].values.astype("datetime64[D]")
    others = [d for d in data["search_area"].dims if d not in ("sub_center", "day")]
    worst = data["search_area"].max(others)
    scale, unit = _scale(worst.where(np.isfinite(worst)))
    order = np.argsort(days)
    for k, name in enumerate(_centers(data)):
        needed = worst.sel(sub_center=name).values[order] / scale
        axis.plot(days[order], needed, "o-", color=COLOURS[k], markersize=4, label=name)
    axis.set_ylabel(f"area needed, worst of ages and sets [{unit}]")
    _legend_below(figure, axis)
    second = axis.twinx()
    second.plot(
        days[order], np.degrees(data["beta"].isel(sub_center=0).values[order]), color=GRAY, linestyle=":"
    )
    second.set_ylabel("Sun over the orbit plane [°] (dotted)")
    second.grid(visible=False)
    figure.autofmt_xdate()
    return figure


FIGURES: dict[str, tuple[str, Callable[[xr.DataTree], Figure | None]]] = {
    "search": ("Which day is worst", draw_search),
    "distribution": ("Area needed: distribution over what is uncertain", draw_distribution),
    "throttling": ("What a square metre more or less costs", draw_throttling),
    "tornado": ("What drives the area", draw_tornado),
    "trade": ("Trade of mass, area and supply temperature", draw_trade),
    "years": ("From launch to end of life", draw_years),
    "convergence": ("How the statistics settle", draw_convergence),
}
"""Names, titles and functions of the pictures."""


def sizing_figures(tree: xr.DataTree) -> dict[str, tuple[str, Figure]]:
    """Return title and figure of every picture for which the sizing has data."""
    out = {}
    with mpl.rc_context(plot_style()):
        for name, (title, draw) in FIGURES.items():
            figure = draw(tree)
            if figure is not None:
                figure.suptitle(title, x=0.01, ha="left", fontsize=11.5, fontweight="bold")
                figure.canvas.draw()
                out[name] = (title, figure)
    return out


def write_sizing_plots(path: Path, folder: Path) -> list[Path]:
    """Write the pictures of a ``sizing.zarr`` as PNG and SVG files; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with mpl.rc_context(plot_style()):
        for name, (_, figure) in sizing_figures(open_sizing(path)).items():
            for suffix in ("png", "svg"):
                target = folder / f"sizing-{name}.{suffix}"
                figure.savefig(target, dpi=150)
                written.append(target)
    return written
