"""What holds for every pytest run in this clone, notebooks under nbval included."""

from __future__ import annotations

pytest_plugins = ("tests.notebooks.nbval_rules",)
