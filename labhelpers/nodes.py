"""Run commands on nodes over SSH, in parallel, as they would be typed there.

One connection a node, kept open: opening one costs as much as ten commands. A node that is frozen accepts connections
in the kernel and never answers, so every step has a bound of its own.

A command is a script, which the node's bash gets as an argument (``bash -c SCRIPT``), with ``timeout`` around it. So
it stands in the node's list of processes, and its ``input`` too, in base64; only ``env`` travels on the connection's
standard input.
"""

from __future__ import annotations

import base64
import difflib
import logging
import shlex
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from labhelpers.containers import Containers
from labhelpers.errors import CommandFailed, UsageProblem
from labhelpers.host import bridge_is_up
from labhelpers.i18n import tr
from labhelpers.meant import command
from labhelpers.paths import LabPaths
from labhelpers.topology import NodeSpec, Topology
from labhelpers.waiting import bounded, physical_wait

if TYPE_CHECKING:
    from fabric import Connection
    from invoke.runners import Promise
    from invoke.runners import Result as InvokeResult

CONNECT_TIMEOUT = 5.0
"""Seconds for a node to answer the TCP connection, the SSH banner and the key exchange, each."""

GRACE = 3.0
"""Seconds that a node gets, after the remote ``timeout`` should have ended a command, to say so."""

TIMED_OUT = 124
"""The exit status of coreutils' timeout (https://man7.org/linux/man-pages/man1/timeout.1.html)."""

INPUT_SLEEP = 0.001
"""Seconds between two looks at a command's streams: Fabric's default of 10 ms is most of a short command's time."""

LONGEST_PAUSE = 0.03
"""Seconds between two looks at a command that has been running for a while."""

OnLine = Callable[[str, str, str], None]
"""Called with the node, a line, and ``stdout`` or ``stderr``, from the thread of that node."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a command did on one node.

    ``exited`` is its exit status; ``None`` where it did not run or did not end, and ``error`` says why.
    """

    node: str
    command: str
    exited: int | None
    stdout: str
    stderr: str
    seconds: float
    error: str | None = None

    @property
    def ok(self) -> bool:
        return self.exited == 0

    @property
    def failed(self) -> bool:
        return not self.ok


