"""What the nodes themselves wrote down, with their own stamps: when a promotion really happened.

Two witnesses on the new leader: the timeline's history file, which PostgreSQL writes as it ends recovery (its
time of writing is kept to the microsecond), and Patroni's log in the journal. Containers share the machine's
clock, so a node's wall-clock stamp and this machine's monotonic one differ by a constant that the recording's
header holds.

https://www.postgresql.org/docs/17/continuous-archiving.html#BACKUP-TIMELINES
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from labhelpers.observe.records import Header, NodeEvent

if TYPE_CHECKING:
    from labhelpers.lab import Lab

TIMEOUT_SECONDS = 5.0

_PATRONI_SAYS = (
    ("takes the key", "promoted self to leader"),
    ("gave up the key", "demoting self"),
    ("gave up the key", "demoted self"),
    ("restarts PostgreSQL", "starting primary after failure"),
    ("restarts PostgreSQL", "starting after demotion"),
    ("crash recovery", "doing crash recovery"),
    ("rewinds", "running pg_rewind"),
    ("rebuilt", "replica has been created"),
)
"""Patroni's own words, and ours."""

_HISTORY = re.compile(r"^history (?:.*/)?([0-9A-F]{8})\.history (\d+\.\d+)$")
_JOURNAL = re.compile(r"^(\d+\.\d+) \S+ \S+: (.*)$")


def script(version: str, since_wall: float) -> str:
    """The shell script that prints both witnesses. Read-only."""
    patterns = "|".join(re.escape(words) for _, words in _PATRONI_SAYS)
    return (
        f"stat -c 'history %n %.6Y' /var/lib/postgresql/{version}/main/pg_wal/*.history 2>/dev/null\n"
        f"journalctl -q --no-pager -o short-unix -u 'patroni*' --since '@{int(since_wall)}' 2>/dev/null "
        f"| grep -E '{patterns}' | tail -200\n"
        "true\n"
    )


def parse(node: str, text: str, header: Header, since: float) -> Iterator[NodeEvent]:
    """The events in the script's output that are not older than ``since`` (monotonic seconds)."""
    for line in text.splitlines():
        if match := _HISTORY.match(line):
            event = NodeEvent(header.at_of(float(match[2])), node, "promoted", int(match[1], 16), source="history file")
        elif match := _JOURNAL.match(line):
            what = next((ours for ours, theirs in _PATRONI_SAYS if theirs in match[2]), None)
            if what is None:
                continue
            event = NodeEvent(
                header.at_of(float(match[1])),
                node,
                what,
                source="patroni log",
                detail=match[2].strip()[-160:],
            )
        else:
            continue
        if event.at >= since:
            yield event


def read_history(lab: Lab, nodes: Iterable[str], header: Header, since: float) -> list[NodeEvent]:
    """The events of these nodes since then, in order; a node that does not answer within 5 s adds none."""
    running = [node for node in nodes if lab.containers.state(node) == "running"]
    text = script(lab.topology.postgres_version, header.wall_of(since))
    events: list[NodeEvent] = []
    for result in lab.nodes.try_run(running, text, timeout=TIMEOUT_SECONDS) if running else ():
        events.extend(parse(result.node, result.stdout, header, since))
    return sorted(_only_origins(events), key=lambda event: event.at)


def _only_origins(events: list[NodeEvent]) -> list[NodeEvent]:
    """Replicas copy the history file later: of each timeline the first writing is the promotion."""
    first: dict[int | None, float] = {}
    for event in events:
        if event.source == "history file":
            first[event.timeline] = min(event.at, first.get(event.timeline, event.at))
    return [event for event in events if event.source != "history file" or event.at == first[event.timeline]]
