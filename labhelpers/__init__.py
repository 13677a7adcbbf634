"""Patroni Workshop: PostgreSQL high availability taught on real nodes.

>>> import labhelpers
>>> lab = labhelpers.open_lab()
>>> lab.patroni.leader()
'pg-1'

In a notebook, ``%load_ext labhelpers`` brings the magics (``%%on pg-1``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["Lab", "LabError", "current_lab", "open_lab"]

if TYPE_CHECKING:
    from labhelpers.errors import LabError
    from labhelpers.lab import Lab, current_lab, open_lab


def __getattr__(name: str) -> Any:
    """The public names, imported at their first use: the command line must answer at once."""
    if name == "LabError":
        from labhelpers.errors import LabError

        return LabError
    if name in __all__:
        from labhelpers import lab

        return getattr(lab, name)
    raise AttributeError(f"module 'labhelpers' has no attribute {name!r}")


def load_ipython_extension(ipython: Any) -> None:
    """What ``%load_ext labhelpers`` calls."""
    from labhelpers.magics import load

    load(ipython)
