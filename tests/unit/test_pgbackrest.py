"""Reading what pgBackRest says that it holds."""

from __future__ import annotations

import json

import pytest

from labhelpers.checks.ch09 import read_ini
from labhelpers.checks.ch10 import restored_onto
from labhelpers.pgbackrest import InfoUnreadable, parse_info

_INFO = [
    {
        "name": "main", "status": {"code": 0, "message": "ok"}, "cipher": "none",
        "archive": [{"database": {"id": 1, "repo-key": 1}, "id": "17-1",
                     "min": "000000080000000000000013", "max": "0000000A0000000000000020"}],
        "db": [{"id": 1, "repo-key": 1, "system-id": 7711422798429415014, "version": "17"}],
        "backup": [
            {"label": "20261123-181739F", "type": "full", "prior": None, "error": False,
             "archive": {"start": "00000008000000000000001D", "stop": "00000008000000000000001D"},
             "info": {"size": 31142912, "delta": 31142912, "repository": {"size": 3984588, "delta": 3984588}},
             "timestamp": {"start": 1795457859, "stop": 1795457869}},
            {"label": "20261123-181739F_20261123-181820I", "type": "incr", "prior": "20261123-181739F",
             "archive": {"start": "000000090000000000000020", "stop": "0000000A0000000000000020"},
             "info": {"size": 31142912, "delta": 934000, "repository": {"size": 3984588, "delta": 51000}},
             "timestamp": {"start": 1795457900, "stop": 1795457909}},
        ],
    }
]  # fmt: skip


def test_backups_come_with_their_timeline_and_their_times() -> None:
    (stanza,) = parse_info(json.dumps(_INFO))
    assert stanza.is_ok and stanza.system_id == 7711422798429415014
    assert [backup.kind for backup in stanza.backups] == ["full", "incr"]
    assert stanza.last is not None and stanza.last.timeline == 10 and stanza.last.prior == "20261123-181739F"
    assert (stanza.last.stopped_at - stanza.last.started_at).total_seconds() == 9


def test_stanza_without_backup_has_none() -> None:
    status = {"code": 2, "message": "no valid backups"}
    empty = [{**_INFO[0], "backup": [], "archive": [{"id": "17-1"}], "status": status}]
    (stanza,) = parse_info(json.dumps(empty))
    assert stanza.last is None and not stanza.is_ok


@pytest.mark.parametrize("text", ["", "not json", '[{"name": "main"}]'])
def test_answer_that_is_none_is_a_sentence(text: str) -> None:
    with pytest.raises(InfoUnreadable, match="backup"):
        parse_info(text)


def test_configuration_is_read_as_pgbackrest_reads_it() -> None:
    read = read_ini("# a comment\n[main]\npg1-path = /data # no comment\n[global]\nrepo1-host=backup\n")
    assert read["global"] == {"repo1-host": "backup"} and set(read) == {"main", "global"}
    assert read_ini("no section") == {}


@pytest.mark.parametrize(
    ("history", "timeline"),
    [
        ("", 0),
        ("00000003\n1\t0/1\tno recovery target specified\n2\t0/2\tno recovery target specified", 0),
        ("00000008\n6\t0/11\tbefore 2026-11-23 17:54:30+00\n7\t0/12\tno recovery target specified", 7),
        ("0000000C\n6\t0/11\tbefore 2026-11-23 17:54:30+00\n10\t0/12\tbefore 2026-11-24 17:54:30+00", 12),
        ("00000004\n3\t0/11\tbefore transaction 745", 4),
        ("00000004\n3\t0/11\tafter LSN 0/2000000", 4),
        ('00000004\n3\t0/11\tat restore point "tuesday"', 4),
        ("00000004\n3\t0/11\treached consistency", 4),
    ],
)
def test_last_restore_is_read_from_the_history(history: str, timeline: int) -> None:
    assert restored_onto(history) == timeline