class Node:
    """One node of a running lab.

    >>> lab.nodes["pg-1"].run("hostname").stdout
    'pg-1\\n'
    """

    def __init__(self, spec: NodeSpec, topology: Topology, containers: Containers) -> None:
        self.spec = spec
        self.name = spec.name
        self._topology = topology
        self._containers = containers
        self._connection: Connection | None = None
        self._lock = threading.Lock()

    def run(
        self, command: str, *, user: str | None = None, timeout: float = 60, input: str | None = None,
        env: Mapping[str, str] | None = None, on_line: OnLine | None = None,
    ) -> Result:  # fmt: skip
        """Like :meth:`try_run`, ``timeout`` in seconds; raises :class:`CommandFailed` where the command fails."""
        result = self.try_run(command, user=user, timeout=timeout, input=input, env=env, on_line=on_line)
        if result.failed:
            raise CommandFailed([result])
        return result

    @physical_wait()
    def try_run(
        self, command: str, *, user: str | None = None, timeout: float = 60, input: str | None = None,
        env: Mapping[str, str] | None = None, on_line: OnLine | None = None,
    ) -> Result:  # fmt: skip
        """Run a bash script on the node, as root or as ``user`` after a login, for at most ``timeout`` seconds.

        ``input`` is what a person would type to it. ``env`` is set in its environment and shown nowhere. The node's
        faults (stopped, frozen, no answer) are in the result, never raised. Raises :class:`UsageProblem` where
        ``timeout`` is not finite, or a name in ``env`` is no variable's.
        """
        bounded(timeout)
        for variable in env or {}:
            if not variable.isidentifier():
                raise UsageProblem(
                    tr(f"{variable!r} is not a variable's name: letters, digits and underscores.",
                       f"{variable!r} n'est pas un nom de variable : lettres, chiffres et tirets bas.")
                )  # fmt: skip
        started = time.monotonic()
        output: dict[str, list[str]] = {"stdout": [], "stderr": []}

        def result(exited: int | None, error: str | None = None) -> Result:
            seconds = time.monotonic() - started
            return Result(
                self.name, command, exited, "".join(output["stdout"]), "".join(output["stderr"]), seconds, error
            )

        trouble = self._trouble_before()
        if trouble:
            return result(None, trouble)
        with self._lock:
            try:
                remote = _remote_command(command, user, timeout, input, with_env=bool(env))
                done = self._execute(remote, timeout, output, on_line, _exports(env) if env else "")
            except Exception as error:
                self._drop_connection()
                return result(None, self._explain(error, timeout))
            except BaseException:  # an interrupt: the channel's end ends the remote command
                self._drop_connection()
                raise
        if done.exited == TIMED_OUT and time.monotonic() - started >= timeout:
            return result(None, tr(f"the command did not end within {timeout:g} s and was ended",
                                   f"la commande ne s'est pas terminée en {timeout:g} s et a été arrêtée"))  # fmt: skip
        return result(done.exited)

    def read(self, path: str, *, timeout: float = 20) -> str:
        """The text of a file on the node, within ``timeout`` seconds. Raises :class:`CommandFailed`."""
        return self.run(f"cat -- {shlex.quote(path)}", timeout=timeout).stdout

    def write(self, path: str, text: str, *, owner: str = "root:root", mode: str = "644", timeout: float = 20) -> str:
        """Write a file whole, by a rename, and return the difference from what was there ("" where nothing changed).

        Each of its two commands may take ``timeout`` seconds. Raises :class:`CommandFailed`; what was there stays
        then.
        """
        quoted, new = shlex.quote(path), shlex.quote(f"{path}.workshop-new")
        before = self.run(f"if [ -e {quoted} ]; then cat -- {quoted}; fi", timeout=timeout).stdout
        encoded = base64.b64encode(text.encode(errors="surrogatepass")).decode()
        self.run(
            f"set -e\nnew={new}\ntrap 'rm -f -- \"$new\"' EXIT\n"
            f'base64 -d <<< {encoded} >"$new"\nchown -- {shlex.quote(owner)} "$new"\n'
            f'chmod -- {shlex.quote(mode)} "$new"\nmv -T -- "$new" {quoted}',
            timeout=timeout,
        )
        return "".join(
            difflib.unified_diff(
                before.splitlines(keepends=True), text.splitlines(keepends=True),
                fromfile=f"{path} " + tr("(before)", "(avant)"), tofile=f"{path} " + tr("(now)", "(maintenant)"), n=1,
            )
        )  # fmt: skip

    def close(self) -> None:
        self._drop_connection()

    def _trouble_before(self) -> str | None:
        """Why nothing should be sent to the node at all, or ``None``."""
        if not bridge_is_up(self._topology):
            up = command("up", self._topology.lab)
            return tr(f"the lab's network is down; bring it back: {up}",
                      f"le réseau du lab est arrêté ; pour le ramener : {up}")  # fmt: skip
        state = self._containers.state(self.name)
        if state in ("stopped", "absent"):
            heal = command("heal", self._topology.lab)
            return tr(f"the node is {state}; bring it back: {heal}",
                      f"le nœud est dans l'état {state} ; pour le ramener : {heal}")  # fmt: skip
        return None

    def _explain(self, error: Exception, timeout: float) -> str:
        state = self._containers.state(self.name)
        if state == "frozen":
            heal = command("heal", self._topology.lab)
            return tr(f"the node is frozen and did not answer; thaw it: {heal}",
                      f"le nœud est gelé et n'a pas répondu ; pour le dégeler : {heal}")  # fmt: skip
        if isinstance(error, TimeoutError):
            return tr(f"no answer within {timeout + GRACE:g} s", f"pas de réponse en {timeout + GRACE:g} s")
        return tr(f"SSH failed ({error})", f"SSH a échoué ({error})")

    def _connect(self) -> Connection:
        import paramiko

        # What it has to say (a node whose power was cut) is in the result; its log would land in a cell.
        logging.getLogger("paramiko").setLevel(logging.CRITICAL)
        if self._connection is not None and self._connection.is_connected:
            return self._connection
        paths = LabPaths(self._topology.lab)
        connection = _connection_class()(
            self.spec.address, user="root", connect_timeout=CONNECT_TIMEOUT, config=_fabric_config(),
            connect_kwargs={
                "key_filename": str(paths.private_key), "look_for_keys": False, "allow_agent": False,
                "banner_timeout": CONNECT_TIMEOUT, "auth_timeout": CONNECT_TIMEOUT, "channel_timeout": CONNECT_TIMEOUT,
            },
        )  # fmt: skip
        client = connection.client
        client.load_host_keys(str(paths.known_hosts))
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        connection.open()
        transport = client.get_transport()
        assert transport is not None
        # paramiko sends many small packets: with Nagle's algorithm each command waits 40 ms for an acknowledgement.
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        return connection

    def _execute(
        self, remote: str, timeout: float, output: dict[str, list[str]], on_line: OnLine | None, sent: str
    ) -> InvokeResult:
        """Run one command line over the kept connection, timed from here too: a hung node ignores its own time-out.

        ``sent`` goes to its standard input.
        """
        connection = self._connect()
        streams = [_Lines(self.name, name, output[name], on_line) for name in ("stdout", "stderr")]

        def begin(connection: Connection) -> Promise:
            return connection.run(
                remote, hide=True, warn=True, in_stream=False, asynchronous=True, timeout=None,
                out_stream=streams[0],
                err_stream=streams[1],
            )  # fmt: skip

        try:
            promise = begin(connection)
        except _NothingSent as refused:
            if connection.is_connected and not isinstance(refused.__cause__, OSError | EOFError):
                raise  # it is the node that is silent
            # The kept connection was to a node that has started anew since.
            self._drop_connection()
            connection = self._connect()
            promise = begin(connection)
        runner = promise.runner
        deadline = time.monotonic() + timeout + GRACE
        pause = INPUT_SLEEP
        try:
            if sent:
                runner.write_proc_stdin(sent)
            while not runner.process_is_finished and not runner.has_dead_threads:
                if time.monotonic() > deadline:
                    connection.close()
                    raise TimeoutError
                time.sleep(pause)
                pause = min(pause * 1.2, LONGEST_PAUSE)
            return promise.join()
        finally:
            for stream in streams:
                stream.end()

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class _Lines:
    """A stream that keeps what is written and hands each whole line on."""

    encoding = "utf-8"

    def __init__(self, node: str, name: str, kept: list[str], on_line: OnLine | None) -> None:
        self._node, self._name, self._kept, self._on_line = node, name, kept, on_line
        self._rest = ""

    def write(self, text: str) -> int:
        self._kept.append(text)
        if self._on_line:
            *lines, self._rest = (self._rest + text).split("\n")
            for line in lines:
                self._on_line(self._node, line, self._name)
        return len(text)

    def flush(self) -> None:
        """Nothing waits here but a line's beginning."""

    def end(self) -> None:
        """The command has ended: a last line may have no line feed."""
        if self._on_line and self._rest:
            self._on_line(self._node, self._rest, self._name)
            self._rest = ""


