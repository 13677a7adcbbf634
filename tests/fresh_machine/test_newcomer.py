"""A newcomer: a machine with nothing of ours, an ordinary user, a path with a space, the README's commands."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from labhelpers.waiting import wait_until
from tests.fresh_machine.machine import USER, FreshMachine

REPOSITORY = Path(__file__).resolve().parents[2]
COURSE = "/home/trainee/my course"
PROTECTED = Path("/proc/sys/fs/protected_regular")
"""Debian's own value is 2. It is the kernel's, so a machine in a container has this machine's."""

TRACES = {
    "rules": ("sudo nft list tables", "workshop_main"),
    "mounts": ("mount", "workshop-pg-1"),
    "links": ("ip -br link", "lxcbr0|w0003-"),
    "routes": ("ip route", r"10\.0\.3\."),
    "cgroups": ("find /sys/fs/cgroup -maxdepth 2 -name 'workshop-*'", "workshop-main"),
    "containers": ("sudo find /var/lib/lxc -mindepth 1", "pg-1"),
    "files": ("find /var/lib/patroni-workshop/labs /var/lib/patroni-workshop/locks -mindepth 1 2>/dev/null", "main"),
    "processes": ("ps -eo args", "lxc monitor|labhelpers"),
}
"""Where a lab leaves traces: a command, and what it shows while the lab is there."""

pytestmark = [pytest.mark.live, pytest.mark.fresh_machine]


@pytest.fixture(scope="module")
def machine() -> Iterator[FreshMachine]:
    with FreshMachine("trixie") as fresh:
        fresh.clone(REPOSITORY, COURSE)
        yield fresh


def typed(machine: FreshMachine, command: str, timeout: float = 900) -> str:
    done = machine.run(command, cwd=COURSE, timeout=timeout)
    assert done.returncode == 0, f"{command}\n{done.stdout[-6000:]}"
    return done.stdout


def traces(machine: FreshMachine) -> set[str]:
    """Those of ``TRACES`` that the lab has now."""
    return {name for name, (command, shown) in TRACES.items() if re.search(shown, machine.run(command).stdout)}


@pytest.fixture
def as_on_debian() -> Iterator[None]:
    """In a directory where all may write, even root may not open another's file as one that it could make."""
    before = PROTECTED.read_text()
    PROTECTED.write_text("2\n")
    yield
    PROTECTED.write_text(before)


def test_one_command_gives_seven_nodes(machine: FreshMachine) -> None:
    assert machine.run("command -v lxc-start jupyter", cwd=COURSE).returncode != 0, "the machine is not fresh"
    typed(machine, "./workshop up")
    document = json.loads(typed(machine, "./workshop status --json"))
    assert [node["state"] for node in document["nodes"]] == ["running"] * 7
    assert typed(machine, "./workshop ssh pg-1 hostname").strip().endswith("pg-1")
    assert "true" in typed(machine, "sudo lxc-ls -f | grep pg-1")


def test_chapters_00_to_03_run_there(machine: FreshMachine) -> None:
    typed(machine, "./workshop run 00 01 02 03", timeout=1500)
    assert typed(machine, "./workshop ssh e1 etcdctl member list").count("started") == 3


def test_what_is_there_costs_little(machine: FreshMachine) -> None:
    """What ``./workshop`` adds to the command it hands over to, when all is there; the least of some runs in turns,
    since other tests keep the processors busy."""
    turn = "for each in ./workshop .venv/bin/workshop; do time $each --help >/dev/null; done"
    runs = f"TIMEFORMAT=%R; for i in 1 2 3 4 5 6 7; do {turn}; done"
    seconds = [float(line) for line in typed(machine, f"bash -c '{runs}' 2>&1").splitlines()]
    assert min(seconds[::2]) - min(seconds[1::2]) < 0.3


def test_no_network_is_needed_when_all_is_there(machine: FreshMachine) -> None:
    assert "doctor" in typed(machine, "sudo unshare --net ./workshop --help")


