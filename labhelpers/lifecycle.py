"""Build a lab, bring it back, destroy it: Ansible does it, this runs Ansible and shows how far it is.

Each step of the playbook may be repeated, so that an interrupted ``up`` is completed by the next one.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from labhelpers import meant
from labhelpers.containers import Containers
from labhelpers.errors import HostProblem
from labhelpers.handover import hand_over, is_mine
from labhelpers.host import (
    SPOKEN,
    as_root,
    bridge_is_ours,
    bridge_is_up,
    is_locked,
    require_sudo_did_not_refuse,
    root_argv,
)
from labhelpers.i18n import language, tr
from labhelpers.paths import STATE, LabPaths
from labhelpers.topology import INVENTORY, PLAYBOOK, Topology, load_topology
from labhelpers.waiting import physical_wait

Report = Callable[[str, Mapping[str, str]], None]
"""Called with the step at work and each node's state, several times a second."""

SSH_BANNER_SECONDS = 2.0
WARMUP_SECONDS = 1800.0
TICK_SECONDS = 0.1
LOOK_AGAIN_SECONDS = 0.05

ENDS_WITH_US = """
exec 3<&0
"$@" </dev/null & job=$!
{ read -ru3; kill $job; } >/dev/null 2>&1 & watcher=$!
wait $job; status=$?
kill $watcher
exit $status
"""
"""Runs a command, and ends it when the other end of its standard input is gone: this process may be killed, and a
command behind ``sudo`` hears nothing of that."""


def silent(step: str, nodes: Mapping[str, str]) -> None:
    """No report wanted."""


@contextmanager
def locked(lab: str, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lab alone while it is built, restored or destroyed. ``waiting`` is called where another holds it."""
    path = LabPaths(lab).lock
    while True:
        with _open_lock(path) as lock:
            if not _taken_soon(lock):
                waiting()
                fcntl.flock(lock, fcntl.LOCK_EX)
            # Who destroyed the lab meanwhile took the file away: another one is the lock now.
            if path.exists() and os.path.samestat(path.stat(), os.fstat(lock.fileno())):
                yield
                return


def _taken_soon(lock: IO[str]) -> bool:
    """Whether it is ours now. Who only looks (:func:`is_held`) has it for a moment: that is nobody to wait for."""
    for pause in (LOOK_AGAIN_SECONDS, 0.0):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(pause)
        else:
            return True
    return False


def _open_lock(path: Path) -> IO[str]:
    """The lock's file, made where it is not there. Another user's is only opened: in a directory where all may write,
    Linux may forbid to open it as one that could be made (fs.protected_regular)."""
    while True:
        with suppress(FileNotFoundError):
            return path.open("r+", encoding="utf-8")
        if not path.parent.is_dir():
            as_root(["install", "-d", "-m", "1777", str(path.parent)])
        previous = os.umask(0)
        try:
            with suppress(FileExistsError, FileNotFoundError):  # another command was quicker, or purged the directory
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666))
        finally:
            os.umask(previous)


def is_held(lab: str) -> bool:
    """Whether a command is at work on the lab now."""
    return is_locked(LabPaths(lab).lock)


def is_up(topology: Topology) -> bool:
    """Whether every node runs and its sshd answers."""
    states = Containers(topology).states()
    if not bridge_is_up(topology) or set(states.values()) != {"running"}:
        return False
    return all(ssh_answers(node.address) for node in topology.nodes)


def ssh_answers(address: str) -> bool:
    """Whether an SSH server greets there."""
    try:
        with socket.create_connection((address, 22), timeout=SSH_BANNER_SECONDS) as connection:
            connection.settimeout(SSH_BANNER_SECONDS)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def ensure_up(lab: str, report: Report = silent, waiting: Callable[[], None] = lambda: None) -> bool:
    """Build the lab or bring it back with its data; ``False`` where it was up already.

    Done when systemd runs and SSH answers on every node. Raises :class:`HostProblem` and :class:`InvalidLabName`.
    """
    with locked(lab, waiting):
        topology = load_topology(lab)
        finished = False
        if LabPaths(lab).exists:
            _take_over(topology)
            finished = _finish_what_was_interrupted(lab, report)
        if is_up(topology):
            return finished
        if not _an_image_is_there():
            _play("setup.yml", topology, report, only="look")
            warm_up(report)
        _play("setup.yml", topology, report)
        hand_over(load_topology(lab))
    return True


def destroy(
    lab: str, report: Report = silent, waiting: Callable[[], None] = lambda: None, *, purge: bool = False
) -> bool:
    """Remove all of the lab but its named saves (``purge``: these, and the image once no lab is left, too).

    ``False`` where there was nothing to remove. Raises :class:`HostProblem` and :class:`InvalidLabName`.
    """
    paths = LabPaths(lab)
    with locked(lab, waiting):
        topology = load_topology(lab)
        there = paths.root.exists() or bridge_is_ours(topology)
        if there:
            _end_watchman(topology)
            _play("teardown.yml", topology, report)
        if purge:
            as_root(["rm", "-rf", "--one-file-system", str(paths.root)])
            _purge_machine(lab)
        as_root(["rm", "-f", str(paths.lock)])
    return there


def warm_up(report: Report = silent) -> Path:
    """Build the nodes' image where it is not there, and return its directory. Raises :class:`HostProblem`."""
    started = time.time()
    output = _watched(
        [str(PLAYBOOK / "warmup.sh")], lambda line: None, lambda: report(_image_step(started), {}), WARMUP_SECONDS
    )
    match = re.search(r"^image=(\w+)", output, re.MULTILINE)
    if not match:
        raise HostProblem(output.strip().splitlines()[-1])
    return STATE / "images" / match[1]


def _image_step(started: float) -> str:
    """What a warm-up that began at ``started`` (seconds since 1970) is doing, by its log."""
    log = STATE / "log" / "warmup.log"
    if not log.exists() or log.stat().st_mtime < started:
        return tr("Checking the image", "Vérification de l'image")
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line[:3] == "I: "]
    last = lines[-1][3:].rstrip(".") if lines else "mmdebstrap"
    if "customize-image" in last:
        last = tr("packages for the chapters", "les paquets des chapitres")
    return tr(f"Building the image: {last}", f"Construction de l'image : {last}")


