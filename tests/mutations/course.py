"""A lab that has the work of all chapters on it: the mutations break what is right."""

from __future__ import annotations

import sys

from labhelpers.checks import checks_of, run_check
from labhelpers.course import saves
from labhelpers.course.chapters import chapter_files
from labhelpers.course.execute import execute_notebook
from labhelpers.course.kernels import ensure_kernels
from labhelpers.errors import WaitTimeout
from labhelpers.lab import Lab
from labhelpers.waiting import wait_until

FOUNDATION = "90"
"""It starts from a whole cluster, with its clients."""

ONE_AFTER_ANOTHER = ("08", "09", "10")
"""What a mutation changes and that state has not got. ``goto`` would undo each of them for the next."""
SETTLED_SECONDS = 8.0


def go_through_the_course(lab: Lab) -> None:
    """Execute the chapters whose checks do not pass; nothing where all do. Raises what ``goto`` raises."""
    if not (is_done(lab, "03") and is_done(lab, "04")):
        _say(f"going to the start of chapter {FOUNDATION}")
        saves.goto(lab, FOUNDATION)
    for file in chapter_files():
        if file.number in ONE_AFTER_ANOTHER and not is_done(lab, file.number):
            _say(f"going through chapter {file.number}")
            ensure_kernels()
            done = execute_notebook(
                file.notebook("en"), lab.paths.log / "mutations" / f"{file.name}.ipynb", lab=lab.name, language="en"
            )
            assert done.outcome == "passed", f"chapter {file.number}: {done.reason}"


def is_done(lab: Lab, chapter: str) -> bool:
    """Whether its checks pass; one that does not is looked at for some seconds, for a lab is never still."""

    def holds() -> bool:
        return all(run_check(lab, check.name).passed for check in checks_of(chapter))

    try:
        return wait_until(holds, what=f"chapter {chapter}", within=SETTLED_SECONDS, every=1)
    except WaitTimeout:
        return False


def _say(text: str) -> None:
    print(f"({text})", file=sys.stderr, flush=True)
