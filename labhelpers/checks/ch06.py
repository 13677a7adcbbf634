"""Chapter 06: the lab as it is before an incident, and as it is to be again afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from labhelpers.checks.ch04_cluster import cluster_findings
from labhelpers.checks.probes import all_running, magic
from labhelpers.checks.registry import Finding, check
from labhelpers.errors import EtcdUnreachable
from labhelpers.i18n import tr

if TYPE_CHECKING:
    from labhelpers.lab import Lab


@check(
    "06.arbiters",
    chapter="06",
    en="The three arbiters run and agree",
    fr="Les trois arbitres tournent et sont d'accord",
)
def arbiters(lab: Lab) -> Iterator[Finding]:
    stopped = list(all_running(lab, lab.topology.etcd))
    yield from stopped
    if stopped:
        return
    leaders: dict[str, str | None] = {}
    for node in lab.topology.etcd:
        try:
            leaders[node] = lab.etcd.status(node).leader_id
        except EtcdUnreachable as error:
            yield Finding(
                "etcd-silent",
                node,
                tr(f"etcd does not answer ({error.reason})", f"etcd ne répond pas ({error.reason})"),
                tr("etcd answers", "etcd répond"),
                tr(
                    "Was it just thawed? Give it a few seconds.",
                    "Vient-il d'être dégelé ? Laissez-lui quelques secondes.",
                ),
                tr("Look at its service.", "Regardez son service."),
                magic(node, "systemctl status etcd --no-pager"),
            )
    if len(set(leaders.values())) > 1 or None in leaders.values():
        without = [node for node, leader in leaders.items() if not leader] or list(leaders)
        yield Finding(
            "no-majority",
            without[0],
            tr("the arbiters do not name the same etcd leader", "les arbitres ne nomment pas le même leader etcd"),
            tr("one etcd leader, the same for all", "un seul leader etcd, le même pour tous"),
            tr(
                "An election may be going on: look again in a few seconds.",
                "Une élection est peut-être en cours : regardez de nouveau dans quelques secondes.",
            ),
            tr("Ask each of them who leads.", "Demandez à chacun qui mène."),
            magic("e1", "etcdctl endpoint status --cluster -w table"),
        )


@check(
    "06.cluster",
    chapter="06",
    en="A leader and two streaming replicas",
    fr="Un leader et deux secondaires en réplication",
)
def cluster(lab: Lab) -> Iterator[Finding]:
    yield from cluster_findings(lab)


@check("06.writers", chapter="06", en="One database accepts writes, and it is the leader",
       fr="Une seule base accepte les écritures, et c'est le leader")  # fmt: skip
def writers(lab: Lab) -> Iterator[Finding]:
    leader = lab.patroni.leader()
    writable = [node for node in lab.topology.postgres if not lab.postgres.is_in_recovery(node)]
    if leader is not None and writable == [leader]:
        return
    listed = ", ".join(writable) or tr("none", "aucune")
    yield Finding(
        "writers",
        leader or lab.topology.postgres[0],
        tr(
            f"accepting writes: {listed}; leader: {leader or '—'}",
            f"acceptent les écritures : {listed} ; leader : {leader or '—'}",
        ),
        tr("the leader, and it alone", "le leader, et lui seul"),
        tr("What does each Patroni say of its own instance?", "Que dit chaque Patroni de sa propre instance ?"),
        tr(
            "After a thaw, wait until a member holds the key again. A node that writes without leading has lost its "
            "Patroni.",
            "Après un dégel, attendez qu'un membre tienne de nouveau le jeton. Un nœud qui écrit sans mener a perdu "
            "son Patroni.",
        ),
        magic(
            "postgres",
            "systemctl is-active patroni@17-main; curl -s http://$(hostname):8008/patroni | jq -c '{role, state}'",
        ),
    )
