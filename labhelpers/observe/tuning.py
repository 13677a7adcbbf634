"""What a batch may set in the incident chapters: the lease's length, and the pace of the client that is free to move.

A trainee meets Patroni's defaults; a trainer compares. A chapter puts back what it has set, so that the state that it
leaves is the same whatever its parameters were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from labhelpers.errors import UsageProblem
from labhelpers.i18n import tr
from labhelpers.observe.client_process import RATE, ClientSpec
from labhelpers.waiting import wait_until

if TYPE_CHECKING:
    from labhelpers.lab import Lab

DEFAULT_TTL_SECONDS = 30
LEAST_TTL_SECONDS = 20
"""Patroni's own bounds: https://patroni.readthedocs.io/en/latest/dynamic_configuration.html"""
DEFAULT_LOOP_SECONDS = 10
LEAST_RATE, MOST_RATE = 5.0, 1000.0
"""A slower client could not tell the second of a switchover from its own pace."""


class BadSetting(UsageProblem):
    """A parameter's value that the lab can't have."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Patroni's three times, in seconds, which obey its rule ``loop_wait + 2 × retry_timeout ≤ ttl``."""

    ttl: int
    loop_wait: int
    retry_timeout: int

    @classmethod
    def of(cls, ttl: int) -> Lease:
        """The defaults, shortened where so short a lease (``ttl`` seconds) needs it. Raises :class:`BadSetting`."""
        if not isinstance(ttl, int) or isinstance(ttl, bool) or ttl < LEAST_TTL_SECONDS:
            raise BadSetting(
                tr(f"ttl is {ttl!r}; Patroni takes whole seconds, {LEAST_TTL_SECONDS} or more.",
                   f"ttl vaut {ttl!r} ; Patroni accepte des secondes entières, à partir de {LEAST_TTL_SECONDS}.")
            )  # fmt: skip
        third = min(DEFAULT_LOOP_SECONDS, ttl // 3)
        return cls(ttl, third, third)

    def to_config(self) -> dict[str, int]:
        """As the dynamic configuration names them."""
        return {"ttl": self.ttl, "loop_wait": self.loop_wait, "retry_timeout": self.retry_timeout}


def ordinary_client(pace: float = RATE) -> ClientSpec:
    """The client that goes wherever it can write, ``pace`` commits a second, and whose way to a node can be cut.

    Raises :class:`BadSetting`.
    """
    if isinstance(pace, bool) or not isinstance(pace, int | float) or not LEAST_RATE <= pace <= MOST_RATE:
        raise BadSetting(
            tr(f"pace is {pace!r}; a client makes {LEAST_RATE:g} to {MOST_RATE:g} commits a second (slower, its own "
               "pace would hide a short outage).",
               f"pace vaut {pace!r} ; un client fait {LEAST_RATE:g} à {MOST_RATE:g} commits par seconde (plus lent, "
               "son propre rythme cacherait une courte interruption).")
        )  # fmt: skip
    return ClientSpec(rate=float(pace), own_network=True)


def set_lease(lab: Lab, ttl: int) -> bool:
    """Give the leader's lease ``ttl`` seconds, and wait until the leader holds such a one; whether anything changed.

    Raises :class:`BadSetting`, ``PatroniUnreachable`` and ``WaitTimeout``.
    """
    wanted = Lease.of(ttl).to_config()
    present = lab.patroni.config()
    if all(present.get(name) == value for name, value in wanted.items()):
        return False
    before = lab.etcd.leader_key()
    lab.patroni.patch_config(wanted)
    if present.get("ttl") != ttl:  # Patroni takes a new lease where its length changes, and only there
        wait_until(
            lambda: (now := lab.etcd.leader_key()) is not None and (before is None or now.lease_id != before.lease_id),
            what=tr("a lease of the new length", "un bail de la nouvelle durée"),
            within=3 * DEFAULT_LOOP_SECONDS,
        )
    return True
