"""Recordings made by hand: what a lab would have shown, second by second, without a lab."""

from __future__ import annotations

import random
from collections.abc import Iterator

from labhelpers.observe.records import (
    Attempt,
    ClientInfo,
    Header,
    KeyEvent,
    Mark,
    MemberSample,
    NodeChange,
    NodeEvent,
    Record,
)

MEMBERS = ("pg-1", "pg-2", "pg-3")
ETCD = ("e1", "e2", "e3")
ZERO = 5000.0
"""The monotonic clock when a scene begins."""


def header(at: float = ZERO) -> Header:
    return Header(at, 1_700_000_000.0, "scene", "test-scene", "17-main", MEMBERS, ETCD, 30, 10, 10)


def frozen_primary(
    *, fault: float = 20.0, gone: float = 48.5, taken: float = 50.7, promoted: float = 51.8, first: float = 52.1,
    thaw: float = 75.0, end: float = 110.0, rate: float = 20.0, seed: int = 7,
) -> list[Record]:  # fmt: skip
    """The mock's story: pg-1 leads, is frozen, pg-2 takes over, pg-1 comes back and follows. Seconds after
    the start.
    """
    draw = random.Random(seed)
    records: list[Record] = [header(), ClientInfo(ZERO, "app-1", None, rate)]
    records += [NodeChange(ZERO, node, "running") for node in (*MEMBERS, *ETCD)]
    records += [
        KeyEvent(ZERO, "held", "pg-1", 10, "e1", exact=False),
        KeyEvent(ZERO + gone, "absent", None, 20, "e2"),
        KeyEvent(ZERO + taken, "held", "pg-2", 21, "e2"),
        NodeChange(ZERO + fault, "pg-1", "frozen"),
        NodeChange(ZERO + thaw, "pg-1", "running"),
        NodeEvent(ZERO + promoted, "pg-2", "promoted", 4, "history file"),
        Mark(
            ZERO + fault,
            "m1",
            "primary-frozen",
            ("pg-1",),
            until=ZERO + thaw,
            low_seconds=20,
            high_seconds=43,
        ),
    ]
    for tick in range(int(end * 4)):
        records += [_member(member, tick / 4, fault, promoted, thaw) for member in MEMBERS]
    records += _attempts(draw, fault, first, end, rate)
    return records


def _member(member: str, at: float, fault: float, promoted: float, thaw: float) -> MemberSample:
    now = ZERO + at
    if member == "pg-1":
        if at < fault:
            return _leader(now, member, 3)
        if at < thaw:
            return MemberSample(now, member, "frozen")
        if at < thaw + 0.6:
            return _leader(now, member, 3)
        if at < thaw + 1.6:
            return MemberSample(now, member, "running", True, "patroni", state="starting")
        if at < thaw + 4:
            return _replica(now, member, 4, int(10e6 * (thaw + 4 - at) ** 3 / 30))
        return _replica(now, member, 4, 0)
    if member == "pg-2" and at >= promoted:
        return _leader(now, member, 4)
    return _replica(now, member, 3 if at < promoted + 0.8 else 4, None if fault + 2 < at < promoted + 0.8 else 0)


def _leader(at: float, member: str, timeline: int) -> MemberSample:
    return MemberSample(at, member, "running", True, "patroni", "leader", "running", timeline, False, 10**9)


def _replica(at: float, member: str, timeline: int, lag: int | None) -> MemberSample:
    return MemberSample(
        at, member, "running", True, "patroni", "replica", "streaming", timeline, True,
        replayed=10**9 - (lag or 0), lag_bytes=lag,
    )  # fmt: skip


def _attempts(draw: random.Random, fault: float, first: float, end: float, rate: float) -> Iterator[Attempt]:
    at, sequence = 0.02, 1
    while at < end:
        took = draw.lognormvariate(1.55, 0.35) / 1000
        if at < fault:
            yield Attempt(ZERO + at, ZERO + at + took, "app-1", sequence, 1, "acknowledged", "pg-1", 3)
        elif at < fault + 1 / rate:
            yield Attempt(ZERO + at, ZERO + at + 1.5, "app-1", sequence, 1, "unknown", None, error="no answer in time")
            at = fault + 1.6
        elif at < first:
            step = min(2.0, max(first - at - 0.003, 0.01))
            if step == 2.0:
                yield Attempt(ZERO + at, ZERO + at + 2.0, "app-1", sequence, 1, "refused", None, error="read-only")
                at += 2.1 - 1 / rate
                sequence -= 1
            else:
                at = first - 1 / rate
                sequence -= 1
        else:
            slow = 4 if at < first + 0.5 else 1
            yield Attempt(
                ZERO + at - 0.002,
                ZERO + max(at + took * slow, first),
                "app-1",
                sequence,
                1,
                "acknowledged",
                "pg-2",
                4,
            )
        sequence += 1
        at += 1 / rate


def two_leaders() -> list[Record]:
    """Patroni on pg-1 is killed: PostgreSQL there goes on writable, and after the ttl pg-2 leads too."""
    records: list[Record] = [header(), ClientInfo(ZERO, "at-pg-1", "pg-1", 20.0)]
    records += [NodeChange(ZERO, node, "running") for node in MEMBERS]
    records += [
        KeyEvent(ZERO, "held", "pg-1", 10, "e1", exact=False),
        KeyEvent(ZERO + 35, "absent", None, 11, "e1"),
        KeyEvent(ZERO + 35.4, "held", "pg-2", 12, "e1"),
        Mark(ZERO + 10, "m1", "patroni-crash", ("pg-1",)),
    ]
    for tick in range(60 * 4):
        at = tick / 4
        now = ZERO + at
        if at < 10:
            records.append(_leader(now, "pg-1", 3))
        else:
            records.append(MemberSample(now, "pg-1", "running", True, "postgres", "leader", "running", 3, False, 10**9))
        records.append(_leader(now, "pg-2", 4) if at > 36 else _replica(now, "pg-2", 3, 0))
        records.append(_replica(now, "pg-3", 4 if at > 37 else 3, 0))
        records.append(Attempt(now, now + 0.005, "at-pg-1", tick + 1, 1, "acknowledged", "pg-1", 3))
    return records
