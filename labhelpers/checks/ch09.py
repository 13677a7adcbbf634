"""Chapter 09: pgBackRest on both sides, archiving from every node, and a backup."""

from __future__ import annotations

import configparser
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from labhelpers.checks.ch08 import parameters_of
from labhelpers.checks.probes import Facts, ask, leader_or_first, magic, node_finding
from labhelpers.checks.registry import Finding, check
from labhelpers.i18n import tr
from labhelpers.pgbackrest import STANZA, InfoUnreadable, Stanza

if TYPE_CHECKING:
    from labhelpers.lab import Lab

CONFIG = "/etc/pgbackrest.conf"
READ_FIRST = "/etc/pgbackrest/pgbackrest.conf"
"""pgBackRest's own place for the file; the other is read where this one is not there
(https://pgbackrest.org/configuration.html)."""
SCRIPT = "/var/lib/postgresql/leader.sh"
AS_POSTGRES = "runuser -u postgres --"


@check("09.config", chapter="09", en="pgBackRest knows the instance and the repository",
       fr="pgBackRest connaît l'instance et le dépôt")  # fmt: skip
def config(lab: Lab) -> Iterator[Finding]:
    nodes = (*lab.topology.postgres, *lab.topology.backup)
    which = f"if [ -e {READ_FIRST} ]; then echo {READ_FIRST}; else echo {CONFIG}; fi"
    facts, silent = ask(lab, nodes, {
        "there": "command -v pgbackrest", "path": which, "file": f"cat $({which})",
        "readable": f"{AS_POSTGRES} test -r $({which})",
    })  # fmt: skip
    yield from silent
    for node, fact in facts.items():
        path = fact["path"]
        if not fact["there"]:
            yield _not_installed(node)
        elif not fact.ok("readable"):
            yield Finding(
                "config-unreadable", node, tr(f"postgres can't read {path}", f"postgres ne peut pas lire {path}"),
                "postgres:postgres 640",
                tr("As whom does pgBackRest run, and whose is the file?",
                   "Sous quel nom tourne pgBackRest, et à qui est le fichier ?"),
                tr("Give it to postgres.", "Donnez-le à postgres."),
                magic(node, f"chown postgres:postgres {path}\nchmod 640 {path}") if fact["file"] else
                _right_config(lab, node, path),
            )  # fmt: skip
        else:
            yield from _judge_config(lab, node, path, read_ini(fact["file"]))


