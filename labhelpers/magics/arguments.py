"""How a magic's line is read.

IPython's ``magic_arguments`` describe the options, so ``%%on?`` explains them; but its splitting keeps quotes and
its errors are ``UsageError``, which nbval counts as passed. So the line is split here, and what is wrong in it is
our own :class:`UsageProblem`.
"""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from IPython.core.error import UsageError

from labhelpers.errors import UsageProblem
from labhelpers.i18n import tr

CELL_MAGICS = ("on", "host", "file", "sql", "predict")
HOST = "host"
"""The name of this machine among the nodes, where a magic takes it."""
LONGEST_SECONDS = 86_400


def split(line: str) -> list[str]:
    """The words of a line, as a shell splits them, except that a backslash stands for itself.

    Raises :class:`UsageProblem` where a quotation mark has no twin.

    >>> split(r'pg-1 --user postgres --input "pg-2\\n\\ny\\n"')
    ['pg-1', '--user', 'postgres', '--input', 'pg-2\\\\n\\\\ny\\\\n']
    """
    words = shlex.shlex(line, posix=True, punctuation_chars=False)
    words.whitespace_split = True
    words.commenters = ""
    words.escape = ""
    try:
        return list(words)
    except ValueError as error:
        raise UsageProblem(
            tr(
                f"The line has a quote without its pair: {line}",
                f"La ligne a un guillemet sans son pendant : {line}",
            )
        ) from error


def parse(magic: Callable[..., Any], line: str) -> argparse.Namespace:
    """The arguments of ``magic`` in ``line``. Raises :class:`UsageProblem`."""
    parser: argparse.ArgumentParser = magic.parser  # type: ignore[attr-defined]
    name = magic.__name__
    name = ("%%" if name in CELL_MAGICS else "%") + name
    try:
        return parser.parse_intermixed_args(split(line))
    except (UsageError, SystemExit) as error:
        usage = " ".join(parser.format_usage().replace("::", "").split()).lstrip("%")
        usage = name + usage.removeprefix(magic.__name__)
        raise UsageProblem(
            tr(
                f"{name}: {error}. The form is: {usage}. More: {name}?",
                f"{name} : {error}. La forme est : {usage}. Pour en savoir plus : {name}?",
            )
        ) from error


def duration(text: str) -> float:
    """Seconds, as an option's value: a number from 0 to a day. What is endless could not be waited for."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= LONGEST_SECONDS:
        raise argparse.ArgumentTypeError(
            tr(
                f"{text!r} is not a number of seconds from 0 to {LONGEST_SECONDS}",
                f"{text!r} n'est pas un nombre de secondes de 0 à {LONGEST_SECONDS}",
            )
        )
    return value


def split_command(line: str) -> tuple[str, str]:
    """What stands before and after the ``--`` of ``%watch``. The command after it is kept as it is written.

    Raises :class:`UsageProblem` where there is no command.
    """
    before, dashes, command = f" {line.strip()} ".partition(" -- ")
    if not dashes or not command.strip():
        raise UsageProblem(
            tr(
                "Say after -- which command to watch, such as: %watch pg-2 --user postgres -- patronictl list",
                "Dites après -- la commande à observer, par exemple : %watch pg-2 --user postgres -- patronictl list",
            )
        )
    return before.strip(), command.strip()


def answers_of(text: str) -> list[str]:
    r"""The lines that a person types: ``\n`` is the return key, and the last answer has one in any case.

    >>> answers_of(r"pg-2\n\ny\n"), answers_of("y")
    (['pg-2', '', 'y'], ['y'])
    """
    typed = text.replace("\\n", "\n")
    return typed.removesuffix("\n").split("\n")


def interpolate(words: Iterable[str], names: Mapping[str, Any]) -> list[str]:
    """The words, with ``$name`` and ``{name}`` replaced by the notebook's variable of that name.

    A list of names counts as several words, so ``%%on $replicas`` works. Raises :class:`UsageProblem` where there is no
    such variable in the notebook, or it is neither a text nor a list.
    """
    out: list[str] = []
    for word in words:
        match = re.fullmatch(r"\$(\w+)|\{(\w+)\}", word)
        if not match:
            out.append(word)
            continue
        name = match[1] or match[2]
        if name not in names:
            raise UsageProblem(
                tr(
                    f"There is no variable {name} in this notebook.",
                    f"Il n'y a pas de variable {name} dans ce notebook.",
                )
            )
        value = names[name]
        if isinstance(value, str):
            out.append(value)
        elif isinstance(value, Iterable):
            out.extend(str(item) for item in value)
        else:
            raise UsageProblem(
                tr(f"The variable {name} is {value!r}: neither a text nor a list of texts.",
                   f"La variable {name} vaut {value!r} : ni un texte, ni une liste de textes.")
            )  # fmt: skip
    return out


class Finder(Protocol):
    """Of a lab, what finding a node by its function needs."""

    @property
    def topology(self) -> Any: ...
    @property
    def patroni(self) -> Any: ...


def nodes_of(lab: Finder, words: Iterable[str]) -> list[str]:
    """The nodes that ``words`` name, in node order: nodes, groups, and ``leader`` or ``replicas`` of this moment.

    Raises :class:`UnknownNode`, and :class:`UsageProblem` where no node is named or nobody leads.
    """
    named: list[str] = []
    for word in words:
        if word == "leader":
            named.append(_leader(lab))
        elif word == "replicas":
            named.extend(lab.topology.replicas(_leader(lab)))
        else:
            named.append(word)
    if not named:
        raise UsageProblem(
            tr(
                f"Name at least one node: {', '.join(lab.topology.names)}, or etcd, postgres, backup, all.",
                f"Nommez au moins un nœud : {', '.join(lab.topology.names)}, ou etcd, postgres, backup, all.",
            )
        )
    return list(lab.topology.expand(named))


def _leader(lab: Finder) -> str:
    leader = lab.patroni.leader()
    if leader is None:
        raise UsageProblem(
            tr(
                "Nobody leads just now, so 'leader' and 'replicas' name no node. Look: %%on postgres, patronictl list",
                "Personne ne dirige en ce moment : « leader » et « replicas » ne désignent aucun nœud. "
                "Voyez : "
                "patronictl list",
            )
        )
    return str(leader)
