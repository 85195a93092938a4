"""What is on the page of a session, and where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from viz.session.app import SessionApp

ASSETS = Path(__file__).with_name("assets")


def assets_module() -> dict[str, Any]:
    """Return what the page loads beside trame's own files: plotly and the plot component."""
    import plotly

    # Scripts of one folder are loaded in this order.
    library = Path(plotly.__file__).parent / "package_data"
    return {
        "serve": {"dd_plotly": str(library), "dd_assets": str(ASSETS)},
        "scripts": ["dd_plotly/plotly.min.js", "dd_assets/elements.js"],
        "styles": ["dd_assets/session.css"],
        "vue_use": ["dawnduskElements"],
    }


def build_page(app: SessionApp) -> Any:
    """Build the page; return its view of the scene."""
    from trame.ui.html import DivLayout
    from trame.widgets import html

    with DivLayout(app.server) as layout:
        layout.root.classes = "dd-page"
        layout.root.style = ""
        html.Div("{{ error }}", classes="dd-error", v_show="error", id="error")
        _build_bar(app, html)
        with html.Div(classes="dd-main"):
            view = _build_view(app, html)
            _build_side(app, html)
        _build_time(app, html)
    return view


def _build_bar(app: SessionApp, html: Any) -> None:
    with html.Div(classes="dd-bar"):
        html.H1("{{ case_name }}")
        with html.Label("show"), html.Select(v_model=("scene",), id="scene"):
            html.Option("{{ item.title }}", v_for="item in scenes", value=("item.value",), key="item.value")
        with (
            html.Label("sub-center", v_show="['sub_center', 'module', 'racks'].includes(scene)"),
            html.Select(v_model=("sub_center",), id="sub-center"),
        ):
            html.Option("{{ name }}", v_for="(name, number) in sub_centers", value=("number",), key="number")
        with html.Label("module", v_show="scene == 'module' || scene == 'racks'"):
            html.Input(type="number", min="0", v_model_number=("module",), id="module")
        with html.Label("colour"), html.Select(v_model=("paint",), id="paint"):
            html.Option("{{ item.title }}", v_for="item in paints", value=("item.value",), key="item.value")
        with html.Label("camera"):
            html.Button(
                "{{ name }}", v_for="name in cameras", key="name", click=(app.look, "[name]"),
                classes="dd-camera",
            )  # fmt: skip
        with html.Label("cut"):
            html.Input(type="range", min="0", max="95", v_model_number=("clip",), id="clip",
                       style="width:90px")  # fmt: skip
        with html.Label(title="Turn the scene in this browser instead of on the server"):
            html.Input(type="checkbox", v_model=("client_side",), id="client-side")
            html.Span("in browser")


def _build_view(app: SessionApp, html: Any) -> Any:
    from trame.widgets import vtk

    with element("dd-pick", ["pick", "size"])(
        classes="dd-view", id="view", pick=(app.pick, "$event"), size=(app.resize, "$event")
    ):
        view = vtk.VtkRemoteLocalView(
            app.model.plotter.render_window, namespace="view", mode=("viewMode", "remote"),
            interactive_ratio=0.7, interactive_quality=55, still_ratio=1, still_quality=92,
            disable_auto_switch=True, style="width:100%;height:100%",
        )  # fmt: skip
        with html.Div(classes="dd-note"):
            html.B("{{ title }}")
            html.Div("{{ note }}")
        with html.Div(classes="dd-scale"):
            html.Div("{{ scale.label }}", id="scale-label")
            html.Div(
                classes="dd-ramp",
                style=("`background: linear-gradient(to right, ${scale.stops.join(',')})`",),
            )
            with html.Div(classes="dd-ticks"):
                html.Span(
                    "{{ (number == 0 && scale.below ? '≤ ' : "
                    "number == scale.ticks.length - 1 && scale.above ? '≥ ' : '') + tick }}",
                    v_for="(tick, number) in scale.ticks",
                    key="number",
                )
    return view


def _build_side(app: SessionApp, html: Any) -> None:
    with html.Div(classes="dd-side"):
        with html.Div(classes="dd-card"):
            html.B("{{ selection }}", id="selection")
            with html.Div(v_show="selected", style="margin-top:5px;display:flex;gap:8px"):
                html.Button("look at it", click=app.enter, v_show="deeper", id="enter")
                html.Button("clear", click=app.unselect, id="clear")
        chart(html, figure=("figure_quantity",), cursor=("cursor",), moment=(app.go_to, "[$event]"))
        with html.Div(v_show="!live"), html.Select(v_model=("plot",), id="plot"):
            html.Option("{{ item.title }}", v_for="item in plots", value=("item.value",), key="item.value")
        chart(html, figure=("figure_plot",), cursor=("cursor",), moment=(app.go_to, "[$event]"))
        with html.Div(classes="dd-card dd-alarms", v_show="live", id="alarms"):
            html.B("Alarms")
            html.Div("none", v_show="!alarms.length")
            with html.Ul():
                html.Li("{{ alarm }}", v_for="(alarm, number) in alarms", key="number", classes="dd-alarm")
            html.B("Forecast", v_show="forecast.length")
            with html.Ul():
                html.Li("{{ line }}", v_for="(line, number) in forecast", key="number")


def _build_time(app: SessionApp, html: Any) -> None:
    with html.Div(classes="dd-time"):
        html.Button(
            "{{ playing ? '❚❚ pause' : '▶ play' }}", click=app.play, id="play",
            classes=("playing ? 'on' : ''",),
        )  # fmt: skip
        html.Span("{{ clock }}", classes="dd-clock", id="clock")
        html.Input(
            type="range",
            min="0",
            max=("last_index",),
            step="1",
            v_model_number=("time_index",),
            id="time",
        )
        html.Span("live", v_show="live && following", style="color:#5ee0a0", id="live")


def chart(html: Any, **attributes: Any) -> Any:
    """Add a time plot to the page."""
    with html.Div(classes="dd-plot"):
        return element("dd-chart", ["moment"], "figure", "cursor")(**attributes)


def element(tag: str, events: list[str], *attributes: str) -> Callable[..., Any]:
    """Return the widget of an element of ``assets/elements.js``, with its attributes and the events it sends."""
    from trame_client.widgets.core import AbstractElement

    class Element(AbstractElement):
        def __init__(self, **options: Any) -> None:
            super().__init__(tag, **options)
            self._attr_names += list(attributes)
            self._event_names += events

    return Element
