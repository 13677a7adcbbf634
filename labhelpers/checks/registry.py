"""Named checks of what a chapter's steps should have done.

A check looks at the nodes, never at the notebook: it passes however the state was reached. It yields a
:class:`Finding` for each thing that is wrong, from cause to consequence, and nothing when all is well::

    @check("03.packages", chapter="03", en="etcd is installed", fr="etcd est installé")
    def packages(lab: Lab) -> Iterator[Finding]:
        ...

A chapter is one module, ``chNN.py``, imported when the chapter is asked for; its checks stand in the order of the
chapter's steps.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import CodeType
from typing import TYPE_CHECKING, Protocol

import labhelpers.checks
from labhelpers.errors import CommandFailed, LabError, ServiceUnreachable, UsageProblem
from labhelpers.i18n import tr
from labhelpers.meant import command

if TYPE_CHECKING:
    from labhelpers.lab import Lab


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be, in the reader's language.

    ``key`` names the kind of mistake and is the same in every language: tests and statistics go by it. ``hint`` says
    where to look, ``second`` what to do, ``command`` is what to type.
    """

    key: str
    node: str
    found: str
    expected: str
    hint: str
    second: str = ""
    command: str = ""


class Body(Protocol):
    """A check's function."""

    __module__: str
    __code__: CodeType

    def __call__(self, lab: Lab) -> Iterable[Finding] | None: ...


@dataclass(frozen=True, slots=True)
class Check:
    """A named check. ``title()`` says what holds when it passes."""

    name: str
    chapter: str
    en: str
    fr: str
    body: Body

    def title(self) -> str:
        return tr(self.en, self.fr)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check found. No findings: passed."""

    check: Check
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        return not self.findings


class CheckFailed(LabError):
    """A step is not done, or not right. ``result`` has the findings."""

    def __init__(self, results: Iterable[CheckResult]) -> None:
        self.results = tuple(result for result in results if not result.passed)
        said = "; ".join(
            f"{result.check.name} — {finding.node}: {finding.found}"
            for result in self.results
            for finding in result.findings[:1]
        )
        first = self.results[0].check.name
        super().__init__(tr(f"{said}. Next hint: %hint {first}", f"{said}. Indice suivant : %hint {first}"))


class UnknownCheck(UsageProblem):
    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name, self.known = name, tuple(known)
        listed = ", ".join(self.known)
        super().__init__(
            tr(
                f"There is no check {name!r}. There are: {listed}.",
                f"Il n'y a pas de vérification {name!r}. Il y a : {listed}.",
            )
        )


_checks: dict[str, Check] = {}

STARTS_MODULE = "starts"
"""The checks of the states that chapters start from: their chapter is ``start``."""


def check(name: str, *, chapter: str, en: str, fr: str) -> Callable[[Body], Body]:
    """Register the function as the check of that name."""

    def register(body: Body) -> Body:
        _checks[name] = Check(name, chapter, en, fr, body)
        return body

    return register


def chapters() -> list[str]:
    """The chapters that have checks, in order."""
    return [name[2:] for name in _modules() if re.fullmatch(r"ch[0-9]{2}", name)]


def _modules() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(labhelpers.checks.__path__))


def _load(chapter: str) -> None:
    """Import the chapter's modules: ``chNN``, and ``chNN_…`` where one is not enough."""
    wanted = STARTS_MODULE if chapter == "start" else f"ch{chapter}"
    for module in _modules():
        if module == wanted or module.startswith(f"{wanted}_"):
            importlib.import_module(f"labhelpers.checks.{module}")


def _place(found: Check) -> tuple[str, int]:
    """Where a check stands: steps follow each other as they do in the modules, whatever was imported first."""
    return found.body.__module__, found.body.__code__.co_firstlineno


def checks_of(chapter: str) -> list[Check]:
    """The chapter's checks, in the order of its steps; none where it has none.

    >>> [each.name for each in checks_of("02")]
    ['02.nodes', '02.hosts', '02.scratch-gone']
    """
    _load(chapter)
    return sorted((each for each in _checks.values() if each.chapter == chapter), key=_place)


def nothing_to_check(chapter: str) -> str:
    """What is said of a chapter without checks: one that is read, or that leaves the lab as it was."""
    return tr(f"There is nothing to check in chapter {chapter}.", f"Rien à vérifier dans le chapitre {chapter}.")


def find_check(name: str) -> Check:
    """The check of that name. Raises :class:`UnknownCheck`."""
    chapter = name.partition(".")[0]
    _load(chapter)
    if name not in _checks:
        known = [each.name for each in checks_of(chapter)] or [
            each.name for known in chapters() for each in checks_of(known)
        ]
        raise UnknownCheck(name, known)
    return _checks[name]


def run_check(lab: Lab, name: str) -> CheckResult:
    """Look at the nodes. A node or a service that does not answer is a finding, never an exception."""
    found = find_check(name)
    return CheckResult(found, tuple(_findings(lab, found)))


def _findings(lab: Lab, found: Check) -> Iterator[Finding]:
    from labhelpers.checks.probes import no_answer, node_finding

    try:
        yield from found.body(lab) or ()
    except ServiceUnreachable as error:
        yield node_finding(lab, error.node) or no_answer(error)
    except LabError as error:
        node = _node_of(error)
        silent = node_finding(lab, node) if node else None
        if silent:
            yield silent
            return
        yield Finding(
            "unknown",
            node or "—",
            str(error),
            found.title(),
            tr(
                "The check could not look. Is the lab up?",
                "La vérification n'a pas pu regarder. Le lab tourne-t-il ?",
            ),
            tr("See what runs.", "Voyez ce qui tourne."),
            command("status", lab.topology.lab),
        )


def _node_of(error: LabError) -> str:
    """The node that an error is about, "" where it names none."""
    node = getattr(error, "node", None)
    if isinstance(node, str):
        return node
    return error.failed[0].node if isinstance(error, CommandFailed) and error.failed else ""
