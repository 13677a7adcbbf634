"""How long does a return take, against building the same state again?

    .venv/bin/python -m benchmarks.goto [--resets 20] [--lab test-bench]

It builds a lab with a whole cluster as chapters 03 to 05 do (timed), saves it (timed), goes back to it ``--resets``
times, every other time from a changed state, and prints a Markdown table. Healthy means: a leader, and two replicas
that stream from it, seen by PostgreSQL itself. Nothing of it stays on the machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Sequence

from benchmarks.progress import say
from labhelpers import lifecycle
from labhelpers.course import saves
from labhelpers.course.soak import nearest_rank
from labhelpers.lab import Lab, open_lab

TARGET_SECONDS = 12.0
TARGET_FACTOR = 8.0

ETCD = """ETCD_NAME='{node}'
ETCD_DATA_DIR='/var/lib/etcd/default'
ETCD_LISTEN_PEER_URLS='http://127.0.0.1:2380,http://{address}:2380'
ETCD_LISTEN_CLIENT_URLS='http://127.0.0.1:2379,http://{address}:2379'
ETCD_INITIAL_ADVERTISE_PEER_URLS='http://{address}:2380'
ETCD_INITIAL_CLUSTER_STATE='new'
ETCD_INITIAL_CLUSTER_TOKEN='etcd-cluster'
ETCD_INITIAL_CLUSTER='{cluster}'
ETCD_ADVERTISE_CLIENT_URLS='http://{address}:2379'
"""
ROLE = "create role replicator replication login password 'rep-pass'"
FIRST = f"""systemctl start postgresql@17-main
runuser -l postgres -c "psql -c \\"{ROLE}\\""
systemctl stop postgresql@17-main
systemctl enable --now patroni@17-main"""
OTHERS = "systemctl stop postgresql@17-main; rm -rf /var/lib/postgresql/17/main; systemctl enable --now patroni@17-main"


def build(lab: Lab) -> None:
    """From fresh nodes to a cluster, with the commands of the course's chapters and none of their lessons."""
    topology = lab.topology
    run = lab.nodes.run
    run(["etcd"], "apt-get install -y -qq etcd-server etcd-client >/dev/null", timeout=600)
    run(["etcd"], "systemctl stop etcd; rm -rf /var/lib/etcd/default")
    cluster = ",".join(f"{node}=http://{topology.node(node).address}:2380" for node in topology.etcd)
    for node in topology.etcd:
        text = ETCD.format(node=node, address=topology.node(node).address, cluster=cluster)
        lab.nodes[node].write("/etc/default/etcd", text)
    run(["etcd"], "systemctl enable --now etcd", timeout=120)
    run(
        ["postgres"],
        "apt-get install -y -qq postgresql patroni python3-etcd pgbackrest >/dev/null",
        timeout=900,
    )
    run(["postgres"], "systemctl disable --now postgresql")
    hosts = ", ".join(f"{node}:2379" for node in topology.etcd)
    for node in topology.postgres:
        lab.nodes[node].write("/etc/patroni/dcs.yml", f"etcd3:\n  hosts: {hosts}\n")
    run(["postgres"], "pg_createconfig_patroni 17 main")
    first, *others = topology.postgres
    run([first], FIRST, timeout=120)
    lab.patroni.wait_for_leader(first, within=120)
    run(others, OTHERS, timeout=120)
    lab.patroni.wait_for_healthy(within=300)


def streaming(lab: Lab) -> int:
    """The replicas that the leader itself sees."""
    leader = lab.patroni.wait_for_leader()
    asked = "psql -XAtc \"select count(*) from pg_stat_replication where state = 'streaming'\""
    return int(lab.nodes[leader].run(asked, user="postgres").stdout)


def change(lab: Lab, number: int) -> None:
    leader = lab.patroni.wait_for_leader()
    lab.nodes[leader].run(f'psql -Xc "create table t{number} as select generate_series(1, 100000)"', user="postgres")


def table(build_seconds: float, save_seconds: float, resets: Sequence[float], kept: Sequence[float]) -> str:
    worst = nearest_rank(resets, 95)
    rows = [
        ("Building the state (chapters 03 to 05, commands alone)", f"{build_seconds:.1f} s"),
        ("Saving it, until healthy again", f"{save_seconds:.1f} s"),
        (f"Going back, median of {len(resets)}", f"{statistics.median(resets):.1f} s"),
        ("Going back, 95th percentile", f"{worst:.1f} s"),
        ("Going back, slowest", f"{max(resets):.1f} s"),
        ("… of these with an automatic save, median", f"{statistics.median(kept):.1f} s" if kept else "–"),
        ("Building against going back (median)", f"{build_seconds / statistics.median(resets):.0f} ×"),
    ]
    width = max(len(name) for name, _ in rows)
    lines = [f"| {'What':{width}} | Time |", f"|{'-' * (width + 2)}|-----:|"]
    lines += [f"| {name:{width}} | {value} |" for name, value in rows]
    load = os.getloadavg()[2]
    lines.append(f"\n{os.cpu_count()} cores, load of the last 15 minutes {load:.1f}.")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmarks.goto", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lab", default="test-bench")
    parser.add_argument("--resets", type=int, default=20)
    parser.add_argument("--save", help="go back to this save of a lab that is up, instead of building one")
    options = parser.parse_args(arguments)
    build_seconds = save_seconds = float("nan")
    if not options.save:
        say("a fresh lab")
        lifecycle.destroy(options.lab)
        lifecycle.ensure_up(options.lab)
    lab = open_lab(options.lab)
    name = options.save or "benchmark"
    if options.save:
        saves.goto(lab, name)
    else:
        say("building the cluster, as chapters 03 to 05 do")
        began = time.monotonic()
        build(lab)
        build_seconds = time.monotonic() - began
        say(f"  {build_seconds:.0f} s; saving it")
        save_seconds = saves.save(lab, name).ready_seconds
    resets: list[float] = []
    kept: list[float] = []
    for number in range(options.resets):
        changed = number % 2 == 0  # every other one keeps what was there
        if changed:
            change(lab, number)
        arrival = saves.goto(lab, name)
        resets.append(arrival.ready_seconds)
        if changed:
            kept.append(arrival.ready_seconds)
        seen = streaming(lab)
        say(f"{number + 1:3}  {arrival.ready_seconds:5.1f} s  {seen} streaming  {arrival.parts}")
        if seen != 2 or (arrival.automatic is not None) != changed:
            say("not as it should be")
            return 1
    text = table(build_seconds, save_seconds, resets, kept)
    print(text)
    lab.close()
    if not options.save:
        saves.delete(options.lab, name)
        lifecycle.destroy(options.lab)
    met = nearest_rank(resets, 95) <= TARGET_SECONDS
    return 0 if met and not build_seconds / statistics.median(resets) < TARGET_FACTOR else 1


if __name__ == "__main__":
    sys.exit(main())
