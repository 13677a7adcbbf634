"""The course's rules for nbval, on a notebook that needs no lab."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from labhelpers.course.chapters import clone_root


def nbval(directory: Path, *cells: str) -> subprocess.CompletedProcess[str]:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(notebook, directory / "sample.ipynb")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.notebooks.nbval_rules", "-rA", "--color=no",
         f"--rootdir={clone_root()}", f"--confcutdir={clone_root()}",
         "--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=60", str(directory / "sample.ipynb")],
        cwd=clone_root(), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def test_a_failed_cell_stops_its_notebook(tmp_path):
    marker = tmp_path / "reached"
    done = nbval(tmp_path, "1 + 1", "raise ValueError('no')", f"open({str(marker)!r}, 'w').close()", "2")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 1 passed, 2 skipped" in done.stdout
    assert not marker.exists()


def test_a_sound_notebook_passes_over_private_sockets(tmp_path):
    code = "import ipykernel\nassert ipykernel.get_connection_info(unpack=True)['transport'] == 'ipc'"
    done = nbval(tmp_path, code)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


@pytest.mark.parametrize("magic", ["%%host\nno-such-command-anywhere", "%no_such_magic"])
def test_a_wrong_command_fails(tmp_path, magic):
    done = nbval(tmp_path, "%load_ext labhelpers", magic, "1")
    assert "1 failed, 1 passed, 1 skipped" in done.stdout, done.stdout
