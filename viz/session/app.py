"""The page of a session: a trame application around `viz.session.model.SessionModel`."""

from __future__ import annotations

import asyncio
from typing import Any

from twin.errors import BadInput
from viz.curves import PLOT_BY_NAME
from viz.plant_data import PlantData
from viz.scenes import Choice
from viz.session.model import CHARTS, SessionModel
from viz.session.page import assets_module, build_page

PLAY_PAUSE = 0.15
"""Least time between two steps while it plays [s]."""

SCENE_WORDS = {
    "plant": "Plant",
    "sub_center": "Sub-center",
    "module": "Module",
    "cards": "Cards by module",
    "racks": "Cards of a module",
}

DEEPER = {
    "plant": ("sub_center",),
    "sub_center": ("module",),
    "module": ("racks",),
    "cards": ("racks", "sub_center"),
}
"""Where *look at it* leads: the first of these that the result has."""


class SessionApp:
    """The state of the page and its answers to what the viewers do.

    All viewers share one session: what one of them changes, the others see.

    Parameters
    ----------
    data : PlantData
        A result, or a live plant.
    server : trame server
    model : SessionModel
    """

    def __init__(self, data: PlantData, server: Any, model: SessionModel) -> None:
        self.data, self.server, self.model = data, server, model
        self.state = server.state
        self._playing: asyncio.Task[None] | None = None
        server.enable_module(assets_module())
        self._fill_state()
        self.view = build_page(self)
        self._watch()

    def refresh(self) -> None:
        """Show what has come in: for a live plant."""
        with self.state:
            last = self.data.times.size - 1
            self.state.last_index = last
            if self.state.following:
                self._quiet(time_index=last)
                self._do(lambda: self.model.set_time(last))
            else:
                self._do(self.model.refresh)
            self._show_all()
            self._push()

    def report_error(self, message: str) -> None:
        """Show a message in the page, empty to remove it."""
        with self.state:
            self.state.error = message

    def _fill_state(self) -> None:
        model, data, state = self.model, self.data, self.state
        live = bool(getattr(data, "live", False))
        state.trame__title = f"{data.name} · Dawndusk"
        state.update(
            {
                "case_name": data.name,
                "live": live,
                "following": live,
                "error": "",
                "scene": model.choice.scene,
                "scenes": [{"value": key, "title": SCENE_WORDS[key]} for key in data.scenes],
                "sub_center": model.choice.sub_center,
                "sub_centers": data.sub_centers,
                "module": model.choice.module,
                "paint": model.paint.variable,
                "paints": [{"value": paint.variable, "title": paint.label} for paint in data.paints],
                "plot": CHARTS[0],
                "plots": [{"value": key, "title": PLOT_BY_NAME[key].title} for key in CHARTS],
                "time_index": model.index,
                "last_index": data.times.size - 1,
                "playing": False,
                "clip": 0,
                "client_side": False,
                "alarms": [],
                "forecast": [],
                "viewers": 0,
            }
        )
        self._shown: dict[str, Any] = {
            key: state[key]
            for key in ("scene", "sub_center", "module", "paint", "plot", "time_index", "clip", "client_side")
        }
        self._show_all()

    def _show_all(self) -> None:
        """Bring words, scale and plots up to date with the model."""
        self._show_moment()
        figures = self.model.figures(self.state.plot)
        self.state.update({"figure_quantity": figures["quantity"], "figure_plot": figures["plot"]})

    def _show_moment(self) -> None:
        model, data = self.model, self.data
        moment = data.utc(model.index)
        self.state.update(
            {
                "clock": f"{moment:%Y-%m-%d %H:%M:%S} UTC",
                "cursor": f"{moment:%Y-%m-%d %H:%M:%S}",
                "title": model.scene.title,
                "note": model.scene.note,
                "scale": model.scale(),
                "selection": model.describe_selection(),
                "selected": model.selected is not None,
                "deeper": self._deeper() is not None,
                "cameras": [preset.name for preset in model.scene.presets()],
                "alarms": list(getattr(data, "alarms", [])),
                "forecast": list(getattr(data, "forecast", [])),
            }
        )

    def _watch(self) -> None:
        state = self.state

        @state.change("scene", "sub_center", "module")
        def on_scene(**_: Any) -> None:
            if self._changed("scene", "sub_center", "module"):
                center = int(state.sub_center)
                module = int(state.module or 0)
                if not (0 <= module < self.data.present.shape[1] and self.data.present[center][module]):
                    module = 0
                    self._quiet(module=0)
                self._do(lambda: self.model.show(Choice(state.scene, center, module)))
                self._quiet(paint=self.model.paint.variable)
                self._show_all()
                self._push(camera=True)

        @state.change("paint")
        def on_paint(**_: Any) -> None:
            if self._changed("paint"):
                self._do(lambda: self.model.set_paint(state.paint))
                self._show_all()
                self._push()

        @state.change("time_index")
        def on_time(**_: Any) -> None:
            if self._changed("time_index"):
                index = int(state.time_index)
                state.following = bool(state.live and index >= state.last_index)
                self._do(lambda: self.model.set_time(index))
                self._show_moment()
                self._push()

        @state.change("plot")
        def on_plot(**_: Any) -> None:
            if self._changed("plot"):
                self._show_all()

        @state.change("clip")
        def on_clip(**_: Any) -> None:
            if self._changed("clip"):
                self._do(lambda: self.model.set_clip(float(state.clip) / 100.0))
                self._push()

        @state.change("client_side")
        def on_client_side(**_: Any) -> None:
            if self._changed("client_side"):
                state.viewMode = "local" if state.client_side else "remote"
                self._push(camera=True)

    def play(self) -> None:
        """Start or stop the clock."""
        self.state.playing = not self.state.playing
        if self.state.playing:
            self.model.hurry()
            self._playing = asyncio.get_running_loop().create_task(self._play())

    async def _play(self) -> None:
        loop = asyncio.get_running_loop()
        while self.state.playing:
            begin = loop.time()
            with self.state:
                following = self.model.index + 1
                self.state.time_index = 0 if following > self.state.last_index else following
            # The others get their turn, and a slow machine drops its pace, not its frames.
            await asyncio.sleep(max(0.02, PLAY_PAUSE - (loop.time() - begin)))
        self.model.rest()
        self._push()

    def pick(self, x: float, y: float) -> None:
        """Select what was clicked; x, y are shares of the view from its left and lower border."""
        self._do(lambda: self.model.pick(x, y))
        self._show_all()
        self._push()

    def resize(self, width: float, height: float) -> None:
        """Fit the scene to the view of the viewer who came last, in pixels."""
        self._do(lambda: self.model.resize(int(width), int(height)))
        self._push(camera=True)

    def enter(self) -> None:
        """Go into what is selected: from the plant to its sub-center, to the module, to its racks and cards."""
        pick = self.model.selected
        into = self._deeper()
        if pick is None or into is None:
            return
        with self.state:
            self.state.update({"sub_center": pick.sub_center, "module": pick.module, "scene": into})

    def _deeper(self) -> str | None:
        """Return the scene that shows more of what is selected, None when there is none."""
        ways = DEEPER.get(self.model.choice.scene, ())
        return next((scene for scene in ways if scene in self.data.scenes), None)

    def unselect(self) -> None:
        """Select nothing."""
        self.model.select(None)
        self._show_all()
        self._push()

    def look(self, camera: str) -> None:
        """Move the camera to a preset."""
        self._do(lambda: self.model.look(camera))
        self._push(camera=True)

    def go_to(self, moment: str) -> None:
        """Go to the time stamp nearest to a UTC time, as a plot writes it."""
        from datetime import UTC, datetime

        wanted = datetime.fromisoformat(moment).replace(tzinfo=UTC)
        self.state.time_index = self.data.index_at((wanted - self.data.start).total_seconds())

    def _do(self, action: Any) -> None:
        try:
            action()
        except (BadInput, OSError, KeyError) as error:
            self.state.error = f"{error}"
        else:
            self.state.error = ""

    def _changed(self, *names: str) -> bool:
        """Whether a viewer changed one of these: what this class set itself is not a change."""
        new = {name: self.state[name] for name in names}
        different = any(self._shown[name] != value for name, value in new.items())
        self._shown.update(new)
        return different

    def _quiet(self, **values: Any) -> None:
        self._shown.update(values)
        self.state.update(values)

    def _push(self, camera: bool = False) -> None:
        if self.state.client_side:
            self.view.update_geometry()
            if camera:
                self.view.push_camera()
        else:
            self.view.update_image()
