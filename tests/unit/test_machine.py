"""What is asked of the machine before a lab is built on it: room, a network of its own, root."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest

from labhelpers import lifecycle
from labhelpers.cli import run_guarded
from labhelpers.cli.doctor import MEMORY_MB_NEEDED, room
from labhelpers.cli.progress import by_state
from labhelpers.errors import HostProblem
from labhelpers.host import SUDO_REFUSED, SudoAsksForPassword, as_root
from labhelpers.lab import Lab
from labhelpers.paths import LabPaths
from labhelpers.playbook.files import preflight
from labhelpers.topology import PLAYBOOK, load_topology


def lab_in(state: Path, name: str, network: str = "10.0.3") -> None:
    (state / "labs" / name).mkdir(parents=True)
    (state / "labs" / name / "lab.json").write_text(json.dumps({"lab": name, "network": network}))


def image_in(state: Path) -> None:
    (state / "images" / "0123456789ab" / "root").mkdir(parents=True)


def test_room_for_the_image_is_asked_for_once(tmp_path: Path) -> None:
    whole = preflight.megabytes_needed(tmp_path / "absent", "main")
    (tmp_path / "images" / ".new-a" / "root").mkdir(parents=True)
    assert preflight.megabytes_needed(tmp_path, "main") == whole == 3000
    image_in(tmp_path)
    assert preflight.megabytes_needed(tmp_path, "main") == whole - preflight.IMAGE_MEGABYTES


def test_a_further_lab_asks_for_far_less_and_one_that_is_there_for_nothing(tmp_path: Path) -> None:
    image_in(tmp_path)
    lab_in(tmp_path, "main")
    assert preflight.megabytes_needed(tmp_path, "scratch") == preflight.FURTHER_LAB_MEGABYTES
    assert preflight.megabytes_needed(tmp_path, "main") == 0


def test_doctor_asks_no_memory_of_a_lab_that_is_up() -> None:
    def mends(lab_is_up: bool, memory_mb: int) -> list[str | None]:
        found = room(disk_mb=500, disk_mb_needed=0, memory_mb=memory_mb, lab_is_up=lab_is_up)
        return [each.mend for each in found]

    assert mends(lab_is_up=True, memory_mb=300) == [None, None]
    assert mends(lab_is_up=False, memory_mb=MEMORY_MB_NEEDED) == [None, None]
    assert str(MEMORY_MB_NEEDED) in str(mends(lab_is_up=False, memory_mb=300)[1])


def test_doctor_says_the_disk_that_is_lacking() -> None:
    disk, _ = room(disk_mb=1500, disk_mb_needed=1900, memory_mb=9000, lab_is_up=False)
    assert disk.mend is not None and "1900" in disk.mend


def test_two_names_that_come_to_one_network_are_told_apart(tmp_path: Path) -> None:
    lab_in(tmp_path, "test-one", "10.70.1")
    settings = {"STATE": str(tmp_path), "BRIDGE": "w4601-br", "NETWORK": "10.70.1"}
    assert preflight.other_lab({**settings, "LAB": "test-two"}) == "test-one"
    assert preflight.other_lab({**settings, "LAB": "test-one"}) is None
    assert preflight.other_lab({**settings, "LAB": "test-two", "NETWORK": "10.70.2"}) is None


def test_a_bridge_says_whose_it_is_before_its_lab_is_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "NETWORK_DEVICES", tmp_path)
    (tmp_path / "w4601-br").mkdir()
    settings = {"STATE": str(tmp_path), "BRIDGE": "w4601-br", "NETWORK": "10.70.1", "LAB": "test-two"}
    alias = tmp_path / "w4601-br" / "ifalias"
    alias.write_text("patroni-workshop:test-one\n")
    assert preflight.other_lab(settings) == "test-one"
    alias.write_text("patroni-workshop:test-two\n")
    assert preflight.other_lab(settings) is None
    alias.write_text("\n")
    assert preflight.other_lab(settings) is None


@pytest.mark.parametrize(
    "said",
    [
        "sudo: a password is required\n",
        "sudo: unable to resolve host pc: Name or service not known\nsudo: a password is required\n",
        "sudo: interactive authentication is required\n",
        "sudo: a terminal is required to read the password; either use the -S option to read from standard input\n",
        "Sorry, user trainee is not allowed to execute '/usr/bin/true' as root on pc.\n",
    ],
)
def test_what_sudo_says_when_it_refuses_is_known(said: str) -> None:
    assert SUDO_REFUSED.search(said)


def test_a_command_that_fails_behind_sudo_is_not_sudos_refusal() -> None:
    assert not SUDO_REFUSED.search("sudo: unable to resolve host pc: Name or service not known\nNo such container\n")


def test_the_remedy_for_sudo_is_a_line_that_sudo_takes() -> None:
    line = SudoAsksForPassword().remedy.split("'")[1]
    checked = subprocess.run(["visudo", "-cf", "-"], input=f"{line}\n", capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_progress_names_the_nodes_by_their_state() -> None:
    assert by_state({"e1": "running", "pg-1": "absent", "e2": "running"}) == "running e1 e2, absent pg-1"


def test_what_is_in_the_way_is_looked_for_before_the_image_is_built() -> None:
    tasks = (PLAYBOOK / "setup.yml").read_text().split("- name: ")
    assert [task.splitlines()[0] for task in tasks if "tags: look" in task] == ["Look whether anything is in the way"]


@pytest.fixture
def somebody_with_sudo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``sudo`` runs as root: whoever called it may not kill it."""
    sudo = tmp_path / "sudo"
    sudo.write_text('#!/bin/sh\nshift 2\nexec "$@"\n')
    sudo.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    def refused(self: subprocess.Popen[str]) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(subprocess.Popen, "kill", refused)


