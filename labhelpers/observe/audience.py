"""Whether somebody is there to watch and to click."""

from __future__ import annotations

import os


def in_batch() -> bool:
    """Whether nobody is: ``WORKSHOP_BATCH`` says so, else the kernel was not started by JupyterLab.

    Jupyter's server names the notebook to the kernels that it starts (``JPY_SESSION_NAME``); papermill and nbval do
    not.
    """
    said = os.environ.get("WORKSHOP_BATCH")
    return said not in ("", "0") if said is not None else "JPY_SESSION_NAME" not in os.environ
