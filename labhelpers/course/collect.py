"""What a notebook's outputs tell a report.

Whoever displays something that a report should know adds a mapping named ``workshop`` with a ``kind``, either
in the output's metadata beside what a person sees, or in its ``application/json``::

    display(table, metadata={"workshop": {"kind": "check", "name": "05.leader", "passed": True}})

Kinds that the report lays out: ``check`` (``name``, ``passed``, ``title``) and ``outage`` (``name``, ``seconds``,
``layers`` as pairs of a word and seconds; the rest in :mod:`labhelpers.observe.findings`). Others are in
``report.json`` alone. The last value of a ``name`` in a cell counts, so that an output updated in place (or a check run
twice) is there once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

KEY = "workshop"


def findings(notebook: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """All of an executed notebook, in order, each with the ``cell`` that showed it."""
    result: dict[tuple[Any, ...], dict[str, Any]] = {}
    for cell in notebook["cells"]:
        for position, found in enumerate(_in_outputs(cell.get("outputs", []))):
            kind, name = found.get("kind", "note"), found.get("name")
            identity = (cell.get("id"), kind, name if name is not None else position)
            result[identity] = {"kind": kind, "cell": cell.get("id"), **found}
    return tuple(result.values())


def _in_outputs(outputs: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for output in outputs:
        structured = output.get("data", {}).get("application/json")
        candidates = [output.get("metadata", {}).get(KEY)]
        if isinstance(structured, Mapping):
            candidates.append(structured.get(KEY))
        for candidate in candidates:
            for found in candidate if isinstance(candidate, list) else [candidate]:
                if isinstance(found, Mapping):
                    yield dict(found)
