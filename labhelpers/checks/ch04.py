"""Chapter 04: three PostgreSQL that Patroni alone starts. The cluster itself and its clients: ``ch04_cluster``."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from labhelpers.checks.patroni_config import Wrong, config_faults, dcs_faults, read_yaml, replication_login
from labhelpers.checks.probes import ask, installed, magic
from labhelpers.checks.registry import Finding, check
from labhelpers.i18n import tr

if TYPE_CHECKING:
    from labhelpers.lab import Lab

DCS = "/etc/patroni/dcs.yml"


def config_path(lab: Lab) -> str:
    return f"/etc/patroni/{lab.topology.scope}.yml"


def _addresses(lab: Lab) -> dict[str, str]:
    return {spec.name: spec.address for spec in lab.topology.nodes}


@check(
    "04.packages",
    chapter="04",
    en="PostgreSQL, Patroni and pgBackRest are installed",
    fr="PostgreSQL, Patroni et pgBackRest sont installés",
)
def packages(lab: Lab) -> Iterator[Finding]:
    wanted = (f"postgresql-{lab.topology.postgres_version}", "patroni", "python3-etcd", "pgbackrest")
    facts, silent = ask(lab, lab.topology.postgres, {"installed": installed(wanted)})
    yield from silent
    for node, fact in facts.items():
        missing = [package for package in wanted if package not in fact["installed"].split()]
        if missing:
            yield Finding(
                "package-missing",
                node,
                tr(f"not installed: {', '.join(missing)}", f"pas installé : {', '.join(missing)}"),
                ", ".join(wanted),
                tr("What does dpkg -l say on this node?", "Que dit dpkg -l sur ce nœud ?"),
                tr(
                    "Install them; python3-etcd is Patroni's way to etcd and must be named.",
                    "Installez-les ; python3-etcd est l'accès de Patroni à etcd et doit être nommé.",
                ),
                magic(node, "apt-get install -y postgresql patroni python3-etcd pgbackrest", "--timeout 600"),
            )


@check(
    "04.disabled",
    chapter="04",
    en="Nothing but Patroni starts PostgreSQL",
    fr="Patroni seul démarre PostgreSQL",
)
def disabled(lab: Lab) -> Iterator[Finding]:
    version = lab.topology.postgres_version
    unit = f"postgresql@{version}-main"
    facts, silent = ask(
        lab,
        lab.topology.postgres,
        {
            "there": "systemctl cat postgresql",
            "service": "systemctl is-enabled postgresql",
            "instance": f"systemctl is-enabled {unit}",
            "active": f"systemctl is-active {unit}",
        },
    )
    yield from silent
    hint = tr(
        "Who would start PostgreSQL when this node boots?",
        "Qui démarrerait PostgreSQL au démarrage de ce nœud ?",
    )
    for node, fact in facts.items():
        if not fact.ok("there"):
            yield Finding(
                "package-missing",
                node,
                tr("PostgreSQL is not installed", "PostgreSQL n'est pas installé"),
                "04.packages",
                tr("Do the step before first.", "Faites d'abord l'étape précédente."),
                tr("Install the four packages.", "Installez les quatre paquets."),
                magic(node, "apt-get install -y postgresql patroni python3-etcd pgbackrest", "--timeout 600"),
            )
            continue
        by_service = fact["service"] == "enabled"
        by_instance = fact["instance"] == "enabled"
        if by_service or by_instance:
            which = "postgresql" if by_service else unit
            yield Finding(
                "postgresql-enabled",
                node,
                f"systemctl is-enabled {which}: enabled",
                "disabled",
                hint,
                tr(
                    f"Two units can do it: postgresql and {unit}. Disable both.",
                    f"Deux unités le peuvent : postgresql et {unit}. Désactivez les deux.",
                ),
                magic(node, f"systemctl disable postgresql {unit}"),
            )
        if fact["active"] in ("active", "activating"):
            yield Finding(
                "postgresql-running",
                node,
                f"systemctl is-active {unit}: {fact['active']}",
                "inactive",
                tr(
                    "Which unit do the PostgreSQL processes belong to?",
                    "À quelle unité appartiennent les processus de PostgreSQL ?",
                ),
                tr(
                    "Stop the instance that the package started; Patroni starts its own.",
                    "Arrêtez l'instance que le paquet a démarrée ; Patroni démarre la sienne.",
                ),
                magic(node, f"systemctl disable --now {unit}"),
            )


@check("04.dcs", chapter="04", en="Patroni knows the three arbiters", fr="Patroni connaît les trois arbitres")
def dcs(lab: Lab) -> Iterator[Finding]:
    facts, silent = ask(lab, lab.topology.postgres, {"dcs": f"cat {DCS}"})
    yield from silent
    hosts = ", ".join(f"{node}:2379" for node in lab.topology.etcd)
    write = f"%%file {DCS} postgres\netcd3:\n  hosts: {hosts}"
    for node, fact in facts.items():
        document, why = read_yaml(fact["dcs"])
        if not fact["dcs"]:
            wrongs = [Wrong("dcs-missing", tr(f"{DCS} is missing or empty", f"{DCS} manque ou est vide"), "etcd3:")]
        elif document is None:
            wrongs = [Wrong("dcs-yaml", tr(f"not YAML: {why}", f"pas du YAML : {why}"), "etcd3:")]
        else:
            wrongs = list(dcs_faults(document, _addresses(lab), lab.topology.etcd))
        for wrong in wrongs:
            yield Finding(wrong.key, node, wrong.found, wrong.expected, *_dcs_hints(wrong.key), write)


def _dcs_hints(key: str) -> tuple[str, str]:
    if key == "dcs-v2":
        return (
            tr(
                "Which of etcd's two interfaces does this name mean?",
                "Laquelle des deux interfaces d'etcd ce nom désigne-t-il ?",
            ),
            tr(
                "etcd: is the v2 API, off since etcd 3.4. Write etcd3:.",
                "etcd: est l'API v2, inactive depuis etcd 3.4. Écrivez etcd3:.",
            ),
        )
    if key == "dcs-hosts":
        return (
            tr(
                "Are all three there, with the port for clients?",
                "Y sont-ils tous les trois, avec le port des clients ?",
            ),
            tr(
                "Port 2379 is for clients, 2380 for the members among themselves.",
                "Le port 2379 est celui des clients, 2380 celui des membres entre eux.",
            ),
        )
    return (
        tr(f"What stands in {DCS} on this node?", f"Que contient {DCS} sur ce nœud ?"),
        tr(
            "Write it anew: one section, etcd3, with the three hosts.",
            "Réécrivez-le : une section, etcd3, avec les trois hôtes.",
        ),
    )


@check(
    "04.config",
    chapter="04",
    en="Each node has its Patroni configuration",
    fr="Chaque nœud a sa configuration Patroni",
)
def config(lab: Lab) -> Iterator[Finding]:
    path = config_path(lab)
    facts, silent = ask(lab, lab.topology.postgres, {"config": f"cat {path}"})
    yield from silent
    version = lab.topology.postgres_version
    for node, fact in facts.items():
        make = magic(node, f"rm -f {path}\npg_createconfig_patroni {version} main")
        document, why = read_yaml(fact["config"])
        if not fact["config"]:
            wrongs = [Wrong("config-missing", tr(f"{path} is missing", f"{path} manque"), path)]
        elif document is None:
            wrongs = [Wrong("config-yaml", tr(f"not YAML: {why}", f"pas du YAML : {why}"), path)]
        else:
            wrongs = list(config_faults(document, node, lab.topology.scope, _addresses(lab), lab.topology.etcd))
        for wrong in wrongs:
            yield Finding(
                wrong.key,
                node,
                wrong.found,
                wrong.expected,
                tr(
                    f"Compare {path} with that of another node.",
                    f"Comparez {path} avec celui d'un autre nœud.",
                ),
                tr(
                    f"pg_createconfig_patroni writes it from {DCS}: mend that first, then write it again.",
                    f"pg_createconfig_patroni l'écrit d'après {DCS} : corrigez celui-ci d'abord, puis réécrivez.",
                ),
                make,
            )


@check(
    "04.replication",
    chapter="04",
    en="The role for replication can replicate",
    fr="Le rôle de réplication peut répliquer",
)
def replication(lab: Lab) -> Iterator[Finding]:
    facts, silent = ask(lab, lab.topology.postgres, {"config": f"cat {config_path(lab)}", "roles": _psql(_ROLES)})
    yield from silent
    primary = _primary(lab, {node: fact["roles"] for node, fact in facts.items()})
    if primary is None:
        yield Finding(
            "no-primary",
            lab.topology.postgres[0],
            tr("no PostgreSQL takes writes", "aucun PostgreSQL n'accepte d'écriture"),
            tr("one that does, to create the role on", "un qui en accepte, pour y créer le rôle"),
            tr("Does PostgreSQL run on the first node?", "PostgreSQL tourne-t-il sur le premier nœud ?"),
            tr(
                "Create the role before Patroni takes over, while PostgreSQL runs by itself.",
                "Créez le rôle avant que Patroni prenne la main, tant que PostgreSQL tourne seul.",
            ),
            magic(
                lab.topology.postgres[0],
                f"systemctl status --no-pager postgresql@{lab.topology.scope} patroni@{lab.topology.scope}",
            ),
        )
        return
    roles = dict(line.split("|", 1) for line in facts[primary]["roles"].splitlines()[1:] if "|" in line)
    login, password = replication_login(read_yaml(facts[primary]["config"])[0])
    login = login or "replicator"
    shown = f"create user {login} replication password '…'"
    if login not in roles:
        yield Finding(
            "role-missing",
            primary,
            tr(f"there is no role {login}", f"il n'y a pas de rôle {login}"),
            shown,
            tr("With which role do the replicas come?", "Avec quel rôle les secondaires se présentent-ils ?"),
            tr(
                f"Its name and password stand in {config_path(lab)}, under authentication.",
                f"Son nom et son mot de passe sont dans {config_path(lab)}, sous authentication.",
            ),
            magic(
                primary,
                f"psql -c \"create user {login} replication password '{password}'\"",
                "--user postgres",
            ),
        )
        return
    if roles[login] != "t|t":
        yield Finding(
            "role-not-replication",
            primary,
            tr(f"{login} may not replicate or not log in", f"{login} ne peut pas répliquer ou se connecter"),
            "LOGIN REPLICATION",
            tr("What does \\du say of it?", "Qu'en dit \\du ?"),
            tr(
                "A role needs the attributes LOGIN and REPLICATION for this.",
                "Il faut au rôle les attributs LOGIN et REPLICATION.",
            ),
            magic(primary, f'psql -c "alter role {login} login replication"', "--user postgres"),
        )
        return
    yield from _logins(lab, primary, login, password)


_ROLES = "select pg_is_in_recovery(); select rolname, rolreplication, rolcanlogin from pg_roles where rolname !~ '^pg_'"


def _psql(sql: str) -> str:
    statements = " ".join(f"-c {shlex.quote(part)}" for part in sql.split("; "))
    return f"cd /; su postgres -c {shlex.quote('psql -XAt ' + statements)}"


def _primary(lab: Lab, answers: dict[str, str]) -> str | None:
    """The node that takes writes: where several do (before Patroni), the one that has the role, else the first."""
    writable = [node for node, text in answers.items() if text.splitlines()[:1] == ["f"]]
    for node in writable:
        if any("|t|t" in line and not line.startswith("postgres|") for line in answers[node].splitlines()[1:]):
            return node
    return writable[0] if writable else None


def _logins(lab: Lab, primary: str, wanted_login: str, wanted_password: str) -> Iterator[Finding]:
    """Each other node's own role and password, tried with a replication connection to the primary.

    What the primary's own file says is right: a node that says otherwise is mended, else the role is. Before Patroni
    has the primary, its pg_hba lets no other node in: that is not a fault of the role.
    """
    others = lab.topology.replicas(primary)
    host = lab.topology.node(primary).address
    facts, _ = ask(lab, others, {"config": f"cat {config_path(lab)}"})
    for node, fact in facts.items():
        login, password = replication_login(read_yaml(fact["config"])[0])
        if not login:
            continue
        conninfo = f"host={host} user={login} dbname=postgres replication=1 connect_timeout=3 sslmode=prefer"
        tried = lab.nodes[node].try_run(
            f'PGPASSWORD="$REPLICATION" psql -XAtc IDENTIFY_SYSTEM "{conninfo}"',
            env={"REPLICATION": password},
            timeout=10,
        )
        if tried.failed and "password authentication failed" in tried.stderr:
            yield Finding(
                "role-password",
                node,
                tr(
                    f"{node} comes as {login} and its password is refused",
                    f"{node} se présente comme {login} et son mot de passe est refusé",
                ),
                tr(
                    "one password, in the role and in the three configurations",
                    "un seul mot de passe, dans le rôle et dans les trois configurations",
                ),
                tr(
                    "Where does each side have the password from?",
                    "D'où chaque côté tient-il le mot de passe ?",
                ),
                tr(
                    f"The role keeps what create user was given; the nodes what stands in {config_path(lab)}.",
                    f"Le rôle garde ce que create user a reçu ; les nœuds, ce qu'il y a dans {config_path(lab)}.",
                ),
                magic(primary, f"psql -c \"alter role {login} password '{password}'\"", "--user postgres")
                if (login, password) == (wanted_login, wanted_password)
                else magic(
                    node,
                    f'sed -i \'/^    replication:/,/password:/{{s/username:.*/username: "{wanted_login}"/;'
                    f's/password:.*/password: "{wanted_password}"/}}\' {config_path(lab)}\n'
                    f"systemctl reload patroni@{lab.topology.scope}",
                ),
            )


@check(
    "04.enabled",
    chapter="04",
    en="Patroni runs on the three nodes, and starts with each of them",
    fr="Patroni tourne sur les trois nœuds, et démarre avec chacun",
)
def enabled(lab: Lab) -> Iterator[Finding]:
    unit = f"patroni@{lab.topology.scope}"
    questions = {"enabled": f"systemctl is-enabled {unit}", "active": f"systemctl is-active {unit}"}
    facts, silent = ask(lab, lab.topology.postgres, questions)
    yield from silent
    for node, fact in facts.items():
        if fact["enabled"] != "enabled":
            yield Finding(
                "patroni-not-enabled",
                node,
                f"systemctl is-enabled {unit}: {fact['enabled'] or '?'}",
                "enabled",
                tr(
                    "What happens to this member when its node restarts?",
                    "Qu'advient-il de ce membre quand son nœud redémarre ?",
                ),
                tr(
                    "start is for now, enable is for every boot.",
                    "start vaut pour maintenant, enable pour chaque démarrage.",
                ),
                magic(node, f"systemctl enable --now {unit}"),
            )
        elif fact["active"] not in ("active", "activating"):
            yield Finding(
                "patroni-stopped",
                node,
                f"systemctl is-active {unit}: {fact['active'] or '?'}",
                "active",
                tr(
                    "It starts at the next boot. And until then?",
                    "Il démarre au prochain lancement. Et d'ici là ?",
                ),
                tr(
                    "enable is for every boot, start is for now; --now does both.",
                    "enable vaut pour chaque lancement, start pour maintenant ; --now fait les deux.",
                ),
                magic(node, f"systemctl enable --now {unit}"),
            )
