"""What Patroni's ``GET /patroni`` says, as a sample: the reading of one JSON object, and nothing else.

Fields: https://patroni.readthedocs.io/en/latest/rest_api.html#monitoring-endpoint. Positions there are bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labhelpers.observe.records import MemberSample, NodeState, Role

_ROLES: dict[str, Role] = {
    "master": "leader",
    "primary": "leader",
    "leader": "leader",
    "standby_leader": "standby_leader",
    "replica": "replica",
    "sync_standby": "replica",
    "quorum_standby": "replica",
}


def _integer(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def read_answer(
    body: Mapping[str, Any], *, at: float, member: str, node_state: NodeState | None, took_seconds: float
) -> MemberSample:
    """The sample. What the answer does not hold is unknown: a stopped PostgreSQL has no role, whatever it
    was.
    """
    xlog = body.get("xlog")
    positions: Mapping[str, Any] = xlog if isinstance(xlog, Mapping) else {}
    state = body.get("state")
    runs = bool(positions) or state in ("running", "streaming", "in archive recovery")
    role = _ROLES.get(str(body.get("role"))) if runs else None
    paused = positions.get("paused")
    return MemberSample(
        at=at,
        member=member,
        node_state=node_state,
        answered=True,
        source="patroni",
        role=role,
        state=str(state) if state is not None else None,
        timeline=_integer(body.get("timeline")) if runs else None,
        in_recovery=None if role is None else role != "leader",
        location=_integer(positions.get("location")),
        replayed=_integer(positions.get("replayed_location")),
        replay_paused=bool(paused) if paused is not None else None,
        sync_standby=True if body.get("sync_standby") or body.get("quorum_standby") else None,
        pending_restart=bool(body.get("pending_restart", False)),
        cluster_paused=bool(body.get("pause", False)),
        took_seconds=took_seconds,
    )
