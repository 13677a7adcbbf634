"""Recordings: one file that several processes append to, and that is read while it grows."""

from __future__ import annotations

import os
from pathlib import Path

import pandas
import pytest
import scenes

from labhelpers.observe.recordings import Follower, NotARecording, Recording, RecordingNotWritten, RecordingWriter
from labhelpers.observe.records import Mark, NodeChange, to_json


def write(path: Path, *records: object) -> None:
    writer = RecordingWriter(path)
    for record in records:
        writer.write(record)  # type: ignore[arg-type]
    writer.close()


def test_recording_loads_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write(path, *scenes.frozen_primary())
    loaded = Recording.load(path)
    original = Recording(scenes.frozen_primary())
    assert loaded.header == original.header
    assert len(loaded.samples) == len(original.samples)
    assert len(loaded.attempts) == len(original.attempts)
    assert loaded.marks == original.marks


def test_saved_recording_is_the_same_again(tmp_path: Path) -> None:
    recording = Recording(scenes.two_leaders())
    path = recording.save(tmp_path / "saved.jsonl")
    assert Recording.load(path).marks == recording.marks
    assert [entry.name for entry in tmp_path.iterdir()] == ["saved.jsonl"]


def test_what_is_no_file_is_never_replaced_by_a_recording(tmp_path: Path) -> None:
    """root may rename a file over a device."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(RecordingNotWritten, match="no file"):
            Recording().save(path)
    assert (tmp_path / "pipe").is_fifo()
    with pytest.raises(RecordingNotWritten):
        Recording().save(tmp_path / "pipe" / "x")


def test_two_writers_of_one_file_do_not_mix_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    first, second = RecordingWriter(path), RecordingWriter(path)
    first.write(scenes.header())
    for number in range(200):
        (first if number % 2 else second).write(NodeChange(number, f"n{number}", "running"))
    first.close()
    second.close()
    assert len(Recording.load(path).node_changes) == 200


def test_follower_waits_for_the_end_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    line = to_json(NodeChange(1.0, "pg-1", "frozen"))
    path.write_text(line[:20])
    follower = Follower(path)
    assert list(follower.records()) == []
    with path.open("a") as file:
        file.write(line[20:] + "\n")
    assert list(follower.records()) == [NodeChange(1.0, "pg-1", "frozen")]
    assert list(follower.records()) == []


def test_line_cut_off_by_a_crash_loses_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write(path, scenes.header(), NodeChange(1.0, "pg-1", "running"))
    with path.open("a") as file:
        file.write('{"record":"node","at":2.0,"no\n')
    write(path, NodeChange(3.0, "pg-1", "frozen"))
    assert [change.at for change in Recording.load(path).node_changes] == [1.0, 3.0]


def test_file_without_header_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello\n")
    with pytest.raises(NotARecording, match=r"notes\.txt"):
        Recording.load(path)
    with pytest.raises(NotARecording):
        Recording.load(tmp_path / "absent.jsonl")


def test_later_mark_of_the_same_id_replaces_the_earlier() -> None:
    began = Mark(5.0, "m1", "primary-frozen", ("pg-1",))
    ended = Mark(5.0, "m1", "primary-frozen", ("pg-1",), until=9.0)
    assert Recording([began, ended]).marks == [ended]


def test_pandas_reads_the_file_itself(tmp_path: Path) -> None:
    path = Recording(scenes.frozen_primary(end=30, thaw=29)).save(tmp_path / "a.jsonl")
    frame = pandas.read_json(path, lines=True)
    assert set(frame["record"]) >= {"header", "member", "attempt", "key"}


def test_writer_appends_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write(path, scenes.header())
    size = os.stat(path).st_size  # noqa: PTH116 - the plain size
    write(path, NodeChange(1.0, "pg-1", "running"))
    assert path.stat().st_size > size
