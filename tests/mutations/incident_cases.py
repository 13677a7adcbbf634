"""Chapters 06 and 07: the lab around an incident, and rewind. What chapter 07 leaves is made where it is missing."""

from __future__ import annotations

from labhelpers.checks import run_check
from labhelpers.lab import Lab
from tests.mutations.case import Case, Step, container, edited, on, psql, right, stored, wrong

CONFIG = "/etc/patroni/17-main.yml"
DATA = "/var/lib/postgresql/17/main"
BIN = "/usr/lib/postgresql/17/bin"
HISTORY = "/postgresql-common/17-main/history"

_ROLE = """psql -X -v ON_ERROR_STOP=1 <<'SQL'
create role mutation_rewind login password 'rewind-pass';
grant execute on function pg_ls_dir(text, boolean, boolean) to mutation_rewind;
grant execute on function pg_stat_file(text, boolean) to mutation_rewind;
grant execute on function pg_read_binary_file(text) to mutation_rewind;
grant execute on function pg_read_binary_file(text, bigint, bigint, boolean) to mutation_rewind;
SQL"""
_NO_ROLE = "psql -X -c 'drop owned by mutation_rewind' -c 'drop role mutation_rewind'"
_LOGIN = "sed -i 's/^  authentication:/&\\n    rewind:\\n"
_LOGIN += "      username: mutation_rewind\\n      password: rewind-pass/' $f"
_OWN = "set -e; u=$(python3 -c \"import yaml; print(yaml.safe_load(open('/etc/patroni/17-main.yml'))['postgresql']"
_OWN += "['authentication']['rewind']['username'])\"); runuser -u postgres -- psql -X -v ON_ERROR_STOP=1 -v u=$u <<< "


def _where_missing(check: str, *steps: Step) -> Step:
    """Steps that make the check pass; nothing where it does already."""
    made: list[Step] = []

    def do(lab: Lab) -> None:
        if run_check(lab, check).passed:
            return
        for step in steps:
            made.append(step)
            step.do(lab)

    def undo(lab: Lab) -> None:
        while made:
            made.pop().undo(lab)

    return Step(do, undo)


def _of_rewind(script: str) -> str:
    """SQL on the rewind role that the node's configuration names, as a script for the leader."""
    return f'{_OWN}"{script}"'


REWIND = _where_missing(
    "07.rewind", on("leader", _ROLE, _NO_ROLE, user="postgres"), edited(CONFIG, "pg-1 pg-2 pg-3", _LOGIN)
)
JOURNAL = _where_missing(
    "07.one-history",
    psql(
        "create table journal (client text, sequence bigint); grant all on journal to app",
        "drop table journal",
        database="app",
    ),
)


def _lead_goes_round(lab: Lab) -> None:
    for node in ("pg-2", "pg-3", "pg-1"):
        lab.patroni.wait_for_healthy(within=90)
        lab.patroni.switchover(node)
    lab.patroni.wait_for_healthy(within=90)


def _tagged(value: str, back: str) -> Step:
    """The tag nofailover of pg-3, in the file and in use."""

    def script(wanted: str) -> str:
        return (
            f"grep -q nofailover: {CONFIG} || printf 'tags:\\n  nofailover: false\\n' >>{CONFIG}; "
            f"sed -i -E 's/nofailover: (true|false)/nofailover: {wanted}/' {CONFIG}; systemctl reload patroni@17-main; "
            f"until [ \"$(curl -s http://pg-3:8008/patroni | jq '.tags.nofailover == true')\" = {wanted} ]; "
            "do sleep 0.5; done"
        )

    return on("pg-3", script(value), script(back))


ROUND = _where_missing("05.history", Step(_lead_goes_round, lambda lab: None))

CASES: tuple[Case, ...] = (
    wrong("the history of the lead is lost", "05.history", "history-short", None,
          on("e1", f"set -e; etcdctl get --print-value-only {HISTORY} >/root/history.kept; etcdctl del {HISTORY}",
             f"etcdctl put {HISTORY} </root/history.kept; rm /root/history.kept")).given(ROUND),
    wrong("an arbiter is stopped like a machine", "06.cluster", "node-stopped", "e3", container("stop", "start", "e3")),
    wrong("a replica was promoted by hand", "06.writers", "writers", "pg-1",
          # It must archive nothing: whoever restarted would find a newer timeline in the archive, and follow it.
          on("pg-3", "systemctl kill --kill-whom=main -s KILL patroni@17-main; "
             f"echo \"archive_command = 'false'\" >>{DATA}/postgresql.auto.conf; "
             f"runuser -u postgres -- {BIN}/pg_ctl -D {DATA} reload; "
             f"runuser -u postgres -- {BIN}/pg_ctl -D {DATA} -w promote",
             f"runuser -u postgres -- {BIN}/pg_ctl -D {DATA} -w -m immediate stop; rm -rf {DATA}; "
             "systemctl start patroni@17-main")),
    wrong("Patroni is stopped on a replica that goes on", "07.cluster", "patroni-stopped", "pg-2",
          on("pg-2", "systemctl stop patroni@17-main", "systemctl start patroni@17-main")),
    wrong("an arbiter is frozen", "06.arbiters", "node-frozen", "e2", container("freeze", "unfreeze", "e2"),
          fast=True),
    wrong("an arbiter's service stands still", "06.arbiters", "etcd-silent", "e3",
          on("e3", "systemctl kill -s STOP etcd", "systemctl kill -s CONT etcd")),
    wrong("patroni is paused after an incident", "07.home", "paused", None, stored({"pause": True}, {"pause": None})),
    wrong("synchronous mode was left on", "07.settings", "synchronous-left", None,
          stored({"synchronous_mode": True}, {"synchronous_mode": None})),
    wrong("one node has no rewind role", "07.rewind", "rewind-unset", "pg-2",
          edited(CONFIG, "pg-2", "sed -i '/^    rewind:/,/password:/d' $f")).given(REWIND),
    wrong("the rewind role may not read files", "07.rewind", "rewind-grant", None,
          on("leader", _of_rewind("revoke execute on function pg_read_binary_file(text) from :u"),
             _of_rewind("grant execute on function pg_read_binary_file(text) to :u"))).given(REWIND),
    wrong("one node has the wrong rewind password", "07.rewind", "rewind-login", "pg-3",
          edited(CONFIG, "pg-3", "sed -i '/^    rewind:/,/password:/s/password:.*/password: nonsense/' $f"),
          fast=True)
    .given(REWIND),
    wrong("a replica has stopped replaying", "07.one-history", "other-history", "pg-3",
          on("pg-3", "psql -X -c 'select pg_wal_replay_pause()'", "psql -X -c 'select pg_wal_replay_resume()'",
             user="postgres"),
          psql("insert into journal (client, sequence) values ('mutation', 1)",
               "delete from journal where client = 'mutation'", database="app"))
    .given(JOURNAL),
    wrong("the clients' table is not there", "07.one-history", "journal-missing", None,
          psql("alter table journal rename to kept", "alter table kept rename to journal", database="app"))
    .given(JOURNAL),
    wrong("nobody said that the last database must not lead", "90.never-leads", "tag-missing", "pg-3",
          _tagged("false", "true"), fast=True).given(_tagged("true", "false")),
    right("synchronous mode stored as off", "07.settings",
          stored({"synchronous_mode": False}, {"synchronous_mode": None})),
)  # fmt: skip
