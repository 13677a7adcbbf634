"""What was seen, as facts: one frozen record for each thing that an observer can say about the lab.

The invariant: a record holds what was *seen*, never what was supposed. What nobody knows is ``None``, never
0, never "". Every ``at`` is seconds on this machine's monotonic clock (``time.monotonic()``): the same clock
in every process and in every network namespace of the machine, so that the stamps of the sampler, of the
watch and of the clients can be subtracted from each other. ``Header`` says which wall-clock time that clock
had when the recording began.

A record becomes one line of JSON (``to_json``) and comes back the same (``from_json``); the key ``record``
names its kind, so that a recording is one file of lines which pandas reads (``pandas.read_json(path,
lines=True)``).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, TypeAlias

from labhelpers.i18n import tr

NodeState: TypeAlias = Literal["running", "frozen", "stopped", "absent"]
Role: TypeAlias = Literal["leader", "replica", "standby_leader"]
KeyState: TypeAlias = Literal["held", "absent", "unknown"]
Outcome: TypeAlias = Literal["acknowledged", "refused", "unknown"]


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a recording: whose it is, and which wall-clock time its clock's zero stands for."""

    kind: ClassVar[str] = "header"
    at: float  # time.monotonic() when the recording began
    wall: float  # time.time() at that same instant
    name: str
    lab: str
    scope: str
    members: tuple[str, ...]  # the PostgreSQL nodes, in the inventory's order
    etcd: tuple[str, ...]
    ttl_seconds: float | None = None
    loop_wait_seconds: float | None = None
    retry_timeout_seconds: float | None = None
    version: int = 1

    def wall_of(self, at: float) -> float:
        """The wall-clock time (seconds since 1970) of a monotonic stamp of this recording."""
        return self.wall + (at - self.at)

    @property
    def began_at(self) -> str:
        """The local time of day when the recording began: ``14:02:07``."""
        return time.strftime("%H:%M:%S", time.localtime(self.wall))

    def sentence(self) -> str:
        """When it was recorded, in words."""
        day = time.strftime("%Y-%m-%d", time.localtime(self.wall))
        return tr(f"Recorded on {day} from {self.began_at}.", f"Enregistré le {day} à partir de {self.began_at}.")

    def at_of(self, wall: float) -> float:
        """The monotonic stamp of a wall-clock time, for the nodes' own logs (containers share the machine's
        clock).
        """
        return self.at + (wall - self.wall)


@dataclass(frozen=True, slots=True)
class MemberSample:
    """One look at one PostgreSQL node."""

    kind: ClassVar[str] = "member"
    at: float
    member: str
    node_state: NodeState | None = None  # LXC's; None: could not be read
    answered: bool = False  # Patroni, or PostgreSQL itself, gave an answer within the time-out
    source: Literal["patroni", "postgres"] | None = None  # who answered; "postgres": Patroni is silent
    role: Role | None = None
    state: str | None = None  # Patroni's word: running, streaming, starting, stopped, ...
    timeline: int | None = None
    in_recovery: bool | None = None
    location: int | None = None  # leader: the last position written, in bytes
    replayed: int | None = None  # replica: the last position replayed, in bytes
    lag_bytes: int | None = None  # behind the leader's position as last seen; None: unknown
    replay_paused: bool | None = None
    sync_standby: bool | None = None
    pending_restart: bool | None = None
    cluster_paused: bool | None = None
    took_seconds: float | None = None  # how long the answer took


@dataclass(frozen=True, slots=True)
class NodeChange:
    """LXC's state of a node, at the start and then each time it changed (looked at every few hundredths of a
    second).
    """

    kind: ClassVar[str] = "node"
    at: float
    node: str
    state: NodeState


@dataclass(frozen=True, slots=True)
class EtcdSample:
    """One look at one etcd node: does it answer, and does it know a leader (of etcd)?"""

    kind: ClassVar[str] = "etcd"
    at: float
    node: str
    answered: bool
    is_leader: bool | None = None
    has_leader: bool | None = None
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class KeyEvent:
    """The leader key in etcd changed: the instant at which this machine was told by the watch.

    ``state``: ``held`` by ``holder``, ``absent`` (nobody holds it), ``unknown`` (etcd has no majority to ask).
    ``exact`` is False where the change had happened earlier and is only learnt now (first reading, reconnection).
    """

    kind: ClassVar[str] = "key"
    at: float
    state: KeyState
    holder: str | None = None
    revision: int | None = None
    via: str | None = None  # the etcd node that said so first
    exact: bool = True