def _an_image_is_there() -> bool:
    """Whether this machine was warmed up. Where the recipe has changed since, the playbook builds the new image."""
    return any((STATE / "images").glob("[0-9a-f]*"))


def ansible_playbook() -> str:
    """Ansible's command: this environment's, else the machine's. Raises :class:`HostProblem`."""
    ours = Path(sysconfig.get_path("scripts")) / "ansible-playbook"
    found = str(ours) if ours.exists() else shutil.which("ansible-playbook")
    if found is None:
        raise HostProblem(
            tr("There is no ansible-playbook in this environment. Make it again: ./workshop doctor",
               "Il n'y a pas d'ansible-playbook dans cet environnement. Pour le refaire : ./workshop doctor")
        )  # fmt: skip
    return found


def _play(playbook: str, topology: Topology, report: Report, *, only: str = "all", without: str = "") -> None:
    """Run a playbook for this lab: its tasks with the tag ``only``, less those with the tag ``without``.

    Raises :class:`HostProblem` with the first thing that failed.
    """
    containers = Containers(topology)
    steps = {
        "Look whether anything is in the way": tr("Looking at this machine", "Examen de cette machine"),
        "Bring up the network": tr("Bringing up the network", "Mise en place du réseau"),
        "Create the nodes": tr("Creating the nodes", "Création des nœuds"),
        "Start the nodes": tr("Starting the nodes", "Démarrage des nœuds"),
        "Remove the nodes": tr("Removing the nodes", "Suppression des nœuds"),
        "Take down the network": tr("Taking down the network", "Démontage du réseau"),
        "Remove the lab's files": tr("Removing the lab's files", "Suppression des fichiers du lab"),
    }
    at_work = tr("Starting Ansible", "Lancement d'Ansible")
    started = time.time()

    def step() -> str:
        return _image_step(started) if at_work == "Warm up the image" else at_work

    def on_line(line: str) -> None:
        nonlocal at_work
        task = re.match(r"TASK \[(.*?)\]", line)
        if task:
            at_work = steps.get(task[1], task[1])

    argv = [
        ansible_playbook(), "-f", str(len(topology.nodes)), "-i", str(INVENTORY), str(PLAYBOOK / playbook),
        "-e", f"lab={topology.lab}", "-e", f"network={topology.network}", "-e", f"state={STATE}", "--tags", only,
        *(["--skip-tags", without] if without else []),
    ]  # fmt: skip
    output = _watched(argv, on_line, lambda: report(step(), containers.states()), timeout=WARMUP_SECONDS)
    failed = re.search(r"^fatal: .*?=> (\{.*)$", output, re.MULTILINE)
    if failed:
        raise HostProblem(_reason(failed[1]))
    if "PLAY RECAP" not in output:
        raise HostProblem(
            tr(f"Ansible did not finish: {output.strip()[-300:]}", f"Ansible n'a pas abouti : {output.strip()[-300:]}")
        )