class Nodes(Mapping[str, Node]):
    """The nodes of a lab by name, and commands on several at once."""

    def __init__(self, topology: Topology, containers: Containers) -> None:
        self._topology = topology
        self._nodes = {spec.name: Node(spec, topology, containers) for spec in topology.nodes}

    def __getitem__(self, name: str) -> Node:
        return self._nodes[self._topology.node(name).name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def run(
        self, names: Iterable[str], command: str, *, user: str | None = None, timeout: float = 60,
        input: str | None = None, env: Mapping[str, str] | None = None, on_line: OnLine | None = None,
    ) -> list[Result]:  # fmt: skip
        """Like :meth:`try_run`, ``timeout`` in seconds for each node.

        Raises :class:`CommandFailed`, which carries all nodes' results, where one fails.
        """
        results = self.try_run(names, command, user=user, timeout=timeout, input=input, env=env, on_line=on_line)
        if any(result.failed for result in results):
            raise CommandFailed(results)
        return results

    def try_run(
        self, names: Iterable[str], command: str, *, user: str | None = None, timeout: float = 60,
        input: str | None = None, env: Mapping[str, str] | None = None, on_line: OnLine | None = None,
    ) -> list[Result]:  # fmt: skip
        """Run the script on the named nodes (or groups) side by side; the results are in node order.

        A silent node costs its own ``timeout`` (seconds) and delays no other. Raises :class:`UnknownNode`, and
        :class:`UsageProblem` as :meth:`Node.try_run` does.
        """
        wanted = self._topology.expand(names)
        if not wanted:
            return []

        def on_node(name: str) -> Result:
            return self._nodes[name].try_run(command, user=user, timeout=timeout, input=input, env=env, on_line=on_line)

        if len(wanted) == 1:
            return [on_node(wanted[0])]
        pool = ThreadPoolExecutor(max_workers=len(wanted), thread_name_prefix="node")
        try:
            return list(pool.map(on_node, wanted))
        except BaseException:
            # An interrupt reaches only the thread that waits: the others' commands end with their connections.
            for name in wanted:
                self._nodes[name].close()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        for node in self._nodes.values():
            node.close()


def _exports(env: Mapping[str, str]) -> str:
    """The variables as one line for the remote command's input: what stands in a command line, ``ps`` shows to all."""
    script = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in env.items())
    return base64.b64encode(script.encode(errors="surrogatepass")).decode() + "\n"


