from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from browser import Page as BrowserPage

from twin.results import open_result, summary
from viz.report import report_html, write_report
from viz.report_words import outline, show


class Page(HTMLParser):
    """Collects what the tests look at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells: dict[tuple[str, str], float] = {}
        self.links: list[str] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        self.links += [values[key] for key in ("src", "href") if key in values]
        if "data-name" in values:
            self.cells[values["data-name"], values["data-subject"]] = float(values["data-value"])
        if tag not in ("meta", "img", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words.append(data)


@pytest.fixture(scope="module")
def html(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = write_report(run_folder, tmp_path_factory.mktemp("report") / "report.html")
    assert [item.name for item in file.parent.iterdir()] == ["report.html"]
    return file.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_page_is_whole_and_self_contained(page: Page, html: str) -> None:
    assert page.open == [], f"not closed: {page.open}"
    assert page.links and all(
        link.startswith(("data:image/png;base64,", "data:image/webp;base64,")) for link in page.links
    )
    assert not re.search(r"<script[^>]+src=", html)
    assert "$" not in "".join(page.words), "a placeholder was left"


def test_numbers_equal_the_result(page: Page, result: xr.DataTree) -> None:
    for row in summary(result):
        assert page.cells[row.name, ""] == row.plant
        for name, value in row.sub_center.items():
            assert page.cells[row.name, name] == value
    hottest = float(result["plant/junction_temperature_max"].max())
    assert page.cells["junction_temperature_max", ""] == pytest.approx(hottest)
    assert f"{hottest - 273.15:.1f} °C" in page.words


def test_plots_carry_the_data(html: str, result: xr.DataTree) -> None:
    text = re.search(r'id="figures">(.*?)</script>', html, re.DOTALL)
    assert text
    subjects = json.loads(text[1])
    assert list(subjects) == ["", "Aurora", "Borealis"]
    assert set(subjects[""]) >= {"power_balance", "battery_charge", "junction_temperatures", "throttling"}
    traces = {trace["name"]: trace for trace in subjects["Borealis"]["battery_charge"]["data"]}
    assert len(traces["state of charge"]["x"]) == result["sub_center"].sizes["time"]
    assert len(subjects[""]["power_balance"]["layout"]["shapes"]) == 3  # three eclipses


def test_reader_learns_what_was_run(page: Page) -> None:
    words = " ".join(page.words)
    for expected in (
        "synthetic",
        "2026-11-10 12:00:00 UTC",
        "numpy",
        "above the slowdown limit",
        "Borealis",
        "within 1e-06",
    ):
        assert expected in words


def test_text_from_a_case_cannot_break_the_page(result: xr.DataTree) -> None:
    tree = result.copy()
    hostile = "</script><b>x & y"
    tree.attrs = {**tree.attrs, "case_name": hostile, "case_text": hostile}
    text = report_html(tree)
    assert hostile not in text
    page = Page(text)
    assert page.open == [] and hostile in "".join(page.words)


def test_verdicts_turn_with_the_numbers(result: xr.DataTree) -> None:
    good = Page(report_html(result)).words
    tree = result.copy()
    ledger = tree["ledger"].to_dataset()
    tree["ledger"] = xr.DataTree(ledger.assign(energy_residual=ledger.energy_residual * 1e4))
    plant = tree["plant"].to_dataset()
    tree["plant"] = xr.DataTree(plant.assign(radiator_margin=plant.radiator_margin - 1.0))
    bad = Page(report_html(tree)).words
    assert "of what was absorbed, within 1e-06" in good and "enough radiator" in good
    assert "above 1e-06: do not trust" in bad and "radiator too small" in bad


@pytest.mark.parametrize(
    ("value", "units", "expected"),
    [
        (300.0, "K", "26.9 °C"),
        (1.2345e9, "W", "1.234 GW"),
        (0.4567, "1", "45.67 %"),
        (7.2e6, "J", "2 kWh"),
        (np.nan, "W", "–"),
        (12.5, "m2", "12.5 m²"),
        (2.335e6, "m2", "2.335 km²"),
        (14_382.0, "h", "14,382 h"),
        (1.838e12, "bit s-1", "1.838 Tbit/s"),
        (0.0, "bit s-1", "0 bit/s"),
    ],
)
def test_units_as_people_read_them(value: float, units: str, expected: str) -> None:
    assert show(value, units) == expected


def test_case_outline() -> None:
    case = {"orbit": {"altitude": "750 km", "tle": [1, 2]}, "parts": [{"name": "a"}]}
    assert outline(case) == ["orbit:", "  altitude: 750 km", "  tle: [1, 2]", "parts:", "  - name: a"]


def test_report_of_a_result_without_fields(run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "result.zarr").symlink_to(run_folder / "result.zarr", target_is_directory=True)
    page = Page(write_report(tmp_path).read_text(encoding="utf-8"))
    assert len(page.links) == 4  # what held cards back, plant, sub-center and cards; no finite element field
    assert "Finite element field" not in " ".join(page.words)
    assert open_result(tmp_path).attrs["complete"]


def test_scenes_are_in_the_page(page: Page) -> None:
    assert len(page.links) == 5
    assert "Finite element field nearest to that moment" in " ".join(page.words)


def test_sizing_beside_the_result_is_in_the_page(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "result.zarr").symlink_to(run_folder / "result.zarr", target_is_directory=True)
    asked: list[Path] = []

    def section(path: Path) -> str:
        asked.append(path)
        return "<section id='sizing'><h2>Radiator sizing</h2></section>"

    monkeypatch.setattr("viz.sizing_section.sizing_section", section)
    page = Page(write_report(tmp_path).read_text(encoding="utf-8"))
    assert "Radiator sizing" in page.words and asked[0].samefile(tmp_path)


def test_certificate_and_alarms_are_told(result: xr.DataTree) -> None:
    tree = result.copy()
    stored = {"wing": {"largest_error": 0.0123, "held_out_runs": 6, "curve": [1, 2, 3]}}
    tree.attrs = {
        **tree.attrs,
        "certificate": json.dumps(stored),
        "alarms": json.dumps(["battery below its limit"]),
    }
    page = Page(report_html(tree))
    assert {"largest error", "0.0123", "held out runs", "6", "battery below its limit"} <= set(page.words)
    assert "curve" not in page.words


def test_report_in_a_real_browser(browser: str, html: str, tmp_path: Path) -> None:
    """The plots draw themselves without a network, follow the chooser, and nothing goes wrong."""
    file = tmp_path / "report.html"
    file.write_text(html, encoding="utf-8")
    with BrowserPage(browser) as page:
        page.open(file.as_uri())
        page.wait("document.querySelectorAll('#plots .main-svg').length > 6")
        before = page.eval("document.querySelector('#plot-power_balance')._fullData[0].y[5]")
        page.set("#subject", "Borealis")
        page.wait(f"document.querySelector('#plot-power_balance')._fullData[0].y[5] != {before}")
        assert page.eval("[...document.images].every(image => image.naturalWidth > 300)")
        assert page.problems() == []
        assert [u for u in page.requests() if not u.startswith(("file:", "data:", "blob:"))] == []
