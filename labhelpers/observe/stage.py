"""What is beside the text: the recording of each lab that was begun last, and the place that a panel has for its chart.

A recording knows no panel (panels are of a higher layer): an open panel offers its place here, and a recording that is
shown takes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from labhelpers.observe.session import Session

Place: TypeAlias = Callable[[Any], None]
"""Takes a widget and keeps it in view until it is given another one; who takes it closes it."""

_places: dict[str, Place] = {}
_sessions: dict[str, Session] = {}


def offer_place(lab: str, place: Place) -> None:
    """Charts of the lab's recordings go there from now on."""
    _places[lab] = place


def withdraw_place(lab: str, place: Place) -> None:
    """No more charts there; another place that was offered since stays."""
    if _places.get(lab) == place:
        del _places[lab]


def place_of(lab: str) -> Place | None:
    """Where the chart of the lab's recording goes; None: into the cell."""
    return _places.get(lab)


def enter(session: Session) -> None:
    """It is the lab's latest recording, also after its end."""
    _sessions[session.lab.name] = session


def latest_session(lab: str) -> Session | None:
    """The lab's latest recording of this process, running or ended."""
    return _sessions.get(lab)
