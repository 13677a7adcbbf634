"""Checks that teach: what is wrong, on which node, what was expected, and how to go on.

>>> from labhelpers.checks import checks_of, run_check
>>> run_check(lab, "03.cluster").passed
True

registry          named checks, how they are found and run
chNN              those of one chapter, found by the module's name
ch04_cluster      chapter 04, its second half
starts            the states that chapters start from
probes            many facts in one round trip, and the findings that every check shares
etcd_config       ``/etc/default/etcd``, read as systemd and etcd do
patroni_config    ``dcs.yml``, and the configuration that is made from it
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
