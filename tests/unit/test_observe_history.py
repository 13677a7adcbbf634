"""The nodes' own history, read from what a script printed."""

from __future__ import annotations

import pytest
import scenes

from labhelpers.observe.history import _only_origins, parse, script

OUTPUT = """\
history /var/lib/postgresql/17/main/pg_wal/00000003.history 1699999000.000000
history /var/lib/postgresql/17/main/pg_wal/0000000B.history 1700000051.800123
1700000050.654321 pg-2 patroni@17-main[77]: 2023-11-14 22:14:10,654 INFO: promoted self to leader by acquiring lock
1700000051.000000 pg-2 patroni@17-main[77]: 2023-11-14 22:14:11,000 INFO: no action. I am (pg-2), the leader
not a line of ours
"""


def test_promotion_has_the_time_at_which_its_history_file_was_written() -> None:
    header = scenes.header()
    events = list(parse("pg-2", OUTPUT, header, since=header.at))
    assert [(event.what, event.timeline) for event in events] == [("promoted", 11), ("takes the key", None)]
    assert events[0].at == pytest.approx(header.at + 51.800123)
    assert events[1].at == pytest.approx(header.at + 50.654321)


def test_what_is_older_than_the_recording_is_left_out() -> None:
    header = scenes.header()
    assert all(event.at >= header.at for event in parse("pg-2", OUTPUT, header, since=header.at))


def test_replicas_copy_of_a_history_file_is_not_a_promotion() -> None:
    header = scenes.header()
    first = list(parse("pg-2", OUTPUT, header, since=header.at))
    later = list(parse("pg-3", OUTPUT.replace("51.800123", "53.100000"), header, since=header.at))
    promotions = [event for event in _only_origins(first + later) if event.what == "promoted"]
    assert [event.node for event in promotions] == ["pg-2"]


def test_script_only_reads() -> None:
    text = script("17", 1700000000.5).replace("2>/dev/null", "")
    assert "--since '@1700000000'" in text
    assert not any(word in text for word in ("rm ", ">/", "systemctl", "tee "))
