"""The panel's widgets: made once, then only their texts change. No logic: clicks go out, states come in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as w

from labhelpers.i18n import tr
from labhelpers.topology import Topology
from labhelpers.widgets.panel_html import STYLE, card_html, clock_html, log_html, tiles_html
from labhelpers.widgets.panel_model import FIRST_CARDS, Card, Clock, PanelState


class CardView:
    """One card: its text, its button, and one for more time."""

    def __init__(self, kind: str, on_click: Callable[[str], Any], on_more: Callable[[str], Any]) -> None:
        self.kind = kind
        self.text = w.HTML()
        self.button = w.Button(description="…")
        self.button.add_class("workshop-go")
        self.more = w.Button(
            description=tr("+5 min", "+5 min"),
            tooltip=tr("Give it five minutes more", "Lui donner cinq minutes de plus"),
        )
        self.more.layout.display = "none"
        self.widget = w.VBox([self.text, w.HBox([self.button, self.more])])
        self.widget.add_class("workshop-card")
        self.button.on_click(lambda _: on_click(kind))
        self.more.on_click(lambda _: on_more(kind))
        self._runs = False

    def show(self, card: Card, *, taken: bool, pressed: bool) -> None:
        """``pressed``: the trainee's last click was here. A button that were disabled then would lose the focus."""
        _set(self.text, "value", card_html(card))
        _set(self.button, "description", card.button)
        _set(self.button, "tooltip", card.tooltip)
        dead = not pressed and (taken or not card.enabled)
        _set(self.button, "disabled", dead)
        _set(self.more, "disabled", dead)
        _mark_busy(self.button, taken or not card.enabled)
        if card.runs != self._runs:
            self._runs = card.runs
            (self.widget.add_class if card.runs else self.widget.remove_class)("runs")
            self.more.layout.display = None if card.runs else "none"


class PanelView:
    """The whole panel as one widget."""

    def __init__(
        self,
        topology: Topology,
        *,
        on_card: Callable[[str], Any],
        on_more: Callable[[str], Any],
        on_heal: Callable[[], Any],
        figure: Any = None,
    ) -> None:
        self._topology = topology
        self._on_card, self._on_more = on_card, on_more
        self._pressed = ""
        self._lock = threading.Lock()
        self._cards: dict[str, CardView] = {}
        self._tiles = w.HTML()
        self._first = _grid()
        self._rest = _grid()
        self._folded = w.Accordion(
            children=[self._rest], titles=(tr("More incidents", "Autres incidents"),), selected_index=None
        )
        self._clock = w.HTML(layout=w.Layout(flex="1 1 auto", min_width="0"))
        self._heal = w.Button(
            description=tr("Heal everything", "Tout réparer"),
            tooltip=tr("Undo every incident and mend what was done by hand",
                       "Défaire tous les incidents et réparer ce qui a été fait à la main"),
        )  # fmt: skip
        self._heal.add_class("workshop-heal")
        self._heal.on_click(lambda _: on_heal())
        foot = w.HBox([self._clock, self._heal])
        foot.add_class("workshop-foot")
        self._chart = w.VBox()
        bottom = w.VBox([foot, self._chart])
        bottom.add_class("workshop-bottom")
        self._log = w.HTML()
        style = w.HTML(STYLE, layout=w.Layout(height="0", margin="0"))
        self.widget = w.VBox([style, self._tiles, self._first, self._folded, bottom, self._log])
        self.widget.add_class("workshop-panel")
        if figure is not None:
            self.show_figure(figure)

    def show_figure(self, figure: Any) -> None:
        """Keep this chart in view below the buttons, instead of the one before."""
        before = self.take_figure()
        if before is not None and before is not figure:
            before.close()
        self._chart.children = (figure,)
        self.widget.add_class("charted")

    def take_figure(self) -> Any:
        """The chart that was in view, for another place; None where there was none."""
        figure = next(iter(self._chart.children), None)
        self._chart.children = ()
        self.widget.remove_class("charted")
        return figure

    def show(
        self, state: PanelState, clock: Clock | None, message: str, lines: Sequence[str], *, taken: set[str]
    ) -> None:
        with self._lock:
            self._arrange([card.kind for card in state.cards])
            _set(self._tiles, "value", tiles_html(state, self._topology))
            for card in state.cards:
                self._cards[card.kind].show(card, taken=card.kind in taken, pressed=card.kind == self._pressed)
            _set(self._clock, "value", clock_html(clock, message))
            _mark_busy(self._heal, "heal" in taken)
            _set(self._log, "value", log_html(lines))

    def tell(self, clock: Clock | None, message: str) -> None:
        """Only the words: for when nothing could be looked at."""
        with self._lock:
            _set(self._clock, "value", clock_html(clock, message))

    def take(self, key: str) -> None:
        """The click was taken: its button looks busy until the work is done."""
        if key == "heal":
            _mark_busy(self._heal, True)
        elif key in self._cards:
            _mark_busy(self._cards[key].button, True)

    def _card_pressed(self, kind: str) -> None:
        self._pressed = kind
        self._on_card(kind)

    def _arrange(self, kinds: Sequence[str]) -> None:
        """What was done by hand gets a card while it lasts."""
        if list(self._cards) == list(kinds):
            return
        self._cards = {
            kind: self._cards.get(kind) or CardView(kind, self._card_pressed, self._on_more) for kind in kinds
        }
        by_hand = [kind for kind in kinds if ":" in kind]
        usual = [kind for kind in kinds if ":" not in kind]
        self._first.children = [self._cards[kind].widget for kind in [*by_hand, *usual[:FIRST_CARDS]]]
        self._rest.children = [self._cards[kind].widget for kind in usual[FIRST_CARDS:]]

    def button(self, kind: str) -> w.Button:
        """The card's button, for whoever presses it without a browser."""
        return self._cards[kind].button

    def close(self) -> None:
        figure = self.take_figure()
        if figure is not None:
            figure.close()
        self.widget.close()


def _grid() -> w.Box:
    grid = w.Box()
    grid.add_class("workshop-cards")
    return grid


def _mark_busy(button: w.Button, busy: bool) -> None:
    if busy != ("workshop-busy" in button._dom_classes):
        (button.add_class if busy else button.remove_class)("workshop-busy")


def _set(widget: Any, name: str, value: Any) -> None:
    """Send only what changed."""
    if getattr(widget, name) != value:
        setattr(widget, name, value)
