"""A package's docstring is its map: a line for each of its modules."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import labhelpers

PACKAGE = Path(labhelpers.__file__).parent

MAPPED = ["charts", "checks", "course", "incidents", "magics", "observe", "widgets"]

LINE = re.compile(r"^([a-z]\w*) {2,}\S", re.M)
"""A module's name at the left edge, and after a gap what it is."""

FAMILY = "chNN"
"""One line for the modules that are named after a chapter."""


def named(package: Path) -> list[str]:
    docstring = ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8")))
    return LINE.findall(docstring or "")


def modules(package: Path) -> set[str]:
    files = {path.stem for path in package.glob("*.py") if not path.stem.startswith("_")}
    packages = {path.parent.name for path in package.glob("*/__init__.py")}
    return {FAMILY if re.fullmatch(r"ch\d\d", name) else name for name in files | packages}


@pytest.mark.parametrize("name", MAPPED)
def test_map_names_each_module_once(name: str) -> None:
    assert sorted(named(PACKAGE / name)) == sorted(modules(PACKAGE / name))


def test_large_packages_have_a_map() -> None:
    large = {path.parent.name for path in PACKAGE.glob("*/__init__.py") if len(modules(path.parent)) > 5}
    assert large - set(MAPPED) == {"cli"}  # each of its modules is a command, listed in COMMANDS
