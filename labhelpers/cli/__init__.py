"""The command line: ``workshop COMMAND``. The file ``./workshop`` makes the environment and hands over to it.

Each command lives in a module of this package and is imported when it is called: ``workshop --help`` answers at once.
"""

from __future__ import annotations

import errno
import importlib
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from labhelpers.errors import LabError, printable
from labhelpers.i18n import tr
from labhelpers.meant import command, program
from labhelpers.paths import STATE

COMMANDS = {
    "start": "start:start",
    "warmup": "lab:warmup",
    "up": "lab:up",
    "down": "lab:down",
    "status": "lab:status",
    "run": "run:run",
    "goto": "saves:goto",
    "save": "saves:save",
    "saves": "saves:saves",
    "break": "incident:break_",
    "heal": "incident:heal",
    "ssh": "ssh:ssh",
    "ssh-config": "ssh:ssh_config",
    "check": "check:check",
    "doctor": "doctor:doctor",
    "book": "book:book",
    "notebooks": "notebooks:notebooks",
    "test": "testing:test",
}
"""Each command's name, and the module of this package and the object that it is."""

INTERRUPTED = 130
DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT)


class LazyGroup(click.Group):
    """The commands by name, imported at their first use; errors of ours are one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].split(":")
        command: click.Command = getattr(importlib.import_module(f"labhelpers.cli.{module}"), attribute)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            listed = ", ".join(COMMANDS)
            ctx.fail(tr(f"There is no command {args[0]!r}. The commands are: {listed}.",
                        f"Il n'y a pas de commande {args[0]!r}. Les commandes sont : {listed}."))  # fmt: skip
        return super().resolve_command(ctx, args)


HELP = f"""PostgreSQL high availability on a real cluster: the lab, the course and its incidents.

Start here: {program()} start

Completion in bash: eval "$(_WORKSHOP_COMPLETE=bash_source {program()})"
"""


@click.command(cls=LazyGroup, help=HELP, context_settings={"help_option_names": ["-h", "--help"]})
def workshop() -> None:
    pass


def main(argv: list[str] | None = None) -> None:
    """Run the command line; exit status 0 done, 1 it failed, 2 wrong usage, 130 interrupted."""
    sys.exit(run_guarded(lambda: workshop.main(args=argv, prog_name="workshop", standalone_mode=False)))


def _not_permitted(error: PermissionError) -> str:
    if error.filename is None:  # not about a file: a signal to another user's process, say
        return str(error.strerror or error)
    if not str(error.filename).startswith(f"{STATE}/"):
        return f"{error.filename}: {error.strerror}"
    up = command("up", _lab_of(Path(error.filename)))
    return tr(
        f"{error.filename} is not yours: another user began this lab, or its set-up did not come to its end. "
        f"Make it yours: {up}",
        f"{error.filename} n'est pas à vous : un autre utilisateur a commencé ce lab, ou sa mise en place n'est pas "
        f"allée au bout. Pour vous l'approprier : {up}",
    )


def _lab_of(path: Path) -> str | None:
    """The lab that a file of the workshop's directory belongs to; None: to all of them."""
    parts = path.relative_to(STATE).parts
    return parts[1] if len(parts) > 1 and parts[0] in ("labs", "locks") else None


def run_guarded(call: Callable[[], Any]) -> int:
    """Call, and turn what a person can cause into one sentence on stderr and an exit status."""
    try:
        answer = call()
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(file=shown)
        click.echo(printable(shown.getvalue()), err=True, nl=False)
        return error.exit_code
    except LabError as error:
        click.echo(f"workshop: {error}", err=True)
        return error.exit_code
    except PermissionError as error:
        click.echo(f"workshop: {_not_permitted(error)}", err=True)
        return 1
    except OSError as error:
        if error.filename is None and error.errno not in DISK_IS_FULL:
            raise  # not a matter of a file: a bug of ours
        file = error.filename or tr("A file", "Un fichier")
        sentence = tr(f"{file} can't be read or written: {error.strerror}.",
                      f"{file} ne peut être lu ou écrit : {error.strerror}.")  # fmt: skip
        click.echo(f"workshop: {sentence}", err=True)
        return 1
    except (KeyboardInterrupt, click.Abort):
        sentence = tr(
            "interrupted. The same command can be given again: what is half done is finished or undone.",
            "interrompu. La même commande peut être relancée : ce qui est à moitié fait sera achevé ou défait.",
        )
        click.echo(f"\nworkshop: {sentence}", err=True)
        return INTERRUPTED
    return answer if isinstance(answer, int) else 0
