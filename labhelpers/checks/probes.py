"""What checks ask of nodes: many facts in one round trip, and the findings that every check shares."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labhelpers.checks.registry import Finding
from labhelpers.errors import ServiceUnreachable
from labhelpers.i18n import tr
from labhelpers.meant import MAIN, command

if TYPE_CHECKING:
    from labhelpers.lab import Lab

PROBE_SECONDS = 15.0
_MARK = "=====workshop:"


@dataclass(frozen=True, slots=True)
class Facts:
    """What one node answered to named questions: each command's output, stripped, and its exit status."""

    node: str
    texts: Mapping[str, str]
    statuses: Mapping[str, int]

    def __getitem__(self, question: str) -> str:
        return self.texts.get(question, "")

    def ok(self, question: str) -> bool:
        """Whether the command of that question succeeded."""
        return self.statuses.get(question) == 0


def ask(lab: Lab, nodes: Iterable[str], questions: Mapping[str, str]) -> tuple[dict[str, Facts], list[Finding]]:
    """Run each question's command on each node, in one round trip a node.

    Returns the facts of the nodes that answered, and a finding for each that did not.
    """
    script = "".join(
        f"echo '{_MARK}{name}'\n( {command}\n) 2>/dev/null </dev/null\nstatus=$?\necho\necho \"{_MARK}$status\"\n"
        for name, command in questions.items()
    )
    facts: dict[str, Facts] = {}
    silent: list[Finding] = []
    for result in lab.nodes.try_run(list(nodes), script, timeout=PROBE_SECONDS):
        if result.exited is None:
            silent.append(node_finding(lab, result.node) or _silent(lab, result.node, result.error or ""))
        else:
            facts[result.node] = _read(result.node, result.stdout)
    return facts, silent


def _read(node: str, output: str) -> Facts:
    texts: dict[str, str] = {}
    statuses: dict[str, int] = {}
    question: str | None = None
    lines: list[str] = []
    for line in output.splitlines():
        if line.startswith(_MARK):
            rest = line[len(_MARK) :]
            if question is None:
                question, lines = rest, []
            else:
                texts[question], statuses[question] = "\n".join(lines).strip(), int(rest or 1)
                question = None
        else:
            lines.append(line)
    return Facts(node, texts, statuses)


def node_finding(lab: Lab, node: str) -> Finding | None:
    """That the node does not run, and how to bring it back; None where it runs."""
    if node not in lab.topology.names:
        return None
    state = lab.containers.state(node)
    if state == "running":
        return None
    path = "" if lab.topology.lab == MAIN else f" -P {lab.topology.lxc_path}"
    remedy = {
        "frozen": f"sudo lxc-unfreeze{path} {node}",
        "stopped": f"sudo lxc-start{path} {node}",
        "absent": command("up", lab.topology.lab),
    }[state]
    return Finding(
        f"node-{state}",
        node,
        {
            "frozen": tr("the node is frozen", "le nœud est gelé"),
            "stopped": tr("the node is stopped", "le nœud est arrêté"),
            "absent": tr("the node does not exist", "le nœud n'existe pas"),
        }[state],
        tr("the node runs", "le nœud tourne"),
        tr(
            "Look at the state of the containers: sudo lxc-ls -f",
            "Regardez l'état des conteneurs : sudo lxc-ls -f",
        ),
        tr(
            "Bring the node back, then wait a few seconds.",
            "Ramenez le nœud, puis attendez quelques secondes.",
        ),
        remedy,
    )


def no_answer(error: ServiceUnreachable) -> Finding:
    """That a service is silent on a node that runs."""
    unit = {"etcd": "etcd", "Patroni": "'patroni@*'", "PostgreSQL": "'postgresql@*' 'patroni@*'"}[error.service]
    return Finding(
        "service-silent",
        error.node,
        tr(
            f"{error.service} does not answer ({error.reason})",
            f"{error.service} ne répond pas ({error.reason})",
        ),
        tr(f"{error.service} answers", f"{error.service} répond"),
        tr(
            f"Does the service run on {error.node}, and what does its journal say?",
            f"Le service tourne-t-il sur {error.node}, et que dit son journal ?",
        ),
        tr(
            "Read the journal's last lines, mend the configuration, then start the service.",
            "Lisez les dernières lignes du journal, corrigez la configuration, puis démarrez le service.",
        ),
        f"systemctl status {unit} ; journalctl -n 30 -u {unit}",
    )


def _silent(lab: Lab, node: str, reason: str) -> Finding:
    return Finding(
        "node-silent",
        node,
        reason or tr("no answer", "pas de réponse"),
        tr("the node answers", "le nœud répond"),
        tr("Does SSH answer on the node?", "SSH répond-il sur le nœud ?"),
        tr("Look at the lab's state.", "Regardez l'état du lab."),
        command("status", lab.topology.lab),
    )


def all_running(lab: Lab, nodes: Iterable[str]) -> Iterator[Finding]:
    """A finding for each of the nodes that does not run."""
    for node in nodes:
        finding = node_finding(lab, node)
        if finding:
            yield finding


def leader_or_first(lab: Lab) -> str:
    """Whom to ask, or to name, where the cluster is meant: its leader, and its first member while nobody leads."""
    return lab.patroni.leader() or lab.topology.postgres[0]


def installed(packages: Iterable[str]) -> str:
    """A command that prints each of the packages that is installed."""
    names = " ".join(shlex.quote(name) for name in packages)
    return "dpkg-query -W -f '${db:Status-Status} ${Package}\\n' " + names + " | sed -n 's/^installed //p'"


def magic(nodes: str, command: str, options: str = "") -> str:
    """What to type in a cell: a magic line and the command below it."""
    return f"%%on {nodes}{' ' + options if options else ''}\n{command}"
