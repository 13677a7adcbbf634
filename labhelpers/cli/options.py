"""Options and arguments that several commands share, with their completion."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from click.shell_completion import CompletionItem

from labhelpers.meant import default_lab, meaning
from labhelpers.paths import validate_lab_name
from labhelpers.topology import load_topology


def _lab(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    return validate_lab_name(value or default_lab())


def complete_nodes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The nodes' names that begin with what is typed."""
    return [CompletionItem(name) for name in load_topology().names if name.startswith(incomplete)]


def complete_labs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The labs that are on this machine."""
    from labhelpers.paths import STATE

    labs = STATE / "labs"
    names = sorted(path.name for path in labs.iterdir()) if labs.is_dir() else []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def tell_what_was_cut_off(lab: str) -> None:
    """One line on stderr where a ``goto`` or a ``save`` of this lab is under way, or did not come to its end."""
    from labhelpers.course.saves import unfinished_text

    told = unfinished_text(lab)
    if told:
        click.echo(told, err=True)


def lab_option(command: Callable[..., Any]) -> Any:
    """``--lab NAME``: another lab on the same machine. As long as the command runs, it is the one that is meant."""

    @wraps(command)
    def with_meaning(*arguments: Any, lab: str, **options: Any) -> Any:
        with meaning(lab):
            return command(*arguments, lab=lab, **options)

    return click.option(
        "--lab", metavar="NAME", callback=_lab, shell_complete=complete_labs,
        help="Another lab on this machine, with its own nodes and network (default: $WORKSHOP_LAB, else 'main').",
    )(with_meaning)  # fmt: skip
