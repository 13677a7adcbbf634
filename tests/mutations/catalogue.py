"""All the cases, in the order of the chapters."""

from __future__ import annotations

from tests.mutations import etcd_cases, incident_cases, later_cases, patroni_cases
from tests.mutations.case import Case

CASES: tuple[Case, ...] = (*etcd_cases.CASES, *patroni_cases.CASES, *incident_cases.CASES, *later_cases.CASES)

_STARTS_AT_ITS_PLACE = "it passes before its chapter only; tests/tour/test_tour.py sees it pass there and fail later"

WITHOUT_A_CASE = dict.fromkeys(
    ("start.no-etcd", "start.no-patroni", "start.default-connections", "start.no-archiving"), _STARTS_AT_ITS_PLACE
) | {"02.scratch-gone": "its wrong state is a second lab; tests/live/test_magics.py makes a part of one"}
"""The checks that no wrong state can be made for on a lab that has gone through the course, and why."""
