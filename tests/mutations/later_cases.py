"""Chapters 08 to 10: configuration, backups, restore."""

from __future__ import annotations

from labhelpers.lab import Lab
from tests.mutations.case import (
    Case,
    Step,
    container,
    edited,
    on,
    parameter,
    psql,
    put_aside,
    restarted,
    right,
    stored,
    written,
    wrong,
)  # fmt: skip

CONFIG = "/etc/patroni/17-main.yml"
PGBACKREST = "/etc/pgbackrest.conf"
READ_FIRST = "/etc/pgbackrest/pgbackrest.conf"
SSH = "/var/lib/postgresql/.ssh"
SCRIPT = "/var/lib/postgresql/leader.sh"
PUSH = "pgbackrest --stanza=main archive-push %p"
GET = 'pgbackrest --stanza=main archive-get %f "%p"'
LIBRARY = "/var/lib/pgbackrest"
BIN = "/usr/lib/postgresql/17/bin"
LEADER_V2 = "http://e1:2379/v2/keys/postgresql-common/17-main/leader"


def _pgbackrest(name: str, key: str, node: str, script: str, *, fast: bool = False) -> Case:
    return wrong(name, "09.config", key, node, edited(PGBACKREST, node, script), fast=fast)


EMPTY_STANZA = (
    put_aside(f"{LIBRARY}/backup", "backup"),
    put_aside(f"{LIBRARY}/archive", "backup"),
    on("leader", "pgbackrest --stanza main stanza-create", "true", user="postgres"),
)

_FULL = "pgbackrest info --output=json | jq -r '.[0].backup[] | select(.type == \"full\").label'"
_FORGET_NEW = f"set -e; pgbackrest --stanza main expire --set=$({_FULL} | tail -n 1); {_FULL} | grep ."
"""The full backup of after the restore goes; the one of before it must be there still."""

_NOTED = "/usr/lib/postgresql/17/bin/pg_controldata /var/lib/postgresql/17/main | grep -q 'max_connections.* 123$'"


def _lowered(lab: Lab) -> None:
    """Back to 123 from above: the leader first, and the replicas once they have read its value in the journal."""
    restarted("primary")(lab)
    lab.nodes.run(["postgres"], f"until {_NOTED}; do sleep 1; done", timeout=120)
    restarted("replica")(lab)


