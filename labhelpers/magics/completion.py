"""Completion in the magics' lines: nodes and groups, options, checks, conditions.

An IPython matcher of its second API: https://ipython.readthedocs.io/en/stable/api/generated/IPython.core.completer.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher

from labhelpers.checks import chapters, checks_of
from labhelpers.course.chapters import chapter_numbers
from labhelpers.magics.arguments import HOST
from labhelpers.topology import ROLES, load_topology

ON_NODES = ("on", "file", "sql", "watch")
CONDITIONS = (
    "leader",
    "healthy",
    "no-leader",
    "streaming=2",
    "failed",
    "leader=",
    "leader!=",
    "member-gone=",
)
USERS = ("postgres", "root")


def words_for(magic: str, before: str, options: Iterable[str]) -> list[str]:
    """The words that may stand after ``before`` in the line of ``magic``.

    >>> words_for("on", "pg-1 --user ", [])
    ['postgres', 'root']
    """
    last = (before.split() or [""])[-1]
    if before and not before.endswith(" "):
        last = (before.split()[:-1] or [""])[-1]
    if last == "--user":
        return list(USERS)
    if last == "--until":
        nodes = load_topology().postgres
        return [
            word + (node if word.endswith("=") else "")
            for word in CONDITIONS
            for node in (nodes if word.endswith("=") else ("",))
        ]
    if magic in ON_NODES:
        extra = [HOST] if magic == "watch" else []
        return [*load_topology().names, *ROLES, "all", "leader", "replicas", *extra, *options]
    if magic in ("check", "hint"):
        return [each.name for chapter in chapters() for each in checks_of(chapter)]
    if magic in ("chapter", "goto"):
        return chapter_numbers()
    return list(options)


def make_matcher(
    magics: dict[str, Callable[..., Any]],
) -> Callable[[CompletionContext], SimpleMatcherResult]:
    """A matcher for the magics of these names."""

    @context_matcher(identifier="workshop", priority=1000)
    def matcher(context: CompletionContext) -> SimpleMatcherResult:
        nothing: SimpleMatcherResult = {"completions": [], "suppress": False}
        line = context.text_until_cursor.lstrip()
        if not line.startswith("%"):
            return nothing
        name, space, before = line.lstrip("%").partition(" ")
        if not space or name not in magics:
            return nothing
        parser = getattr(magics[name], "parser", None)
        options = [option for action in parser._actions for option in action.option_strings] if parser else []
        typed = "" if before.endswith(" ") or not before else before.split()[-1]
        found = [word for word in words_for(name, before, options) if word.startswith(typed)]
        return {
            "completions": [SimpleCompletion(text=word, type="magic") for word in found],
            "matched_fragment": typed,
            "suppress": bool(found),
        }

    return matcher
