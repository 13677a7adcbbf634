"""The machine beneath the lab: the one place that becomes root, and what this machine has or lacks."""

from __future__ import annotations

import fcntl
import getpass
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from labhelpers import meant
from labhelpers.errors import HostProblem
from labhelpers.i18n import tr
from labhelpers.topology import Topology
from labhelpers.waiting import physical_wait

if TYPE_CHECKING:
    import httpx

NETWORK_DEVICES = Path("/sys/class/net")

SPOKEN = {"LC_ALL": "C.UTF-8"}
"""The locale of what runs as root, and of ``sudo`` itself: what they say is read here."""

TIME_IS_UP = (124, 137)
"""How ``timeout`` ends when it had to end its command, and when it had to kill it."""

SUDO_REFUSED = re.compile(r"^(sudo: .*(password|authentication|terminal)|Sorry, user |\S+ is not in the sudoers)", re.M)


class RootCommandFailed(HostProblem):
    """A command that this machine runs as root failed; ``exited`` and ``stderr`` say how."""

    def __init__(self, argv: Sequence[str], exited: int, stderr: str) -> None:
        self.argv, self.exited, self.stderr = tuple(argv), exited, stderr
        last = " ".join(stderr.strip().splitlines()[-3:]) or "—"
        command = " ".join(argv[:6])
        super().__init__(
            tr(f"`{command}` failed on this machine (exit status {exited}): {last}",
               f"`{command}` a échoué sur cette machine (code de retour {exited}) : {last}")
        )  # fmt: skip


class SudoAsksForPassword(HostProblem):
    """``sudo`` does not make this user root without a password, which notebooks have no terminal to ask for."""

    def __init__(self) -> None:
        self.remedy = f"echo '{getpass.getuser()} ALL=(ALL) NOPASSWD: ALL' | sudo tee /etc/sudoers.d/workshop"
        super().__init__(
            tr(f"sudo asks for a password, and a notebook has no terminal to type it on. Let it ask for none: "
               f"{self.remedy}",
               f"sudo demande un mot de passe, et un notebook n'a pas de terminal où le taper. Pour l'en dispenser : "
               f"{self.remedy}")
        )  # fmt: skip


def root_argv(argv: Sequence[str]) -> list[str]:
    """The command as root runs it: itself for root, through ``sudo`` for others.

    Raises :class:`HostProblem` where there is neither.
    """
    if os.geteuid() == 0:
        return list(argv)
    sudo = shutil.which("sudo")
    if sudo is None:
        raise HostProblem(
            tr("The lab needs root and this machine has no sudo. Run the command as root, or: apt install sudo",
               "Le lab a besoin de root et cette machine n'a pas sudo. Lancez la commande en root, ou : "
               "apt install sudo")
        )  # fmt: skip
    return [sudo, "-n", "--", *argv]


def require_root_without_terminal() -> None:
    """A notebook's kernel will be able to become root: it has no terminal, so what ``sudo -v`` allowed to this one
    does not count there.

    Raises :class:`SudoAsksForPassword`, or :class:`HostProblem` where there is no ``sudo``.
    """
    argv = root_argv(["true"])
    if argv == ["true"]:
        return
    asked = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, start_new_session=True, timeout=30, check=False
    )
    if asked.returncode != 0:
        raise SudoAsksForPassword


def require_sudo_did_not_refuse(exited: int | None, said: str) -> None:
    """Raises :class:`SudoAsksForPassword` where a command behind :func:`root_argv` ended so."""
    if exited == 1 and os.geteuid() != 0 and SUDO_REFUSED.search(said):
        raise SudoAsksForPassword


def _bounded(argv: Sequence[str], timeout: float) -> tuple[list[str], float | None]:
    """The command, and the bound that ``subprocess`` keeps: it can't kill what sudo runs, so there root keeps it."""
    if os.geteuid() == 0:
        return list(argv), timeout
    return root_argv(["timeout", "--foreground", "-k", "2", f"{timeout:g}", *argv]), None


@physical_wait()
def as_root(
    argv: Sequence[str], *, input: str | None = None, timeout: float = 60, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a command of this machine as root, bounded by ``timeout`` seconds.

    Raises :class:`RootCommandFailed` where it fails and ``check`` is set, :class:`HostProblem` where nobody can become
    root or the time is up.
    """
    command, bound = _bounded(argv, timeout)
    try:
        done = subprocess.run(
            command, input=input, stdin=None if input is not None else subprocess.DEVNULL,
            capture_output=True, text=True, timeout=bound, check=False, env={**os.environ, **SPOKEN},
        )  # fmt: skip
        if bound is None and done.returncode in TIME_IS_UP:
            raise subprocess.TimeoutExpired(command, timeout)
    except subprocess.TimeoutExpired as error:
        said, doctor = " ".join(argv[:6]), meant.command("doctor")
        raise HostProblem(
            tr(f"`{said}` did not end within {timeout:g} s on this machine. Look: {doctor}",
               f"`{said}` ne s'est pas terminé en {timeout:g} s sur cette machine. Voyez : {doctor}")
        ) from error  # fmt: skip
    except PermissionError as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # at Ctrl-C, subprocess tries to kill sudo
            raise error.__context__ from None
        raise
    except FileNotFoundError as error:
        doctor = meant.command("doctor")
        raise HostProblem(
            tr(f"This machine has no {argv[0]}. See what it lacks: {doctor}",
               f"Cette machine n'a pas {argv[0]}. Pour voir ce qui manque : {doctor}")
        ) from error  # fmt: skip
    require_sudo_did_not_refuse(done.returncode, done.stderr)
    if check and done.returncode != 0:
        raise RootCommandFailed(argv, done.returncode, done.stderr)
    return done


@cache
def http_client() -> httpx.Client:
    """The client for the lab's services. One for all: making its TLS context costs more than a hundred answers.

    It keeps no connection: one to a node whose power was cut would fail at its next use, for no fault of the service.
    """
    import httpx

    return httpx.Client(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


def bridge_is_up(topology: Topology) -> bool:
    """Whether the lab's bridge is there. Where it is not, nothing may be sent to the lab's addresses: a real network
    may use them."""
    return (NETWORK_DEVICES / topology.bridge / "bridge").is_dir()


def bridge_is_ours(topology: Topology) -> bool:
    """Whether the bridge is there and the lab made it: another's of that name (lxc-net's) is used, and stays."""
    alias = NETWORK_DEVICES / topology.bridge / "ifalias"
    return alias.exists() and alias.read_text(encoding="utf-8").strip() == f"patroni-workshop:{topology.lab}"


def is_locked(path: Path) -> bool:
    """Does any process hold the lock? Taking it for a moment is the only sure way to know."""
    try:
        file = path.open(encoding="utf-8")
    except OSError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
