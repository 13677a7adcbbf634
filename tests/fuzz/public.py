"""The public functions that can be told something wrong: each is a target of the fuzzing, or excused with a reason."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import labhelpers
from labhelpers import checks, incidents, lifecycle, observe, waiting
from labhelpers.containers import Containers
from labhelpers.etcd import Etcd
from labhelpers.lab import Lab
from labhelpers.nodes import Node, Nodes
from labhelpers.observe import lessons
from labhelpers.patroni import Patroni
from labhelpers.pgbackrest import PgBackRest
from labhelpers.postgres import Postgres
from labhelpers.topology import Topology
from labhelpers.widgets import panel, quorum

OWNERS: dict[str, Any] = {
    "": labhelpers, "observe": observe, "incidents": incidents, "checks": checks, "lessons": lessons, "panel": panel,
    "quorum": quorum, "lifecycle": lifecycle, "waiting": waiting, "lab": Lab, "node": Node, "nodes": Nodes,
    "containers": Containers, "topology": Topology, "patroni": Patroni,
    "etcd": Etcd, "postgres": Postgres, "pgbackrest": PgBackRest,
}  # fmt: skip

EXCUSED = {
    "checks.check": "declares a check, at load time",
    "checks.nothing_to_check": "declares a chapter without checks, at load time",
    "etcd.url": "makes an address; what asks there is tried",
    "patroni.url": "makes an address; what asks there is tried",
    "patroni.is_confirmed": "takes what patroni.cluster gave",
    "incidents.incident": "incidents.inject, as a context: lab.incident is tried",
    "lifecycle.is_up": "takes a Topology",
    "lifecycle.silent": "hears a report, and says nothing",
    "lifecycle.ssh_answers": "takes an address of the inventory",
    "lifecycle.warm_up": "takes nothing but whom it reports to",
    "observe.recording": "observe.start, as a context",
    "observe.measure_outage": "takes a recording",
    "lessons.mark_by_hand": "takes a recording that runs",
    "lessons.wait_for_writes": "takes a recording that runs",
    "panel.open": "begins a watchman: what it then takes, Panel.press is told",
    "quorum.circles_html": "takes a Quorum",
    "quorum.picture_html": "takes a Quorum",
    "quorum.table_html": "takes a Quorum",
}
"""Those that are no target, and why."""


def public_functions() -> Iterator[str]:
    """``patroni.history`` and so on; those that take nothing but the lab can be told nothing wrong."""
    for prefix, owner in OWNERS.items():
        if inspect.isclass(owner):
            found = {name: member for name, member in vars(owner).items() if inspect.isfunction(member)}
        else:
            names = getattr(owner, "__all__", None) or vars(owner)
            members = {name: getattr(owner, name) for name in names}
            found = {name: member for name, member in members.items() if inspect.isfunction(member)}
            if not hasattr(owner, "__all__"):
                found = {name: member for name, member in found.items() if member.__module__ == owner.__name__}
        for name, member in found.items():
            if not name.startswith("_") and set(inspect.signature(member).parameters) - {"self", "lab"}:
                yield f"{prefix}.{name}".lstrip(".")
