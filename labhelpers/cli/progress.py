"""Progress of long work: a live line with the nodes on a terminal, plain lines with times elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

    from labhelpers.lifecycle import Report

STYLES = {"running": "green", "frozen": "cyan", "stopped": "yellow", "absent": "dim"}


@contextmanager
def steps() -> Iterator[Report]:
    """What long work reports to: the step, each node's state, and the seconds since it began."""
    started = time.monotonic()
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.live import Live

        with Live(console=Console(stderr=True), refresh_per_second=8, transient=True) as live:
            yield lambda step, nodes: live.update(_line(step, nodes, time.monotonic() - started))
        return
    last: tuple[str, str] = ("", "")

    def plain(step: str, nodes: Mapping[str, str]) -> None:
        nonlocal last
        states = by_state(nodes)
        if (step, states) != last:
            shown = f"{step}: {states}" if step == last[0] else step
            print(f"{time.monotonic() - started:6.1f} s  {shown}", file=sys.stderr, flush=True)
            last = (step, states)

    yield plain


def by_state(nodes: Mapping[str, str]) -> str:
    """The nodes' names after their states, as one line.

    >>> by_state({"e1": "running", "e2": "running", "pg-1": "absent"})
    'running e1 e2, absent pg-1'
    """
    names: dict[str, list[str]] = {}
    for name, state in nodes.items():
        names.setdefault(state, []).append(name)
    return ", ".join(" ".join([state, *those]) for state, those in names.items())


def _line(step: str, nodes: Mapping[str, str], seconds: float) -> Text:
    from rich.text import Text

    text = Text.assemble((f"{seconds:5.1f} s ", "dim"), (step, "bold"))
    for name, state in nodes.items():
        text.append(f"\n        {name:8}")
        text.append(state, STYLES.get(state, ""))
    return text
