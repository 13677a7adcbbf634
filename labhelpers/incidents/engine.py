"""Inject an incident, undo it, give it more time.

The order is the guarantee: the inverse is on the disk, then the watchman is there, then the act. Whoever dies in
between leaves a journal from which anybody can undo.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from labhelpers.errors import UsageProblem
from labhelpers.i18n import tr
from labhelpers.incidents.acts import Freeze
from labhelpers.incidents.catalogue import BY_HAND, Kind, kind_of, title_of
from labhelpers.incidents.errors import (
    HealIncomplete,
    IncidentFailed,
    IncidentNotPossible,
    JournalUnwritable,
    WatchmanAbsent,
)
from labhelpers.incidents.eventlog import say
from labhelpers.incidents.journal import Entry, Journal, new_entry
from labhelpers.incidents.owner import Owner
from labhelpers.incidents.shield import whole
from labhelpers.incidents.situation import Situation, choose
from labhelpers.incidents.world import World
from labhelpers.prediction import Timing

DEFAULT_MINUTES = 5.0
LONGEST_MINUTES = 120.0


@dataclass(frozen=True, slots=True)
class Engine:
    """Incidents of one lab. ``ensure_watchman`` is called once an incident is on the disk and not yet done."""

    world: World
    ensure_watchman: Callable[[], None]

    @property
    def journal(self) -> Journal:
        return Journal(self.world.journal_directory)

    def active(self) -> list[Entry]:
        return self.journal.entries()

    def situation(self) -> Situation:
        return Situation.of(self.world, self.active())

    def possible(self, kind: str, nodes: Sequence[str] = (), situation: Situation | None = None) -> str | None:
        """Why the incident can't be now; None where it can.

        Raises :class:`UnknownIncident`, :class:`UnknownNode` and :class:`WrongTarget`.
        """
        try:
            self.targets(kind_of(kind), nodes, situation or self.situation())
        except IncidentNotPossible as problem:
            return problem.reason
        return None

    def targets(self, kind: Kind, nodes: Sequence[str], situation: Situation) -> tuple[str, ...]:
        """The nodes that it would hit now. Raises what :func:`labhelpers.incidents.situation.choose` raises."""
        return choose(kind.id, kind.aim, situation, situation.topology.expand(nodes))

    def inject(
        self,
        name: str,
        nodes: Sequence[str] = (),
        *,
        minutes: float = DEFAULT_MINUTES,
        owner: Owner | None = None,
    ) -> Entry:
        """Journal, watchman, act; for ``minutes`` at most. Raises the errors of :mod:`labhelpers.incidents.errors`."""
        kind = kind_of(name)
        self.world.topology.expand(nodes)  # a node that there is not: before anything else
        with self.journal.injecting(tr(f"injecting {name}", f"injection de {name}")):
            before = self.situation()
            targets = self.targets(kind, nodes, before)
            entry = new_entry(
                name, targets, kind.acts(self.world.topology, targets), minutes=minutes, owner=owner,
                predictable=kind.prediction(Timing(), before, targets) is not None,
            )  # fmt: skip
            try:
                self.journal.write(entry)
                self.ensure_watchman()
                with whole():
                    entry = self._act(entry)
            except BaseException as problem:  # an interrupt too: a half-done incident is undone
                undone = self._try_undo(entry)
                says_it_all = undone and isinstance(problem, JournalUnwritable | WatchmanAbsent)
                if isinstance(problem, Exception) and not says_it_all:
                    raise IncidentFailed(name, str(problem), undone, self.world.topology.lab) from problem
                raise
        self.say(tr(f"{kind.title}: {' '.join(targets)}", f"{kind.title} : {' '.join(targets)}"))
        return entry

    def _act(self, entry: Entry) -> Entry:
        """Do it; the entry, in the journal too, tells from then on when it was begun and when the fault was there."""
        started = time.monotonic()
        moments: list[float] = []
        for act in entry.acts:
            moment = act.inject(self.world, entry.id)
            moments.append(time.monotonic() if moment is None else moment)
        done = replace(
            entry, since_monotonic=started, acted_monotonic=min(moments),
            until_monotonic=entry.until_monotonic + started - entry.since_monotonic,  # its time begins with it
        )  # fmt: skip
        self.journal.write(done)
        return done

    def adopt(self, node: str, owner: Owner, *, minutes: float = DEFAULT_MINUTES) -> Entry | None:
        """What a cell froze by hand is from now on an incident like the others, undone after ``minutes``.

        None: it is one already, or it runs. Raises :class:`JournalBusy` and :class:`JournalUnwritable`.
        """
        with self.journal.locked("adopt"):
            taken = any(node in entry.nodes for entry in self.active())
            if taken or self.world.states().get(node) != "frozen":
                return None
            entry = new_entry(BY_HAND, [node], [Freeze((node,))], minutes=minutes, owner=owner, adopted=True)
            self.journal.write(entry)
        self.say(tr(f"{node} was frozen by hand", f"{node} a été gelé à la main"))
        return entry

    def undo(self, incident_id: str, why: str = "") -> Entry | None:
        """Undo one incident; None where it is over already. Raises :class:`HealIncomplete`; it stays journalled."""
        with self.journal.locked(tr(f"undoing {incident_id}", f"annulation de {incident_id}")):
            entry = self.journal.find(incident_id)
            if entry is None:
                return None
            self.undo_locked(entry, why)
        return entry

    def undo_locked(self, entry: Entry, why: str = "") -> None:
        """The same, by somebody who holds the journal. Every act is tried, whatever becomes of the others.

        Raises :class:`HealIncomplete` afterwards, where one failed.
        """
        problems: list[str] = []
        with whole():
            for act in reversed(entry.acts):
                try:
                    act.undo(self.world, entry.id)
                except Exception as problem:
                    problems.append(str(problem))
            if not problems:
                try:
                    self.journal.remove(entry.id)
                except OSError as problem:
                    problems.append(str(problem))
        title = title_of(entry.kind)
        nodes = " ".join(entry.nodes)
        if problems:
            self.say(tr(f"{title} ({nodes}): not undone: {problems[0]}",
                        f"{title} ({nodes}) : pas défait : {problems[0]}"))  # fmt: skip
            raise HealIncomplete(f"{title} ({nodes})", "; ".join(problems), self.world.topology.lab)
        because = f" ({why})" if why else ""
        self.say(tr(f"{title}, {nodes}: undone{because}", f"{title}, {nodes} : défait{because}"))

    def _try_undo(self, entry: Entry) -> bool:
        """What is not in the journal was not begun."""
        if self.journal.find(entry.id) is None:
            return True
        try:
            self.undo_locked(entry)
        except HealIncomplete:  # said in the log; it stays in the journal
            return False
        return True

    def close_if_gone(self, entry: Entry) -> bool:
        """Somebody mended it by hand (a plain ``lxc-unfreeze``), or it is over by itself (a crash)."""
        if not all(act.gone(self.world, entry.since) for act in entry.acts):
            return False
        with self.journal.locked("close"):
            current = self.journal.find(entry.id)
            if current is None or not all(act.gone(self.world, current.since) for act in current.acts):
                return False
            self.journal.remove(entry.id)
        title, nodes = title_of(entry.kind), " ".join(entry.nodes)
        self.say(tr(f"{title}, {nodes}: over", f"{title}, {nodes} : terminé"))
        return True

    def forget(self) -> None:
        """The lab's nodes are about to be replaced or destroyed: drop rules and journal, touch no node."""
        with self.journal.locked("forget"):
            if self.world.network.table_exists():
                self.world.network.drop_table()
            self.world.remove_client_namespace()
            for entry in self.active():
                self.journal.remove(entry.id)
            for path in self.journal.unreadable():
                path.unlink(missing_ok=True)

    def say(self, sentence: str) -> None:
        say(self.world.log_directory, sentence)


def checked_minutes(minutes: float) -> float:
    """The ``minutes`` themselves, where an incident may last so long. Raises :class:`UsageProblem`."""
    if not 0 < minutes <= LONGEST_MINUTES:
        raise UsageProblem(
            tr(f"An incident lasts more than 0 and at most {LONGEST_MINUTES:g} minutes, not {minutes:g}.",
               f"Un incident dure plus de 0 et au plus {LONGEST_MINUTES:g} minutes, pas {minutes:g}.")
        )  # fmt: skip
    return minutes
