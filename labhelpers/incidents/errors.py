"""What can stand in an incident's way, each as one sentence with the way on.

UnknownIncident      no incident of that name: the list (exit status 2)
WrongTarget          a node that this incident is not for (exit status 2)
IncidentNotPossible  not now: the state, and what to do
IncidentInProgress   somebody else is injecting at this moment
LabBusy              the lab's nodes are being replaced: neither broken nor healed
JournalBusy          somebody undoes or injects for longer than anybody waits
JournalUnwritable    what can't be written down is not injected
WatchmanAbsent       nobody would undo it, so it is not injected
IncidentFailed       the injection itself failed; what was begun has been undone, where that could be
HealIncomplete       something could not be undone; it stays in the journal
IncidentOver         it can't be given more time: it is undone
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from labhelpers.errors import LabError, UsageProblem
from labhelpers.i18n import tr
from labhelpers.meant import command


class UnknownIncident(UsageProblem):
    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name, self.known = name, tuple(known)
        listed = ", ".join(self.known)
        super().__init__(
            tr(f"There is no incident {name!r}. The incidents are: {listed}.",
               f"Il n'y a pas d'incident {name!r}. Les incidents sont : {listed}.")
        )  # fmt: skip


class WrongTarget(UsageProblem):
    def __init__(self, kind: str, asked: Sequence[str], count: int, candidates: Sequence[str]) -> None:
        self.kind, self.asked, self.candidates = kind, tuple(asked), tuple(candidates)
        nodes, among = " ".join(asked), ", ".join(candidates)
        super().__init__(
            tr(f"{kind} takes {count} of {among}, not {nodes}. Without a node it picks a sensible one.",
               f"{kind} prend {count} nœud(s) parmi {among}, pas {nodes}. Sans nœud, il en choisit un bon.")
        )  # fmt: skip


class IncidentNotPossible(LabError):
    """It makes no sense now. ``reason`` is why, and what to do at the terminal; ``why`` is the first alone."""

    def __init__(self, kind: str, reason: str) -> None:
        self.kind, self.reason = kind, reason
        self.why = reason.partition(". ")[0].rstrip(".") + "."
        super().__init__(tr(f"Not now ({kind}): {reason}", f"Pas maintenant ({kind}) : {reason}"))


class IncidentInProgress(LabError):
    def __init__(self, holder: str) -> None:
        self.holder = holder
        who, status = f" ({holder})" if holder else "", command("status")
        super().__init__(
            tr(f"Another incident is being injected at this very moment{who}. See what runs: {status}",
               f"Un autre incident est injecté en ce moment même{who}. Pour voir ce qui tourne : {status}")
        )  # fmt: skip


class JournalBusy(LabError):
    """``holder`` has kept the journal for all of the ``seconds`` that others wait for it."""

    def __init__(self, seconds: float, holder: str) -> None:
        self.seconds, self.holder = seconds, holder
        who, heal = f" ({holder})" if holder else "", command("heal")
        super().__init__(
            tr(f"Another process{who} has held the incident journal for {seconds:g} s. Try again: {heal}",
               f"Un autre processus{who} tient le journal des incidents depuis {seconds:g} s. Réessayez : {heal}")
        )  # fmt: skip


class LabBusy(LabError):
    """A command builds, restores or destroys the lab: its nodes are neither broken nor healed meanwhile."""

    def __init__(self, lab: str) -> None:
        self.lab = lab
        super().__init__(
            tr(f"The lab {lab!r} is being built, restored or destroyed right now. Wait for its end, then try again.",
               f"Le lab {lab!r} est en cours de construction, de restauration ou de destruction. Attendez la fin, "
               "puis réessayez.")
        )  # fmt: skip


class JournalUnwritable(LabError):
    def __init__(self, path: object, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(
            tr(f"The journal {path} can't be written ({reason}), and what is not in it is not injected. Free some "
               "room, then try again.",
               f"Le journal {path} ne peut être écrit ({reason}), et ce qui n'y est pas n'est pas injecté. Libérez de "
               "la place, puis recommencez.")
        )  # fmt: skip


class WatchmanAbsent(LabError):
    """The watchman did not start within ``seconds``; without it nothing is injected."""

    def __init__(self, seconds: float, log: object) -> None:
        self.seconds, self.log = seconds, log
        super().__init__(
            tr(f"Nothing was injected: the watchman, which would undo it, did not start within {seconds:g} s. "
               f"See {log}, then try again.",
               f"Rien n'a été injecté : le gardien, qui le déferait, n'a pas démarré en {seconds:g} s. "
               f"Voyez {log}, puis recommencez.")
        )  # fmt: skip


class IncidentFailed(LabError):
    """An act failed. ``undone``: whether what was begun could be undone; else it stays in the journal."""

    def __init__(self, kind: str, reason: str, undone: bool, lab: str | None = None) -> None:
        self.kind, self.reason, self.undone = kind, reason, undone
        heal = command("heal", lab)
        rest_en = "What was begun has been undone." if undone else f"Undo what was begun: {heal}"
        rest_fr = "Ce qui était commencé est défait." if undone else f"Pour défaire le début : {heal}"
        super().__init__(
            tr(f"The incident {kind} could not be injected: {reason}. {rest_en}",
               f"L'incident {kind} n'a pas pu être injecté : {reason}. {rest_fr}")
        )  # fmt: skip


class HealIncomplete(LabError):
    def __init__(self, what: str, reason: str, lab: str | None = None) -> None:
        self.what, self.reason = what, reason
        heal = command("heal", lab)
        super().__init__(
            tr(f"{what} could not be undone ({reason}). It stays in the journal; try again: {heal}",
               f"{what} n'a pas pu être défait ({reason}). Il reste au journal ; réessayez : {heal}")
        )  # fmt: skip


class IncidentOver(LabError):
    """It was to be given more time, and is undone already."""

    def __init__(self, incident_id: str) -> None:
        self.incident_id = incident_id
        status = command("status")
        super().__init__(
            tr(f"The incident {incident_id} is over. See what runs: {status}",
               f"L'incident {incident_id} est terminé. Pour voir ce qui tourne : {status}")
        )  # fmt: skip