def test_start_opens_the_course_on_this_machine_alone(machine: FreshMachine) -> None:
    typed(machine, "{ nohup ./workshop start --no-browser >~/start.log 2>&1 & echo $! >~/start.pid; }")
    said = wait_until(
        lambda: re.search(r"(http://localhost:\d+)/workshop(\?token=\w+)", typed(machine, "cat ~/start.log")),
        what="the course's address", within=180, every=1, seen=lambda: typed(machine, "cat ~/start.log"),
    )  # fmt: skip
    fetch = "python3 -c 'import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=30).status)'"
    assert typed(machine, f"{fetch} '{said[1]}/api/contents{said[2]}'").strip() == "200"
    assert "403" in machine.run(f"{fetch} '{said[1]}/api/contents'").stdout
    typed(machine, "kill $(cat ~/start.pid)")
    wait_until(
        lambda: machine.run("kill -0 $(cat ~/start.pid)").returncode != 0, what="JupyterLab's end", within=60, every=1
    )


@pytest.mark.usefixtures("as_on_debian")
def test_a_lab_that_root_began_from_a_clone_that_is_gone_becomes_the_users(machine: FreshMachine) -> None:
    machine.clone(REPOSITORY, "/opt/elsewhere")
    as_root = "sudo env PYTHONPATH=/opt/elsewhere .venv/bin/python"
    typed(machine, f"{as_root} -m labhelpers.cli up --lab taken")
    watched = (
        "from labhelpers import incidents, lab; taken = lab.open_lab('taken'); "
        "incidents.watchman.ensure(taken, kernel_pid=1); incidents.watchman.ensure_on_duty(taken)"
    )
    typed(machine, f'{as_root} -c "{watched}"')
    typed(machine, "sudo install -d /var/lib/patroni-workshop/labs/taken/jupyter/workspaces; sudo rm -r /opt/elsewhere")
    assert machine.run("./workshop ssh --lab taken pg-1 hostname", cwd=COURSE).returncode != 0
    wait_until(lambda: "watchman --lab taken" in machine.run("ps -eo args").stdout, what="root's watchman", within=30)

    typed(machine, "./workshop up --lab taken")

    document = json.loads(typed(machine, "./workshop status --lab taken --json"))
    assert {node["state"] for node in document["nodes"]} == {"running"}
    assert typed(machine, "./workshop ssh --lab taken pg-1 hostname").strip() == "pg-1"
    assert typed(machine, "stat -c %U /var/lib/patroni-workshop/labs/taken/jupyter/workspaces").strip() == USER
    typed(machine, "./workshop heal --lab taken")
    typed(machine, "./workshop down --lab taken")
    assert "taken" not in typed(machine, "ps -eo args; ls -A /var/lib/patroni-workshop/*")


def test_sudo_that_asks_for_a_password_is_said_with_its_remedy(machine: FreshMachine) -> None:
    remedy = f"{USER} ALL=(ALL) NOPASSWD: ALL"
    mended = machine.root / "etc/sudoers.d/workshop"
    machine.let_sudo(f"{USER} ALL=(ALL) ALL")
    try:
        for command in ("up --lab other", "warmup", "start --no-browser", "doctor"):
            refused = machine.run(f"LANG=C.UTF-8 ./workshop {command}", cwd=COURSE)
            assert refused.returncode == 1, command
            assert f"echo '{remedy}' | sudo tee {Path('/') / mended.relative_to(machine.root)}" in refused.stdout
        assert refused.stdout.count("→") == 1, refused.stdout
        mended.write_text(f"{remedy}\n")
        typed(machine, "./workshop doctor")
    finally:
        mended.unlink(missing_ok=True)
        machine.let_sudo(remedy)


def test_down_leaves_the_machine_clean(machine: FreshMachine) -> None:
    assert traces(machine) == set(TRACES), "a trace that is not seen now can't be missed afterwards"
    typed(machine, "./workshop down")
    assert traces(machine) == set()


def test_nothing_of_it_reached_this_machine(machine: FreshMachine) -> None:
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    assert "workshop_main" not in tables or Path("/var/lib/patroni-workshop/labs/main").exists()
