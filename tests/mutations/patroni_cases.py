"""Chapters 04 and 05: Patroni, its cluster and its clients."""

from __future__ import annotations

from collections.abc import Callable

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
    right,
    without_hba,
    written,
    wrong,
)  # fmt: skip

DCS = "/etc/patroni/dcs.yml"
CONFIG = "/etc/patroni/17-main.yml"
DATA = "/var/lib/postgresql/17/main"
PROFILE = "/var/lib/postgresql/.profile"


def _dcs(name: str, key: str, node: str, text: str, *, fast: bool = False) -> Case:
    return wrong(name, "04.dcs", key, node, written(DCS, node, text), fast=fast)


def _config(name: str, key: str, node: str, script: str) -> Case:
    return wrong(name, "04.config", key, node, edited(CONFIG, node, script))


def _lead(node: str) -> Step:
    """Another leader. A switchover needs candidates that stream, so both ways wait for a whole cluster first."""

    def lead(name: str) -> Callable[[Lab], None]:
        def act(lab: Lab) -> None:
            lab.patroni.wait_for_healthy(within=90)
            lab.patroni.switchover(name)
            lab.patroni.wait_for_healthy(within=90)

        return act

    return Step(lead(node), lead("pg-1"))


CASES: tuple[Case, ...] = (
    wrong("python3-etcd is missing", "04.packages", "package-missing", "pg-3",
          on("pg-3", "dpkg --force-depends --remove python3-etcd", "apt-get install -y -qq python3-etcd")),
    wrong("the instance's own unit is enabled", "04.disabled", "postgresql-enabled", "pg-2",
          on("pg-2", "systemctl enable postgresql@17-main", "systemctl disable postgresql@17-main"), fast=True),
    wrong("the service postgresql is left enabled", "04.disabled", "postgresql-enabled", "pg-1",
          on("pg-1", "cat /etc/postgresql/17/main/start.conf >/root/start.conf.kept; sed -i 's/^[a-z]*$/auto/' "
             "/etc/postgresql/17/main/start.conf; systemctl enable postgresql",
             "systemctl disable postgresql; cat /root/start.conf.kept >/etc/postgresql/17/main/start.conf")),
    right("masked rather than disabled", "04.disabled",
          on("pg-3", "systemctl mask postgresql@17-main", "systemctl unmask postgresql@17-main")),
    _dcs("etcd: instead of etcd3:", "dcs-v2", "pg-1", "etcd:\n  hosts: e1:2379, e2:2379, e3:2379\n", fast=True),
    _dcs("dcs.yml is empty", "dcs-missing", "pg-2", ""),
    _dcs("dcs.yml is no YAML", "dcs-yaml", "pg-3", "etcd3:\n hosts: [e1:2379\n"),
    _dcs("the port of the peers", "dcs-hosts", "pg-2", "etcd3:\n  hosts: e1:2380, e2:2380, e3:2380\n"),
    _dcs("one arbiter of three", "dcs-hosts", "pg-3", "etcd3:\n  host: e1:2379\n"),
    _dcs("another kind of DCS", "dcs-none", "pg-1", "consul:\n  host: e1:8500\n"),
    right("the arbiters as a YAML list", "04.dcs", written(DCS, "pg-1",
        "etcd3:\n  hosts:\n  - e3:2379\n  - e1:2379\n  - e2:2379\n")),
    wrong("the configuration was not generated", "04.config", "config-missing", "pg-3", put_aside(CONFIG, "pg-3")),
    _config("a tab in the YAML", "config-yaml", "pg-2", "printf '\\n\\tfoo: bar\\n' >>$f"),
    _config("another scope", "config-scope", "pg-2", "sed -i 's/^scope: .*/scope: \"main\"/' $f"),
    _config("the name of another node", "config-name", "pg-3", "sed -i 's/^name: .*/name: pg-1/' $f"),
    _config("the address of another node", "config-address", "pg-2",
            "sed -i -E 's/(connect_address: [0-9.]*)[.]202:/\\1.201:/' $f"),
    _config("the v2 API in the configuration", "config-dcs", "pg-1", "sed -i 's/^etcd3:/etcd:/' $f"),
    wrong("the role has another name", "04.replication", "role-missing", None,
          psql("alter role replicator rename to replication_user", "alter role replication_user rename to replicator"),
          psql("alter role replication_user password 'rep-pass'", "select 1"),),
    wrong("the role may not replicate", "04.replication", "role-not-replication", None,
          psql("alter role replicator noreplication", "alter role replicator replication")),
    wrong("the role's password is another", "04.replication", "role-password", None,
          psql("alter role replicator password 'something-else'",
              "alter role replicator password 'rep-pass'"), fast=True),
    wrong("one node has the wrong replication password", "04.replication", "role-password", "pg-3",
          edited(CONFIG, "pg-3", "sed -i 's/rep-pass/rep-pas/' $f")),
    wrong("Patroni does not start with its node", "04.enabled", "patroni-not-enabled", "pg-3",
          on("pg-3", "systemctl disable patroni@17-main", "systemctl enable patroni@17-main")),
    wrong("Patroni is stopped on a replica", "04.cluster", "patroni-stopped", "pg-3",
          on("pg-3", "systemctl stop patroni@17-main", "systemctl start patroni@17-main")),
    wrong("a replica is frozen", "04.cluster", "node-frozen", "pg-2", container("freeze", "unfreeze", "pg-2")),
    wrong("a replica was not wiped", "04.cluster", "replica-not-wiped", "pg-3",
          on("pg-3", "systemctl stop patroni@17-main", "systemctl start patroni@17-main"), put_aside(DATA, "pg-3"),
          on("pg-3", f"runuser -u postgres -- /usr/lib/postgresql/17/bin/initdb -D {DATA} >/dev/null; "
             "systemctl start patroni@17-main", "systemctl stop patroni@17-main")),
    wrong("a replica can't log in to the leader", "05.timelines", "member-state", "pg-2",
          on("pg-2", "true", "systemctl restart patroni@17-main"),
          edited(CONFIG, "pg-2", "sed -i 's/rep-pass/rep-pas/' $f"),
          on("pg-2", "systemctl restart patroni@17-main", "true")),
    right("another node leads", "04.cluster", _lead("pg-3")),
    wrong("the lead is elsewhere", "05.leader", "leader-elsewhere", "pg-2", _lead("pg-2"), fast=True),
    wrong("pg_hba without the entry", "04.client", "hba-missing", "pg-1", without_hba("scram-sha-256")),
    wrong("the client's password differs", "04.client", "client-password", None,
          Step(lambda lab: lab.nodes.run([lab.patroni.leader() or "pg-1"],
              "psql -Xc \"alter role app password 'x'\"", user="postgres"),
               lambda lab: lab.nodes.run(
                   [lab.patroni.leader() or "pg-1"],
                       "psql -X -v p=\"$P\" <<< \"alter role app password :'p'\"", user="postgres",
                   env={"P": lab.secret("app")}))),
    wrong("the client's database has another name", "04.client", "client-database", None,
          psql("alter database app rename to shop", "alter database shop rename to app")),
    wrong("the database is not the client's", "04.client", "client-rights", None,
          psql("alter database app owner to postgres", "alter database app owner to app"),),
    wrong("the client may not read statistics", "04.client", "client-monitor", None,
          psql("revoke pg_monitor from app", "grant pg_monitor to app")),
    wrong("the profile lacks the variable", "04.profile", "profile", "pg-2", edited(PROFILE, "pg-2",
        "sed -i '/PATRONICTL/d' $f"),
          fast=True),
    right("the variable in .bash_profile", "04.profile", edited(PROFILE, "pg-3", "echo >$f"),
          on("pg-3", f"echo 'export PATRONICTL_CONFIG_FILE={CONFIG}' >/var/lib/postgresql/.bash_profile",
             "rm -f /var/lib/postgresql/.bash_profile")),
    right("a parameter of one's own", "04.cluster", parameter("work_mem", "6MB", None)),
)  # fmt: skip