def read_ini(text: str) -> dict[str, dict[str, str]]:
    """The sections of a pgBackRest configuration; empty where it can't be read."""
    parser = configparser.ConfigParser(delimiters=("=",), comment_prefixes=("#", ";"), interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    return {name: dict(parser[name]) for name in parser.sections()}


def _right_config(lab: Lab, node: str, path: str) -> str:
    """A cell that writes the node's whole file, as the chapter does."""
    data = f"/var/lib/postgresql/{lab.topology.postgres_version}/main"
    if node in lab.topology.backup:
        lines = ["[global]", "repo1-path=/var/lib/pgbackrest", "repo1-retention-full=2", "start-fast=y",
                 "log-level-console=detail", "", f"[{STANZA}]", f"pg1-path={data}", "pg1-host-user=postgres",
                 "pg1-user=postgres", "pg1-port=5432"]  # fmt: skip
    else:
        lines = [f"[{STANZA}]", f"pg1-path={data}", "pg1-socket-path=/var/run/postgresql", "pg1-port=5432", "",
                 "[global]", "log-level-file=detail", "log-level-console=detail",
                 f"repo1-host={lab.topology.backup[0]}", "repo1-host-user=postgres"]  # fmt: skip
    return f"%%file {path} {node} --owner postgres:postgres --mode 640\n" + "\n".join(lines)


def _judge_config(lab: Lab, node: str, file: str, sections: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    data = f"/var/lib/postgresql/{lab.topology.postgres_version}/main"
    write = _right_config(lab, node, file)
    stanza, common = sections.get(STANZA, {}), sections.get("global", {})
    if STANZA not in sections and "pg1-path" not in common:
        yield Finding(
            "stanza-section", node, tr(f"{file} has no section [{STANZA}]", f"{file} n'a pas de section [{STANZA}]"),
            f"[{STANZA}]",
            tr("What is the stanza called in the commands?", "Comment la stanza s'appelle-t-elle dans les commandes ?"),
            tr("The section's name is the stanza's.", "Le nom de la section est celui de la stanza."), write,
        )  # fmt: skip
        return
    path = stanza.get("pg1-path") or common.get("pg1-path", "")
    if path.rstrip("/") != data:
        yield Finding(
            "stanza-path", node, f"pg1-path={path or '—'}", f"pg1-path={data}",
            tr("Does this directory exist on the databases? The hand-out's version is older than yours.",
               "Ce répertoire existe-t-il sur les bases ? La version du support est plus ancienne que la vôtre."),
            tr("pg1-path is the instance's data directory: show data_directory.",
               "pg1-path est le répertoire de données de l'instance : show data_directory."),
            write,
        )  # fmt: skip
    host = stanza.get("repo1-host") or common.get("repo1-host", "")
    backup = lab.topology.backup[0]
    if node in lab.topology.backup:
        if host:
            yield _repo_host(
                node, host, tr("no repo1-host: the repository is here", "pas de repo1-host : le dépôt est ici"), write
            )
    elif host not in (backup, lab.topology.node(backup).address):
        yield _repo_host(node, host, f"repo1-host={backup}", write)
    elif (stanza.get("repo1-host-user") or common.get("repo1-host-user", "pgbackrest")) != "postgres":
        yield Finding(
            "repo-user", node, f"repo1-host-user={common.get('repo1-host-user', '—')}", "repo1-host-user=postgres",
            tr("As whom does this node log in to the backup node?",
               "Sous quel nom ce nœud se connecte-t-il au nœud de sauvegarde ?"),
            tr("Without this line pgBackRest logs in as pgbackrest, which does not exist here.",
               "Sans cette ligne, pgBackRest se connecte en tant que pgbackrest, qui n'existe pas ici."), write,
        )  # fmt: skip


def _repo_host(node: str, host: str, expected: str, write: str) -> Finding:
    return Finding(
        "repo-host", node, f"repo1-host={host or '—'}", expected,
        tr("Where is the repository, seen from this node?", "Où est le dépôt, vu de ce nœud ?"),
        tr("Databases name the backup node; the backup node names nobody.",
           "Les bases nomment le nœud de sauvegarde ; lui ne nomme personne."), write,
    )  # fmt: skip


@check("09.keys", chapter="09", en="postgres logs in without a password, both ways",
       fr="postgres se connecte sans mot de passe, dans les deux sens")  # fmt: skip
def keys(lab: Lab) -> Iterator[Finding]:
    backup = lab.topology.backup[0]
    ssh = f"{AS_POSTGRES} ssh -o BatchMode=yes -o ConnectTimeout=4"
    to_all = {f"to {node}": f"{ssh} {node} true 2>&1" for node in lab.topology.postgres}
    facts, silent = ask(lab, lab.topology.postgres, {f"to {backup}": f"{ssh} {backup} true 2>&1"})
    there, more = ask(lab, [backup], to_all)
    yield from [*silent, *more]
    for node, fact in {**facts, **there}.items():
        for question, text in fact.texts.items():
            if not fact.ok(question):
                yield _ssh_refused(lab, node, question.removeprefix("to "), text)


def _ssh_refused(lab: Lab, node: str, other: str, said: str) -> Finding:
    last = (said.splitlines() or ["—"])[-1]
    unknown = "host key verification failed" in said.lower()
    arguments = "" if lab.topology.lab == "main" else f" -e lab={lab.topology.lab} -e network={lab.topology.network}"
    return Finding(
        "ssh-host-unknown" if unknown else "ssh-refused", node, f"ssh {other}: {last}",
        tr(f"postgres on {node} reaches {other} without a password",
           f"postgres sur {node} atteint {other} sans mot de passe"),
        tr(f"Does {node} know the host {other}?", f"{node} connaît-il l'hôte {other} ?") if unknown else
        tr(f"Whose keys are in authorized_keys of postgres on {other}?",
           f"Quelles clés y a-t-il dans authorized_keys de postgres sur {other} ?"),
        tr("The playbook exchanges them all; run it again.", "Le playbook les échange toutes ; relancez-le."),
        f"sudo ansible-playbook -i inventory.yml exchange_ssh_keys.yml -f 7{arguments}",
    )  # fmt: skip


@check("09.stanza", chapter="09", en="The stanza belongs to this cluster", fr="La stanza est celle de cet agrégat")
def stanza(lab: Lab) -> Iterator[Finding]:
    yield from _stanza(lab)[1]


def held(lab: Lab) -> tuple[Stanza | None, list[Finding]]:
    """What the repository holds of this cluster, or a finding that says why it can't be asked."""
    backup = lab.topology.backup[0]
    silent = node_finding(lab, backup)
    if silent:
        return None, [silent]
    try:
        return lab.pgbackrest.stanza(), []
    except InfoUnreadable as error:
        facts, silents = ask(lab, [backup], {"there": "command -v pgbackrest"})
        if silents:
            return None, silents
        if not facts[backup]["there"]:
            return None, [_not_installed(backup)]
        return None, [Finding(
            "repository-silent", backup, tr(f"pgbackrest info fails: {error.why}",
                                            f"pgbackrest info échoue : {error.why}"),
            tr("pgBackRest says what it holds", "pgBackRest dit ce qu'il garde"),
            tr("Ask it yourself, as postgres on this node.", "Demandez-lui vous-même, en tant que postgres sur ce "
                                                             "nœud."),
            tr("Most often the configuration is at fault: look at 09.config first.",
               "C'est le plus souvent la configuration : voyez d'abord 09.config."),
            "%check 09.config",
        )]  # fmt: skip


def _not_installed(node: str) -> Finding:
    return Finding(
        "package-missing", node, tr("pgBackRest is not installed", "pgBackRest n'est pas installé"), "pgbackrest",
        tr("Which of the seven nodes need it?", "Lesquels des sept nœuds en ont besoin ?"),
        tr("The three databases and the backup node.", "Les trois bases et le nœud de sauvegarde."),
        magic(node, "apt-get install -y pgbackrest", "--timeout 300"),
    )  # fmt: skip


def _stanza(lab: Lab) -> tuple[Stanza | None, list[Finding]]:
    found, silent = held(lab)
    if silent:
        return None, silent
    backup = lab.topology.backup[0]
    create = magic("leader", f"pgbackrest --stanza {STANZA} stanza-create", "--user postgres")
    if found is None:
        return None, [Finding(
            "stanza-missing", backup, tr(f"the repository has no stanza {STANZA}",
                                         f"le dépôt n'a pas de stanza {STANZA}"), STANZA,
            tr("What does pgbackrest info say on the backup node?",
               "Que dit pgbackrest info sur le nœud de sauvegarde ?"),
            tr("Create it from the leader, once.", "Créez-la depuis le leader, une fois."), create,
        )]  # fmt: skip
    control = f"/usr/lib/postgresql/{lab.topology.postgres_version}/bin/pg_controldata"
    data = f"/var/lib/postgresql/{lab.topology.postgres_version}/main"
    leader = leader_or_first(lab)
    facts, silent = ask(lab, [leader], {"system": f"{control} {data} | sed -n 's/^Database system identifier: *//p'"})
    if silent:
        return found, silent
    if facts[leader]["system"] != str(found.system_id):
        return found, [Finding(
            "stanza-mismatch", backup, tr(f"the stanza is of system {found.system_id}",
                                          f"la stanza est celle du système {found.system_id}"),
            facts[leader]["system"],
            tr("Was the cluster created again since?", "L'agrégat a-t-il été recréé depuis ?"),
            tr("stanza-create refuses to write over another identity. stanza-upgrade puts the new one beside it, and "
               "keeps the old backups.",
               "stanza-create refuse d'écraser une autre identité. stanza-upgrade inscrit la nouvelle à côté, et garde "
               "les anciennes sauvegardes."),
            magic("leader", f"pgbackrest --stanza {STANZA} stanza-upgrade", "--user postgres"),
        )]  # fmt: skip
    return found, []


@check("09.archiving", chapter="09", en="Every node can archive, and the leader does",
       fr="Chaque nœud peut archiver, et le leader le fait")  # fmt: skip
def archiving(lab: Lab) -> Iterator[Finding]:
    _, missing = _stanza(lab)
    if missing:
        yield from missing
        return
    psql = "su - postgres -c \"psql -XAt -F' ' -c '"
    facts, silent = ask(lab, lab.topology.postgres, {
        "mode": psql + "show archive_mode'\"", "command": psql + "show archive_command'\"",
        "failing": psql + "select coalesce(last_failed_time > last_archived_time, last_failed_time is not null) "
                          "from pg_stat_archiver'\"",
    })  # fmt: skip
    yield from silent
    stored = parameters_of(lab.patroni.config())
    for node, fact in facts.items():
        yield from _judge_archiving(lab, node, fact, stored.get("archive_mode") in (True, "on", "always"))


def _judge_archiving(lab: Lab, node: str, fact: Facts, stored: bool) -> Iterator[Finding]:
    edit = magic("leader", "patronictl edit-config -p archive_mode=on "
                 f"-p 'archive_command=pgbackrest --stanza={STANZA} archive-push %p'",
                     "--user postgres --input y")  # fmt: skip
    if fact["mode"] not in ("on", "always"):
        yield Finding(
            "archive-pending" if stored else "archive-off", node, f"archive_mode: {fact['mode'] or '—'}",
                "archive_mode: on",
            tr("Stored, or in use? patronictl list", "Enregistré, ou en service ? patronictl list") if stored else
            tr("Error 087. Where is this parameter set for all nodes at once?",
               "Erreur 087. Où règle-t-on ce paramètre pour tous les nœuds à la fois ?"),
            tr("It needs a restart.", "Il faut un redémarrage.") if stored else
            tr("In the dynamic configuration, with archive_command; then restart.",
               "Dans la configuration dynamique, avec archive_command ; puis redémarrez."),
            magic(node, f"patronictl restart {lab.topology.scope} --force", "--user postgres") if stored else edit,
        )  # fmt: skip
    elif "pgbackrest" not in fact["command"] or "archive-push" not in fact["command"] or "%p" not in fact["command"]:
        yield Finding(
            "archive-command", node, f"archive_command: {fact['command'] or '—'}",
                "pgbackrest --stanza=main archive-push %p",
            tr("What does PostgreSQL run for each finished segment?",
               "Que lance PostgreSQL pour chaque segment terminé ?"),
            tr("pgBackRest's archive-push, with %p for the segment's path.",
               "archive-push de pgBackRest, avec %p pour le chemin du segment."), edit,
        )  # fmt: skip
    elif fact["failing"] == "t":
        yield Finding(
            "archive-failing", node, tr("the last attempt to archive failed", "le dernier essai d'archivage a échoué"),
            tr("segments arrive in the repository", "les segments arrivent dans le dépôt"),
            tr("PostgreSQL's log has pgBackRest's words.", "Le journal de PostgreSQL contient les mots de pgBackRest."),
            tr("Mend what it says, then let pgBackRest check.",
               "Réparez ce qu'il dit, puis laissez pgBackRest vérifier."),
            magic(node, f"pgbackrest --stanza {STANZA} check", "--user postgres"),
        )  # fmt: skip


@check("09.leader-script", chapter="09", en="leader.sh on the backup node names the leader",
       fr="leader.sh, sur le nœud de sauvegarde, nomme le leader")  # fmt: skip
def leader_script(lab: Lab) -> Iterator[Finding]:
    backup, leader = lab.topology.backup[0], lab.patroni.leader()
    facts, silent = ask(lab, [backup], {
        "there": f"test -e {SCRIPT}", "executable": f"{AS_POSTGRES} test -x {SCRIPT}",
        "says": f"cd /var/lib/postgresql; {AS_POSTGRES} timeout 8 {SCRIPT}", "home": "getent passwd postgres",
    })  # fmt: skip
    yield from silent
    for node, fact in facts.items():
        write = (
            f"%%file {SCRIPT} {node} --owner postgres:postgres --mode 755\n#! /bin/bash\n"
            "curl -s http://pg-1:8008/cluster | jq -r '.members[] | select(.role == \"leader\") | .name'"
        )
        if not fact.ok("there"):
            yield Finding(
                "script-missing", node, tr(f"{SCRIPT} is not there", f"{SCRIPT} n'existe pas"), SCRIPT,
                tr("The script of the database nodes, with the scope fixed.",
                   "Le script des bases, avec le scope fixé."),
                tr("Ask etcd by its v3 API, or Patroni's /cluster.",
                   "Interrogez etcd par l'API v3, ou /cluster de Patroni."),
                write,
            )  # fmt: skip
        elif not fact.ok("executable"):
            yield Finding(
                "script-not-executable", node, tr("postgres may not execute it", "postgres ne peut pas l'exécuter"),
                    "755",
                tr("What does ls -l say?", "Que dit ls -l ?"),
                tr("Give it to postgres, and the right to execute it.", "Donnez-le à postgres, avec le droit de "
                                                                        "l'exécuter."),
                magic(node, f"chown postgres: {SCRIPT}\nchmod 755 {SCRIPT}"),
            )  # fmt: skip
        elif fact["says"].strip() != (leader or ""):
            yield Finding(
                "script-wrong", node, tr(f"it says {fact['says'] or 'nothing'}",
                                         f"il dit {fact['says'] or 'rien'}"), leader or "—",
                tr("Which scope does it ask for, and through which API?",
                   "Quel scope demande-t-il, et par quelle API ?"),
                tr(f"The scope is {lab.topology.scope}; the v3 API wants base64, and v2 is off.",
                   f"Le scope est {lab.topology.scope} ; l'API v3 veut du base64, et v2 est désactivée."), write,
            )  # fmt: skip


@check("09.backup", chapter="09", en="There is a full backup, and it is sound",
       fr="Il y a une sauvegarde complète, et elle est saine")  # fmt: skip
def backup(lab: Lab) -> Iterator[Finding]:
    node = lab.topology.backup[0]
    found, missing = _stanza(lab)
    yield from missing
    if found is None:
        return
    take = magic(node, f"pgbackrest --stanza {STANZA} --pg1-host=$(./leader.sh) backup --type=full "
                       "--log-level-console=info", "--user postgres")  # fmt: skip
    if not found.of_kind("full"):
        yield Finding(
            "no-backup", node, tr("a stanza, and no backup in it", "une stanza, et aucune sauvegarde dedans"),
            tr("a full backup", "une sauvegarde complète"),
            tr("What does info list below the archive?", "Que liste info sous l'archive ?"),
            tr("Take one, from the leader.", "Faites-en une, depuis le leader."), take,
        )  # fmt: skip
    elif any(each.failed for each in found.backups) or not found.is_ok:
        yield Finding(
            "backup-error", node, f"status: {found.status}", "status: ok",
            tr("pgbackrest info tells which backup has an error.",
               "pgbackrest info dit quelle sauvegarde a une erreur."),
            tr("Look for the page that is damaged, and take a new full backup.",
               "Cherchez la page abîmée, et refaites une sauvegarde complète."),
            take,
        )  # fmt: skip
