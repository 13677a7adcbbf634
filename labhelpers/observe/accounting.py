"""What became of every commit: the client's log beside the table's rows.

The invariant: each number that a client used is acknowledged, unknown or refused to the end, and only one of
these. *Lost* is what was acknowledged and is not on the leader afterwards; a commit that was sent and never
answered is *unknown*, whatever the table shows: nobody was promised anything. (Replication modes and what each
can lose: https://patroni.readthedocs.io/en/latest/replication_modes.html)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labhelpers.errors import LabError
from labhelpers.i18n import number, plural, tr
from labhelpers.meant import command
from labhelpers.observe.records import Attempt

if TYPE_CHECKING:
    from labhelpers.lab import Lab

Rows = Mapping[str, Collection[int]]  # client -> sequences


@dataclass(frozen=True, slots=True)
class Account:
    """The account of one client's commits, read on ``counted_on``."""

    client: str
    counted_on: str
    acknowledged: int
    lost: tuple[int, ...]
    unknown_present: int  # sent, never answered, and there
    unknown_absent: int  # sent, never answered, and not there
    refused_attempts: int
    lost_acknowledged_by: Mapping[str, int] = field(default_factory=dict)
    lost_still_on: Mapping[str, int] = field(default_factory=dict)  # a node that has forked still shows them

    @property
    def unknown(self) -> int:
        return self.unknown_present + self.unknown_absent

    def sentence(self) -> str:
        """The account in words."""
        acknowledged, lost = number(self.acknowledged), len(self.lost)
        if not lost:
            found = tr(
                f"{acknowledged} acknowledged commits, all of them on {self.counted_on}: none lost",
                f"{acknowledged} commits acquittés, tous présents sur {self.counted_on} : aucun perdu",
            )
        else:
            by = ", ".join(self.lost_acknowledged_by)
            found = tr(
                f"{acknowledged} acknowledged commits, {number(lost)} of them LOST: acknowledged by {by}, "
                f"not on {self.counted_on}",
                f"{acknowledged} commits acquittés, dont {number(lost)} PERDUS : acquittés par {by}, "
                f"absents de {self.counted_on}",
            )
            if self.lost_still_on:
                where = ", ".join(f"{node} ({number(count)})" for node, count in self.lost_still_on.items())
                found += tr(
                    f"; still shown by {where}, which has forked",
                    f" ; encore visibles sur {where}, qui a divergé",
                )
        rest = []
        if self.unknown:
            rest.append(
                tr(
                    f"{number(self.unknown)} unknown ({number(self.unknown_present)} of them there)",
                    f"{number(self.unknown)} de sort inconnu "
                    f"(dont {plural(self.unknown_present, 'présent', 'présents')})",
                )
            )
        if self.refused_attempts:
            rest.append(
                tr(
                    plural(self.refused_attempts, "attempt refused", "attempts refused"),
                    plural(self.refused_attempts, "tentative refusée", "tentatives refusées"),
                )
            )
        return found + (tr("; ", " ; ") + ", ".join(rest) if rest else "") + "."


class NothingToCountOn(LabError):
    """There is no leader to read the journal from."""

    def __init__(self, reason: str, lab: str | None = None) -> None:
        status = command("status", lab)
        super().__init__(
            tr(
                f"The commits cannot be counted: {reason}. Wait for a leader, then count again ({status}).",
                f"Les commits ne peuvent pas être comptés : {reason}. Attendez un leader, puis recomptez ({status}).",
            )
        )


def account_for(client: str, attempts: Iterable[Attempt], rows: Mapping[str, Rows], counted_on: str) -> Account:
    """The account of one client from its attempts and from the rows of each node that was read."""
    present = set(rows[counted_on].get(client, ()))
    acknowledged: dict[int, str] = {}
    unknown: set[int] = set()
    refused = 0
    for attempt in attempts:
        if attempt.client != client:
            continue
        if attempt.outcome == "acknowledged":
            acknowledged[attempt.sequence] = attempt.node or "?"
        elif attempt.outcome == "unknown":
            unknown.add(attempt.sequence)
        else:
            refused += 1
    unknown -= acknowledged.keys()
    lost = tuple(sorted(acknowledged.keys() - present))
    by: dict[str, int] = {}
    for sequence in lost:
        by[acknowledged[sequence]] = by.get(acknowledged[sequence], 0) + 1
    still = {
        node: count
        for node, its in rows.items()
        if node != counted_on and (count := len(set(lost) & set(its.get(client, ()))))
    }
    return Account(
        client=client,
        counted_on=counted_on,
        acknowledged=len(acknowledged),
        lost=lost,
        unknown_present=len(unknown & present),
        unknown_absent=len(unknown - present),
        refused_attempts=refused,
        lost_acknowledged_by=by,
        lost_still_on=still,
    )


def read_rows(lab: Lab, nodes: Iterable[str], clients: Collection[str], table: str) -> dict[str, dict[str, set[int]]]:
    """The rows of these clients on each node that answers; a node that does not is left out, not counted as
    empty.
    """
    names = ", ".join("'" + client.replace("'", "''") + "'" for client in clients)
    query = f"select client, sequence from {table} where client in ({names})"
    found: dict[str, dict[str, set[int]]] = {}
    for node in nodes:
        try:
            _, rows = lab.postgres.query(node, query)
        except LabError:
            continue
        its: dict[str, set[int]] = {}
        for client, sequence in rows:
            its.setdefault(str(client), set()).add(int(sequence))
        found[node] = its
    return found


def account_on(
    lab: Lab,
    attempts: Collection[Attempt],
    clients: Collection[str],
    *,
    table: str,
    nodes: Iterable[str] | None = None,
    leader: str | None = None,
) -> list[Account]:
    """Read the table on the leader and on ``nodes`` (all that answer, unless said) and account for every
    client.

    Raises :class:`NothingToCountOn` where there is no leader, or it does not answer.
    """
    leader = leader or lab.patroni.leader()
    if leader is None:
        raise NothingToCountOn(tr("nobody leads", "personne n'est leader"), lab.name)
    asked = list(dict.fromkeys([leader, *(nodes if nodes is not None else lab.topology.postgres)]))
    rows = read_rows(lab, asked, clients, table)
    if leader not in rows:
        raise NothingToCountOn(tr(f"{leader} does not answer", f"{leader} ne répond pas"), lab.name)
    return [account_for(client, attempts, rows, leader) for client in clients]
