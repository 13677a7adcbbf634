"""Imports point down the layers only (README, "How it is made")."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import labhelpers

PACKAGE = Path(labhelpers.__file__).parent

LAYERS = [
    ["i18n", "meant", "errors", "paths", "waiting"],
    ["topology"],
    ["host", "containers", "nodes"],
    ["etcd", "patroni", "postgres", "pgbackrest"],
    ["handover", "lab", "lifecycle"],
    ["prediction"],
    ["incidents", "observe", "charts"],
    ["checks", "course"],
    ["widgets", "magics", "cli"],
]
"""The lowest first, from left to right: a module may import from those before it only."""

ORDER = [name for names in LAYERS for name in names]

DOORS_UPWARD = {
    ("errors", "nodes"): "the type of a result, for the annotation only",
    ("observe", "charts"): "rec.show() draws: a recording that nobody looks at needs no Plotly",
    ("lab", "incidents"): "lab.incident(…) and the incidents of a status are the lab's, and loaded when asked for",
    ("lifecycle", "incidents"): "who destroys a lab ends its watchman first",
    ("lifecycle", "course"): "an interrupted goto is finished before its nodes are started",
}
"""The exceptions, each with its reason: imported inside a function or for a type, never at load time."""


def imports(tree: ast.AST) -> Iterator[tuple[str, bool]]:
    """(part of labhelpers, at load time?) of each import."""
    lazy = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("labhelpers"):
            parts = node.module.split(".")
            names = parts[1:2] or [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".")[1] for alias in node.names if alias.name.startswith("labhelpers.")]
        for name in names:
            if name in ORDER:
                yield name, id(node) not in lazy


def test_every_module_has_a_layer() -> None:
    parts = {path.stem if path.is_file() else path.name for path in PACKAGE.iterdir() if not path.name.startswith("_")}
    code = {name for name in parts if (PACKAGE / f"{name}.py").exists() or (PACKAGE / name / "__init__.py").exists()}
    assert sorted(code) == sorted(ORDER)


def test_the_readme_draws_these_layers() -> None:
    readme = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")
    drawing = readme.split("\nlabhelpers/\n")[1].split("\n  playbook/")[0]
    drawn = [re.split(r" {2,}", line.strip())[0].split(" · ") for line in drawing.splitlines()]
    assert drawn == [names[::-1] for names in reversed(LAYERS)]


def test_imports_point_down_only() -> None:
    upward = []
    for path in PACKAGE.rglob("*.py"):
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if part == "__init__" or part == "playbook":
            continue
        for imported, at_load_time in imports(ast.parse(path.read_text(encoding="utf-8"))):
            if ORDER.index(imported) > ORDER.index(part) and (at_load_time or (part, imported) not in DOORS_UPWARD):
                upward.append(f"{path.relative_to(PACKAGE)} imports {imported}")
    assert upward == []


def test_every_door_upward_is_used() -> None:
    used = {
        (path.relative_to(PACKAGE).parts[0].removesuffix(".py"), imported)
        for path in PACKAGE.rglob("*.py")
        for imported, _ in imports(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert set(DOORS_UPWARD) <= used


def test_the_search_for_imports_finds_those_inside_functions_too() -> None:
    source = "import labhelpers.lab\ndef f():\n    from labhelpers.cli import options\n"
    assert set(imports(ast.parse(source))) == {("lab", True), ("cli", False)}
