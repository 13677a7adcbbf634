"""After nbval: every cell of every notebook in the directory was executed."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from labhelpers.course.chapters import notebooks_directory
from tests.notebooks.nbval_rules import PROGRESS, course_language


def test_every_notebook_in_the_directory_was_executed(pytestconfig: pytest.Config) -> None:
    if not pytestconfig.getoption("nbval_lax"):
        pytest.skip("nothing was executed with nbval in this run: ./workshop test notebooks")
    asked = {Path(argument).name for argument in pytestconfig.args} & {"en", "fr"}
    assert asked, "give the directory of the notebooks too"
    passed = pytestconfig.stash[PROGRESS].passed
    for language in asked:
        there = sorted((notebooks_directory() / language).glob("*.ipynb"))
        assert there
        for path in there:
            assert course_language(path) == language
            cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
            assert passed.get(path, set()) == set(range(len(cells))), path.name
