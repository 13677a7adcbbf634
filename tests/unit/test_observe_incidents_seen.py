"""Incidents are noticed as they come and go, whoever injects them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from labhelpers.observe.incidents_seen import IncidentFollower, declared_prediction, labels_of
from labhelpers.prediction import Timing


@dataclass(frozen=True)
class Entry:
    id: str
    acted_monotonic: float | None = None


class Scene:
    """A journal of one file an incident, and what the follower told of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.began: list[str] = []
        self.ended: list[str] = []
        self.reads = 0
        self.follower = IncidentFollower(directory, self._entries, lambda e: self.began.append(e.id), self.ended.append)

    def _entries(self) -> list[Entry]:
        self.reads += 1
        return [Entry(path.name, float(path.read_text() or 0) or None) for path in sorted(self.directory.iterdir())]


def test_incident_begins_and_ends_once(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.follower.look()
    (tmp_path / "i1").touch()
    scene.follower.look()
    scene.follower.look()
    (tmp_path / "i1").unlink()
    scene.follower.look()
    scene.follower.look()
    assert (scene.began, scene.ended) == (["i1"], ["i1"])


def test_incident_whose_act_was_done_is_told_once_more(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    (tmp_path / "i1").touch()
    scene.follower.look()
    (tmp_path / "part").write_text("17.5")
    (tmp_path / "part").replace(tmp_path / "i1")
    scene.follower.look()
    scene.follower.look()
    assert (scene.began, scene.ended) == (["i1", "i1"], [])


def test_journal_that_is_not_there_yet_holds_nothing(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "journal")
    scene.follower.look()
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "i1").touch()
    scene.follower.look()
    assert scene.began == ["i1"]


def test_journal_that_has_not_changed_for_a_while_is_not_read(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.follower.look()
    os.utime(tmp_path, ns=(1, 1))
    scene.follower.look()
    scene.follower._changed_seen -= 10
    reads = scene.reads
    for _ in range(100):
        scene.follower.look()
    assert scene.reads == reads


def test_catalogues_prediction_is_the_marks() -> None:
    prediction = declared_prediction("primary-frozen", Timing())
    assert prediction is not None
    assert prediction.interval == "20–43 s"
    assert declared_prediction("something of the trainee's", Timing()) is None


def test_label_is_the_catalogues_title_in_both_languages() -> None:
    en, fr = labels_of("primary-power-cut", ("pg-1",), "", "")
    assert en == "pg-1: Power cut"
    assert fr == "pg-1 : Coupure de courant"
    assert labels_of("primary-power-cut", ("pg-1",), "mine", "le mien") == ("mine", "le mien")
    assert labels_of("primary-frozen", ("pg-1",), "", "") == ("", "")
