"""A lab with a healthy cluster for the live tests of incidents, and eyes that are not ours."""

from __future__ import annotations

import subprocess
from functools import partial

from labhelpers.errors import LabError
from labhelpers.incidents.acts import Freeze
from labhelpers.incidents.catalogue import CATALOGUE
from labhelpers.incidents.situation import candidates
from labhelpers.lab import Lab, open_lab
from labhelpers.lifecycle import ensure_up
from labhelpers.topology import load_topology
from labhelpers.waiting import wait_until

LAB = "test-inc"


def _only_freezes(kind: str) -> bool:
    topology, declared = load_topology(LAB), CATALOGUE[kind]
    return all(isinstance(act, Freeze) for act in declared.acts(topology, candidates(declared.aim, topology)))


FREEZING = tuple(filter(_only_freezes, CATALOGUE))
"""The incidents that do nothing but freeze nodes: one test is enough for all of them."""

_ETCD = """\
export DEBIAN_FRONTEND=noninteractive
apt-get install -y -q etcd-server etcd-client >/dev/null && systemctl stop etcd && rm -rf /var/lib/etcd/*
cat >/etc/default/etcd <<EOF
ETCD_NAME='$(hostname)'
ETCD_DATA_DIR='/var/lib/etcd/default'
ETCD_LISTEN_PEER_URLS='http://$ADDRESS:2380'
ETCD_LISTEN_CLIENT_URLS='http://127.0.0.1:2379,http://$ADDRESS:2379'
ETCD_INITIAL_ADVERTISE_PEER_URLS='http://$ADDRESS:2380'
ETCD_INITIAL_CLUSTER_STATE='new'
ETCD_INITIAL_CLUSTER='$MEMBERS'
ETCD_ADVERTISE_CLIENT_URLS='http://$ADDRESS:2379'
EOF
systemctl enable -q etcd
systemctl start etcd
"""
_POSTGRES = """\
export DEBIAN_FRONTEND=noninteractive
apt-get install -y -q postgresql patroni python3-etcd >/dev/null
systemctl disable -q --now postgresql postgresql@17-main
printf 'etcd3:\\n  hosts: e1:2379, e2:2379, e3:2379\\n' >/etc/patroni/dcs.yml
pg_createconfig_patroni 17 main
"""
_PRIMARY = """\
systemctl start postgresql@17-main
sudo -u postgres psql -c "create user replicator replication password 'rep-pass'"
systemctl stop postgresql@17-main
systemctl enable -q --now patroni@17-main
"""


def cluster_lab(name: str = LAB) -> Lab:
    """The lab, up, with a leader and two streaming replicas: built where they are not there."""
    ensure_up(name)
    lab = open_lab(name)
    if lab.nodes["pg-1"].try_run("systemctl is-enabled -q patroni@17-main").ok:
        return lab
    topology = lab.topology
    members = ",".join(f"{node}=http://{topology.node(node).address}:2380" for node in topology.etcd)
    address = "ADDRESS=$(hostname -I | cut -d' ' -f1)\n"
    lab.nodes.run(topology.etcd, f"{address}MEMBERS='{members}'\n{_ETCD}", timeout=300)
    lab.nodes.run(topology.postgres, _POSTGRES, timeout=600)
    first, *others = topology.postgres
    lab.nodes[first].run(_PRIMARY, timeout=120)
    lab.patroni.wait_for_leader(first, within=90)
    lab.nodes.run(
        others, "rm -rf /var/lib/postgresql/17/main/*; systemctl enable -q --now patroni@17-main", timeout=120
    )
    lab.patroni.wait_for_healthy(within=120)
    return lab


def ensure_app(lab: Lab) -> None:
    """What chapter 04 makes for clients: the role, its database and their entry in pg_hba.

    A replica replays the role, and its Patroni takes the entry at its own next loop: after the leader.
    """
    leader = lab.patroni.wait_for_leader(within=60)
    network = f"{lab.topology.network}.0/24"
    entries = [
        "local all all peer", "local replication all peer", "host all all 127.0.0.1/32 scram-sha-256",
        "host replication all 127.0.0.1/32 scram-sha-256", f"host replication replicator {network} scram-sha-256",
        f"host all app {network} scram-sha-256",
    ]  # fmt: skip
    if lab.patroni.config().get("postgresql", {}).get("pg_hba") != entries:
        lab.patroni.patch_config({"postgresql": {"pg_hba": entries}})
    there = lab.nodes[leader].run("psql -Atc \"select 1 from pg_roles where rolname = 'app'\"", user="postgres")
    if not there.stdout.strip():
        password = lab.secret("app")
        sql = f"create role app login password '{password}'; grant pg_monitor to app"
        lab.nodes[leader].run(f'psql -qc "{sql}" && createdb -O app app', user="postgres")
    for node in lab.topology.postgres:
        wait_until(partial(_lets_app_in, lab, node), what=f"the role app to be let in on {node}", within=90)


def _lets_app_in(lab: Lab, node: str) -> bool:
    try:
        return bool(lab.postgres.query(node, "select 1"))
    except LabError:
        return False


def command(*argv: str, timeout: float = 20) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False)


def lxc_state(lab: Lab, node: str) -> str:
    """``lxc-info``'s word."""
    return command("lxc-info", "-P", str(lab.topology.lxc_path), "-n", node, "-sH").stdout.strip()


def inside(lab: Lab, node: str, script: str) -> subprocess.CompletedProcess[str]:
    """Run on the node without SSH and without our code."""
    path = str(lab.topology.lxc_path)
    return command("lxc-attach", "-P", path, "-n", node, "--", "bash", "-c", script)


def reaches(lab: Lab, node: str, other: str, port: int) -> bool:
    """Can a process on the node open a connection there?"""
    address = lab.topology.node(other).address
    return inside(lab, node, f"timeout 2 bash -c '</dev/tcp/{address}/{port}'").returncode == 0


def client_reaches(namespace: str, address: str, port: int) -> bool:
    probe = f"</dev/tcp/{address}/{port}"
    return command("ip", "netns", "exec", namespace, "timeout", "2", "bash", "-c", probe).returncode == 0


def sql(lab: Lab, node: str, query: str) -> str:
    return inside(lab, node, f'timeout 5 sudo -u postgres psql -XAtqc "{query}"').stdout.strip()


def patronictl(lab: Lab, node: str) -> str:
    return inside(lab, node, "timeout 15 patronictl -c /etc/patroni/17-main.yml list").stdout


def our_rules(lab: Lab) -> str:
    return command("nft", "list", "table", "bridge", lab.topology.group.replace("-", "_")).stdout
