"""Chapter 10: the cluster is back before the mistake, whole, and backed up again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from labhelpers.checks.ch04 import config_path
from labhelpers.checks.ch04_cluster import cluster_findings
from labhelpers.checks.ch08 import parameters_of
from labhelpers.checks.ch09 import held
from labhelpers.checks.patroni_config import read_yaml
from labhelpers.checks.probes import ask, leader_or_first, magic
from labhelpers.checks.registry import Finding, check
from labhelpers.i18n import tr
from labhelpers.pgbackrest import STANZA

if TYPE_CHECKING:
    from labhelpers.lab import Lab

CUSTOMERS = 1000
TARGETS = ("recovery_target", *(f"recovery_target_{kind}" for kind in ("time", "xid", "lsn", "name")))
"""The settings that stop a recovery; the others of that name say which way to go, and are usual for replicas."""
NO_TARGET = "no recovery target specified"
"""What PostgreSQL writes into a history file after a promotion that no recovery target brought about."""
METHOD = "pgbackrest"


@check("10.cluster", chapter="10", en="The cluster is whole, on one timeline",
       fr="L'agrégat est entier, sur une seule timeline")  # fmt: skip
def cluster(lab: Lab) -> Iterator[Finding]:
    yield from cluster_findings(lab)
    seen = lab.patroni.cluster()
    if seen.paused:
        leader = seen.leader.name if seen.leader else lab.topology.postgres[0]
        yield Finding(
            "paused", leader, tr("Patroni is paused", "Patroni est en pause"), tr("it watches over the cluster",
                                                                                  "il veille sur l'agrégat"),
            tr("What does patronictl list say below the table?", "Que dit patronictl list sous la table ?"),
            tr("End the pause: nobody would be promoted now.",
               "Terminez la pause : personne ne serait promu maintenant."),
            magic(leader, f"patronictl resume {seen.scope}", "--user postgres"),
        )  # fmt: skip


@check(
    "10.rows",
    chapter="10",
    en="The dropped table is back on every node",
    fr="La table supprimée est revenue sur chaque nœud",
)
def rows(lab: Lab) -> Iterator[Finding]:
    count = "su - postgres -c \"psql -XAt -d app -c 'select count(*) from customers'\""
    facts, silent = ask(lab, lab.topology.postgres, {"rows": count})
    yield from silent
    for node, fact in facts.items():
        if not fact.ok("rows"):
            yield Finding(
                "table-missing", node, tr("there is no table customers", "il n'y a pas de table customers"),
                    f"{CUSTOMERS}",
                tr("To which moment did you go back? The log says where recovery stopped.",
                   "À quel instant êtes-vous revenu ? Le journal dit où le rejeu s'est arrêté."),
                tr("The target is the moment before the DROP. Stop all, and restore again, a little earlier.",
                   "La cible est l'instant d'avant le DROP. Arrêtez tout, et restaurez de nouveau, un peu plus tôt."),
                magic(node, "grep 'stopping before' "
                            f"/var/log/postgresql/postgresql-{lab.topology.scope}.log | tail -n 1"),
            )  # fmt: skip
        elif fact["rows"] != str(CUSTOMERS):
            yield Finding(
                "rows-differ", node, tr(f"{fact['rows']} customers", f"{fact['rows']} clients"), f"{CUSTOMERS}",
                tr("Was it a DROP, or did somebody write since?",
                   "Était-ce un DROP, ou quelqu'un a-t-il écrit depuis ?"),
                tr("The restored table has what it had before the mistake.",
                   "La table restaurée a ce qu'elle avait avant l'erreur."),
                magic("leader", f"psql -d app <<'SQL'\ndelete from customers where id > {CUSTOMERS};\n"
                      f"insert into customers select n, 'customer ' || n from generate_series(1, {CUSTOMERS}) n\n"
                      "where not exists (select from customers where id = n);\nSQL", "--user postgres"),
            )  # fmt: skip


@check("10.config-kept", chapter="10", en="The configuration survived, archiving included",
       fr="La configuration a survécu, archivage compris")  # fmt: skip
def config_kept(lab: Lab) -> Iterator[Finding]:
    stored = lab.patroni.config()
    leader = leader_or_first(lab)
    if parameters_of(stored).get("archive_mode") not in (True, "on", "always"):
        yield Finding(
            "config-lost", leader, tr("the dynamic configuration has no archive_mode",
                                      "la configuration dynamique n'a pas d'archive_mode"),
            "archive_mode: on",
            tr("What did patronictl remove delete, and where do you have a copy?",
               "Qu'a effacé patronictl remove, et où en avez-vous une copie ?"),
            tr("Put your copy back, then restart what is pending.",
               "Remettez votre copie, puis redémarrez ce qui attend."),
            magic(leader, "patronictl edit-config --replace config_before.yml", "--user postgres --input y"),
        )  # fmt: skip
    recovery: Any = (stored.get("postgresql") or {}).get("recovery_conf")
    targets = [name for name in recovery or {} if name in TARGETS]
    if isinstance(recovery, Mapping) and targets:
        yield Finding(
            "recovery-target", leader, f"recovery_conf: {', '.join(targets)}", tr("no recovery target for replicas",
                                                                                  "pas de cible pour les secondaires"),
            tr("Where would the next replica stop?", "Où s'arrêterait le prochain secondaire ?"),
            tr("A target belongs to one restore, not to the cluster.",
               "Une cible appartient à une restauration, pas à l'agrégat."),
            magic(leader, f"patronictl edit-config -s postgresql.recovery_conf.{targets[0]}=null",
                  "--user postgres --input y"),
        )  # fmt: skip


@check("10.backup-after", chapter="10", en="A full backup was taken since the restore",
       fr="Une sauvegarde complète a été faite depuis la restauration")  # fmt: skip
def backup_after(lab: Lab) -> Iterator[Finding]:
    node = lab.topology.backup[0]
    stanza, silent = held(lab)
    yield from silent
    if silent:
        return
    leader = lab.patroni.cluster().leader
    full = stanza.of_kind("full") if stanza else ()
    newest, timeline = (full[-1].timeline if full else None), (leader.timeline if leader else None)
    if newest is None or timeline is None or newest < _restored_onto(lab, leader.name if leader else node):
        yield Finding(
            "backup-before-restore", node,
            tr(f"the newest full backup is of timeline {newest or '—'}",
               f"la dernière sauvegarde complète est de la timeline {newest or '—'}"),
            tr("one of the restored cluster", "une de l'agrégat restauré"),
            tr("Which past would the next restore start from?", "De quel passé partirait la prochaine restauration ?"),
            tr("Take a full backup now.", "Faites une sauvegarde complète maintenant."),
            magic(node, f"pgbackrest --stanza {STANZA} --pg1-host=$(./leader.sh) backup --type=full "
                        "--log-level-console=info", "--user postgres"),
        )  # fmt: skip


def _restored_onto(lab: Lab, leader: str) -> int:
    """The timeline that the last point-in-time recovery began, by the newest history file; 0 where there was none."""
    wal = f"/var/lib/postgresql/{lab.topology.postgres_version}/main/pg_wal"
    newest = f"newest=$(ls {wal}/*.history | tail -n 1); basename $newest .history; cat $newest"
    facts, _ = ask(lab, [leader], {"history": newest})
    return restored_onto(facts[leader]["history"] if leader in facts else "")


def restored_onto(text: str) -> int:
    """The timeline that the last restore in a history began. ``text`` is the file's number, then its lines.

    A line has the timeline that ended, where, and why: *before* and a time, a transaction or a position, *at restore
    point*, *reached consistency*; or that there was no target, which is how a replica is promoted.

    >>> restored_onto("00000008\\n6\\t0/11\\tbefore 2026-11-23 17:54:30+00\\n7\\t0/12\\tno recovery target specified")
    7
    """
    number, *rest = text.splitlines() or [""]
    lines = [line.split("\t") for line in rest if line[:1].isdigit()]
    if not number or not lines:
        return 0
    began = [int(line[0]) for line in lines[1:]] + [int(number, 16)]
    return max((new for line, new in zip(lines, began, strict=True) if not line[-1].startswith(NO_TARGET)), default=0)


@check(
    "10.method",
    chapter="10",
    en="A replica can be built from the backup",
    fr="Un secondaire peut se construire depuis la sauvegarde",
)
def method(lab: Lab) -> Iterator[Finding]:
    path, databases = config_path(lab), lab.topology.postgres
    facts, silent = ask(lab, databases, {"config": f"cat {path}"})
    yield from silent
    judged = {node: _judge_method(lab, node, path, read_yaml(fact["config"])) for node, fact in facts.items()}
    if judged and None not in judged.values():
        wrong = judged.get(databases[-1]) or next(iter(judged.values()))
        if wrong is not None:
            yield wrong
    elif judged and not _has_restore_command(lab):
        node = next(node for node, wrong in judged.items() if wrong is None)
        yield Finding(
            "method-no-archive", node,
            tr("replicas have no restore_command", "les secondaires n'ont pas de restore_command"),
            'restore_command: pgbackrest --stanza=main archive-get %f "%p"',
            tr("The backup is some hours old. Where does the journal since then come from?",
               "La sauvegarde a quelques heures. D'où viennent les journaux de transactions écrits depuis ?"),
            tr("From the leader while it still has it, then from the archive: give the replicas a way there.",
               "Du leader tant qu'il l'a, puis de l'archive : donnez-en le chemin aux secondaires."),
            magic("leader", "patronictl edit-config -s 'postgresql.recovery_conf.restore_command="
                            "pgbackrest --stanza=main archive-get %f \"%p\"'", "--user postgres --input y"),
        )  # fmt: skip


def _has_restore_command(lab: Lab) -> bool:
    stored: Any = lab.patroni.config().get("postgresql") or {}
    return bool((stored.get("recovery_conf") or {}).get("restore_command"))


def _judge_method(lab: Lab, node: str, path: str, read: tuple[dict[str, Any] | None, str]) -> Finding | None:
    """What keeps the node from being built from the backup first; the method may have any name."""
    document, why = read
    if document is None:
        return Finding(
            "config-yaml", node, tr(f"not YAML: {why}", f"pas du YAML : {why}"), path,
            tr("Count the blanks at the line's beginning.", "Comptez les espaces en début de ligne."),
            tr("Debian's own file can be written anew, then the method put into it again.",
               "Le fichier de Debian peut être réécrit, puis la méthode y être remise."),
            magic(node, f"rm {path}\npg_createconfig_patroni {lab.topology.postgres_version} main\n"
                        f"systemctl reload patroni@{lab.topology.scope}"),
        )  # fmt: skip
    key, found = judge_methods(document.get("postgresql"))
    if key == "method-missing":
        return Finding(
            key, node, found, f"{METHOD}, …",
            tr("Methods are tried in order. Which comes first?",
               "Les méthodes sont essayées dans l'ordre. Laquelle vient d'abord ?"),
            tr("Put the backup before the copy of the leader.",
               "Mettez la sauvegarde avant la copie du leader."), _write_method(lab, node, path),
        )  # fmt: skip
    if key:
        return Finding(
            key, node, found, "command: pgbackrest … restore, no_params: true, keep_data: true",
            tr("Which command does Patroni run, with which arguments?",
               "Quelle commande Patroni lance-t-il, avec quels arguments ?"),
            tr("Without no_params, Patroni adds --scope and others, which pgBackRest refuses.",
               "Sans no_params, Patroni ajoute --scope et d'autres, que pgBackRest refuse."),
            _write_method(lab, node, path),
        )  # fmt: skip
    return None


def judge_methods(section: Any) -> tuple[str, str]:
    """The kind of fault in a node's section ``postgresql`` and what was found, "" where the backup comes first.

    >>> judge_methods({"create_replica_methods": ["basebackup"]})
    ('method-missing', 'create_replica_methods: basebackup')
    """
    part: Mapping[str, Any] = section if isinstance(section, Mapping) else {}
    methods = part.get("create_replica_methods") or part.get("create_replica_method") or []
    listed = [str(method) for method in (methods if isinstance(methods, list) else [methods])]
    first = listed[0] if listed else ""
    settings: Any = part.get(first) or {}
    command = str(settings.get("command", "")) if isinstance(settings, Mapping) else ""
    if first != METHOD and "pgbackrest" not in command:
        return "method-missing", f"create_replica_methods: {', '.join(listed) or '—'}"
    if "pgbackrest" not in command or "restore" not in command or settings.get("no_params") is not True:
        return "method-settings", f"{first}: {settings or '—'}"
    return "", ""


def _write_method(lab: Lab, node: str, path: str) -> str:
    """A cell that puts the method of the chapter before the others, whatever there was of it."""
    body = (
        r"pgbackrest:\n    command: pgbackrest --stanza=main --delta restore\n    keep_data: true\n    no_params: true"
    )
    return magic(
        node,
        f"f={path}\n"
        "sed -i -e '/^  pgbackrest:/,/^  [a-z]/{/^  pgbackrest:/d;/^    /d}' -e '/^    - pgbackrest$/d' $f\n"
        f"sed -i 's/^  create_replica_methods*:.*/  {body}\\n  create_replica_methods:\\n    - pgbackrest/' $f\n"
        f"systemctl reload patroni@{lab.topology.scope}",
    )
