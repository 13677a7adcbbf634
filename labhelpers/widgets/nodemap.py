"""A map of the seven nodes: three groups, and of each node its name, state and address as they are now.

The map is one HTML output, so it reads without a kernel. In JupyterLab it goes on following the lab for a while.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labhelpers.i18n import tr
from labhelpers.observe.audience import in_batch
from labhelpers.widgets.look import (
    BAD,
    FAINT,
    GOOD,
    LINE,
    MONO,
    MUTED,
    NotebookCanvas,
    colour_of,
    escape,
)

if TYPE_CHECKING:
    from labhelpers.lab import Lab

FOLLOW_EVERY_SECONDS = 2.0
FOLLOW_FOR_SECONDS = 3 * 3600.0


def group_titles() -> dict[str, tuple[str, str]]:
    """Each role's title and what it is for."""
    return {
        "etcd": (tr("Arbiters", "Arbitres"), tr("etcd: who leads?", "etcd : qui dirige ?")),
        "postgres": (
            tr("Databases", "Bases de données"),
            tr("PostgreSQL and Patroni", "PostgreSQL et Patroni"),
        ),
        "backup": (tr("Safe", "Coffre"), tr("pgBackRest: copies", "pgBackRest : copies")),
    }


def state_words() -> dict[str, tuple[str, str, str]]:
    """LXC's states: a mark, the word, and a colour that only repeats the mark."""
    return {
        "running": ("●", tr("running", "en marche"), GOOD),
        "frozen": ("❄", tr("frozen", "gelé"), BAD),
        "stopped": ("○", tr("stopped", "arrêté"), BAD),
        "absent": ("◌", tr("absent", "absent"), BAD),
    }


class _Roles:
    """The roles of a status document, as the colours want them."""

    def __init__(self, nodes: Sequence[Mapping[str, Any]]) -> None:
        self.postgres = tuple(node["name"] for node in nodes if node["role"] == "postgres")
        self.etcd = tuple(node["name"] for node in nodes if node["role"] == "etcd")


def _member_words(status: Mapping[str, Any], name: str) -> str:
    """What Patroni says of a database node, "" where it says nothing."""
    cluster = status.get("cluster") or {}
    for member in cluster.get("members", ()):
        if member["name"] == name:
            leads = name == cluster.get("leader")
            role = tr("leader", "leader") if leads else tr("replica", "secondaire")
            usual = ("running",) if leads else ("streaming", "running")
            parts = [role] + ([member["state"]] if member["state"] not in usual else [])
            if member.get("timeline"):
                parts.append(f"TL {member['timeline']}")
            return " · ".join(parts)
    return ""


def card_html(node: Mapping[str, Any], words: str, colour: str, *, leads: bool) -> str:
    mark, state, mark_colour = state_words()[node["state"]]
    lively = node["state"] == "running"
    border = colour if leads else LINE
    return (
        f'<div style="border:{2 if leads else 1}px {"solid" if lively else "dashed"} {border};border-radius:6px;'
        f'padding:6px 9px;margin:0 7px 8px 0;min-width:7.4em;{"" if lively else "opacity:0.8"}">'
        f'<div><span style="color:{colour}">■</span> <b style="{MONO}">{escape(node["name"])}</b></div>'
        f'<div><span style="color:{mark_colour}">{mark}</span> {escape(state)}</div>'
        f'<div style="{MUTED};{MONO};font-size:0.85em">{escape(node["address"])}</div>'
        + (f'<div style="font-size:0.9em">{escape(words)}</div>' if words else "")
        + "</div>"
    )


def map_html(status: Mapping[str, Any]) -> str:
    """The map from a status document (``workshop status --json``)."""
    roles = _Roles(status["nodes"])
    leader = (status.get("cluster") or {}).get("leader")
    groups = ""
    for role, (title, purpose) in group_titles().items():
        nodes = [node for node in status["nodes"] if node["role"] == role]
        cards = "".join(
            card_html(
                node,
                _member_words(status, node["name"]),
                colour_of(node["name"], roles),
                leads=node["name"] == leader,
            )
            for node in nodes
        )
        groups += (
            f'<div style="background-color:{FAINT};border-radius:8px;padding:8px 3px 2px 10px;margin:0 9px 9px 0">'
            f'<div style="margin:0 0 6px 0"><b>{escape(title)}</b> <span style="{MUTED};font-size:0.9em">'
            f'{escape(purpose)}</span></div><div style="display:flex;flex-wrap:wrap">{cards}</div></div>'
        )
    running = sum(node["state"] == "running" for node in status["nodes"])
    foot = tr(
        f"lab {status['lab']} · {status['subnet']} · {running} of {len(status['nodes'])} nodes running",
        f"lab {status['lab']} · {status['subnet']} · {running} nœuds sur {len(status['nodes'])} en marche",
    )
    return (
        f'<div style="display:flex;flex-wrap:wrap">{groups}</div>'
        f'<div style="{MUTED};font-size:0.9em">{escape(foot)}</div>'
    )


def map_text(status: Mapping[str, Any]) -> str:
    """The map as lines of text."""
    lines = []
    for role, (title, _) in group_titles().items():
        lines.append(title)
        for node in status["nodes"]:
            if node["role"] == role:
                words = _member_words(status, node["name"])
                state = state_words()[node["state"]][1]
                lines.append(f"  {node['name']:<7} {node['address']:<13} {state}{'  ' + words if words else ''}")
    return "\n".join(lines)


_follower: threading.Event | None = None


def show(lab: Lab, *, follow: bool | None = None) -> None:
    """Show the map. In JupyterLab it follows the lab until another map is shown, for three hours at most."""
    global _follower
    if _follower is not None:
        _follower.set()
    canvas = NotebookCanvas()

    def draw() -> None:
        status = lab.status().to_json()
        canvas.draw(map_html(status), map_text(status))

    draw()
    if follow if follow is not None else not in_batch():
        stop = _follower = threading.Event()
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(_follow, draw, stop), daemon=True).start()


def _follow(draw: Any, stop: threading.Event) -> None:
    """Draw again every two seconds; a lab that can't be asked just now is asked again."""
    until = time.monotonic() + FOLLOW_FOR_SECONDS
    while not stop.wait(FOLLOW_EVERY_SECONDS) and time.monotonic() < until:
        try:
            draw()
        except Exception:
            continue
