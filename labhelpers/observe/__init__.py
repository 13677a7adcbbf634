"""Watch a lab: what every node is, who holds the leader key, what clients could write, and what became of it.

>>> from labhelpers import observe
>>> rec = observe.start(lab, name="07-freeze")      # sampler, watch and one client
>>> rec.mark("primary-frozen", "pg-1"); rec.stop()
>>> rec.outage().sentence(); rec.account()[0].sentence(); rec.show()

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