@pytest.mark.parametrize(
    ("failed", "reason"),
    [
        ({"stderr": "no room\n", "stdout": "begun\n", "msg": "non-zero return code"}, "no room"),
        ({"stderr": "\n", "stdout": "Overwrite (y/n)? ", "msg": "non-zero return code"}, "Overwrite (y/n)?"),
        ({"stderr": "", "stdout": "", "msg": "non-zero return code"}, "non-zero return code"),
    ],
)
def test_a_failed_task_is_told_by_what_it_said_itself(
    monkeypatch: pytest.MonkeyPatch, failed: dict[str, str], reason: str
) -> None:
    monkeypatch.setattr(lifecycle, "_watched", lambda *_, **__: f"fatal: [localhost]: FAILED! => {json.dumps(failed)}")
    monkeypatch.setattr(lifecycle, "locked", lambda *_: nullcontext())
    monkeypatch.setattr(lifecycle, "is_up", lambda _: False)
    monkeypatch.setattr(lifecycle, "_an_image_is_there", lambda: True)
    with pytest.raises(HostProblem) as told:
        lifecycle.ensure_up("test-told")
    assert str(told.value) == reason


def test_time_of_a_root_command_is_bounded_behind_sudo_too(somebody_with_sudo: None) -> None:
    assert as_root(["echo", "done"]).stdout == "done\n"
    with pytest.raises(HostProblem, match="sleep 60"):
        as_root(["sleep", "60"], timeout=0.2)


def test_ctrl_c_behind_sudo_is_no_question_of_permission(
    somebody_with_sudo: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: subprocess.Popen[str], *args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "communicate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        as_root(["true"])


def test_those_who_draw_a_secret_at_one_moment_read_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lab = Lab(load_topology("test-none"))
    monkeypatch.setattr(LabPaths, "keys", tmp_path)
    for number in range(50):
        with ThreadPoolExecutor(3) as pool:
            assert len(set(pool.map(lab.secret, [f"new-{number}"] * 3))) == 1
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert len(list(tmp_path.iterdir())) == 50


def test_full_disk_is_a_sentence_and_a_bug_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*words: object) -> None:
        raise OSError(*words)

    assert run_guarded(lambda: fail(28, "No space left on device")) == 1
    assert run_guarded(lambda: fail(21, "Is a directory", "report.json")) == 1
    assert [line.startswith("workshop: ") for line in capsys.readouterr().err.splitlines()] == [True, True]
    with pytest.raises(OSError, match="Bad address"):
        run_guarded(lambda: fail(14, "Bad address"))
