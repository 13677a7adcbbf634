"""What %watch waits for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from labhelpers.errors import EtcdUnreachable, PatroniUnreachable, UsageProblem, WaitTimeout
from labhelpers.magics.conditions import Seen, condition
from labhelpers.magics.watch import watch
from labhelpers.patroni import Cluster, Member
from tests.unit.scripted_lab import RecordingCanvas, lab

KNOWN = ("pg-1", "pg-2", "pg-3")


def member(name: str, role: str, state: str, timeline: int | None = 2) -> Member:
    return Member(name, role, state, "", timeline, 0, False)


def cluster(*members: Member) -> Cluster:
    return Cluster("17-main", members, False)


WHOLE = cluster(
    member("pg-1", "leader", "running"), member("pg-2", "replica", "streaming"), member("pg-3", "replica", "streaming")
)
FORKED = cluster(
    member("pg-1", "replica", "running", 1), member("pg-2", "leader", "running"), member("pg-3", "replica", "streaming")
)
SHORT = cluster(member("pg-2", "leader", "running"), member("pg-3", "replica", "streaming"))
HEADLESS = cluster(member("pg-2", "replica", "running"), member("pg-3", "replica", "running"))


def seen(state: Cluster | None, *, failed: bool = False, **parts: Any) -> Seen:
    return Seen(state, "silent", failed, lab(**parts))


@pytest.mark.parametrize(
    ("text", "state", "holds"),
    [
        ("leader", WHOLE, True),
        ("leader", HEADLESS, False),
        ("leader", None, False),
        ("leader=pg-1", WHOLE, True),
        ("leader=pg-2", WHOLE, False),
        ("leader!=pg-1", WHOLE, False),
        ("leader!=pg-1", FORKED, True),
        ("leader!=pg-1", HEADLESS, False),
        ("healthy", WHOLE, True),
        ("healthy", FORKED, False),
        ("healthy", SHORT, False),
        ("streaming=2", WHOLE, True),
        ("streaming=1", FORKED, True),
        ("streaming=2", FORKED, False),
        ("member-gone=pg-1", SHORT, True),
        ("member-gone=pg-1", WHOLE, False),
        ("member-gone=pg-1", None, False),
        ("leader!=pg-1, streaming=1", SHORT, True),
        ("leader!=pg-1,streaming=2", SHORT, False),
    ],
)
def test_condition(text: str, state: Cluster | None, holds: bool) -> None:
    confirming = SimpleNamespace(is_confirmed=lambda cluster: True)
    assert condition(text, KNOWN)(seen(state, patroni=confirming)) is holds


def test_healthy_is_not_the_word_of_the_dcs_alone() -> None:
    """Just after a power cut the dead leader still leads there, and its replicas still stream."""
    doubting = SimpleNamespace(is_confirmed=lambda cluster: False)
    assert not condition("healthy", KNOWN)(seen(WHOLE, patroni=doubting))


def test_failed_is_the_commands_own_status() -> None:
    assert condition("failed", KNOWN)(seen(None, failed=True))
    assert not condition("failed", KNOWN)(seen(None))


@pytest.mark.parametrize("text", ["lead", "leader=", "leader=pg-9", "streaming=two", "healthy=1", "member-gone", ""])
def test_what_is_no_condition_names_those_there_are(text: str) -> None:
    with pytest.raises(UsageProblem, match="--until"):
        condition(text, KNOWN)


def etcd(key: object) -> SimpleNamespace:
    def leader_key() -> object:
        if isinstance(key, Exception):
            raise key
        return key

    return SimpleNamespace(leader_key=leader_key)


def roles(**by_node: str) -> SimpleNamespace:
    answers = {name.replace("_", "-"): {"role": role} for name, role in by_node.items()}
    return SimpleNamespace(node_status=lambda name, timeout: answers.get(name))


@pytest.mark.parametrize(
    ("key", "answers", "holds"),
    [
        ("a key", {"pg_2": "replica"}, False),  # a frozen leader's key still lives
        (None, {"pg_2": "replica"}, True),
        (EtcdUnreachable("e1", "frozen"), {"pg_1": "primary"}, False),  # its lease has not run out
        (EtcdUnreachable("e1", "frozen"), {"pg_1": "replica", "pg_2": "replica"}, True),
    ],
)
def test_nobody_leads_when_no_key_lives_and_nobody_writes(key: object, answers: dict[str, str], holds: bool) -> None:
    assert condition("no-leader", KNOWN)(seen(None, etcd=etcd(key), patroni=roles(**answers))) is holds


def patroni_states(*states: Cluster | None) -> SimpleNamespace:
    left = list(states)

    def answer() -> Cluster:
        state = left.pop(0) if len(left) > 1 else left[0]
        if state is None:
            raise PatroniUnreachable("pg-1", "refused")
        return state

    return SimpleNamespace(cluster=answer)


def test_a_watch_ends_with_its_last_frame_and_the_time() -> None:
    canvas = RecordingCanvas()
    here = lab({"pg-1": (0, "a frame\n", "")}, patroni=patroni_states(None, HEADLESS, WHOLE))
    took = watch(here, "pg-1", "patronictl list", canvas, until="leader", within=5, every=0.01)
    assert took < 5
    assert "a frame" in canvas.plain
    assert "✓ leader after" in canvas.plain


def test_a_watch_in_vain_says_what_it_saw_last() -> None:
    canvas = RecordingCanvas()
    here = lab({}, patroni=patroni_states(HEADLESS))
    with pytest.raises(WaitTimeout, match="pg-2 replica running"):
        watch(here, "pg-1", "x", canvas, until="leader", within=0.05, every=0.01)
    assert "✗ not leader" in canvas.plain


def test_a_watch_without_a_condition_just_ends() -> None:
    canvas = RecordingCanvas()
    watch(lab({}), "pg-1", "x", canvas, within=0.05, every=0.01)
    assert "watched for" in canvas.plain
