"""Every error that a person can cause or meet: one sentence, and what to do next.

LabError
├── UsageProblem              wrong input: exit status 2
│   ├── InvalidLabName
│   ├── UnknownNode
│   └── BadInventory
├── LabAbsent                 the lab is not there
├── HostProblem               this machine lacks something
├── NotOurs                   a container or a network that is not the lab's
├── NodeNotRunning
├── CommandFailed             a command failed on at least one node
├── CommandSucceeded          a command succeeded where a failure was the lesson
├── WaitTimeout
└── ServiceUnreachable        etcd, Patroni or PostgreSQL does not answer
    ├── EtcdUnreachable
    ├── PatroniUnreachable
    └── PostgresUnreachable
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from unicodedata import category

from labhelpers.i18n import tr
from labhelpers.meant import command

if TYPE_CHECKING:
    from labhelpers.nodes import Result

STDERR_LINES = 5


def printable(text: str) -> str:
    """The text, its control characters written out: what was typed, or what a node said, never drives a terminal."""
    return "".join(
        repr(character)[1:-1] if category(character) == "Cc" and character not in "\n\t" else character
        for character in text
    )


class LabError(Exception):
    """What failed, where, why, and what to do next, in one sentence.

    In a notebook it shows as that sentence alone: IPython asks an exception for
    ``_render_traceback_``, and papermill and nbval still see the cell fail.
    """

    exit_code = 1

    def __init__(self, said: str) -> None:
        super().__init__(printable(said))

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class UsageProblem(LabError):
    """Wrong input: what exists, or the rule."""

    exit_code = 2


class InvalidLabName(UsageProblem):
    def __init__(self, name: str, longest: int) -> None:
        super().__init__(
            tr(
                f"{name!r} is not a lab's name: a lower-case letter, then lower-case letters, digits or "
                f"hyphens, at most {longest} characters, such as 'scratch'.",
                f"{name!r} n'est pas un nom de lab : une minuscule, puis des minuscules, des chiffres ou "
                f"des tirets, {longest} caractères au plus, comme « scratch ».",
            )
        )
        self.name = name


class UnknownNode(UsageProblem):
    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name, self.known = name, tuple(known)
        listed = ", ".join(self.known)
        super().__init__(
            tr(f"There is no node {name!r}. The nodes are: {listed}.",
               f"Il n'y a pas de nœud {name!r}. Les nœuds sont : {listed}.")
        )  # fmt: skip


class BadInventory(UsageProblem):
    """The inventory can't be used: file, line and what is wrong there."""

    def __init__(self, path: object, line: int | None, why: str) -> None:
        self.path, self.line = path, line
        where = f"{path}:{line}" if line else f"{path}"
        super().__init__(
            tr(f"{where}: {why}. Correct the inventory, then try again.",
               f"{where} : {why}. Corrigez l'inventaire, puis recommencez.")
        )  # fmt: skip


class LabAbsent(LabError):
    def __init__(self, lab: str) -> None:
        self.lab = lab
        up = command("up", lab)
        super().__init__(
            tr(f"The lab {lab!r} is not there. Build it: {up}",
               f"Le lab {lab!r} n'existe pas. Pour le construire : {up}")
        )  # fmt: skip


class HostProblem(LabError):
    """This machine lacks something; the sentence says what mends it."""


class NotOurs(LabError):
    """Something of that name is there already, and it is not the lab's: it stays untouched."""


class NodeNotRunning(LabError):
    """A login was asked for on a node that is frozen or stopped."""

    def __init__(self, node: str, state: str, lab: str | None = None) -> None:
        self.node, self.state = node, state
        heal = command("heal", lab)
        super().__init__(
            tr(f"{node} is {state}. Bring it back: {heal}",
               f"{node} est dans l'état {state}. Pour le ramener : {heal}")
        )  # fmt: skip


def _describe(result: Result) -> str:
    if result.exited is None:
        return f"{result.node}: {result.error}"
    sentence = tr(f"{result.node}: exit status {result.exited}",
                  f"{result.node} : code de retour {result.exited}")  # fmt: skip
    last = [line for line in result.stderr.splitlines() if line.strip()][-STDERR_LINES:]
    return sentence + (" — " + "\n".join(last) if last else "")


class CommandFailed(LabError):
    """A command failed on at least one node. ``results`` has all nodes', those that went well too."""

    def __init__(self, results: Sequence[Result]) -> None:
        self.results = tuple(results)
        self.failed = tuple(result for result in results if result.failed)
        nodes = ", ".join(result.node for result in self.failed)
        details = "; ".join(_describe(result) for result in self.failed)
        super().__init__(tr(f"The command failed on {nodes}. {details}",
                            f"La commande a échoué sur {nodes}. {details}"))  # fmt: skip


class CommandSucceeded(LabError):
    """The failure was the lesson, and the command succeeded."""

    def __init__(self, nodes: Iterable[str]) -> None:
        self.nodes = tuple(nodes)
        listed = ", ".join(self.nodes)
        super().__init__(
            tr(f"The command was expected to fail and succeeded on {listed}: the lab is not in the state "
               "that this step needs.",
               f"La commande devait échouer et a réussi sur {listed} : le lab n'est pas dans l'état que "
               "demande cette étape.")
        )  # fmt: skip


class WaitTimeout(LabError):
    """What was awaited did not come in time; the sentence repeats the bound (seconds) and what was seen last."""

    def __init__(self, what: str, within: float, last_seen: str) -> None:
        self.what, self.within, self.last_seen = what, within, last_seen
        super().__init__(
            tr(f"Waited {within:g} s for {what}, in vain. Last seen: {last_seen}.",
               f"{within:g} s d'attente sans voir : {what}. Dernier état vu : {last_seen}.")
        )  # fmt: skip


class ServiceUnreachable(LabError):
    """A service does not answer: where it was asked, and why it did not."""

    service = ""

    def __init__(self, node: str, reason: str, lab: str | None = None) -> None:
        self.node, self.reason = node, reason
        status = command("status", lab)
        super().__init__(
            tr(f"{self.service} does not answer on {node} ({reason}). See what runs: {status}",
               f"{self.service} ne répond pas sur {node} ({reason}). Pour voir ce qui tourne : {status}")
        )  # fmt: skip


class EtcdUnreachable(ServiceUnreachable):
    service = "etcd"


class PatroniUnreachable(ServiceUnreachable):
    service = "Patroni"


class PostgresUnreachable(ServiceUnreachable):
    service = "PostgreSQL"
