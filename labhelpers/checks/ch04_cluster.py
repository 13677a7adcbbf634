"""Chapter 04, its second half: the cluster, its clients, and the way to ask it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from labhelpers.checks.probes import Facts, all_running, ask, magic, no_answer, node_finding
from labhelpers.checks.registry import Finding, check
from labhelpers.errors import PatroniUnreachable, PostgresUnreachable
from labhelpers.i18n import tr
from labhelpers.patroni import Cluster
from labhelpers.postgres import SqlError

if TYPE_CHECKING:
    from labhelpers.lab import Lab


@check(
    "04.cluster",
    chapter="04",
    en="A leader and two streaming replicas",
    fr="Un leader et deux secondaires en réplication",
)
def cluster(lab: Lab) -> Iterator[Finding]:
    yield from cluster_findings(lab)


def cluster_findings(lab: Lab) -> Iterator[Finding]:
    """What keeps the cluster from being whole: shared with the chapters that need a healthy one."""
    stopped = list(all_running(lab, lab.topology.postgres + lab.topology.etcd))
    yield from stopped
    down = {finding.node for finding in stopped}
    data = f"/var/lib/postgresql/{lab.topology.postgres_version}/main"
    controldata = f"/usr/lib/postgresql/{lab.topology.postgres_version}/bin/pg_controldata -D {data}"
    unit = f"patroni@{lab.topology.scope}"
    facts, silent = ask(
        lab,
        [node for node in lab.topology.postgres if node not in down],
        {
            "active": f"systemctl is-active {unit}",
            "system": controldata + " | sed -n 's/^Database system identifier: *//p'",
            "log": f"journalctl -qu {unit} -n 25 -o cat",
        },
    )
    yield from silent
    inactive = [node for node, fact in facts.items() if fact["active"] != "active"]
    try:
        seen = lab.patroni.cluster()
    except PatroniUnreachable as error:
        yield from (_patroni_stopped(lab, node, facts[node]) for node in inactive)
        if not inactive and not stopped:
            yield no_answer(error)
        return
    yield from _members(lab, seen, facts)


def _members(lab: Lab, seen: Cluster, facts: dict[str, Facts]) -> Iterator[Finding]:
    leader = seen.leader
    listed = {member.name: member for member in seen.members}
    for node, fact in facts.items():
        if leader and node != leader.name and _other_system(fact, facts.get(leader.name)):
            yield _not_wiped(lab, node)
        elif fact["active"] != "active":
            yield _patroni_stopped(lab, node, fact)
        elif node not in listed:
            yield Finding(
                "member-missing",
                node,
                tr("Patroni runs and is not listed", "Patroni tourne et n'est pas dans la liste"),
                tr("a member of the cluster", "un membre de l'agrégat"),
                tr("What does its Patroni say in its journal?", "Que dit son Patroni dans son journal ?"),
                tr(
                    "It must reach the arbiters and have the same scope.",
                    "Il doit joindre les arbitres et avoir le même scope.",
                ),
                magic(node, f"journalctl -u patroni@{lab.topology.scope} -n 20 --no-pager"),
            )
    if leader is None:
        node = lab.topology.postgres[0]
        yield Finding(
            "no-leader",
            node,
            tr("nobody leads", "personne ne dirige"),
            tr("one leader", "un leader"),
            tr(
                "What are they waiting for? Their journals know.",
                "Qu'attendent-ils ? Leurs journaux le savent.",
            ),
            tr(
                "A leader that can't read its own timeline waits for ever: does the replication role exist?",
                "Un leader qui ne peut lire sa propre timeline attend sans fin : le rôle de réplication existe-t-il ?",
            ),
            magic("postgres", f"journalctl -u patroni@{lab.topology.scope} -n 8 --no-pager"),
        )
        return
    for member in seen.members:
        if member.name not in facts or _other_system(facts[member.name], facts.get(leader.name)):
            continue
        wanted = "running" if member.name == leader.name else "streaming"
        if member.state != wanted:
            yield _not_streaming(lab, member.name, f"{member.role} {member.state}", wanted)
        elif member.timeline != leader.timeline:
            yield Finding(
                "timeline-differs",
                member.name,
                f"timeline {member.timeline}",
                f"timeline {leader.timeline} ({leader.name})",
                tr(
                    "Same list, other history: what does its PostgreSQL log say?",
                    "Même liste, autre histoire : que dit le journal de son PostgreSQL ?",
                ),
                tr(
                    "It has left the leader's history; build it again from the leader.",
                    "Il a quitté l'histoire du leader ; reconstruisez-le à partir de lui.",
                ),
                magic(leader.name, f"patronictl reinit {seen.scope} {member.name} --force", "--user postgres"),
            )


def _other_system(fact: Facts, leader: Facts | None) -> bool:
    return bool(fact["system"] and leader and leader["system"] and fact["system"] != leader["system"])


def _patroni_stopped(lab: Lab, node: str, fact: Facts) -> Finding:
    unit = f"patroni@{lab.topology.scope}"
    if "system ID mismatch" in fact["log"]:
        return _not_wiped(lab, node)
    return Finding(
        "patroni-stopped",
        node,
        f"systemctl is-active {unit}: {fact['active'] or '?'}",
        "active",
        tr(
            "Was it started here? Its journal says how it ended.",
            "A-t-il été démarré ici ? Son journal dit comment il a fini.",
        ),
        tr("Start Patroni on this node.", "Démarrez Patroni sur ce nœud."),
        magic(node, f"systemctl start {unit}"),
    )


def _not_wiped(lab: Lab, node: str) -> Finding:
    unit, version = f"patroni@{lab.topology.scope}", lab.topology.postgres_version
    return Finding(
        "replica-not-wiped",
        node,
        tr(
            "its data is another PostgreSQL's: the one that the package made",
            "ses données sont celles d'une autre instance : celle que le paquet a créée",
        ),
        tr("a copy of the leader", "une copie du leader"),
        tr(
            "Patroni never overwrites data. Whose data lies there?",
            "Patroni n'écrase jamais de données. À qui sont-elles ?",
        ),
        tr(
            "Empty the directory; Patroni then copies the leader by itself.",
            "Videz le répertoire ; Patroni copie alors le leader de lui-même.",
        ),
        magic(
            node,
            f"systemctl stop {unit}\nrm -rf /var/lib/postgresql/{version}/main/*\nsystemctl start {unit}",
        ),
    )


def _not_streaming(lab: Lab, node: str, found: str, wanted: str) -> Finding:
    return Finding(
        "member-state",
        node,
        found,
        wanted,
        tr(
            "A copy takes a few seconds. Is it still at it?",
            "Une copie prend quelques secondes. Est-elle encore en cours ?",
        ),
        tr(
            "If it stays so, the PostgreSQL log of the node says what it is refused.",
            "Si cela dure, le journal de PostgreSQL de ce nœud dit ce qu'on lui refuse.",
        ),
        magic(
            node,
            f"tail -n 15 /var/log/postgresql/postgresql-{lab.topology.postgres_version}-main.log; "
            f"journalctl -u patroni@{lab.topology.scope} -n 8 --no-pager",
        ),
    )


@check(
    "04.client",
    chapter="04",
    en="An application can connect to each node",
    fr="Une application peut se connecter à chaque nœud",
)
def client(lab: Lab) -> Iterator[Finding]:
    yield from all_running(lab, lab.topology.postgres)
    said_for_all: set[str] = set()
    for node in lab.topology.postgres:
        if lab.containers.state(node) != "running":
            continue
        finding = _as_client(lab, node)
        if finding and (finding.key == "hba-missing" or finding.key not in said_for_all):
            said_for_all.add(finding.key)
            yield finding


CLIENT_SECONDS = 10.0
_RIGHTS = "select has_schema_privilege('public', 'CREATE'), pg_has_role('pg_monitor', 'MEMBER')"


def _as_client(lab: Lab, node: str) -> Finding | None:
    """Connect from this machine as the application does. None: it can, and may do what it needs."""
    try:
        _, rows = lab.postgres.query(node, _RIGHTS, timeout=CLIENT_SECONDS)
    except PostgresUnreachable as error:
        return node_finding(lab, node) or _refused(lab, node, error)
    except SqlError as error:
        return _refused(lab, node, PostgresUnreachable(node, str(error)))
    may_create, may_watch = rows[0]
    leader = "leader"
    if not may_create:
        return Finding(
            "client-rights",
            node,
            tr("app may not create tables in its database", "app ne peut pas créer de tables dans sa base"),
            tr("app owns the database app", "app est propriétaire de la base app"),
            tr("Whose is the database?", "À qui est la base ?"),
            tr("Give it to app.", "Donnez-la à app."),
            magic(leader, 'psql -c "alter database app owner to app"', "--user postgres"),
        )
    if not may_watch:
        return Finding(
            "client-monitor",
            node,
            tr("app is not a member of pg_monitor", "app n'est pas membre de pg_monitor"),
            "pg_monitor",
            tr(
                "The chapters ahead read statistics as app.",
                "Les chapitres suivants lisent des statistiques en tant qu'app.",
            ),
            tr("Grant the role pg_monitor.", "Accordez le rôle pg_monitor."),
            magic(leader, 'psql -c "grant pg_monitor to app"', "--user postgres"),
        )
    return None


def _refused(lab: Lab, node: str, error: PostgresUnreachable) -> Finding:
    reason = error.reason
    give = magic(
        "leader",
        "psql -q -v ON_ERROR_STOP=1 <<'SQL'\n"
        "\\getenv password APP_PASSWORD\n"
        "select not exists (select from pg_roles where rolname = 'app') as missing \\gset\n"
        "\\if :missing\n  create role app in role pg_monitor;\n\\endif\n"
        "alter role app login password :'password';\nSQL",
        "--user postgres --secret APP_PASSWORD=app",
    )
    if re.search(r"no pg_hba\.conf entry", reason):
        return Finding(
            "hba-missing",
            node,
            tr(
                "no pg_hba.conf entry for app from the lab's network",
                "aucune entrée de pg_hba.conf pour app depuis le réseau du lab",
            ),
            f"host app app {lab.topology.subnet} scram-sha-256",
            tr(
                "Who may come in, from where? pg_hba.conf says it, and Patroni writes pg_hba.conf.",
                "Qui peut entrer, d'où ? pg_hba.conf le dit, et c'est Patroni qui écrit pg_hba.conf.",
            ),
            tr(
                "Add the entry to postgresql.pg_hba, so that all nodes get it, and the next leader too.",
                "Ajoutez l'entrée à postgresql.pg_hba : tous les nœuds l'auront, et le prochain leader aussi.",
            ),
            magic(
                "leader",
                f'patronictl show-config | sed "/pg_hba:/a\\  - host app app {lab.topology.subnet} scram-sha-256" |\n'
                "  patronictl edit-config --replace - --force",
                "--user postgres",
            ),
        )
    if "password authentication failed" in reason:
        return Finding(
            "client-password",
            node,
            tr(
                "app's password is refused, or there is no role app",
                "le mot de passe d'app est refusé, ou le rôle app n'existe pas",
            ),
            tr(
                "role app with the lab's secret as password",
                "un rôle app dont le mot de passe est le secret du lab",
            ),
            tr(
                "PostgreSQL does not tell which of the two. What does \\du say?",
                "PostgreSQL ne dit pas lequel des deux. Que dit \\du ?",
            ),
            tr(
                "Create the role, or give it the lab's secret.",
                "Créez le rôle, ou donnez-lui le secret du lab.",
            ),
            give,
        )
    if re.search(r'database "app" does not exist', reason):
        return Finding(
            "client-database",
            node,
            tr("there is no database app", "il n'y a pas de base app"),
            "create database app owner app",
            tr("What does \\l say?", "Que dit \\l ?"),
            tr("Create it, owned by app.", "Créez-la, avec app pour propriétaire."),
            magic("leader", 'psql -c "create database app owner app"', "--user postgres"),
        )
    return no_answer(error)


@check(
    "04.profile",
    chapter="04",
    en="patronictl finds its configuration",
    fr="patronictl trouve sa configuration",
)
def profile(lab: Lab) -> Iterator[Finding]:
    path = f"/etc/patroni/{lab.topology.scope}.yml"
    facts, silent = ask(lab, lab.topology.postgres, {"variable": "su - postgres -c 'printenv PATRONICTL_CONFIG_FILE'"})
    yield from silent
    for node, fact in facts.items():
        if fact["variable"] != path:
            yield Finding(
                "profile",
                node,
                f"PATRONICTL_CONFIG_FILE={fact['variable'] or '—'}",
                path,
                tr(
                    "Log in as postgres there: which file does patronictl read?",
                    "Connectez-vous là en tant que postgres : quel fichier patronictl lit-il ?",
                ),
                tr(
                    "Export the variable in the .profile of postgres.",
                    "Exportez la variable dans le .profile de postgres.",
                ),
                f"%%file /var/lib/postgresql/.profile {node} --owner postgres:postgres --append\nexport "
                f"PATRONICTL_CONFIG_FILE={path}",
            )
