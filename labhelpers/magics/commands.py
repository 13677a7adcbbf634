"""``%%on`` and ``%%host``: the cell is a shell script, run on nodes or on this machine."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from IPython.core import magic_arguments
from IPython.core.magic import cell_magic, magics_class, no_var_expand

from labhelpers.errors import CommandFailed, CommandSucceeded, UsageProblem
from labhelpers.i18n import tr
from labhelpers.magics.arguments import answers_of, duration, interpolate, nodes_of, parse
from labhelpers.magics.base import WorkshopMagics
from labhelpers.magics.blocks import Block, BlocksView
from labhelpers.magics.errors import Interrupted
from labhelpers.magics.hostrun import run_on_host
from labhelpers.magics.typist import typed
from labhelpers.nodes import Result
from labhelpers.widgets.look import Canvas, HasRoles, NotebookCanvas, colour_of

ON_TIMEOUT_SECONDS = 120.0
HOST_TIMEOUT_SECONDS = 600.0
CONCEALED = "••••••••"


class LabLike(Protocol):
    """Of a lab, what running a script on nodes needs: tests give a scripted one."""

    @property
    def topology(self) -> HasRoles: ...
    @property
    def nodes(self) -> Any: ...


def host_name() -> str:
    """How this machine is called in outputs."""
    return tr("this VM", "cette VM")


def conceal(line: str, secrets: Sequence[str]) -> str:
    """The line without the secrets in it: an executed notebook is handed on."""
    for secret in secrets:
        if secret:
            line = line.replace(secret, CONCEALED)
    return line


def run_on_nodes(
    lab: LabLike,
    names: Sequence[str],
    script: str,
    canvas: Canvas,
    *,
    user: str | None = None,
    timeout: float = ON_TIMEOUT_SECONDS,
    answers: Sequence[str] | None = None,
    secrets: Mapping[str, str] | None = None,
    failure_expected: bool = False,
    quiet: bool = False,
) -> None:
    """Run ``script`` on the nodes side by side and show it. ``timeout`` in seconds.

    Raises :class:`CommandFailed` after all blocks are shown (:class:`CommandSucceeded` where a failure was
    expected), and :class:`Interrupted` where a person stopped it.
    """
    hidden = list((secrets or {}).values())
    blocks = [Block(name, colour_of(name, lab.topology), failure_expected=failure_expected) for name in names]
    mark = f"workshop-{uuid.uuid4().hex[:12]}"
    script = f"export WORKSHOP_RUN={mark}; {script}\n# {mark}"
    command = typed(script, answers) if answers is not None else script
    with BlocksView(canvas, blocks, quiet=quiet) as view:

        def on_line(node: str, line: str, stream: str) -> None:
            view.add(node, conceal(line, hidden), stream)

        try:
            results = lab.nodes.try_run(
                names, command, user=user, timeout=timeout, env=dict(secrets or {}), on_line=on_line
            )
        except KeyboardInterrupt:
            running = view.interrupt()
            lab.nodes.try_run(running, end_marked(mark), timeout=5)
            raise Interrupted(running) from None
        for result in results:
            view.finish(result.node, result.exited, result.error, result.seconds)
    _judge(results, failure_expected)


def run_on_this_machine(
    script: str,
    canvas: Canvas,
    *,
    lab: str,
    timeout: float = HOST_TIMEOUT_SECONDS,
    answers: Sequence[str] | None = None,
    failure_expected: bool = False,
    quiet: bool = False,
) -> None:
    """The same on this machine: ``timeout`` in seconds, and the same errors."""
    name = host_name()
    command = typed(script, answers) if answers is not None else script
    block = Block(name, colour_of(name, None), failure_expected=failure_expected)
    with BlocksView(canvas, [block], quiet=quiet) as view:
        try:
            result = run_on_host(command, name=name, lab=lab, timeout=timeout, on_line=view.add)
        except KeyboardInterrupt:
            raise Interrupted(view.interrupt()) from None
        view.finish(name, result.exited, result.error, result.seconds)
    _judge([result], failure_expected)


def end_marked(mark: str) -> str:
    """A script that ends what carries ``mark``: the shell by its last line, what it started by its environment.

    When the connection closes the node ends the script's own processes; what changed its user or took a terminal of
    its own may stay, up to its time-out.
    """
    hidden = f"{mark[:-1]}[{mark[-1]}]"  # so that this script does not find itself
    return (
        f"pkill -TERM -f '{hidden}'\n"
        "for process in /proc/[0-9]*; do\n"
        f"  grep -qsz 'WORKSHOP_RUN={hidden}' $process/environ && kill -TERM ${{process#/proc/}}\n"
        "done 2>/dev/null; true"
    )


def _judge(results: Sequence[Result], failure_expected: bool) -> None:
    if failure_expected:
        succeeded = [result.node for result in results if result.ok]
        if succeeded:
            raise CommandSucceeded(succeeded)
    elif any(result.failed for result in results):
        raise CommandFailed(results)


@magics_class
class CommandMagics(WorkshopMagics):
    """The shell on nodes and on this machine."""

    @no_var_expand
    @magic_arguments.magic_arguments()
    @magic_arguments.argument(
        "nodes",
        nargs="*",
        metavar="NODE",
        help="nodes or groups (etcd postgres backup all), leader, replicas, or $variable",
    )
    @magic_arguments.argument("--user", help="run as this user, as after a login (default: root)")
    @magic_arguments.argument(
        "--timeout",
        type=duration,
        default=ON_TIMEOUT_SECONDS,
        metavar="S",
        help="seconds that each node has (default: 120)",
    )
    @magic_arguments.argument(
        "--input", metavar="TEXT", help=r"what you would type at the prompts; \n is the return key"
    )
    @magic_arguments.argument("--expect-failure", action="store_true", help="the failure is the lesson")
    @magic_arguments.argument(
        "--secret",
        action="append",
        default=[],
        metavar="VAR=NAME",
        help="give the script a secret of the lab as $VAR; it is never shown",
    )
    @magic_arguments.argument("--quiet", action="store_true", help="show only what fails")
    @cell_magic
    def on(self, line: str, cell: str) -> None:
        """Run the cell's shell script on nodes, side by side, one block of output a node."""
        args = parse(self.on, line)
        lab = self.session.lab()
        names = nodes_of(lab, interpolate(args.nodes, self.names))
        run_on_nodes(
            lab,
            names,
            cell,
            NotebookCanvas(),
            user=args.user,
            timeout=args.timeout,
            answers=answers_of(args.input) if args.input is not None else None,
            secrets=secrets_of(args.secret, lab),
            failure_expected=args.expect_failure,
            quiet=args.quiet,
        )

    @no_var_expand
    @magic_arguments.magic_arguments()
    @magic_arguments.argument(
        "--timeout", type=duration, default=HOST_TIMEOUT_SECONDS, metavar="S", help="seconds (default: 600)"
    )
    @magic_arguments.argument(
        "--input", metavar="TEXT", help=r"what you would type at the prompts; \n is the return key"
    )
    @magic_arguments.argument("--expect-failure", action="store_true", help="the failure is the lesson")
    @magic_arguments.argument("--quiet", action="store_true", help="show only what fails")
    @cell_magic
    def host(self, line: str, cell: str) -> None:
        """Run the cell's shell script on this machine, the VM beneath the nodes."""
        args = parse(self.host, line)
        run_on_this_machine(
            cell,
            NotebookCanvas(),
            lab=self.session.lab_name(),
            timeout=args.timeout,
            answers=answers_of(args.input) if args.input is not None else None,
            failure_expected=args.expect_failure,
            quiet=args.quiet,
        )


def secrets_of(words: Sequence[str], lab: Any) -> dict[str, str]:
    """``VAR=NAME`` → the variables and the lab's secrets of those names. Raises :class:`UsageProblem`."""
    secrets = {}
    for word in words:
        variable, equals, name = word.partition("=")
        if not equals or not variable.isidentifier() or not name:
            raise UsageProblem(
                tr(
                    f"--secret {word}: write VARIABLE=NAME, such as APP_PASSWORD=app.",
                    f"--secret {word} : écrivez VARIABLE=NOM, par exemple APP_PASSWORD=app.",
                )
            )
        secrets[variable] = lab.secret(name)
    return secrets
