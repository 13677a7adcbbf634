"""What a trainee types in a cell: ``%load_ext labhelpers`` brings it.

    %chapter NN                     open the lab for a chapter
    %%on NODE…    %%host            the cell is a shell script
    %%file PATH NODE…               the cell is a file
    %%sql NODE…                     the cell is SQL
    %watch NODE … -- COMMAND        a command again and again, in place, until something holds
    %%predict KEY   %outcome KEY …  think first, then compare
    %check NAME     %hint NAME      is it right, and if not, what now
    %%solution CHECK                an exercise's answer, while the check fails
    %goto CHAPTER                   start anywhere

Errors are :class:`labhelpers.errors.LabError`, one sentence each, never ``UsageError``: nbval would let that pass.

The magics:

commands       ``%%on`` and ``%%host``
files          ``%%file``
sqlcell        ``%%sql``
watch          ``%watch``
predictions    ``%%predict`` and ``%outcome``
course         ``%chapter``, ``%check``, ``%hint`` and ``%goto``
exercise       ``%%solution``

What they do it with:

hostrun        a shell script on this machine, bounded
typist         answers to a command's prompts, typed as a person would
sql            SQL on nodes, and one DataFrame of all answers
conditions     what ``%watch --until`` can wait for
blocks         what a command prints, one block a node
checkview      how the result of checks looks

What they share:

base           the session and the notebook's variables
session        what a notebook remembers between its cells
arguments      how a magic's line is read
completion     completion in that line
names          a missing name, explained: cells are run out of order, too
errors         the errors that only the magics raise
"""

from __future__ import annotations

from typing import Any


def load(ipython: Any) -> None:
    """Register the magics and their completion, once for a kernel."""
    from labhelpers.magics.commands import CommandMagics
    from labhelpers.magics.completion import make_matcher
    from labhelpers.magics.course import CourseMagics
    from labhelpers.magics.exercise import ExerciseMagics
    from labhelpers.magics.files import FileMagics
    from labhelpers.magics.names import explain_missing_names
    from labhelpers.magics.predictions import PredictionMagics
    from labhelpers.magics.session import Session
    from labhelpers.magics.sqlcell import SqlMagics
    from labhelpers.magics.watch import WatchMagics

    explain_missing_names(ipython)
    session = getattr(ipython, "workshop_session", None) or Session()
    ipython.workshop_session = session
    named: dict[str, Any] = {}
    for kind in (CommandMagics, FileMagics, SqlMagics, WatchMagics, CourseMagics, ExerciseMagics, PredictionMagics):
        magics = kind(ipython, session)
        ipython.register_magics(magics)
        for names in magics.magics.values():
            named.update(names)
    matchers = ipython.Completer.custom_matchers
    matchers[:] = [each for each in matchers if getattr(each, "matcher_identifier", "") != "workshop"]
    matchers.append(make_matcher(named))
