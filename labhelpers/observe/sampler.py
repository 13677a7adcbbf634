"""Looks at the whole lab, four times a second, side by side, and says what it saw as records.

One thread, one event loop, a task for each thing that is looked at: a silent node delays only itself. No
process is started: LXC's state is read from the kernel's own files, Patroni and etcd are asked over HTTP,
PostgreSQL through Patroni and, where Patroni is silent on a running node, directly.

The sampler *draws*; it does not measure. What must be known to a tenth of a second comes from the watch on
the leader key (``watch.py``), from the nodes' own history (``history.py``) and from the clients' pace. Two
things are looked at faster, because they are cheap: LXC's states (a fault made by a plain ``lxc-freeze`` in a
terminal has no other witness), and, from the moment that a member takes the key until it is seen to lead,
that member's Patroni.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from labhelpers.observe.asking import NoAnswer, ask
from labhelpers.observe.patroni_answer import read_answer
from labhelpers.observe.probe import PostgresProbe
from labhelpers.observe.quorum import QuorumJudge
from labhelpers.observe.records import (
    EtcdSample,
    KeyEvent,
    MemberSample,
    NodeChange,
    NodeEvent,
    NodeState,
    Record,
)
from labhelpers.observe.watch import KeyWatch

if TYPE_CHECKING:
    from labhelpers.topology import Topology

SAMPLE_SECONDS = 0.25
STATES_SECONDS = 0.05
ETCD_SECONDS = 1.0
PROMOTION_LOOK_SECONDS = 0.05
PROMOTION_WATCHED_SECONDS = 15.0
ANSWER_TIMEOUT_SECONDS = 0.8
ETCD_STATUS = "/v3/maintenance/status"
LEADER_POSITION_FRESH_SECONDS = 2.0
GONE: frozenset[str] = frozenset({"frozen", "stopped", "absent"})

Tell = Callable[[Record], None]


class Sampler:
    """Samples a lab each ``every`` seconds until it is stopped; ``tell`` receives each record, on a thread of its own.

    ``states`` reads LXC's state of every node without starting a process. ``conninfo`` gives the connection
    string for asking one PostgreSQL directly, or is None where that is not possible (the lab has no cluster
    yet).
    """

    def __init__(
        self,
        topology: Topology,
        tell: Tell,
        *,
        states: Callable[[], Mapping[str, str]],
        conninfo: Callable[[str], str] | None = None,
        may_send: Callable[[], bool] = lambda: True,
        every: float = SAMPLE_SECONDS,
        on_look: Callable[[], None] = lambda: None,
    ) -> None:
        self._topology = topology
        self._tell = tell
        self._read_states = states
        self._may_send = may_send
        self._every = every
        self._on_look = on_look
        self._states: dict[str, NodeState] = {}
        self._leader_seen: tuple[float, int | None, int] | None = None  # at, timeline, location
        self._promoting: dict[str, float] = {}
        self._probes = {name: PostgresProbe(name, conninfo(name)) for name in topology.postgres} if conninfo else {}
        urls = {name: f"http://{topology.node(name).address}:2379" for name in topology.etcd}
        self.watch = KeyWatch(urls, topology.scope, self._key_changed)
        self._quorum = QuorumJudge(topology.etcd)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[None] | None = None
        self._stopping = threading.Event()
        self.error: BaseException | None = None

    # -- life
    # ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin, on a thread of its own."""
        self._look_at_states()
        self._thread = threading.Thread(target=self._thread_main, name="workshop-sampler", daemon=True)
        self._thread.start()

    def stop(self, within: float = 5.0) -> None:
        """End it, and wait for that ``within`` seconds at most; may be called twice."""
        self._stopping.set()
        loop, main = self._loop, self._main
        if loop is not None and main is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just closed
                loop.call_soon_threadsafe(main.cancel)
        if self._thread is not None:
            self._thread.join(within)

    @property
    def running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _thread_main(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:
            self.error = error

    async def _run(self) -> None:
        self._loop, self._main = asyncio.get_running_loop(), asyncio.current_task()
        if self._stopping.is_set():  # before there was anything to cancel
            return
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.watch.run())
                group.create_task(self._follow_states())
                for name in self._topology.postgres:
                    group.create_task(self._follow_member(name))
                for name in self._topology.etcd:
                    group.create_task(self._follow_etcd(name))
        except asyncio.CancelledError:
            pass
        finally:
            for probe in self._probes.values():
                probe.forget()

    # -- LXC
    # ----------------------------------------------------------------------------------------------------

    async def _follow_states(self) -> None:
        while True:
            await asyncio.sleep(STATES_SECONDS)
            self._look_at_states()
            self._on_look()

    def _look_at_states(self) -> None:
        now = time.monotonic()
        try:
            states = self._read_states()
        except OSError:
            return
        for node, state in states.items():
            if state != self._states.get(node):
                self._states[node] = cast(NodeState, state)
                self._tell(NodeChange(now, node, cast(NodeState, state)))
                self._judge(node, answers=None)

    # -- etcd
    # ---------------------------------------------------------------------------------------------------

    def _key_changed(self, event: KeyEvent) -> None:
        self._tell(event)
        if event.state == "held" and event.holder is not None:
            self._promoting[event.holder] = event.at + PROMOTION_WATCHED_SECONDS

    def _judge(self, node: str, answers: bool | None) -> None:
        """One etcd node's state or answer changed: is there still a majority to ask?"""
        if node not in self._quorum.nodes:
            return
        before = self._quorum.has_majority
        self._quorum.note(node, gone=self._states.get(node) in GONE, answers=answers)
        now = time.monotonic()
        if before and not self._quorum.has_majority:
            self._tell(KeyEvent(now, "unknown", via=node))
        elif not before and self._quorum.has_majority and self.watch.known is not None:
            known = self.watch.known
            self._tell(replace(known, at=now, via=node, exact=False))

    async def _follow_etcd(self, name: str) -> None:
        address = self._topology.node(name).address
        while True:
            sample = EtcdSample(time.monotonic(), name, answered=False)
            if self._states.get(name) not in GONE and self._may_send():
                with contextlib.suppress(NoAnswer, ValueError, KeyError):
                    body = await ask(address, 2379, ETCD_STATUS, body="{}", within=ANSWER_TIMEOUT_SECONDS)
                    sample = read_etcd_status(body, name, time.monotonic())
            self._tell(sample)
            self._judge(name, answers=sample.answered and sample.has_leader is not False)
            await asyncio.sleep(ETCD_SECONDS)

    # -- PostgreSQL, through Patroni or directly
    # -----------------------------------------------------------------

    async def _follow_member(self, name: str) -> None:
        address = self._topology.node(name).address
        due = time.monotonic()
        while True:
            sample = self._with_lag(await self._look_at_member(address, name))
            self._tell(sample)
            self._note_promotion(sample)
            every = PROMOTION_LOOK_SECONDS if name in self._promoting else self._every
            now = time.monotonic()
            due = max(due + every, now)
            await asyncio.sleep(max(due - now, 0.005))

    async def _look_at_member(self, address: str, name: str) -> MemberSample:
        state = self._states.get(name)
        begin = time.monotonic()
        nothing = MemberSample(begin, name, node_state=state, answered=False)
        if state in GONE or not self._may_send():
            return nothing
        try:
            body = await ask(address, 8008, "/patroni", within=ANSWER_TIMEOUT_SECONDS)
            now = time.monotonic()
            return read_answer(body, at=now, member=name, node_state=state, took_seconds=now - begin)
        except (NoAnswer, ValueError):
            pass
        state = self._states.get(name)
        probe = self._probes.get(name)
        direct = await probe.look(state) if probe is not None and state not in GONE else None
        return direct or replace(nothing, at=time.monotonic(), node_state=state)

    def _with_lag(self, sample: MemberSample) -> MemberSample:
        """A replica's distance from the leader's last known position, where both are on the same timeline."""
        if sample.role == "leader" and sample.location is not None:
            seen = self._leader_seen
            if seen is None or (sample.timeline or 0) >= (seen[1] or 0):
                self._leader_seen = (sample.at, sample.timeline, sample.location)
            return sample
        lag = lag_behind(self._leader_seen, sample)
        return sample if lag is None else replace(sample, lag_bytes=lag)

    def _note_promotion(self, sample: MemberSample) -> None:
        until = self._promoting.get(sample.member)
        if until is None:
            return
        if sample.role == "leader":
            source = f"{sample.source} api" if sample.source == "patroni" else "postgres"
            self._tell(NodeEvent(sample.at, sample.member, "leads", sample.timeline, source=source))
        if sample.role == "leader" or sample.at > until:
            del self._promoting[sample.member]


def lag_behind(leader: tuple[float, int | None, int] | None, sample: MemberSample) -> int | None:
    """Bytes between the leader's last known position and what the replica has replayed; None where nobody can
    say.

    Positions on different timelines are not comparable: a forked leader is not "0 bytes behind".
    """
    if leader is None or sample.replayed is None or sample.role == "leader":
        return None
    at, timeline, location = leader
    if sample.at - at > LEADER_POSITION_FRESH_SECONDS or timeline != sample.timeline:
        return None
    return max(location - sample.replayed, 0)


def read_etcd_status(body: Mapping[str, object], node: str, at: float) -> EtcdSample:
    """What ``POST /v3/maintenance/status`` says (https://etcd.io/docs/v3.5/dev-guide/api_reference_v3/,
    Maintenance), at ``at`` in monotonic seconds.

    Raises ``KeyError`` and ``ValueError`` where it is no such answer.
    """
    header = body["header"]
    if not isinstance(header, Mapping):
        raise ValueError("no header")
    leader = str(body.get("leader", "0"))
    return EtcdSample(
        at,
        node,
        answered=True,
        is_leader=leader == str(header.get("member_id")),
        has_leader=leader not in ("0", ""),
        revision=int(str(header["revision"])) if "revision" in header else None,
    )