def _reason(document: str) -> str:
    """The sentence that a failed task printed, out of Ansible's JSON."""
    try:
        result = json.loads(document)
    except ValueError:
        return document[:500]
    said = next(filter(str.strip, (str(result.get(key, "")) for key in ("stderr", "stdout", "msg"))), document).strip()
    return "; ".join(said.splitlines()[-5:])


@physical_wait()
def _watched(argv: list[str], on_line: Callable[[str], None], tick: Callable[[], None], timeout: float) -> str:
    """Run a command as root: its lines are handed on as they come, ``tick`` is called several times a second.

    Returns all that it said.
    """
    settings = {
        "WORKSHOP_LANGUAGE": language(), "ANSIBLE_CONFIG": str(PLAYBOOK / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_HOME": str(STATE / "ansible"), **SPOKEN, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    command = root_argv(
        ["env", *(f"{name}={value}" for name, value in settings.items()), "bash", "-c", ENDS_WITH_US, "watched", *argv]
    )
    lines: list[str] = []
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/",
        env={**os.environ, **SPOKEN},
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    deadline = time.monotonic() + timeout
    rest = b""
    try:
        while True:
            ready, _, _ = select.select([process.stdout], [], [], TICK_SECONDS)
            chunk = os.read(process.stdout.fileno(), 65536) if ready else b""
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                lines.append(line.decode(errors="replace"))
                on_line(lines[-1])
            if ready and not chunk:
                output = "\n".join([*lines, rest.decode(errors="replace")])
                require_sudo_did_not_refuse(process.wait(timeout=20), output)
                return output
            tick()
            if time.monotonic() > deadline:
                doctor = meant.command("doctor")
                raise HostProblem(
                    tr(f"{argv[0]} did not end within {timeout:g} s; look: {doctor}",
                       f"{argv[0]} ne s'est pas terminé en {timeout:g} s ; voyez : {doctor}")
                )  # fmt: skip
    finally:
        process.stdin.close()
        process.wait(timeout=20)


def _finish_what_was_interrupted(lab: str, report: Report) -> bool:
    """A ``goto`` or a ``save`` that was cut off is carried out before its nodes are touched; whether there was one.

    The nodes start in the order that it wants: a replica that led first would lose commits.
    """
    from labhelpers.course import saves
    from labhelpers.lab import open_lab

    opened = open_lab(lab)
    try:
        saves.withdraw(opened.paths)
        if not saves.is_cut_off(opened.paths):
            return False
        if not bridge_is_up(opened.topology):  # after a reboot
            _play("setup.yml", opened.topology, report, without="start")
        saves.resume(opened, report)
        return True
    finally:
        opened.close()


def _take_over(topology: Topology) -> None:
    """A lab that was built by hand, or is another user's, becomes this one's. Its watchman goes on as this user:
    the other's may not write into the journal any more."""
    if is_mine(topology):
        return
    from labhelpers.incidents import watchman
    from labhelpers.lab import open_lab

    opened = open_lab(topology.lab)
    watched = watchman.is_running(opened)
    watchman.dismiss(opened)
    hand_over(topology)
    if watched:
        watchman.ensure(opened)
    opened.close()


def _end_watchman(topology: Topology) -> None:
    """Nobody may heal what is about to go."""
    if not LabPaths(topology.lab).exists:
        return
    from labhelpers import incidents
    from labhelpers.incidents import watchman
    from labhelpers.lab import open_lab

    opened = open_lab(topology.lab)
    watchman.dismiss(opened)
    if not is_mine(topology):
        hand_over(topology)
    incidents.forget(opened)
    opened.close()


def _purge_machine(lab: str) -> None:
    """Remove the images, and the range of ids if it is ours, once no lab is left on this machine nor being built.

    The caller holds ``lab``.
    """
    labs, locks, range_of_ids = STATE / "labs", STATE / "locks", STATE / "id-range"
    if labs.is_dir() and any(labs.iterdir()):
        return
    if any(is_held(path.name) for path in locks.glob("[!.]*") if path.name != lab):
        return
    script = (
        f'[ ! -s {range_of_ids} ] || sed -i "/^$(cat {range_of_ids})\\$/d" /etc/subuid /etc/subgid; '
        f"rm -rf --one-file-system {STATE}/images {STATE}/log {STATE}/ansible {labs} {locks} {range_of_ids}; "
        f"rmdir {STATE}"
    )
    as_root(["sh", "-c", script], timeout=120)


def say_waiting() -> None:
    """Tell on stderr that another command holds the lab."""
    print(tr("Another command is at work on this lab: waiting for it.",
             "Une autre commande travaille sur ce lab : en attente."), file=sys.stderr, flush=True)  # fmt: skip
