"""The states that chapters start from. ``%chapter`` asks; nothing here changes anything.

A finding with the key ``already-done`` means that the lab is beyond that state: the chapter's work is there already.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from labhelpers.checks.ch03 import cluster as etcd_cluster
from labhelpers.checks.ch04_cluster import cluster_findings
from labhelpers.checks.ch08 import PARAMETER, parameters_of
from labhelpers.checks.ch09 import backup as full_backup
from labhelpers.checks.probes import all_running, ask, leader_or_first
from labhelpers.checks.registry import CheckResult, Finding, check, run_check
from labhelpers.i18n import tr

if TYPE_CHECKING:
    from labhelpers.lab import Lab

ALREADY_DONE = "already-done"

_HEALTHY = ("start.nodes", "start.healthy")
STARTS: dict[str, tuple[str, ...]] = {
    "00": ("start.nodes",),
    "02": ("start.nodes",),
    "03": ("start.nodes", "start.no-etcd"),
    "04": ("start.nodes", "start.no-patroni", "start.etcd"),
    "05": _HEALTHY,
    "06": _HEALTHY,
    "07": _HEALTHY,
    "08": (*_HEALTHY, "start.default-connections"),
    "09": (*_HEALTHY, "start.no-archiving"),
    "10": (*_HEALTHY, "start.backup"),
}
"""What must hold before a chapter begins, by the names of checks, from cause to consequence.

Chapters that are not named work on any lab.
"""


def start_results(lab: Lab, chapter: str) -> list[CheckResult]:
    """The checks of the chapter's start, up to the first that fails."""
    results = []
    for name in STARTS.get(chapter, ()):
        results.append(run_check(lab, name))
        if not results[-1].passed:
            break
    return results


def _done(node: str, found: str) -> Finding:
    return Finding(ALREADY_DONE, node, found, tr("nothing of this chapter yet", "rien encore de ce chapitre"), "")


@check("start.nodes", chapter="start", en="seven running nodes", fr="sept nœuds qui tournent")
def nodes(lab: Lab) -> Iterator[Finding]:
    yield from all_running(lab, lab.topology.names)


@check("start.no-etcd", chapter="start", en="no etcd yet", fr="pas encore d'etcd")
def no_etcd(lab: Lab) -> Iterator[Finding]:
    yield from _not_installed(lab, lab.topology.etcd, "etcd")


@check("start.etcd", chapter="start", en="one etcd cluster with a leader", fr="un agrégat etcd avec un leader")
def etcd(lab: Lab) -> Iterator[Finding]:
    yield from etcd_cluster(lab) or ()


@check("start.no-patroni", chapter="start", en="no Patroni yet", fr="pas encore de Patroni")
def no_patroni(lab: Lab) -> Iterator[Finding]:
    yield from _not_installed(lab, lab.topology.postgres, "patroni")


def _not_installed(lab: Lab, nodes: tuple[str, ...], program: str) -> Iterator[Finding]:
    facts, silent = ask(lab, nodes, {program: f"command -v {program}"})
    yield from silent
    there = [node for node, fact in facts.items() if fact[program]]
    if there:
        listed = ", ".join(there)
        yield _done(there[0], tr(f"{program} is installed on {listed}", f"{program} est installé sur {listed}"))


@check(
    "start.healthy",
    chapter="start",
    en="a leader and two streaming replicas",
    fr="un leader et deux secondaires en réplication",
)
def healthy(lab: Lab) -> Iterator[Finding]:
    yield from cluster_findings(lab)


@check("start.default-connections", chapter="start", en="max_connections as PostgreSQL has it",
       fr="max_connections tel que PostgreSQL l'a")  # fmt: skip
def default_connections(lab: Lab) -> Iterator[Finding]:
    stored = parameters_of(lab.patroni.config()).get(PARAMETER)
    if stored is not None:
        node = leader_or_first(lab)
        yield _done(node, tr(f"{PARAMETER}: {stored} is stored already", f"{PARAMETER} : {stored} est déjà enregistré"))


@check("start.no-archiving", chapter="start", en="no archiving yet", fr="pas encore d'archivage")
def no_archiving(lab: Lab) -> Iterator[Finding]:
    mode = parameters_of(lab.patroni.config()).get("archive_mode")
    if mode in (True, "on", "always"):
        node = leader_or_first(lab)
        yield _done(node, tr("the journal is archived already", "le journal est déjà archivé"))


@check("start.backup", chapter="start", en="a backup to go back to", fr="une sauvegarde d'où repartir")
def backup(lab: Lab) -> Iterator[Finding]:
    yield from full_backup(lab) or ()
