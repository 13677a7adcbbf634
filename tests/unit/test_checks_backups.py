"""The checks of chapters 07, 09 and 10 on scripted nodes: what can't be asked is named, other right ways pass."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from labhelpers.checks import run_check
from labhelpers.checks.ch10 import judge_methods
from labhelpers.errors import LabError
from labhelpers.pgbackrest import InfoUnreadable
from labhelpers.postgres import SqlError
from tests.mutations.case import wrong
from tests.mutations.runner import caught_by
from tests.unit.scripted_lab import Reply, ScriptedContainers, ScriptedLab, lab

DATABASE = """\
[main]
pg1-path=/var/lib/postgresql/17/main

[global]
repo1-host=backup
repo1-host-user=postgres
"""
BACKUP = "[main]\npg1-path=/var/lib/postgresql/17/main\n"


def configured(changed: dict[str, str], path: str = "/etc/pgbackrest.conf") -> ScriptedLab:
    """Nodes with the chapter's files, and another one where ``changed`` has it."""

    def reply(name: str, command: str) -> Reply:
        facts = {"there": "/usr/bin/pgbackrest", "path": path}
        facts["file"] = changed.get(name, BACKUP if name == "backup" else DATABASE)
        questions = re.findall(r"echo '=====workshop:(\w+)'", command)
        return 0, "".join(f"=====workshop:{q}\n{facts.get(q, '')}\n=====workshop:0\n" for q in questions), ""

    return lab(reply)


def failing(error: LabError, **parts: Any) -> ScriptedLab:
    """A lab whose repository and databases answer with the error, and that has a leader."""

    def fail(*_: object) -> None:
        raise error

    here = lab(
        lambda name, command: (0, "", ""),
        patroni=SimpleNamespace(leader=lambda: "pg-1", node_status=lambda node, timeout: None),
        **parts,
    )
    here.pgbackrest = SimpleNamespace(stanza=fail)  # type: ignore[attr-defined]
    here.postgres = SimpleNamespace(query=fail)
    return here


def test_the_path_may_stand_in_global() -> None:
    common = "[global]\npg1-path=/var/lib/postgresql/17/main\nrepo1-host=backup\nrepo1-host-user=postgres\n"
    assert run_check(configured({"pg-2": common}), "09.config").passed


def test_the_file_that_pgbackrest_reads_first_is_the_one_that_is_mended() -> None:
    result = run_check(configured({"pg-2": "[demo]\n"}, "/etc/pgbackrest/pgbackrest.conf"), "09.config")
    (finding,) = result.findings
    assert finding.key == "stanza-section"
    assert finding.command.startswith("%%file /etc/pgbackrest/pgbackrest.conf pg-2 ")
    assert "[main]" in finding.command


@pytest.mark.parametrize("name", ["09.stanza", "09.archiving", "09.backup", "10.backup-after", "start.backup"])
def test_a_frozen_backup_node_is_named(name: str) -> None:
    here = failing(InfoUnreadable("backup", "no answer"), containers=ScriptedContainers({"backup": "frozen"}))
    assert [(finding.key, finding.node) for finding in run_check(here, name).findings] == [("node-frozen", "backup")]


def test_the_clients_table_missing_is_named_with_its_node() -> None:
    finding = run_check(failing(SqlError("pg-1", "relation does not exist", "42P01")), "07.one-history").findings[0]
    assert (finding.key, finding.node) == ("journal-missing", "pg-1")


def test_any_other_error_names_its_node_too() -> None:
    finding = run_check(failing(SqlError("pg-1", "out of memory", "53200")), "07.one-history").findings[0]
    assert (finding.key, finding.node) == ("unknown", "pg-1")


RESTORE = {"command": "pgbackrest --stanza=main --delta restore", "no_params": True, "keep_data": True}


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ({"create_replica_methods": ["pgbackrest", "basebackup"], "pgbackrest": RESTORE}, ""),
        ({"create_replica_methods": ["library"], "library": RESTORE}, ""),
        ({"create_replica_method": "pgbackrest", "pgbackrest": RESTORE}, ""),
        ({"create_replica_methods": ["basebackup", "pgbackrest"], "pgbackrest": RESTORE}, "method-missing"),
        ({"create_replica_methods": ["pgbackrest"], "pgbackrest": {**RESTORE, "no_params": False}}, "method-settings"),
        ({"create_replica_methods": ["pgbackrest"], "pgbackrest": {"command": "true"}}, "method-settings"),
        ({"create_replica_methods": ["pgbackrest"]}, "method-settings"),
        (None, "method-missing"),
    ],
)
def test_a_method_is_judged_by_its_command(section: Any, key: str) -> None:
    assert judge_methods(section)[0] == key


def test_a_mutation_is_caught_only_where_a_trainee_sees_it() -> None:
    result = run_check(configured({"pg-2": "[demo]\n"}), "09.config")
    shown = wrong("x", "09.config", "stanza-section", "pg-2")
    assert caught_by(shown, result)
    buried = [
        type(result.findings[0])(f"other-{number}", "pg-1", f"{number}", "e", "h", "s", "c") for number in range(4)
    ]
    assert not caught_by(shown, type(result)(result.check, (*buried, *result.findings)))
    silent = type(result.findings[0])("stanza-section", "pg-2", "f", "e", "h", "", "c")
    assert not caught_by(shown, type(result)(result.check, (silent,)))