def _remote_command(command: str, user: str | None, timeout: float, input: str | None, *, with_env: bool) -> str:
    """One line for root's shell on the node that runs ``command`` as a bash script, bounded, as ``user``.

    Without a terminal sshd leaves a command running when its connection ends, so a watcher reads the connection's own
    input and ends the command when that closes. Nothing is sent there but, ``with_env``, the line of :func:`_exports`:
    the script gets it through a descriptor, which a login leaves open.
    """
    script = 'eval "$(cat <&4)"; exec 4<&-\n' + command if with_env else command
    bounded = shlex.join(["timeout", "-k", "2", f"{timeout:g}", "bash", "-c", script])
    if user not in (None, "root"):
        # Not `sudo -i`: it escapes each newline of the script, which the login shell then takes for a continued line.
        # The time-out is inside: the login is a session of its own, which one from outside would not end.
        bounded = shlex.join(["runuser", "-l", "-c", f"exec {bounded}", "--", str(user)])
    typed = "/dev/null" if input is None else f"<(base64 -d <<< {base64.b64encode(input.encode()).decode()})"
    take, given = ("IFS= read -ru3 env || exit; ", ' 4< <(base64 -d <<< "$env")') if with_env else ("", "")
    return (
        f"exec 3<&0; {take}{bounded} < {typed}{given} & job=$!; "
        "{ read -ru3; kill $job; } >/dev/null 2>&1 & watcher=$!; "
        "wait $job; status=$?; kill $watcher; exit $status"
    )


class _NothingSent(Exception):
    """The session for a command could not be opened: nothing of the command has reached the node."""


@cache
def _connection_class() -> type[Connection]:
    from fabric import Connection as Fabrics

    class KeptConnection(Fabrics):
        def create_session(self) -> Any:
            try:
                return super().create_session()
            except Exception as error:
                raise _NothingSent(str(error)) from error

    return KeptConnection


def _fabric_config() -> Any:
    from fabric import Config
    from fabric.runners import Remote

    class QuickRemote(Remote):
        input_sleep = INPUT_SLEEP

    config = Config()
    config.runners.remote = QuickRemote
    return config
