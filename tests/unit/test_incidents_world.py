"""Whom the real world asks, on a lab that does not run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from labhelpers.errors import PatroniUnreachable
from labhelpers.incidents.world import LabWorld
from labhelpers.patroni import Cluster, HistoryLine
from labhelpers.topology import load_topology


class SilentPatroni:
    """Only ``answering`` answers; ``asked`` are those that were asked, in order."""

    def __init__(self, answering: str) -> None:
        self.answering = answering
        self.asked: list[str] = []
        self.own: dict[str, Any] | None = None

    def cluster(self, via: str) -> Cluster:
        self.asked.append(via)
        if via != self.answering:
            raise PatroniUnreachable(via, "no answer")
        return Cluster("17-main", (), paused=False)

    def node_status(self, node: str) -> dict[str, Any] | None:
        return self.own

    def history(self, via: str | None) -> list[HistoryLine]:
        return [HistoryLine(3, 0x5000, "no recovery target specified", None, "pg-2")]

    def is_confirmed(self, cluster: Cluster) -> bool:
        return True


def world_with(patroni: SilentPatroni, **states: str) -> LabWorld:
    topology = load_topology("test-unit")
    containers = SimpleNamespace(states=lambda: dict.fromkeys(topology.names, "running") | states)
    lab: Any = SimpleNamespace(topology=topology, containers=containers, patroni=patroni)
    return LabWorld(lab)


def test_node_that_answered_last_is_asked_first() -> None:
    """Each look would cost the time-out of a node whose Patroni is silent."""
    patroni = SilentPatroni("pg-2")
    world = world_with(patroni)
    assert world.cluster() is not None
    assert world.cluster() is not None and world.is_confirmed()
    assert patroni.asked == ["pg-1", "pg-2", "pg-2", "pg-2"]
    patroni.answering = "pg-3"
    assert world.cluster() is not None
    assert patroni.asked[4:] == ["pg-2", "pg-1", "pg-3"]


def test_nobody_is_asked_without_a_majority_of_etcd() -> None:
    patroni = SilentPatroni("pg-1")
    world = world_with(patroni, e1="frozen", e2="stopped")
    assert world.cluster() is None and not world.is_confirmed()
    assert patroni.asked == []


def test_member_has_diverged_where_it_replayed_past_the_end_of_its_timeline() -> None:
    patroni = SilentPatroni("pg-2")
    world = world_with(patroni)
    assert not world.has_diverged("pg-1")  # nobody knows
    for timeline, replayed, diverged in ((3, 0x5001, True), (3, 0x5000, False), (4, 0x9000, False)):
        patroni.own = {"state": "running", "timeline": timeline, "xlog": {"replayed_location": replayed}}
        assert world.has_diverged("pg-1") is diverged
    patroni.own = {"state": "starting"}
    assert not world.has_diverged("pg-1")
