"""The course's rules for notebooks under nbval, wherever pytest is called from.

* A failed cell ends its notebook: nbval goes on, and then every later cell fails for the first one's reason.
* A notebook that builds upon one that failed is skipped.
* The course's notebooks run on a fresh lab of their own, in their own language.
* A misspelt magic fails: IPython only prints its ``UsageError``, and nbval sees nothing wrong in that.
* Kernels talk over private sockets (:mod:`labhelpers.course.kernels`): no race for a port.
"""

from __future__ import annotations

import os
import reprlib
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from labhelpers.course.chapters import notebooks_directory
from labhelpers.course.execute import OUTPUT_SECONDS
from labhelpers.i18n import LANGUAGES, Language
from tests.notebooks import labs
from tests.notebooks.order import course_foundations


@dataclass
class Progress:
    """What happened to the notebooks of this pytest run."""

    failed: dict[Path, str] = field(default_factory=dict)
    """By notebook, the cell that failed."""
    passed: dict[Path, set[int]] = field(default_factory=dict)
    """By notebook, the numbers of the cells that passed."""
    labs: set[str] = field(default_factory=set)


PROGRESS = pytest.StashKey[Progress]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[PROGRESS] = Progress()
    if config.getoption("nbval", False) or config.getoption("nbval_lax", False):
        import nbval.kernel
        from jupyter_client.manager import KernelManager

        from labhelpers.course.kernels import with_private_sockets

        # nbval has no option for it, and calls its manager without awaiting.
        nbval.kernel.KernelManager = with_private_sockets(KernelManager)
        # It writes each message out for its debug log, at any log level: of a chart that takes seconds.
        nbval.kernel.pformat = reprlib.repr


def is_notebook_cell(item: pytest.Item) -> bool:
    return type(item).__name__ == "IPyNbCell"


def course_language(path: Path) -> Language | None:
    """The language of one of the course's own notebooks; None for any other."""
    for language in LANGUAGES:
        if path.parent == notebooks_directory() / language:
            return language
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if not is_notebook_cell(item):
        return
    progress = item.config.stash[PROGRESS]
    if item.path in progress.failed:
        pytest.skip(f"{progress.failed[item.path]} of this notebook failed")
    language = course_language(item.path)
    if language is None:
        return
    needed = course_foundations().get(item.path.name[:2], frozenset())
    broken = sorted(path.name[:2] for path in progress.failed if path.name[:2] in needed)
    if broken:
        progress.failed[item.path] = "what it builds upon"
        pytest.skip(f"it builds upon {', '.join(broken)}, which failed")
    # nbval's own 5 s are short where much else runs
    item.output_timeout = OUTPUT_SECONDS  # type: ignore[attr-defined]
    lab = labs.lab_of(language)
    if lab not in progress.labs:
        progress.labs.add(lab)
        labs.make_fresh(lab)
    os.environ.update(WORKSHOP_LAB=lab, WORKSHOP_LANGUAGE=language)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    yield
    for output in getattr(item, "test_outputs", None) or [] if is_notebook_cell(item) else []:
        text = output.get("text", "") if output.get("name") == "stderr" else ""
        if text.startswith("UsageError:"):
            item.raise_cell_error(text.strip())  # type: ignore[attr-defined]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if is_notebook_cell(item):
        progress = item.config.stash[PROGRESS]
        if report.failed:
            progress.failed.setdefault(item.path, item.name)
        elif report.when == "call" and report.passed:
            progress.passed.setdefault(item.path, set()).add(item.cell_num)  # type: ignore[attr-defined]
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    for lab in session.config.stash[PROGRESS].labs:
        labs.leave(lab)
