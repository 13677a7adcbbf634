"""Records: facts that survive being written down."""

from __future__ import annotations

import pytest
import scenes

from labhelpers.observe.records import (
    Attempt,
    ClientInfo,
    EtcdSample,
    KeyEvent,
    Mark,
    MemberSample,
    NodeChange,
    NodeEvent,
    Record,
    from_json,
    to_dict,
    to_json,
)

EXAMPLES: list[Record] = [
    scenes.header(),
    MemberSample(1.5, "pg-1", "running", True, "patroni", "leader", "running", 3, False, location=123),
    MemberSample(1.5, "pg-1", "frozen"),
    NodeChange(2.0, "pg-1", "frozen"),
    EtcdSample(2.0, "e1", True, True, True, 99),
    KeyEvent(3.0, "held", "pg-2", 12, "e3", exact=False),
    KeyEvent(3.0, "absent"),
    NodeEvent(4.0, "pg-2", "promoted", 4, "history file"),
    ClientInfo(4.0, "app-1", None, None),
    ClientInfo(4.0, "at-pg-1", "pg-1", 50.0, "ns"),
    Attempt(5.0, 5.01, "app-1", 7, 2, "refused", error="read-only", sqlstate="25006"),
    Mark(6.0, "m1", "primary-frozen", ("pg-1",), until=9.0, low_seconds=20, high_seconds=43),
]


@pytest.mark.parametrize("record", EXAMPLES, ids=lambda record: record.kind)
def test_record_comes_back_from_its_line(record: Record) -> None:
    assert from_json(to_json(record)) == record


def test_unknown_is_left_out_of_the_line_and_is_not_zero() -> None:
    written = to_dict(MemberSample(1.0, "pg-1", "frozen"))
    assert "lag_bytes" not in written
    assert "timeline" not in written


def test_known_zero_is_written() -> None:
    assert to_dict(MemberSample(1.0, "pg-2", "running", True, lag_bytes=0))["lag_bytes"] == 0


def test_line_cut_off_by_a_crash_is_nothing() -> None:
    line = to_json(EXAMPLES[1])
    assert from_json(line[: len(line) // 2]) is None


@pytest.mark.parametrize("line", ["", "[]", "null", '{"record":"of the future","at":1}', '{"record":"attempt"}'])
def test_line_of_an_unknown_kind_is_nothing(line: str) -> None:
    assert from_json(line) is None


def test_unknown_field_of_a_later_version_is_ignored() -> None:
    line = '{"record":"node","at":1.0,"node":"pg-1","state":"running","since":"tomorrow"}'
    assert from_json(line) == NodeChange(1.0, "pg-1", "running")


def test_header_translates_between_both_clocks() -> None:
    header = scenes.header(at=100.0)
    assert header.at_of(header.wall_of(160.5)) == pytest.approx(160.5)
    assert header.wall_of(100.0) == header.wall


def test_attempt_knows_how_long_it_took() -> None:
    assert Attempt(5.0, 5.25, "app", 1, 1, "acknowledged").seconds == pytest.approx(0.25)
