"""Chapters 00 to 03: nodes, names, and the arbiters."""

from __future__ import annotations

from tests.mutations.case import Case, container, edited, on, put_aside, right, wrong

ETC = "/etc/default/etcd"
HOSTS = "/etc/hosts"
DATA = "/var/lib/etcd/default"


def _set(variable: str, value: str) -> str:
    """A script that gives a variable of the file another value."""
    return f'sed -i -E "s#^{variable}=.*#{variable}={value}#" $f'


def _named(name: str, key: str, node: str, script: str, *, fast: bool = False) -> Case:
    return wrong(name, "03.config", key, node, edited(ETC, node, script), fast=fast)


CASES: tuple[Case, ...] = (
    wrong("a node is frozen", "00.nodes", "node-frozen", "backup", container("freeze", "unfreeze",
        "backup"), fast=True),
    wrong("a node is stopped", "00.nodes", "node-stopped", "backup", container("stop", "start", "backup")),
    wrong("a machine of the seven is off", "02.nodes", "node-stopped", "backup", container("stop", "start", "backup")),
    wrong("a name is missing in /etc/hosts", "02.hosts", "hosts-missing", "pg-2", edited(HOSTS, "pg-2",
        "sed -i '/e2$/d' $f"),
          fast=True),
    wrong("a name leads to another node", "02.hosts", "hosts-wrong", "e1",
          edited(HOSTS, "e1", "sed -i -E 's/^([0-9.]+)[.]102/\\1.103/' $f")),
    right("aliases and comments in /etc/hosts", "02.hosts",
          edited(HOSTS, "pg-1", "tac $f.before-mutation | sed 's/$/ # lab/; s/ e1 / e1 arbiter-1 /' >$f")),
    wrong("jq is missing", "03.packages", "package-missing", "e2", put_aside("/usr/bin/jq", "e2")),
    wrong("etcdctl is missing", "03.packages", "package-missing", "e3", put_aside("/usr/bin/etcdctl", "e3")),
    _named("the configuration is still the package's", "config-missing", "e2", "echo '# ETCD_NAME=' >$f"),
    _named("+= lines, as in the old hand-out", "config-plus", "e1",
           "sed -i -E '/^ETCD_INITIAL_CLUSTER=/d' $f; for n in 1 2 3; do "
           "echo \"ETCD_INITIAL_CLUSTER+='e$n=http://$(getent hosts e$n | cut -d' ' -f1):2380'\" >>$f; done"),
    _named("a space after a comma", "config-space", "e3", "sed -i -E '/^ETCD_INITIAL_CLUSTER=/s/,/, /' $f", fast=True),
    _named("a no-break space", "config-space", "e2",
        "sed -i -E \"/^ETCD_INITIAL_CLUSTER=/s/,/,$(printf '\\302\\240')/\" $f"),
    _named("a member is missing", "config-cluster", "e1", "sed -i -E '/^ETCD_INITIAL_CLUSTER=/s/,e3=[^,]*:2380//' $f"),
    _named("a wrong address", "config-cluster", "e2", "sed -i -E '/^ETCD_INITIAL_CLUSTER=/s/[.]103:/.133:/' $f"),
    _named("two members of the same name", "config-name", "e3", _set("ETCD_NAME", "'e2'")),
    _named("the token differs", "config-token", "e2", _set("ETCD_INITIAL_CLUSTER_TOKEN", "'other'"), fast=True),
    _named("localhost as peer address", "config-peer", "e1", _set("ETCD_INITIAL_ADVERTISE_PEER_URLS",
        "'http://localhost:2380'")),
    _named("the client addresses of all three", "config-client", "e1",
           "own=$(hostname -I | tr -d ' '); net=${own%.*}; " +
           _set("ETCD_ADVERTISE_CLIENT_URLS", "'http://$net.101:2379,http://$net.102:2379,http://$net.103:2379'")),
    _named("clients are listened to on loopback only", "config-listen", "e3",
           _set("ETCD_LISTEN_CLIENT_URLS", "'http://127.0.0.1:2379'")),
    right("double quotes, other order, comments", "03.config",
          edited(ETC, "e2", "tac $f.before-mutation | tr \"'\" '\"' | sed '1i # the second arbiter' >$f"), fast=True),
    right("no quotes at all", "03.config", edited(ETC, "e1", "sed -i \"s/'//g\" $f")),
    right("the members in another order on all three", "03.config",
          edited(ETC, "e1 e2 e3", "sed -i -E "
                 "'/^ETCD_INITIAL_CLUSTER=/s/(e1=[^,]*),(e2=[^,]*),(e3=[^,\\x27]*)/\\3,\\1,\\2/' $f")),
    wrong("an arbiter is stopped", "03.cluster", "etcd-stopped", "e3", on("e3", "systemctl stop etcd",
        "systemctl start etcd"),
          fast=True),
    wrong("an arbiter runs and does not answer", "03.cluster", "etcd-unreachable", "e2",
          on("e2", "systemctl kill -s STOP etcd", "systemctl kill -s CONT etcd")),
    wrong("etcd was started alone", "03.cluster", "cluster-old-data", "e3",
          on("e3", "systemctl stop etcd", "systemctl start etcd"), put_aside(DATA, "e3"),
          edited(ETC, "e3", "own=$(hostname -I | tr -d ' '); " + _set("ETCD_INITIAL_CLUSTER", "'e3=http://$own:2380'")),
          on("e3", "install -d -o etcd -g etcd -m 700 /var/lib/etcd/default; systemctl start etcd",
              "systemctl stop etcd")),
    wrong("one arbiter is started, and waits for a majority", "03.cluster", "etcd-stopped", "e1",
          on("e1 e2 e3", "systemctl stop etcd", "systemctl start etcd"),
          on("e1", "systemctl start --no-block etcd", "true")),
    wrong("etcd does not start with its node", "03.enabled", "etcd-not-enabled", "e1",
          on("e1", "systemctl disable etcd", "systemctl enable etcd")),
)  # fmt: skip
