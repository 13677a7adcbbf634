"""Checks that teach: what is wrong, on which node, what was expected, and how to go on.

>>> from labhelpers.checks import checks_of, run_check
>>> run_check(lab, "03.cluster").passed
True
"""

from __future__ import annotations

from labhelpers.checks.registry import (
    Check,
    CheckFailed,
    CheckResult,
    Finding,
    UnknownCheck,
    chapters,
    check,
    checks_of,
    find_check,
    nothing_to_check,
    run_check,
)

__all__ = [
    "Check",
    "CheckFailed",
    "CheckResult",
    "Finding",
    "UnknownCheck",
    "chapters",
    "check",
    "checks_of",
    "find_check",
    "nothing_to_check",
    "run_check",
]
