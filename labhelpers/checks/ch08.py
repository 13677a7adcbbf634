"""Chapter 08: one value stored, in use on three instances, and from one source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from labhelpers.checks.ch04 import config_path
from labhelpers.checks.patroni_config import read_yaml
from labhelpers.checks.probes import Facts, ask, leader_or_first, magic
from labhelpers.checks.registry import Finding, check
from labhelpers.i18n import tr

if TYPE_CHECKING:
    from labhelpers.lab import Lab

PARAMETER = "max_connections"
WANTED = 123

_RECOVERY = ("restore_command", "recovery_target", "recovery_end_command", "archive_cleanup_command", "primary_")
"""What pgBackRest and Patroni write into postgresql.auto.conf by themselves."""


@check("08.applied", chapter="08", en="max_connections is stored and in use on all three",
       fr="max_connections est enregistré et en service sur les trois")  # fmt: skip
def applied(lab: Lab) -> Iterator[Finding]:
    facts, silent = ask(
        lab, lab.topology.postgres,
        {"value": f"cd /; su postgres -c \"psql -XAtc 'show {PARAMETER}'\"", "patroni": f"cat {config_path(lab)}"},
    )  # fmt: skip
    yield from silent
    documents = {node: read_yaml(fact["patroni"])[0] for node, fact in facts.items()}
    stored = parameters_of(lab.patroni.config()).get(PARAMETER)
    wrong = list(_not_stored(lab, stored, documents))
    yield from wrong
    if wrong:
        return
    local = list(_local(lab, documents))
    yield from local
    named = {finding.node for finding in local}
    pending = {member.name for member in lab.patroni.cluster().members if member.pending_restart}
    for node, fact in facts.items():
        if node in named:
            continue
        if fact["value"] != str(WANTED):
            yield _not_in_use(lab, node, fact["value"], node in pending)
        elif node in pending:
            yield _pending(lab, node)


def parameters_of(config: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """``postgresql.parameters`` of a dynamic or local configuration, which may be there and empty."""
    part: Any = config or {}
    for step in ("postgresql", "parameters"):
        part = part.get(step) if isinstance(part, Mapping) else None
    return part if isinstance(part, Mapping) else {}


def _not_stored(lab: Lab, stored: Any, documents: Mapping[str, Mapping[str, Any] | None]) -> Iterator[Finding]:
    leader = leader_or_first(lab)
    edit = magic(
        leader, f"patronictl edit-config -s postgresql.parameters.{PARAMETER}={WANTED}", "--user postgres --input y"
    )
    expected = f"postgresql.parameters.{PARAMETER}: {WANTED}"
    if stored is not None and not re.fullmatch(r"\d+", str(stored)):
        yield Finding(
            "config-invalid", leader, f"{PARAMETER}: {stored}", expected,
            tr("Nobody can use this value. What does Patroni's log say that it takes instead?",
               "Personne ne peut se servir de cette valeur. Que prend Patroni à la place, d'après son journal ?"),
            tr("It takes its own default at the next restart. Store a number.",
               "Au prochain redémarrage, il prend sa propre valeur par défaut. Enregistrez un nombre."),
            edit,
        )  # fmt: skip
        return
    if str(stored) == str(WANTED):
        return
    for node, document in documents.items():
        bootstrap = (document or {}).get("bootstrap")
        at_birth = bootstrap.get("dcs") if isinstance(bootstrap, Mapping) else None
        if str(parameters_of(at_birth).get(PARAMETER)) == str(WANTED):
            yield Finding(
                "config-in-bootstrap", node, f"{config_path(lab)}: bootstrap.dcs … {PARAMETER}: {WANTED}", expected,
                tr("When is the section bootstrap.dcs read?", "Quand la section bootstrap.dcs est-elle lue ?"),
                tr("Only at the cluster's birth. A living cluster is changed with edit-config.",
                   "Seulement à la naissance de l'agrégat. Un agrégat vivant se modifie avec edit-config."),
                edit,
            )  # fmt: skip
            return
    yield Finding(
        "config-not-stored", leader, f"{PARAMETER}: {stored if stored is not None else '—'}", expected,
        tr("What does patronictl show-config say below parameters?",
           "Que dit patronictl show-config sous parameters ?"),
        tr("Store the value once, for all members.", "Enregistrez la valeur une fois, pour tous les membres."), edit,
    )  # fmt: skip


def _local(lab: Lab, documents: Mapping[str, Mapping[str, Any] | None]) -> Iterator[Finding]:
    for node, document in documents.items():
        value = parameters_of(document).get(PARAMETER)
        if value is not None and str(value) != str(WANTED):
            yield Finding(
                "local-override", node, f"{config_path(lab)}: {PARAMETER}: {value}",
                tr("no value of its own on this node", "pas de valeur propre à ce nœud"),
                tr("This node disagrees with the two others. What does it have that they have not?",
                   "Ce nœud contredit les deux autres. Qu'a-t-il qu'ils n'ont pas ?"),
                tr(f"Take {PARAMETER} out of {config_path(lab)} on this node, then reload Patroni there.",
                   f"Retirez {PARAMETER} de {config_path(lab)} sur ce nœud, puis rechargez Patroni."),
                magic(node, f"sed -i '/^    {PARAMETER}:/d' {config_path(lab)}\n"
                            f"systemctl reload patroni@{lab.topology.scope}"),
            )  # fmt: skip


def _not_in_use(lab: Lab, node: str, value: str, pending: bool) -> Finding:
    lowered = value.isdigit() and int(value) > WANTED and node != lab.patroni.leader()
    raised = value.isdigit() and int(value) < WANTED
    restart = f"patronictl restart {lab.topology.scope}"
    if lowered:
        second = tr("A lowered value: restart the leader first, then the replicas.",
                    "Une valeur baissée : redémarrez d'abord le leader, puis les secondaires.")  # fmt: skip
        command = f"{restart} --role primary --force\n{restart} --role replica --force"
    elif raised:
        second = tr("A raised value: restart the replicas first, then the leader.",
                    "Une valeur augmentée : redémarrez d'abord les secondaires, puis le leader.")  # fmt: skip
        command = f"{restart} --role replica --force\n{restart} --role primary --force"
    else:
        second = tr("It is stored and waits for a restart.", "Elle est enregistrée et attend un redémarrage.")
        command = f"{restart} --force"
    return Finding(
        "pending-restart" if pending else "value-differs", node, f"show {PARAMETER}: {value or '—'}", str(WANTED),
        tr("Stored is not in use. What does patronictl list say in its last columns?",
           "Enregistrée n'est pas en service. Que disent les dernières colonnes de patronictl list ?"),
        second, magic(node, command, "--user postgres"),
    )  # fmt: skip


def _pending(lab: Lab, node: str) -> Finding:
    return Finding(
        "pending-restart", node, tr("a restart is pending", "un redémarrage est en attente"),
        tr("no restart pending", "aucun redémarrage en attente"),
        tr("For which parameter? patronictl list gives the reason.",
           "Pour quel paramètre ? patronictl list en donne la raison."),
        tr("Restart what is pending, in a quiet hour.", "Redémarrez ce qui attend, à une heure calme."),
        magic(node, f"patronictl restart {lab.topology.scope} --force", "--user postgres"),
    )  # fmt: skip


@check(
    "08.one-source", chapter="08", en="No instance has settings of its own", fr="Aucune instance n'a de réglages à elle"
)
def one_source(lab: Lab) -> Iterator[Finding]:
    auto = f"/var/lib/postgresql/{lab.topology.postgres_version}/main/postgresql.auto.conf"
    facts, silent = ask(lab, lab.topology.postgres, {"auto": f"cat {auto}", "there": f"test -r {auto}"})
    yield from silent
    for node, fact in facts.items():
        own = _altered(fact)
        if own:
            reset = " ".join(f'-c "alter system reset {name}"' for name in own)
            yield Finding(
                "alter-system", node,
                "postgresql.auto.conf: " + ", ".join(f"{name} = {value}" for name, value in own.items()),
                tr("nothing set by ALTER SYSTEM", "rien qui vienne d'ALTER SYSTEM"),
                tr("Who has the last word on this node, and is it the same on the others?",
                   "Qui a le dernier mot sur ce nœud, et est-ce le même sur les autres ?"),
                tr("ALTER SYSTEM speaks for one instance. Reset it, and use edit-config.",
                   "ALTER SYSTEM parle pour une seule instance. Annulez-le, et passez par edit-config."),
                magic(node, f'psql {reset} -c "select pg_reload_conf()"', "--user postgres"),
            )  # fmt: skip


def _altered(fact: Facts) -> dict[str, str]:
    """What ``ALTER SYSTEM`` set, without what restores and replication leave in the same file."""
    own = {}
    for line in fact["auto"].splitlines():
        name, equals, value = line.partition("=")
        name = name.strip()
        if equals and not name.startswith(("#", *_RECOVERY)):
            own[name] = value.strip()
    return own


@check("08.timeouts", chapter="08", en="ttl, loop_wait and retry_timeout agree",
       fr="ttl, loop_wait et retry_timeout s'accordent")  # fmt: skip
def timeouts(lab: Lab) -> Iterator[Finding]:
    """``loop_wait + 2 * retry_timeout <= ttl``: https://patroni.readthedocs.io/en/latest/dynamic_configuration.html"""
    config = lab.patroni.config()
    values = {
        name: config.get(name, default) for name, default in (("ttl", 30), ("loop_wait", 10), ("retry_timeout", 10))
    }
    found = ", ".join(f"{name}: {value}" for name, value in values.items())
    leader = leader_or_first(lab)
    numbers = [value if isinstance(value, int) else None for value in values.values()]
    ttl, loop_wait, retry_timeout = numbers
    if ttl is None or loop_wait is None or retry_timeout is None:
        key, hint = "timeout-invalid", tr("One of the three is no number.", "L'un des trois n'est pas un nombre.")
    elif loop_wait + 2 * retry_timeout > ttl:
        key, hint = "timeout-sum", tr("Can a member try twice before its lease ends?",
                                      "Un membre peut-il essayer deux fois avant la fin de son bail ?")  # fmt: skip
    else:
        return
    yield Finding(
        key, leader, found, "loop_wait + 2 × retry_timeout ≤ ttl", hint,
        tr("Go back to the defaults.", "Revenez aux valeurs par défaut."),
        magic(leader, "patronictl edit-config -s ttl=30 -s loop_wait=10 -s retry_timeout=10",
            "--user postgres --input y"),
    )  # fmt: skip
