"""Watch a lab: what every node is, who holds the leader key, what clients could write, and what became of it.

>>> from labhelpers import observe
>>> rec = observe.start(lab, name="07-freeze")      # sampler, watch and one client
>>> rec.mark("primary-frozen", "pg-1"); rec.stop()
>>> rec.outage().sentence(); rec.account()[0].sentence(); rec.show()

The recording:

session           one recording, from its start to its account
recordings        its file: lines that are written while things happen, and read again at any time
records           what was seen, as facts: one frozen record each
lock              one recording of a lab at a time
stage             the recording begun last, and the place that a panel has for its chart
audience          whether somebody is there to watch
lessons           what chapters ask of a recording besides
tuning            the lease's length and the client's pace, which a batch may set

Who looks:

sampler           the whole lab, four times a second
states            LXC's state of every node, read from small files
asking            one HTTP question, one JSON answer
patroni_answer    the reading of ``GET /patroni``
probe             one PostgreSQL asked directly, while Patroni is silent
watch             the leader key, told by etcd the moment it changes
quorum            whether etcd still has a majority to ask
key_log           the leader key's changes, for the lab's log of incidents
incidents_seen    incidents as they come and go, whoever injects them
by_hand           nodes that a hand froze
history           what the nodes themselves wrote down

Who writes:

client            a client that writes as an application does, in a process of its own
client_process    starts and stops it

What it comes to:

outage            the outage, and where its seconds went
accounting        what became of every commit
findings          what a batch's report keeps of a recording

The names below are imported at their first use: a client is a process of its own and must start at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labhelpers.observe.accounting import Account
    from labhelpers.observe.client_process import Client, ClientSpec
    from labhelpers.observe.lock import RecordingUnderWay
    from labhelpers.observe.outage import Layer, Outage, measure_outage
    from labhelpers.observe.recordings import Follower, Recording, RecordingWriter
    from labhelpers.observe.sampler import Sampler
    from labhelpers.observe.session import Session, recording, start

_HOMES = {
    "Account": "accounting",
    "Client": "client_process",
    "ClientSpec": "client_process",
    "Follower": "recordings",
    "Layer": "outage",
    "Outage": "outage",
    "Recording": "recordings",
    "RecordingUnderWay": "lock",
    "RecordingWriter": "recordings",
    "Sampler": "sampler",
    "Session": "session",
    "measure_outage": "outage",
    "recording": "session",
    "start": "session",
}

__all__ = [
    "Account",
    "Client",
    "ClientSpec",
    "Follower",
    "Layer",
    "Outage",
    "Recording",
    "RecordingUnderWay",
    "RecordingWriter",
    "Sampler",
    "Session",
    "measure_outage",
    "recording",
    "start",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"labhelpers.observe.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'labhelpers.observe' has no attribute {name!r}")
