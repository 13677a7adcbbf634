"""The command line, in this process, as :func:`labhelpers.cli.main` runs it.

Every command gets arguments that can't succeed: a lab's name that is none, an option that there is not, an argument too
many. Those that only look, that are refused by the lab's state, or that refuse what they are told, get hostile values
as well.
"""

from __future__ import annotations

import contextlib
import io
import os
import traceback
from collections.abc import Callable
from pathlib import Path

from hypothesis import strategies as st

from labhelpers.cli import COMMANDS, main
from labhelpers.course.states import chapter_number
from labhelpers.i18n import LANGUAGES
from tests.fuzz.values import A_FILE, LAB, broken_lab_names, is_save_name, unknown_options, words
from tests.fuzz.verdict import Broken, check_sentence

Arguments = st.SearchStrategy[list[str]]

WITHOUT_LAB = ("warmup", "notebooks", "test", "book")
LOOKING = ("status", "saves", "ssh-config", "check", "break", "ssh")
"""On a lab that does not run these change nothing, whatever they are told."""
REFUSING = ("run", "goto", "save", "book", "start")
"""These do something where their arguments are right: they get values that can't be, so that our own code refuses."""
MAY_SUCCEED = ("status", "saves", "ssh-config", "doctor", "break")
PARAMETERS = ("ttl", "pace", "target")
"""What a batch may set: https://papermill.readthedocs.io/en/latest/usage-parameterize.html"""
CLICK_LINES = 4
"""Usage, the way to more help, an empty line and the error."""


def strategies() -> dict[str, Arguments]:
    """The arguments for each command, and for no command at all."""
    found = {command: st.one_of(_poisoned(command), *_hostile(command)) for command in COMMANDS}
    found["(none)"] = st.lists(words, max_size=4).map(lambda given: ["zz" + "".join(given[:1]), *given])
    return found


def _poisoned(command: str) -> Arguments:
    """Something in it is wrong for certain, whatever surrounds it."""
    poison = [unknown_options.map(lambda option: [option])]
    if command not in WITHOUT_LAB:
        poison.append(broken_lab_names.map(lambda name: [f"--lab={name}"]))
        poison.append(st.just(["--lab"]))
    else:
        poison.append(words.filter(bool).map(lambda word: [f"zz{word}"]))
    around = st.lists(words.filter(lambda word: not word.startswith("-")), max_size=3)
    # What is wrong stands last: an option without its value must not find one in what follows.
    return st.builds(lambda wrong, rest: [command, *rest, *wrong], st.one_of(poison), around)


def _refused(command: str) -> list[Arguments]:
    """Arguments that stand where they should and can't be meant."""
    if command == "run":
        name = words.filter(lambda word: chapter_number(word.strip()) is None and word != "")
        unknown = words.filter(lambda word: word not in PARAMETERS)
        return [
            st.lists(name, min_size=1, max_size=3),
            st.builds(lambda word, value: ["99", "-p", word, value], unknown, words),
            words.map(lambda word: ["99", f"--output={A_FILE}/none/{word}"]),
            words.map(lambda word: ["99", f"--repeat={word}", "zz"]),
        ]
    if command == "goto":
        return [words.filter(lambda word: word != "fresh" and chapter_number(word) is None).map(lambda word: [word])]
    if command == "save":
        return [words.filter(lambda word: not is_save_name(word)).map(lambda word: [word])]
    if command == "book":
        return [
            # A few: the whole course is read before a free place turns out to be none.
            st.sampled_from((A_FILE, f"{A_FILE}/none", "/", "..", "", "\x1b[31m")).map(
                lambda word: ["--from=.", f"--output={word}"]
            ),
            words.filter(lambda word: not _is_directory(word)).map(lambda word: [f"--from={word}"]),
        ]
    return [
        words.filter(lambda word: not _is_port(word)).map(lambda word: [f"--port={word}"]),
        words.filter(lambda word: word not in LANGUAGES).map(lambda word: [f"--language={word}"]),
    ]


def _is_directory(word: str) -> bool:
    try:
        return Path(word).is_dir()
    except OSError:  # the name is too long for one
        return False


def _is_port(word: str) -> bool:
    try:
        return 1 <= int(word) <= 65535
    except ValueError:
        return False


def _hostile(command: str) -> list[Arguments]:
    if command in REFUSING:
        lab = [] if command in WITHOUT_LAB else [f"--lab={LAB}"]
        shapes = [shape.map(lambda rest: [command, *lab, *rest]) for shape in _refused(command)]
        if command == "run":  # goes on with what was asked for then, the lab included
            shapes.append(words.map(lambda word: ["run", f"--resume={word}"]))
        return shapes
    if command not in LOOKING:
        return []
    shapes = [st.lists(words, max_size=4)]
    if command == "break":
        shapes.append(words.map(lambda word: ["primary-frozen", word]))
        shapes.append(words.map(lambda word: ["--minutes", word, "primary-frozen"]))
    elif command == "saves":
        shapes.append(words.map(lambda word: ["--delete", word]))
        shapes.append(st.tuples(words, words).map(lambda both: ["--export", *both]))
        shapes.append(words.map(lambda word: ["--import", word]))
    elif command == "ssh":
        shapes = [words.filter(lambda word: word not in ("--help", "-h")).map(lambda word: [word, "true"])]
        shapes.append(st.just(["pg-1", "true"]))
    return [shape.map(lambda rest: [command, f"--lab={LAB}", *rest]) for shape in shapes]


def attempt(command: str) -> Callable[[list[str]], None]:
    """Run it once and judge. Raises :class:`Broken`."""

    def judge(arguments: list[str]) -> None:
        exited, out, err = run(arguments)
        asked_for_help = any(word in ("-h", "--help") for word in arguments)
        if exited == 0:
            if command not in MAY_SUCCEED and not asked_for_help:
                raise Broken(f"{arguments!r} succeeded: {out[:200]!r}")
            return
        if exited not in (1, 2) or (exited == 1 and command not in (*LOOKING, *REFUSING)):
            raise Broken(f"{arguments!r}: exit status {exited}\n{err[-3000:]}")
        if exited == 1 and command in ("check", "doctor") and out.strip():
            return  # its findings are its answer
        check_sentence(err)
        if any("\n" in word for word in arguments):
            return  # it is repeated as it was typed
        if exited == 2 and err.startswith("Usage") and len(err.strip().splitlines()) > CLICK_LINES:
            raise Broken(f"{arguments!r}: more than a sentence: {err[:500]!r}")
        if err.startswith("workshop:") and len(err.strip().splitlines()) > 1:
            raise Broken(f"{arguments!r}: more than a sentence: {err[:500]!r}")

    return judge


def run(arguments: list[str]) -> tuple[int, str, str]:
    """Exit status, standard output and error. What escapes ``main`` is a traceback with status 99."""
    path = os.environ["PATH"]
    os.environ["PATH"] = "/nonexistent"  # whatever slips through can run nothing of this machine
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="surrogateescape", write_through=True)
    err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace", write_through=True)
    exited = 99
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as end:
            exited = end.code if isinstance(end.code, int) else 0 if end.code is None else 98
        except BaseException:
            traceback.print_exc()
        finally:
            os.environ["PATH"] = path
    return exited, *(stream.buffer.getvalue().decode("utf-8", "replace") for stream in (out, err))  # type: ignore
