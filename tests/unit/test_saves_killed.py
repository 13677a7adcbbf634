"""The program that moves the disks, killed at many moments: what it began is finished, or was never begun.

LXC's commands are stood in for by scripts that only note that they were called: what is tested is the disks.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

NODES = [f"n{number}" for number in range(7)]
KILLS = 25


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    lab, tools = tmp_path / "lab", tmp_path / "tools"
    tools.mkdir()
    for name in ("lxc-start", "lxc-stop", "lxc-wait", "lxc-freeze", "lxc-unfreeze"):
        (tools / name).write_text("#!/bin/sh\nexit 0\n")
        (tools / name).chmod(0o755)
    for node in NODES:
        (lab / "nodes" / node / "upper").mkdir(parents=True)
        (lab / "nodes" / node / "upper" / "state").write_text("old")
        (lab / "nodes" / node / "work").mkdir()
        (lab / "nodes" / node / "root").mkdir()
        (lab / "nodes" / node / "layers").write_text("/image/root\n")
        (lab / "lxc" / node).mkdir(parents=True)
        (lab / "lxc" / node / "config").write_text("lxc.group = workshop-x\n")
        (lab / "keys" / "host").mkdir(parents=True, exist_ok=True)
        for suffix in ("", ".pub"):
            (lab / "keys" / "host" / f"{node}{suffix}").write_text("ssh-ed25519 HOST\n")
        layer = lab / "saves" / "layers" / "bbbbbbbb" / node
        (layer / "root" / ".ssh").mkdir(parents=True)
        (layer / "root" / ".ssh" / "authorized_keys").write_text("ssh-ed25519 AAAA lab\n")
        (layer / "state").write_text("new")
    (lab / "keys" / "id_ed25519.pub").write_text("ssh-ed25519 AAAA lab\n")
    (lab / "keys" / "known_hosts").write_text("")
    (lab / "resolv.conf").write_text("nameserver 192.0.2.1\n")
    (lab / "log").mkdir()
    (lab / "plan.said").write_text(json.dumps({"plan": "p", "action": "goto", "name": "b"}))
    return lab


def plan(lab: Path) -> dict[str, Any]:
    return {
        "id": "p", "action": "goto", "name": "b", "lab": "x", "lab_dir": str(lab), "lxc_path": str(lab / "lxc"),
        "group": "workshop-x", "id_base": os.getuid(), "image_root": "/image/root", "order": None, "merge": None,
        "nodes": dict.fromkeys(NODES, "192.0.2.9"), "layers": ["bbbbbbbb"], "keep": "aaaaaaaa", "secrets": {},
        "save": {"id": "kept", "kind": "automatic", "layers": ["aaaaaaaa"]}, "state": {"name": "b"}, "release": None,
        "first": NODES,
    }  # fmt: skip


def start(lab: Path, verb: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PATH": f"{lab.parent / 'tools'}:{os.environ['PATH']}"}
    process = subprocess.Popen(
        [sys.executable, "-m", "labhelpers.course.disks", verb], stdin=subprocess.PIPE, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, start_new_session=True,
    )  # fmt: skip
    assert process.stdin
    process.stdin.write(json.dumps(plan(lab)))
    process.stdin.close()
    process.stdin = None
    return process


def shown(lab: Path, node: str) -> str | None:
    """What the node's overlay would show as its state."""
    directory = lab / "nodes" / node
    lines = (directory / "layers").read_text().splitlines()
    for layer in (directory / "upper", *map(Path, lines[:-1])):
        if (layer / "state").exists():
            return (layer / "state").read_text()
    return None


def is_old(lab: Path) -> bool:
    records = list((lab / "saves").glob("*.json"))
    return {shown(lab, node) for node in NODES} == {"old"} and not records and not (lab / "state.json").exists()


def is_new(lab: Path) -> bool:
    kept = {(lab / "saves" / "layers" / "aaaaaaaa" / node / "state").read_text() for node in NODES}
    uppers = {tuple((lab / "nodes" / node / "upper").iterdir()) for node in NODES}
    return (
        {shown(lab, node) for node in NODES} == {"new"}
        and kept == {"old"}
        and uppers == {()}
        and (lab / "saves" / "kept.json").exists()
        and json.loads((lab / "state.json").read_text()) == {"name": "b"}
    )


def test_whole_run_leads_to_the_new_state(lab: Path) -> None:
    process = start(lab, "commit")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert is_new(lab)
    assert not (lab / "plan.json").exists()


@pytest.mark.parametrize("number", range(KILLS))
def test_killed_at_any_moment_it_is_old_or_new(lab: Path, number: int) -> None:
    """Killed once the plan is there (or just before), and often a second time while it is being finished."""
    moment = random.Random(number)
    process = start(lab, "commit")
    deadline = time.monotonic() + 30
    while number % 5 and not (lab / "plan.json").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.0005)
    time.sleep(moment.uniform(0, 0.12))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=10)
    if not (lab / "plan.json").exists():
        assert is_old(lab) or is_new(lab)
        return
    if number % 2:
        again = start(lab, "finish")
        time.sleep(moment.uniform(0.05, 0.3))
        os.killpg(again.pid, signal.SIGKILL)
        again.communicate(timeout=10)
    last = start(lab, "finish")
    answer, said = last.communicate(timeout=60)
    assert last.returncode == 0, said
    assert is_new(lab), answer
    assert not (lab / "plan.json").exists()


def test_second_plan_waits_for_the_first(lab: Path) -> None:
    (lab / "plan.json").write_text(json.dumps(plan(lab)))
    process = start(lab, "commit")
    process.communicate(timeout=60)
    assert process.returncode == 1
    assert {shown(lab, node) for node in NODES} == {"old"}


def test_container_of_somebody_else_is_left_alone(lab: Path) -> None:
    (lab / "lxc" / "n3" / "config").write_text("lxc.group = another\n")
    process = start(lab, "commit")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "n3" in said
    assert is_old(lab)


def test_missing_layer_is_refused_before_anything_changes(lab: Path) -> None:
    (lab / "saves" / "layers" / "bbbbbbbb").rename(lab / "elsewhere")
    process = start(lab, "commit")
    process.communicate(timeout=60)
    assert process.returncode == 1
    assert is_old(lab)


def test_plan_whose_command_is_gone_does_not_begin(lab: Path) -> None:
    (lab / "plan.said").write_text(json.dumps({"plan": "", "action": "goto", "name": "b"}))
    process = start(lab, "commit")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "nothing was changed" in said
    assert {shown(lab, node) for node in NODES} == {"old"}
