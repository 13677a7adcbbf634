"""What chapters ask of a recording besides its own words: clients that write before anything breaks, a fault made by
hand, the wait until they write again, a comparison.

>>> rec = lessons.start(lab, "07-freeze", pinned_to="pg-1")    # returns once its clients write
>>> lessons.mark_by_hand(rec)            # after a cell froze nodes by a plain lxc-freeze, and again after the thaw
>>> lessons.wait_for_writes(rec)
>>> lessons.compare(frozen, crashed)     # one row an incident
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from labhelpers.errors import LabError, UsageProblem, WaitTimeout
from labhelpers.i18n import seconds, tr
from labhelpers.observe.by_hand import see_by_hand
from labhelpers.observe.client_process import RATE, ClientSpec
from labhelpers.observe.findings import SWITCHOVER, title_of_fault
from labhelpers.observe.outage import Outage, find_fault, measure_outage
from labhelpers.observe.records import Mark
from labhelpers.observe.session import Session
from labhelpers.observe.session import start as start_session
from labhelpers.observe.tuning import DEFAULT_TTL_SECONDS, ordinary_client, set_lease
from labhelpers.waiting import wait_until

if TYPE_CHECKING:
    from labhelpers.lab import Lab

FIRST_COMMITS = 10
FIRST_WITHIN_SECONDS = 60.0
BLINK_RATE = 100.0
"""Commits a second: enough of them fall into the blink after a thaw (about 0.15 s, measured)."""
SEEN_WITHIN_SECONDS = 10.0
WRITES_WITHIN_SECONDS = 90.0
UNDISTURBED_SECONDS = 20.0
"""A client that wrote on for so long after the fault was not disturbed by it (loop_wait, and time to notice)."""
PACE_SECONDS = 0.5
"""Less than this is the client's own pace: a column that says no more is left out."""
NOTHING = "—"


class NothingByHand(LabError):
    """No node was seen to freeze since the recording began."""

    def __init__(self) -> None:
        super().__init__(
            tr(
                "No node was seen to freeze since the recording began. Run the cell that freezes, then this one.",
                "Aucun nœud n'a été vu geler depuis le début de l'enregistrement. Exécutez la cellule qui gèle, puis "
                "celle-ci.",
            )
        )


_ordinary = ordinary_client()
"""The client of the recordings to come that is free to go to any node."""


def adjust(lab: Lab, ttl: int = DEFAULT_TTL_SECONDS, pace: float = RATE) -> None:
    """What a batch's parameters set: the seconds of the leader's lease, and the ordinary client's commits a second.

    Without arguments: as a trainee meets them. Raises :class:`labhelpers.observe.tuning.BadSetting`.
    """
    global _ordinary
    _ordinary = ordinary_client(pace)
    if set_lease(lab, ttl):
        print(tr(f"The leader's lease now lasts {ttl} s.", f"Le bail du leader dure maintenant {ttl} s."))


def start(lab: Lab, name: str, pinned_to: str | None = None) -> Session:
    """Start a recording with one ordinary client, and one that stays with ``pinned_to``; show it once they all write.

    What is broken before they do would not be noticed by them. Raises ``WaitTimeout``.
    """
    specs = [_ordinary] + ([ClientSpec(pinned_to=pinned_to, rate=BLINK_RATE)] if pinned_to else [])
    session = start_session(lab, name, specs)
    session.show()

    def writing() -> bool:
        session.check()
        return all(
            sum(attempt.outcome == "acknowledged" for attempt in session.recording.attempts_of(client.name))
            >= FIRST_COMMITS
            for client in session.clients
        )

    try:
        wait_until(
            writing, what=tr("commits of every client", "des commits de chaque client"), within=FIRST_WITHIN_SECONDS
        )
    except BaseException:
        session.stop()
        raise
    return session


def mark_by_hand(session: Session) -> Mark:
    """Mark what a plain ``lxc-freeze`` did, at the instant when LXC showed it; after the thaw, its end.

    Raises :class:`NothingByHand`.
    """
    try:
        return wait_until(
            lambda: see_by_hand(session), what=tr("a frozen node", "un nœud gelé"), within=SEEN_WITHIN_SECONDS
        )
    except WaitTimeout as error:
        raise NothingByHand from error


