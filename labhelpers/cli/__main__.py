"""``python -m labhelpers.cli``: the same as ``workshop``."""

from __future__ import annotations

from labhelpers.cli import main

main()
