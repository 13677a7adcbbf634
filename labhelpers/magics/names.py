"""A cell that uses what another one would have made says so in one sentence: cells are run out of order, too."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from labhelpers.i18n import tr


def explain_missing_names(ipython: Any) -> None:
    """From now on a name that a cell lacks is told as a sentence; papermill and nbval still see the cell fail."""
    ipython.set_custom_exc((NameError,), _show)


def _show(
    ipython: Any, kind: type[NameError], error: NameError, trace: TracebackType, tb_offset: int | None = None
) -> list[str] | None:
    innermost = trace
    while innermost.tb_next is not None:
        innermost = innermost.tb_next
    if innermost.tb_frame.f_globals is not ipython.user_ns:  # not the cell's own line: somebody has to see where
        ipython.showtraceback((kind, error, trace), tb_offset=tb_offset)
        return None
    name = error.name or str(error)
    said = tr(
        f"NameError: this notebook has no {name} yet. A cell above makes it: run that one first, then this one.",
        f"NameError: ce notebook n'a pas encore de {name}. Une cellule plus haut le crée : exécutez-la, puis celle-ci.",
    )
    ipython._showtraceback(kind, error, [said])
    return [said]