def wait_for_writes(session: Session, within: float = WRITES_WITHIN_SECONDS) -> Outage | None:
    """Wait until the client that may go to any node writes again (or has shown that it never stopped); the outage.

    Raises ``WaitTimeout`` after ``within`` seconds.
    """

    def over() -> Outage | None:
        session.check()
        outage = measure_outage(session.recording, prediction=session.prediction())
        if outage is None or not outage.is_over:
            return None
        begun = outage.interrupted or outage.key_taken_at is not None
        return outage if begun or outage.observed_until - outage.fault_at > UNDISTURBED_SECONDS else None

    wait_until(over, what=tr("a commit after the fault", "un commit après la panne"), within=within, every=0.5)
    return session.outage()


class Comparison(pd.DataFrame):
    """A table that shows itself without the running number of its rows, each cell on one line."""

    @property
    def _constructor(self) -> type[Comparison]:
        return Comparison

    def _repr_html_(self) -> str:
        html = str(pd.DataFrame(self).to_html(index=False, border=0))
        return html.replace("<td>", '<td style="white-space:nowrap">')

    def __repr__(self) -> str:
        return str(pd.DataFrame(self).to_string(index=False))


def compare(*sessions: Session) -> Comparison:
    """One row a recording: how long, why, who leads now, on which timeline, and what was lost.

    A column that says nothing in any row is left out; ``—`` stands for what did not happen. The recordings' names tell
    incidents of the same kind apart. Raises :class:`UsageProblem` where there is nothing to compare.
    """
    if not sessions:
        raise UsageProblem(
            tr("There is nothing to compare: name recordings, such as lessons.compare(frozen, crashed).",
               "Il n'y a rien à comparer : nommez des enregistrements, comme lessons.compare(frozen, crashed).")
        )  # fmt: skip
    table = pd.DataFrame([_row(session) for session in sessions])
    if table.iloc[:, 0].is_unique:
        table = table.drop(columns=tr("recording", "enregistrement"))
    said = [column for column in table.columns if any(value != NOTHING for value in table[column])]
    return Comparison(table[said])


def _row(session: Session) -> dict[str, Any]:
    outage, fault = session.outage(), find_fault(session.recording)
    went_on = waited = gone = promoted = None
    if outage is not None and outage.interrupted and outage.last_commit_at is not None:
        waited = outage.client_seconds
        # Between the order to switch over and its beginning, everybody writes as before.
        begin = outage.last_commit_at if fault is not None and fault.what == SWITCHOVER else outage.fault_at
        went_on = outage.last_commit_at - begin
        if went_on < PACE_SECONDS and outage.key_taken_at is not None and outage.key_gone_at is not None:
            gone = outage.key_gone_at - begin
            promoted = (outage.promoted_at or outage.key_taken_at) - outage.key_gone_at
        went_on = went_on if went_on >= PACE_SECONDS else None
    before, after = (outage.old_leader, outage.new_leader) if outage else (None, None)
    lost = sum(len(account.lost) for account in session.accounts) if session.accounts else None
    return {
        tr("incident", "incident"): title_of_fault(fault) if fault else NOTHING,
        tr("recording", "enregistrement"): session.name,
        tr("writes went on", "écritures poursuivies"): _seconds(went_on),
        tr("no commit for", "sans commit pendant"): _seconds(waited),
        tr("waiting for the key", "attente du jeton"): _seconds(gone),
        tr("then promotion", "puis promotion"): _seconds(promoted),
        "leader": _change(before, after),
        "timeline": _change(outage.old_timeline, outage.new_timeline) if outage else NOTHING,
        tr("commits lost", "commits perdus"): NOTHING if lost is None else str(lost),
    }


def _seconds(value: float | None) -> str:
    return NOTHING if value is None else seconds(max(value, 0.0))


def _change(before: object, after: object) -> str:
    """``pg-1 → pg-2``, or one of them where nothing changed."""
    if before is None and after is None:
        return NOTHING
    return str(before) if after in (None, before) else f"{before} → {after}"
