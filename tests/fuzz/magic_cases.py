"""The magics, in a shell of IPython in this process."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from labhelpers.course.states import chapter_number
from labhelpers.errors import LabError
from labhelpers.magics import load
from tests.fuzz.values import raw_words
from tests.fuzz.verdict import Broken, check_sentence

CELL = ("on", "host", "file", "sql", "predict", "solution")
LINE = ("chapter", "watch", "check", "hint", "goto", "outcome")

_line = st.lists(raw_words, max_size=4).map(" ".join)
_seconds = st.sampled_from(("nan", "inf", "-inf", "-1", "1e999", "1e300", "0", "0x1", "", "9" * 400, "soon"))
_yaml = st.one_of(raw_words, st.lists(raw_words).map("\n".join), st.sampled_from((
    "question: x\nanswers: [a]\n", "question: x\nanswers:\n  - a: value ** 9**9**9\n  - b\n",
    "question: x\nanswers:\n  - a: value.__class__\n  - b\n", "question: [1\n", "a: &a [*a]\n",
    "question: x\nanswers: [a, b]\ndefault: 3\n", "!!python/object/apply:os.system [id]",
)))  # fmt: skip


def shell() -> Any:
    """A shell that has the magics."""
    found = InteractiveShell.instance()
    load(found)
    return found


def _options(name: str) -> st.SearchStrategy[str]:
    """Options of that magic with hostile values."""
    shapes = {
        "on": ["pg-1 --timeout {}", "pg-1 --user {}", "pg-1 --secret A=../{}", "pg-1 --secret {}", "{} --quiet"],
        "host": ["--timeout {}", "--input"],
        "file": ["/etc/{} pg-1", "{} pg-1", "/tmp/x pg-1 --mode {}", "/tmp/x pg-1 --owner {}", "/tmp/x {}"],
        "sql": ["pg-1 --user {}", "pg-1 --database {}", "pg-1 --into {}", "{} --as-postgres"],
        "watch": ["pg-1 --within {} -- true", "pg-1 --until {} --within 0 -- true", "{} -- true",
                  "pg-1 --every {} --within 0 -- true", "pg-1 --within 0 -- {}"],
        "outcome": ["key {}", "key --unit {} 1", "{} 1 +"],
    }.get(name, ["{}"])  # fmt: skip
    values = st.one_of(raw_words, _seconds)
    return st.builds(lambda shape, value: shape.format(value), st.sampled_from(shapes), values)


def strategies() -> dict[str, st.SearchStrategy[tuple[str, str]]]:
    """The line and the cell for each magic. A script of ``%%host`` does nothing: it would really run."""
    found = {}
    for name in (*CELL, *LINE):
        cell = {"predict": _yaml, "host": st.just(":\n"), "solution": st.just("pass\n")}.get(name, raw_words)
        line = _options(name) if name in ("host", "watch", "outcome") else st.one_of(_line, _options(name))
        if name in ("chapter", "goto"):
            line = line.filter(lambda text: not any(chapter_number(word) for word in text.split()))
        found[name] = st.tuples(line, cell.filter(bool))  # IPython itself tells of an empty cell
    return found


def attempt(name: str) -> Callable[[tuple[str, str]], None]:
    """Call it once and judge. Raises :class:`Broken`."""
    here = shell()

    def judge(given: tuple[str, str]) -> None:
        line, cell = given
        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                if name in CELL:
                    here.run_cell_magic(name, line, cell)
                else:
                    here.run_line_magic(name, line)
        except LabError as error:
            check_sentence(str(error))
        except BaseException as error:
            raise Broken(f"%{name} {line!r} {cell!r}: {type(error).__name__}: {error}") from error

    return judge
