"""After the disks were replaced: the nodes that wait for the leader are started, and the lab is awaited."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from labhelpers.course import standing
from labhelpers.course.placing import first_started
from labhelpers.course.saverecords import NOTHING_EXPECTED, Expected
from labhelpers.course.standing import read_standing, write_standing
from labhelpers.errors import LabError
from labhelpers.host import RootCommandFailed
from labhelpers.i18n import tr
from labhelpers.lifecycle import Report, ssh_answers
from labhelpers.patroni import WRITABLE_ROLES
from labhelpers.waiting import wait_until

if TYPE_CHECKING:
    from labhelpers.lab import Lab

READY_SECONDS = 120.0
POLL_SECONDS = 0.1


@dataclass
class Settled:
    """``at`` is the moment at which the lab was well (monotonic); ``parts`` are the seconds that led there."""

    at: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.parts[name] = round(time.monotonic() - began, 3)


def settle(lab: Lab, progress: Report) -> Settled:
    """Wait until the lab is as well as it was when it was saved. Raises :class:`WaitTimeout`."""
    where = read_standing(lab.paths)
    expected = where.expected if where else NOTHING_EXPECTED
    progress(tr("Waiting for the nodes", "Attente des nœuds"), lab.containers.states())
    settled = Settled()
    try:
        _start_missing(lab, expected, settled)
        _wait_for_services(lab, expected, settled)
    except LabError:
        # Whoever comes next goes on from here, and does not wait in vain once more.
        lab.containers.release(*lab.topology.postgres)
        if where:
            write_standing(lab.paths, replace(where, settled=True, fingerprint=None))
        raise
    settled.at = time.monotonic()
    if where:
        write_standing(lab.paths, replace(where, settled=True, fingerprint=standing.look(lab)))
    return settled


def _start_missing(lab: Lab, expected: Expected, settled: Settled) -> None:
    """Start what does not run yet; where a leader has to be first, etcd, the leader, its replicas. SSH answers then."""
    leader = expected.first
    with ThreadPoolExecutor(max_workers=len(lab.topology.names)) as pool:
        starter = _Starter(lab, pool)
        if leader and lab.containers.state(leader) == "stopped":
            starter.hold(lab.topology.replicas(leader))
        if expected.etcd:
            _wait_for_etcd(lab, leader, starter, settled)
        if leader:
            _start_leader(lab, leader, starter, settled)
        with settled.part("others"):
            what = tr("SSH on all nodes", "SSH sur tous les nœuds")
            wait_until(starter.all_answer, what=what, within=READY_SECONDS, every=POLL_SECONDS, seen=starter.refused)


def _wait_for_etcd(lab: Lab, leader: str | None, starter: _Starter, settled: Settled) -> None:
    """Before the leader: a Patroni that does not find etcd asks again only five seconds later (``get_etcd_client`` in
    https://github.com/patroni/patroni/blob/master/patroni/dcs/etcd.py)."""

    def serves() -> bool:
        starter.start_stopped(first_started(lab, leader))
        return lab.etcd.has_quorum()

    with settled.part("etcd"):
        what = tr("etcd's majority", "la majorité d'etcd")
        wait_until(serves, what=what, within=READY_SECONDS, every=POLL_SECONDS, seen=starter.refused)


def _start_leader(lab: Lab, leader: str, starter: _Starter, settled: Settled) -> None:
    """The replicas are let go when it leads."""

    def leads() -> bool:
        starter.start_stopped([leader])
        return _key_holder(lab) == leader

    with settled.part("leader"):
        what = tr(f"{leader} to hold the leader key", f"voir {leader} tenir le jeton leader")
        wait_until(leads, what=what, within=READY_SECONDS, every=POLL_SECONDS, seen=starter.refused)
    lab.containers.release(*lab.topology.replicas(leader))


class _Starter:
    """Starts nodes side by side, again and again: an ``lxc-start`` that was killed leaves a container that runs for a
    moment and then ends, and makes one that is started beside it fail."""

    def __init__(self, lab: Lab, pool: ThreadPoolExecutor) -> None:
        self._lab, self._pool = lab, pool
        self._silent = list(lab.topology.names)
        self._refused = ""

    def refused(self) -> str:
        """What LXC said last, where it refused to start a node."""
        return self._refused

    def hold(self, nodes: Sequence[str]) -> None:
        """Start the nodes, and nothing in them: the kernel of each refuses what comes.

        The leader asks its replicas for their positions before it takes the key. From one that is down it gets no
        answer, which costs two seconds (``fetch_node_status`` in
        https://github.com/patroni/patroni/blob/master/patroni/ha.py).
        """
        list(self._pool.map(self._hold, nodes))

    def _hold(self, node: str) -> None:
        self._start(node)
        self._lab.containers.hold(node)

    def start_stopped(self, names: Sequence[str]) -> None:
        stopped = [node for node in names if self._lab.containers.state(node) == "stopped"]
        list(self._pool.map(self._start, stopped))

    def _start(self, node: str) -> None:
        try:
            self._lab.containers.start(node)
        except RootCommandFailed as error:
            self._refused = str(error)

    def all_answer(self) -> bool:
        """Whether an SSH server answers on each node; those that do not run are started."""
        self.start_stopped(self._silent)
        address = self._lab.topology.node
        answers = list(self._pool.map(lambda node: ssh_answers(address(node).address), self._silent))
        self._silent = [node for node, answer in zip(self._silent, answers, strict=True) if not answer]
        return not self._silent


def _key_holder(lab: Lab) -> str | None:
    try:
        return lab.etcd.get(lab.etcd.leader_key_path)
    except LabError:
        return None


def _wait_for_services(lab: Lab, expected: Expected, settled: Settled) -> None:
    wanted = expected.replicas
    if wanted is not None:
        what = tr(f"{wanted} replicas that the leader sees streaming", f"{wanted} secondaires vus par le leader")
        with settled.part("streaming"):
            wait_until(lambda: _streaming(lab) >= wanted, what=what, within=READY_SECONDS, every=POLL_SECONDS)
        with settled.part("listed"):  # Patroni's loop tells the DCS some seconds later
            lab.patroni.wait_for_healthy(within=READY_SECONDS, replicas=wanted)


def _streaming(lab: Lab) -> int:
    """The replicas that the leader's own PostgreSQL serves, -1 without a leader. What etcd lists just after a return is
    what the members had said when the lab was saved."""
    for node in lab.topology.postgres:
        status = lab.patroni.node_status(node)
        if status and status.get("role") in WRITABLE_ROLES and status.get("state") == "running":
            return sum(each.get("state") == "streaming" for each in status.get("replication", ()))
    return -1
