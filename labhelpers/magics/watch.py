"""``%watch``: a command shown again each second in one place, until something holds or the time is up."""

from __future__ import annotations

import time
from typing import Any

from IPython.core import magic_arguments
from IPython.core.magic import line_magic, magics_class, no_var_expand

from labhelpers.errors import WaitTimeout
from labhelpers.i18n import in_seconds, tr
from labhelpers.magics.arguments import HOST, duration, interpolate, nodes_of, parse, split_command
from labhelpers.magics.base import WorkshopMagics
from labhelpers.magics.blocks import Block, note
from labhelpers.magics.commands import host_name
from labhelpers.magics.conditions import condition, describe, look
from labhelpers.magics.errors import Interrupted
from labhelpers.magics.hostrun import run_on_host
from labhelpers.waiting import physical_wait, slowness
from labhelpers.widgets.look import GOOD, WARN, Canvas, NotebookCanvas, colour_of

COMMAND_SECONDS = 15.0
"""What one run of the command may take; a node that does not answer shows as such and the watch goes on."""


@physical_wait()
def watch(
    lab: Any,
    node: str,
    command: str,
    canvas: Canvas,
    *,
    user: str | None = None,
    until: str | None = None,
    within: float = 60.0,
    every: float = 1.0,
) -> float:
    """Show ``command`` of ``node`` each ``every`` seconds until the condition holds; return the seconds it took.

    A command that takes longer than half of ``every`` is shown less often: it rests as long as it ran.

    Without a condition it ends after ``within`` seconds. Raises :class:`WaitTimeout` with the last thing seen,
    :class:`Interrupted` at Ctrl-C, and :class:`UsageProblem` where ``until`` is no condition.
    """
    holds = condition(until, lab.topology.postgres) if until else None
    bound = within * slowness() if until else within
    began = time.monotonic()
    block = Block(node, colour_of(node, lab.topology))
    try:
        while True:
            frame_began = time.monotonic()
            block = _frame(lab, node, command, user)
            failed = block.failed
            block.failure_expected = failed and until is not None and "failed" in until
            elapsed = time.monotonic() - began
            _draw(canvas, block, _progress(elapsed, bound, until))
            seen = look(lab, command_failed=failed) if holds else None
            elapsed = time.monotonic() - began
            if holds and seen and holds(seen):
                took = in_seconds(elapsed)
                if not failed:  # the frame was taken before the look: show what made it true
                    block = _frame(lab, node, command, user)
                _draw(canvas, block, tr(f"✓ {until} after {took}", f"✓ {until} au bout de {took}"), GOOD)
                return elapsed
            if elapsed >= bound:
                if not (until and seen):
                    _draw(
                        canvas,
                        block,
                        tr(f"watched for {in_seconds(elapsed, 0)}", f"observé pendant {in_seconds(elapsed, 0)}"),
                    )
                    return elapsed
                _draw(
                    canvas,
                    block,
                    tr(f"✗ not {until} within {in_seconds(bound, 0)}", f"✗ pas {until} en {in_seconds(bound, 0)}"),
                    WARN,
                )
                raise WaitTimeout(until, bound, describe(seen))
            looked_for = time.monotonic() - frame_began
            # The watch's own pace, not a wait. A slow command rests as long as it ran: looking must not be the load.
            time.sleep(max(every - looked_for, looked_for))
    except KeyboardInterrupt:
        block.state = "interrupted"
        _draw(canvas, block, tr("stopped by you", "arrêté par vous"), WARN)
        raise Interrupted([node]) from None


def _frame(lab: Any, node: str, command: str, user: str | None) -> Block:
    block = Block(node, colour_of(node, lab.topology))
    if node == host_name():
        result: Any = run_on_host(command, name=node, lab=lab.topology.lab, timeout=COMMAND_SECONDS)
    else:
        (result,) = lab.nodes.try_run([node], command, user=user, timeout=COMMAND_SECONDS)
    for line in result.stdout.splitlines():
        block.add(line)
    for line in result.stderr.splitlines():
        block.add(line, stderr=True)
    block.finish(result.exited, result.error, 0.0)
    return block


def _progress(elapsed: float, bound: float, until: str | None) -> str:
    so_far = tr(
        f"watching, {in_seconds(elapsed, 0)} of {in_seconds(bound, 0)} at most",
        f"observation, {in_seconds(elapsed, 0)} sur {in_seconds(bound, 0)} au plus",
    )
    return so_far + (tr(f"; until: {until}", f" ; jusqu'à : {until}") if until else "")


def _draw(canvas: Canvas, block: Block, text: str, colour: str | None = None) -> None:
    canvas.draw(block.as_html() + note(text, colour or block.colour), f"{block.as_text(len(block.name))}\n{text}")


@magics_class
class WatchMagics(WorkshopMagics):
    """A live view."""

    @no_var_expand
    @magic_arguments.magic_arguments()
    @magic_arguments.argument("node", metavar="NODE", help="the node that runs the command, or host for this machine")
    @magic_arguments.argument("--user", help="run as this user (default: root)")
    @magic_arguments.argument(
        "--until",
        metavar="CONDITION",
        help="leader, leader=NODE, leader!=NODE, healthy, "
        "streaming=N, no-leader, member-gone=NODE, failed; several with commas",
    )
    @magic_arguments.argument(
        "--within", type=duration, metavar="S", help="seconds at most (default: 60; without --until 10)"
    )
    @magic_arguments.argument(
        "--every", type=duration, default=1.0, metavar="S", help="seconds between two looks (default: 1)"
    )
    @line_magic
    def watch(self, line: str) -> None:
        """Show a command's output in place, each second, until a condition holds: %watch NODE [options] -- COMMAND"""
        before, command = split_command(line)
        args = parse(self.watch, before)
        lab = self.session.lab()
        if args.node == HOST:
            node = host_name()
        else:
            (node,) = nodes_of(lab, interpolate([args.node], self.names))[:1]
        within = args.within if args.within is not None else (60.0 if args.until else 10.0)
        watch(
            lab,
            node,
            command,
            NotebookCanvas(),
            user=args.user,
            until=args.until,
            within=within,
            every=args.every,
        )