@dataclass(frozen=True, slots=True)
class NodeEvent:
    """What a node's own history says happened there: ``promoted``, ``demoted``, ``rewound``, ``started``, ..."""

    kind: ClassVar[str] = "event"
    at: float
    node: str
    what: str
    timeline: int | None = None
    source: str = ""  # "postgresql log", "history file", "patroni log", "patroni api"
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """A client that writes: who it is and how it was told to behave."""

    kind: ClassVar[str] = "client"
    at: float
    client: str
    pinned_to: str | None  # the node it stays with; None: libpq with all hosts, read-write
    rate: float | None  # commits a second wanted; None: as fast as they go
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class ClientEnd:
    """A client was told to stop: what it did not write afterwards is no outage."""

    kind: ClassVar[str] = "client-end"
    at: float
    client: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a client to commit one row.

    ``acknowledged``: the server said that it is committed. ``refused``: certainly not committed (no
    connection, or the server said no); it is tried again under the same number. ``unknown``: sent, and no
    answer: it may be committed.
    """

    kind: ClassVar[str] = "attempt"
    at: float  # when it began
    finished: float  # when the answer, the refusal or the time-out came
    client: str
    sequence: int
    attempt: int  # 1, 2, ... for the same sequence
    outcome: Outcome
    node: str | None = None  # who answered
    timeline: int | None = None  # the timeline on which it was acknowledged
    error: str | None = None
    sqlstate: str | None = None

    @property
    def seconds(self) -> float:
        return self.finished - self.at


@dataclass(frozen=True, slots=True)
class Mark:
    """An incident, or anything else worth a label on the time axis. ``until`` is None while it lasts.

    A mark with the same ``id`` replaces the one before: written once when it begins and again when it ends.
    """

    kind: ClassVar[str] = "mark"
    at: float
    id: str
    what: str  # the incident's kind, "primary-frozen"
    nodes: tuple[str, ...] = ()
    label_en: str = ""
    label_fr: str = ""
    until: float | None = None
    is_incident: bool = True
    low_seconds: float | None = None  # the prediction made beforehand, from ``at``
    high_seconds: float | None = None
    ordered_at: float | None = None  # when the act was begun, where ``at`` is when it was done; None: one instant


Record: TypeAlias = (
    Header | MemberSample | NodeChange | EtcdSample | KeyEvent | NodeEvent | ClientInfo | ClientEnd | Attempt | Mark
)

_KINDS: dict[str, type[Any]] = {
    cls.kind: cls
    for cls in (
        Header,
        MemberSample,
        NodeChange,
        EtcdSample,
        KeyEvent,
        NodeEvent,
        ClientInfo,
        ClientEnd,
        Attempt,
        Mark,
    )
}
_FIELDS: dict[str, tuple[str, ...]] = {kind: tuple(f.name for f in fields(cls)) for kind, cls in _KINDS.items()}
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def to_dict(record: Record) -> dict[str, Any]:
    """The record as a flat dictionary; what is unknown is left out, floats are kept to the tenth of a
    millisecond.
    """
    out: dict[str, Any] = {"record": record.kind}
    for name in _FIELDS[record.kind]:
        value = getattr(record, name)
        if value is not None:
            out[name] = round(value, 4) if isinstance(value, float) else value
    return out


def from_dict(data: Mapping[str, Any]) -> Record | None:
    """The record that ``to_dict`` made; None for a kind that this version does not know. Unknown fields are
    ignored.
    """
    kind = data.get("record")
    if not isinstance(kind, str) or kind not in _KINDS:
        return None
    values = {
        name: tuple(data[name]) if isinstance(data[name], list) else data[name]
        for name in _FIELDS[kind]
        if data.get(name) is not None
    }
    for name in ("pinned_to", "rate") if kind == ClientInfo.kind else ():
        values.setdefault(name, None)
    record: Record = _KINDS[kind](**values)
    return record


def to_json(record: Record) -> str:
    """One line of JSON, without the line's end."""
    return _encode(to_dict(record))


def from_json(line: str) -> Record | None:
    """The record of one line; None for a line that was cut off (a crash while it was written) or of an
    unknown kind.
    """
    try:
        data = json.loads(line)
        return from_dict(data) if isinstance(data, dict) else None
    except (ValueError, TypeError):
        return None
