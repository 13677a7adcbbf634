"""Chapter 05: the lead went round, and is back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from labhelpers.checks.ch04_cluster import cluster_findings
from labhelpers.checks.probes import magic
from labhelpers.checks.registry import Finding, check
from labhelpers.i18n import tr

if TYPE_CHECKING:
    from labhelpers.lab import Lab

SWITCHOVERS = 3


@check(
    "05.timelines",
    chapter="05",
    en="Everybody follows the leader's timeline",
    fr="Tous suivent la timeline du leader",
)
def timelines(lab: Lab) -> Iterator[Finding]:
    yield from cluster_findings(lab)


@check("05.history", chapter="05", en="Each node has led", fr="Chaque nœud a dirigé")
def history(lab: Lab) -> Iterator[Finding]:
    lines = lab.patroni.history()
    leader = lab.patroni.leader()
    led = {line.new_leader for line in lines if line.new_leader} | {leader}
    missing = [node for node in lab.topology.postgres if node not in led]
    scope = lab.topology.scope
    if len(lines) < SWITCHOVERS or missing:
        node = missing[0] if missing else lab.topology.postgres[0]
        yield Finding(
            "history-short",
            node,
            tr(
                f"{len(lines)} changes of timeline; never led: {', '.join(missing) or '—'}",
                f"{len(lines)} changements de timeline ; n'a jamais dirigé : {', '.join(missing) or '—'}",
            ),
            tr(f"at least {SWITCHOVERS}, each node once", f"au moins {SWITCHOVERS}, chaque nœud une fois"),
            tr("patronictl history tells who led when.", "patronictl history dit qui a dirigé et quand."),
            tr(f"Hand the lead over to {node}, then on.", f"Passez la main à {node}, puis continuez."),
            magic(
                leader or "leader",
                f"patronictl switchover {scope} --leader {leader} --candidate {node} --force",
                "--user postgres",
            ),
        )


@check("05.leader", chapter="05", en="The first node leads again", fr="Le premier nœud dirige de nouveau")
def leader(lab: Lab) -> Iterator[Finding]:
    wanted, found = lab.topology.postgres[0], lab.patroni.leader()
    if found != wanted:
        yield Finding(
            "leader-elsewhere",
            found or wanted,
            tr(f"{found} leads", f"{found} dirige") if found else tr("nobody leads", "personne ne dirige"),
            tr(f"{wanted} leads", f"{wanted} dirige"),
            tr("Where does the chapter's last switchover go?", "Où mène la dernière bascule du chapitre ?"),
            tr(f"Hand the lead over to {wanted}.", f"Passez la main à {wanted}."),
            magic(
                found or wanted,
                f"patronictl switchover {lab.topology.scope} --leader {found} --candidate {wanted} --force",
                "--user postgres",
            ),
        )
