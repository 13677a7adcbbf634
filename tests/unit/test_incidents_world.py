"""Whom the real world asks, on a lab that does not run."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from labhelpers.errors import PatroniUnreachable
from labhelpers.incidents.world import LabWorld
from labhelpers.patroni import Cluster, HistoryLine, Member
from labhelpers.topology import load_topology


def member(name: str, role: str, state: str) -> Member:
    return Member(name, role, state, "10.0.3.1", 3, None, False)


class SilentPatroni:
    """Only ``answering`` answers; ``asked`` are those that were asked, in order."""

    def __init__(self, answering: str) -> None:
        self.answering = answering
        self.asked: list[str] = []
        self.own: dict[str, Any] | None = None
        self.members: tuple[Member, ...] = ()

    def cluster(self, via: str) -> Cluster:
        self.asked.append(via)
        if via != self.answering:
            raise PatroniUnreachable(via, "no answer")
        return Cluster("17-main", self.members, paused=False)

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
    assert world.cluster() is not None and not world.is_healthy(["pg-1"])
    assert patroni.asked == ["pg-1", "pg-2", "pg-2", "pg-2"]
    patroni.answering = "pg-3"
    assert world.cluster() is not None
    assert patroni.asked[4:] == ["pg-2", "pg-1", "pg-3"]


def test_members_are_held_against_the_look_that_is_healthy() -> None:
    """The DCS may keep a dead leader's last word in one look, and know better in the next."""
    patroni = SilentPatroni("pg-1")
    world = world_with(patroni)
    leads, streams = member("pg-1", "leader", "running"), member("pg-2", "replica", "streaming")
    patroni.members = (leads, streams)
    assert world.is_healthy(["pg-1", "pg-2"])
    patroni.members = (leads, replace(streams, state="starting"))
    assert not world.is_healthy(["pg-1", "pg-2"])


def test_nobody_is_asked_without_a_majority_of_etcd() -> None:
    patroni = SilentPatroni("pg-1")
    world = world_with(patroni, e1="frozen", e2="stopped")
    assert world.cluster() is None and not world.is_healthy([])
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
