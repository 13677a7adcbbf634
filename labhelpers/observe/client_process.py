"""Starts and stops a client (``client.py``), whose attempts go straight into the recording's file."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg.conninfo import make_conninfo

import labhelpers
from labhelpers.errors import LabError
from labhelpers.host import as_root, root_argv
from labhelpers.i18n import tr
from labhelpers.incidents import client_namespace, client_network
from labhelpers.observe.client import GRACE_SECONDS, Orders
from labhelpers.observe.records import ClientInfo

if TYPE_CHECKING:
    from labhelpers.lab import Lab

TABLE = "journal"
RATE = 20.0
"""Commits a second of a client that is free to move."""
PINNED_RATE = 50.0
"""Commits a second of a client that stays with one node."""
STATEMENT_TIMEOUT_SECONDS = 1.5
CONNECT_TIMEOUT_SECONDS = 2
"""libpq's least, for each host:
https://www.postgresql.org/docs/17/libpq-connect.html#LIBPQ-CONNECT-CONNECT-TIMEOUT
"""

_PACKAGE_PARENT = Path(next(iter(labhelpers.__path__))).parent


@dataclass(frozen=True, slots=True)
class ClientSpec:
    """A client to start with the recording, ``rate`` commits a second. See :class:`Client`."""

    pinned_to: str | None = None
    name: str | None = None
    rate: float | None = None
    namespace: str | None = None
    own_network: bool = False  # in the lab's client namespace, whose way to a node can be cut


class ClientDied(LabError):
    """A client's process ended before it was told to."""

    def __init__(self, client: str, exited: int, last: str) -> None:
        self.client, self.exited = client, exited
        super().__init__(
            tr(
                f"The client {client} ended by itself (exit status {exited}): {last or 'no message'}. "
                "Start the recording again.",
                f"Le client {client} s'est terminé de lui-même (code de retour {exited}) : "
                f"{last or 'aucun message'}. Relancez l'enregistrement.",
            )
        )


class Client:
    """One client. ``pinned_to`` makes it stay with one node; ``namespace`` runs it in a network namespace of
    its own; ``rate`` is in commits a second. Raises :class:`UnknownNode`.

    >>> client = Client(lab)            # libpq with all hosts, read-write, 20 commits a second
    >>> client.start(path)              # appends its attempts there
    >>> client.stop()
    """

    def __init__(
        self,
        lab: Lab,
        pinned_to: str | None = None,
        *,
        name: str | None = None,
        rate: float | None = None,
        namespace: str | None = None,
        table: str = TABLE,
        statement_timeout_seconds: float = STATEMENT_TIMEOUT_SECONDS,
    ) -> None:
        topology = lab.topology
        if pinned_to is not None:
            topology.node(pinned_to)
        self.pinned_to = pinned_to
        self.namespace = namespace
        self.rate = rate if rate is not None else (PINNED_RATE if pinned_to else RATE)
        self.name = f"{name or (f'at-{pinned_to}' if pinned_to else 'app')}-{secrets.token_hex(3)}"
        if pinned_to is None:
            base = lab.postgres.conninfo(list(topology.postgres), attributes="read-write")
            conninfo = make_conninfo(
                base, connect_timeout=CONNECT_TIMEOUT_SECONDS, tcp_user_timeout=3000,
                keepalives_idle=2, keepalives_interval=1, keepalives_count=2,
            )  # fmt: skip
        else:
            base = lab.postgres.conninfo([pinned_to])
            conninfo = make_conninfo(base, connect_timeout=CONNECT_TIMEOUT_SECONDS, keepalives=0)
        self._orders = Orders(
            client=self.name,
            conninfo=make_conninfo(conninfo, application_name=self.name),
            nodes={topology.node(member).address: member for member in topology.postgres},
            table=table,
            pinned_to=pinned_to,
            rate=self.rate,
            statement_timeout_seconds=None if pinned_to else statement_timeout_seconds,
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def info(self) -> ClientInfo:
        return ClientInfo(time.monotonic(), self.name, self.pinned_to, self.rate, self.namespace)

    def start(self, log: Path) -> None:
        """Begin to write, and append each attempt to ``log``. Raises ``HostProblem`` where a namespace needs
        root.
        """
        argv = [sys.executable, "-m", "labhelpers.observe.client"]
        if self.namespace:
            argv = root_argv(["ip", "netns", "exec", self.namespace, *_as_this_user(argv)])
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=descriptor, stderr=subprocess.PIPE, cwd=_PACKAGE_PARENT
            )
        finally:
            os.close(descriptor)
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # `check` tells why it died
            self._process.stdin.write(self._orders.to_line().encode())
            self._process.stdin.flush()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def check(self) -> None:
        """Raises :class:`ClientDied` where the process has ended before ``stop``."""
        process = self._process
        if process is None or self._stopped or process.poll() is None:
            return
        lines = (process.stderr.read() if process.stderr else b"").decode("utf-8", "replace").splitlines()
        raise ClientDied(self.name, process.returncode, lines[-1] if lines else "")

    def ask_to_stop(self) -> None:
        """Close its standard input; it ends by itself. ``stop`` waits for that."""
        self._stopped = True
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def stop(self) -> None:
        """End it; the attempt under way is logged as unknown. May be called twice, and before ``start``."""
        self.ask_to_stop()
        process = self._process
        if process is None:
            return
        try:
            process.wait(GRACE_SECONDS + 2)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(PermissionError):  # behind sudo; its own bound ends it
                process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
        if process.stderr is not None:
            process.stderr.close()


def _as_this_user(argv: list[str]) -> list[str]:
    """Only root enters a namespace; what runs there need not be root."""
    if os.geteuid() == 0:
        return argv
    return ["setpriv", f"--reuid={os.getuid()}", f"--regid={os.getgid()}", "--init-groups", *argv]


def make_client(lab: Lab, wanted: ClientSpec | Client | str) -> Client:
    """A client from its description; a bare name of a node stands for a client pinned to it."""
    if isinstance(wanted, Client):
        return wanted
    spec = ClientSpec(pinned_to=wanted) if isinstance(wanted, str) else wanted
    namespace = spec.namespace
    if spec.own_network and namespace is None:
        namespace = client_namespace(lab)
    return Client(lab, spec.pinned_to, name=spec.name, rate=spec.rate, namespace=namespace)


def leave_client_network(lab: Lab) -> None:
    """Remove the lab's client namespace, where it is and no process lives in it."""
    with contextlib.suppress(LabError):  # what is left over is found and removed by heal
        if client_network.exists(lab.topology) and not client_network.in_use(lab.topology, as_root):
            client_network.remove(lab.topology, as_root)
