"""Which lab is meant where none is named, and how a command that a message prints names it.

A message that ends in a command is copied as it stands: it must reach the lab that the message is about. So ``--lab``
is there where the person's shell or notebook would mean another lab without it, and only there.

>>> command("heal", "scratch")
'./workshop heal --lab scratch'
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

MAIN = "main"
"""The trainee's lab: its containers are those that a plain ``lxc-ls -f`` shows."""


@dataclass(frozen=True, slots=True)
class _Told:
    lab: str
    shell_lab: str


_told: _Told | None = None


@contextmanager
def meaning(lab: str) -> Iterator[None]:
    """While it lasts, ``lab`` is meant where none is named: what ``--lab`` said, for the command that it said it to."""
    global _told
    before = _told
    # JupyterLab's server has another environment than the shell that it was started from, and speaks to that one.
    _told = _Told(lab, shell_lab())
    program()
    try:
        yield
    finally:
        _told = before


def default_lab() -> str:
    """The lab that is meant where none is named: the running command's, else :func:`shell_lab`."""
    return _told.lab if _told else shell_lab()


def shell_lab() -> str:
    """The lab of a command that is typed without ``--lab``: ``WORKSHOP_LAB``, else the trainee's."""
    return _told.shell_lab if _told else os.environ.get("WORKSHOP_LAB") or MAIN


def command(words: str, lab: str | None = None) -> str:
    """What to type, for that lab; ``lab`` None: for the one that is meant.

    For the commands that have ``--lab``. The others are :func:`program` and their words.
    """
    named = lab or default_lab()
    option = "" if named == shell_lab() else f" --lab {named}"
    return f"{program()} {words}{option}"


@cache
def program() -> str:
    """``workshop`` where a shell finds it, as JupyterLab's terminals do; else ``./workshop``, as in the clone."""
    return "workshop" if shutil.which("workshop") else "./workshop"
