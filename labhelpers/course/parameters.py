"""What a batch can set in its notebooks: the names in their cells tagged ``parameters``, as papermill reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from labhelpers.course.errors import NotebooksMissing, ParameterTooLarge, UnknownParameter

MOST_TTL_SECONDS = 60
"""Chapters wait at most 90 s for what comes after a lease, which may be ``loop_wait`` and a promotion later."""


def parameters_of(notebook: Path) -> frozenset[str]:
    """The parameters that a notebook declares. Raises :class:`NotebooksMissing`."""
    import papermill

    if not notebook.is_file():
        raise NotebooksMissing(notebook)
    return frozenset(papermill.inspect_notebook(str(notebook)))


def require_known(given: Mapping[str, Any], notebooks: Iterable[Path]) -> None:
    """Raises :class:`UnknownParameter`, with those that there are, for a name that no notebook has, and
    :class:`ParameterTooLarge` for a lease that no chapter can wait for."""
    known = frozenset[str]().union(*(parameters_of(notebook) for notebook in notebooks))
    for name in given:
        if name not in known:
            raise UnknownParameter(name, sorted(known))
    ttl = given.get("ttl")
    if isinstance(ttl, int | float) and ttl > MOST_TTL_SECONDS:
        raise ParameterTooLarge("ttl", ttl, MOST_TTL_SECONDS)


def typed(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Values as papermill's own command reads them: numbers and booleans as such, the rest as text."""
    import yaml

    values: dict[str, Any] = {}
    for name, text in pairs:
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            value = text
        values[name] = value if isinstance(value, bool | int | float | list | dict) else text
    return values
