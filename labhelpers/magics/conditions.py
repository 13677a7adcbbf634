"""What ``%watch --until`` can wait for: named conditions, asked of Patroni and etcd, never read from the text shown.

    leader              somebody leads and runs          leader=pg-2   leader!=pg-1   one who is, is not, it
    healthy             a leader, every other database streaming on its timeline, by its own word too
    streaming=2         so many replicas stream          no-leader     nobody holds the key, nobody takes writes
    member-gone=pg-1    Patroni no longer lists it       failed        the command watched fails

Several, with a comma between them, must hold at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labhelpers.errors import LabError, UsageProblem
from labhelpers.i18n import tr
from labhelpers.patroni import WRITABLE_ROLES

_FORM = re.compile(r"(?P<name>[a-z-]+?)(?:(?P<sign>!?=)(?P<value>[\w-]+))?")


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at the cluster. ``cluster`` is None where Patroni did not answer; ``reason`` then says why."""

    cluster: Any | None
    reason: str
    command_failed: bool
    lab: Any


def look(lab: Any, *, command_failed: bool) -> Seen:
    try:
        return Seen(lab.patroni.cluster(), "", command_failed, lab)
    except LabError as error:
        return Seen(None, str(error), command_failed, lab)


def describe(seen: Seen) -> str:
    """The cluster in one line, for the error of a wait in vain."""
    if seen.cluster is None:
        return seen.reason
    return str(seen.cluster.describe())


Condition = Callable[[Seen], bool]


def leads(seen: Seen) -> str | None:
    """The leader that is running, as Patroni lists it."""
    leader = seen.cluster.leader if seen.cluster else None
    return str(leader.name) if leader is not None and leader.state == "running" else None


def streaming(seen: Seen) -> int:
    """The replicas that stream on the leader's timeline."""
    if seen.cluster is None or seen.cluster.leader is None:
        return 0
    timeline = seen.cluster.leader.timeline
    return sum(
        1
        for member in seen.cluster.members
        if member.name != seen.cluster.leader.name and member.state == "streaming" and member.timeline == timeline
    )


def is_healthy(seen: Seen) -> bool:
    """A leader, all others streaming on its timeline, and each of them says the same of itself: just after a power cut
    the DCS still has a dead leader's word.
    """
    return (
        seen.cluster is not None
        and seen.cluster.is_healthy(len(seen.lab.topology.postgres) - 1)
        and seen.lab.patroni.is_confirmed(seen.cluster)
    )


def nobody_leads(seen: Seen) -> bool:
    """No key in etcd (or no etcd to ask), and no database that answers takes writes.

    Both are asked: a frozen leader takes no writes while its key still lives, and without etcd a leader goes on until
    its lease ends.
    """
    try:
        if seen.lab.etcd.leader_key() is not None:
            return False
    except LabError:
        pass
    for name in seen.lab.topology.postgres:
        status = seen.lab.patroni.node_status(name, timeout=1)
        if status and status.get("role") in WRITABLE_ROLES:
            return False
    return True


def _one(text: str, known: tuple[str, ...]) -> Condition:
    match = _FORM.fullmatch(text)
    name, sign, value = (match["name"], match["sign"], match["value"]) if match else (text, None, None)
    if name in ("leader", "member-gone") and value is not None and value not in known:
        raise UsageProblem(
            tr(
                f"--until {text}: there is no {value} among {', '.join(known)}.",
                f"--until {text} : il n'y a pas de {value} parmi {', '.join(known)}.",
            )
        )
    if name == "leader" and sign == "=":
        return lambda seen: leads(seen) == value
    if name == "leader" and sign == "!=":
        return lambda seen: leads(seen) not in (None, value)
    if name == "member-gone" and sign == "=":
        return lambda seen: seen.cluster is not None and value not in [member.name for member in seen.cluster.members]
    if name == "streaming" and sign == "=" and value and value.isdigit():
        return lambda seen: streaming(seen) >= int(value)
    if sign is None and name in _PLAIN:
        return _PLAIN[name]
    raise UsageProblem(
        tr(
            f"--until {text}: not a condition. There are: leader, leader=NODE, leader!=NODE, healthy, "
            "streaming=N, "
            "no-leader, member-gone=NODE, failed.",
            f"--until {text} : pas une condition. Il y a : leader, leader=NŒUD, leader!=NŒUD, healthy, "
            "streaming=N, "
            "no-leader, member-gone=NŒUD, failed.",
        )
    )


_PLAIN: dict[str, Condition] = {
    "leader": lambda seen: leads(seen) is not None,
    "healthy": is_healthy,
    "no-leader": nobody_leads,
    "failed": lambda seen: seen.command_failed,
}


def condition(text: str, known: tuple[str, ...]) -> Condition:
    """The condition that ``text`` names; ``known`` are the database nodes. Raises :class:`UsageProblem`."""
    parts = [_one(part.strip(), known) for part in text.split(",")]
    return lambda seen: all(part(seen) for part in parts)