CASES: tuple[Case, ...] = (
    wrong("a chapter begins with a frozen node", "start.nodes", "node-frozen", "pg-3",
          container("freeze", "unfreeze", "pg-3")),
    wrong("a chapter begins without an arbiter", "start.etcd", "etcd-stopped", "e2",
          on("e2", "systemctl stop etcd", "systemctl start etcd"), fast=True),
    wrong("a chapter begins without a replica", "start.healthy", "patroni-stopped", "pg-3",
          on("pg-3", "systemctl stop patroni@17-main", "systemctl start patroni@17-main")),
    wrong("the value was never stored", "08.applied",
        "config-not-stored", None, parameter("max_connections", None, 123)),
    wrong("the value makes no sense", "08.applied", "config-invalid", None, parameter("max_connections",
        "lots", 123), fast=True),
    wrong("the value stands in bootstrap.dcs only", "08.applied", "config-in-bootstrap", "pg-2",
          parameter("max_connections", None, 123),
          edited(CONFIG, "pg-2", "sed -i '0,/^      parameters:/s//&\\n        max_connections: 123/' $f")),
    wrong("one node has a value of its own", "08.applied", "local-override", "pg-3",
          edited(CONFIG, "pg-3", "sed -i 's/^  parameters:/&\\n    max_connections: 77/' $f")),
    wrong("a restart is pending", "08.applied", "pending-restart", "pg-1", parameter("max_worker_processes", 9, None)),
    wrong("the value is stored, and nothing was restarted", "08.applied", "pending-restart", None,
          parameter("max_connections", 130, 123), Step(restarted(), _lowered),
          parameter("max_connections", 123, 123)),
    wrong("ALTER SYSTEM on the leader", "08.one-source", "alter-system", None,
          psql("alter system set work_mem = '7MB'", "alter system reset work_mem")),
    wrong("ttl is no number", "08.timeouts", "timeout-invalid", None, stored({"ttl": "long"}, {"ttl": 30})),
    wrong("ttl too short for the rest", "08.timeouts", "timeout-sum", None,
          stored({"ttl": 20, "retry_timeout": 10}, {"ttl": 30, "retry_timeout": 10})),
    right("123 as text", "08.applied", parameter("max_connections", "123", 123)),
    right("a short lease that agrees", "08.timeouts",
          stored({"ttl": 20, "loop_wait": 5, "retry_timeout": 5}, {"ttl": 30, "loop_wait": 10, "retry_timeout": 10})),
    wrong("pgBackRest is missing on the backup node", "09.config", "package-missing", "backup",
          put_aside("/usr/bin/pgbackrest", "backup")),
    _pgbackrest("the stanza has the path of the hand-out", "stanza-path", "pg-2",
        "sed -i 's#17/main#14/main#' $f", fast=True),
    _pgbackrest("the same on the backup node", "stanza-path", "backup", "sed -i 's#17/main#14/main#' $f"),
    _pgbackrest("the stanza has another name", "stanza-section", "pg-1", "sed -i 's/^.main./[demo]/' $f"),
    _pgbackrest("a node does not know where the repository is", "repo-host", "pg-3", "sed -i '/^repo1-host=/d' $f"),
    _pgbackrest("the backup node looks for it elsewhere", "repo-host", "backup",
        "sed -i 's/^.global./&\\nrepo1-host=pg-1/' $f"),
    _pgbackrest("the user of the repository is missing", "repo-user", "pg-2", "sed -i '/^repo1-host-user/d' $f"),
    wrong("postgres can't read the file", "09.config", "config-unreadable", "pg-1",
          on("pg-1", f"chown root:root {PGBACKREST}", f"chown postgres:postgres {PGBACKREST}")),
    right("another order, an address, blanks", "09.config",
          written(PGBACKREST, "pg-2", "[global]\nlog-level-console = info\n\n[main]\nrepo1-host-user = postgres\n"
                  "pg1-port = 5432\nrepo1-host = backup\npg1-path = /var/lib/postgresql/17/main/\n"), fast=True),
    wrong("a node's key is missing on backup", "09.keys", "ssh-refused", "pg-2",
          edited(f"{SSH}/authorized_keys", "backup", "sed -i '/@pg-2$/d; / pg-2/d' $f")),
    wrong("backup's key is missing on a node", "09.keys", "ssh-refused",
        "backup", put_aside(f"{SSH}/authorized_keys", "pg-3")),
    wrong("a node does not know the host backup", "09.keys", "ssh-host-unknown", "pg-1",
          edited(f"{SSH}/known_hosts", "pg-1", "sed -i '/^backup/d' $f")),
    wrong("the stanza was never created", "09.stanza", "stanza-missing", "backup",
          put_aside(f"{LIBRARY}/backup", "backup"), put_aside(f"{LIBRARY}/archive", "backup")),
    wrong("the stanza is another cluster's", "09.stanza", "stanza-mismatch", "backup",
          put_aside(f"{LIBRARY}/backup", "backup"), put_aside(f"{LIBRARY}/archive", "backup"),
          on("pg-3", f"{BIN}/initdb -D other >/dev/null && "
             f"{BIN}/pg_ctl -D other -o '-p 5499 -k /tmp' -l other.log -w start"
             " && "
             "pgbackrest --stanza=main --pg1-path=$HOME/other --pg1-port=5499 --pg1-socket-path=/tmp stanza-create",
             f"{BIN}/pg_ctl -D other -m fast stop; rm -rf other other.log", user="postgres")),
    wrong("another archive_command", "09.archiving", "archive-command", "pg-1", parameter("archive_command",
        "/bin/true", PUSH)),
    wrong("archive_command is empty", "09.archiving", "archive-command", "pg-2", parameter("archive_command",
        "", PUSH)),
    wrong("archiving is stored, and nothing was restarted", "09.archiving", "archive-pending", "pg-2",
          parameter("archive_mode", "off", "on"), Step(restarted(), restarted()),
          parameter("archive_mode", "on", "on")),
    wrong("the repository can't be asked", "09.stanza", "node-frozen", "backup",
          container("freeze", "unfreeze", "backup")),
    wrong("pgBackRest has gone from the backup node", "09.backup", "package-missing", "backup",
          put_aside("/usr/bin/pgbackrest", "backup")),
    wrong("the backup node is off after the restore", "10.backup-after", "node-stopped", "backup",
          container("stop", "start", "backup")),
    right("pgBackRest's own place for the file", "09.config",
          on("pg-2", f"install -D -o postgres -m 640 {PGBACKREST} {READ_FIRST}",
             f"rm -r {READ_FIRST}"), written(PGBACKREST, "pg-2", "[demo]\n")),
    right("the path in [global]", "09.config",
          written(PGBACKREST, "pg-3", "[global]\npg1-path=/var/lib/postgresql/17/main\nrepo1-host=backup\n"
                  "repo1-host-user=postgres\n")),
    wrong("the archive can't be reached", "09.archiving", "archive-failing", "pg-1",
          put_aside(f"{SSH}/known_hosts", "pg-1"),
          on("pg-1", "psql -Xc 'create table if not exists mutation (n int); select pg_switch_wal()'",
             "psql -Xc 'drop table if exists mutation; select pg_switch_wal()'", user="postgres")),
    right("the same command with its whole path", "09.archiving",
          parameter("archive_command", '/usr/bin/pgbackrest --stanza=main archive-push "%p"', PUSH)),
    wrong("leader.sh is missing", "09.leader-script", "script-missing", "backup", put_aside(SCRIPT, "backup")),
    wrong("leader.sh is not executable", "09.leader-script", "script-not-executable", "backup",
          on("backup", f"chmod 644 {SCRIPT}", f"chmod 755 {SCRIPT}")),
    wrong("leader.sh asks through the v2 API", "09.leader-script", "script-wrong", "backup",
          written(SCRIPT, "backup", f"#! /bin/bash\ncurl -s {LEADER_V2} | jq -r .node.value\n")),
    wrong("leader.sh has the hand-out's scope", "09.leader-script", "script-wrong", "backup",
          edited(SCRIPT, "backup", "sed -i 's/17-main/14-main/' $f")),
    right("leader.sh by Patroni's /primary", "09.leader-script",
          written(SCRIPT, "backup", "#! /bin/bash\nfor n in pg-1 pg-2 pg-3; do\n"
                  "  curl -sf -o /dev/null http://$n:8008/primary && echo $n\ndone\n")),
    wrong("a stanza and no backup", "09.backup", "no-backup", "backup", *EMPTY_STANZA),
    wrong("nothing to go back to", "start.backup", "no-backup", "backup", *EMPTY_STANZA),
    wrong("no backup since the restore", "10.backup-after", "backup-before-restore", "backup", *EMPTY_STANZA),
    wrong("the newest full backup is of the old past", "10.backup-after", "backup-before-restore", "backup",
          on("backup", f"cp -a {LIBRARY} {LIBRARY}.kept", f"rm -rf {LIBRARY}; mv {LIBRARY}.kept {LIBRARY}"),
          on("backup", _FORGET_NEW, "true", user="postgres")),
    wrong("Patroni is paused", "10.cluster", "paused", None, stored({"pause": True}, {"pause": None})),
    wrong("the table is not there", "10.rows", "table-missing", "pg-2",
          psql("alter table customers rename to clients", "alter table clients rename to customers", database="app")),
    wrong("a row too few", "10.rows", "rows-differ", "pg-1",
          psql("delete from customers where id = 1000",
              "insert into customers values (1000, 'customer 1000')", database="app"), fast=True),
    wrong("the configuration was lost", "10.config-kept", "config-lost", None, parameter("archive_mode", None, "on")),
    wrong("a recovery target for all replicas", "10.config-kept", "recovery-target", None,
          stored({"postgresql": {"recovery_conf": {"recovery_target_time": "2099-01-01 00:00:00+00"}}},
                 {"postgresql": {"recovery_conf": {"recovery_target_time": None}}})),
    right("replicas follow the newest timeline", "10.config-kept",
          stored({"postgresql": {"recovery_conf": {"recovery_target_timeline": "latest"}}},
                 {"postgresql": {"recovery_conf": {"recovery_target_timeline": None}}})),
    wrong("a replica has no way to the archive", "10.method", "method-no-archive", "pg-3",
          stored({"postgresql": {"recovery_conf": {"restore_command": None}}},
                 {"postgresql": {"recovery_conf": {"restore_command": GET}}})),
    wrong("the leader is copied first", "10.method", "method-missing", "pg-3",
          edited(CONFIG, "pg-3", "sed -i '/^    - pgbackrest/d' $f")),
    wrong("the method lacks no_params", "10.method", "method-settings", "pg-3",
          edited(CONFIG, "pg-3", "sed -i '/no_params/d' $f")),
    right("the method under another name", "10.method",
          edited(CONFIG, "pg-3", "sed -i 's/^    - pgbackrest$/    - library/; s/^  pgbackrest:/  library:/' $f")),
    right("the methods as an inline list", "10.method",
          edited(CONFIG, "pg-3", r"sed -i '/^    - pgbackrest/d; /^    - pg_clonecluster/d; "
                 r"s/^  create_replica_methods:/& [pgbackrest, pg_clonecluster]/' $f")),
)  # fmt: skip
