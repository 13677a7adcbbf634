"""Small notebooks that tests write themselves."""

from __future__ import annotations

from pathlib import Path

import nbformat

from labhelpers.i18n import Language


def write_notebook(path: Path, language: Language, *cells: str) -> Path:
    """A notebook for the course's kernel of that language, which loads the magics and then has those code cells."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in ("%load_ext labhelpers", *cells)],
        metadata={"kernelspec": {"name": f"workshop-{language}", "display_name": "x", "language": "python"}},
    )
    nbformat.write(notebook, path)
    return path
