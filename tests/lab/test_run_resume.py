"""A batch that a kill or a failure cut off goes on from what is there, on a real lab."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from labhelpers import lifecycle
from labhelpers.course import batch, states
from labhelpers.course.chapters import ChapterFile, chapter_files, choose, foundations, read_course
from labhelpers.course.places import LabPlaces
from labhelpers.lab import open_lab
from tests.lab.machine import WORKSHOP, leaving_nothing, workshop
from tests.notebooks.written import write_notebook

LAB = "test-resume"

pytestmark = pytest.mark.live


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left() -> Iterator[None]:
    with leaving_nothing(LAB):
        yield


def run_until(text: str, *arguments: str) -> subprocess.Popen[str]:
    """A batch in a process of its own, which has come to the line with that text."""
    process = subprocess.Popen(
        [*WORKSHOP, "run", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    bound = threading.Timer(300, process.kill)
    bound.start()
    seen = []
    for line in process.stdout:
        seen.append(line)
        if text in line:
            bound.cancel()
            return process
    bound.cancel()
    raise AssertionError(f"{text!r} never came:\n{''.join(seen)}")


def report(directory: Path) -> dict:
    return json.loads((directory / "report.json").read_text(encoding="utf-8"))


def test_a_killed_run_goes_on_with_the_chapter_that_was_cut_off(tmp_path: Path) -> None:
    output = tmp_path / "run"
    process = run_until("01 3/", "00", "01", "--lab", LAB, "--language", "en", "--output", str(output))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    before = report(output)
    assert [(chapter["number"], chapter["outcome"]) for chapter in before["chapters"]] == [("00", "passed")]
    first = (output / before["chapters"][0]["notebook"]).stat().st_mtime_ns

    done = workshop("run", "--resume", str(output), timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    after = report(output)
    assert [chapter["outcome"] for chapter in after["chapters"]] == ["passed", "passed"]
    assert after["chapters"][0] == before["chapters"][0]
    assert (output / before["chapters"][0]["notebook"]).stat().st_mtime_ns == first
    assert after["resumed"] == 1 and after["seconds"] > before["seconds"]
    assert 0 < after["waited_seconds"] < after["seconds"]

    again = workshop("run", "--resume", str(output))
    assert again.returncode == 2
    assert again.stderr.count("\n") == 1 and "every chapter passed" in again.stderr


def test_a_run_under_way_is_nobody_elses(tmp_path: Path) -> None:
    process = run_until("00 1/", "00", "--lab", LAB, "--output", str(tmp_path))
    process.send_signal(signal.SIGSTOP)  # it must not come to its end meanwhile
    try:
        other = workshop("run", "--resume", str(tmp_path))
        assert other.returncode == 1 and "still under way" in other.stderr
    finally:
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert f"--resume {tmp_path}" in output
    assert [chapter["outcome"] for chapter in report(tmp_path)["chapters"]] == ["interrupted"]


def test_runs_repeated_are_summed_up(tmp_path: Path) -> None:
    done = workshop("run", "00", "--repeat", "2", "--lab", LAB, "--output", str(tmp_path), timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert (summary["passed"], summary["planned"], len(summary["runs"])) == (True, 2, 2)
    assert summary["causes"] == []
    for number in ("1", "2"):
        assert report(tmp_path / f"run-{number}")["passed"]
    assert (tmp_path / "summary.html").exists()


class Instead(ChapterFile):
    """A chapter of the course with another notebook, of one cell."""

    def notebook(self, language: str) -> Path:
        return self.source.with_name(f"{self.number}.ipynb")


def instead(directory: Path, number: str, cell: str) -> ChapterFile:
    file = choose([number], chapter_files())[0]
    write_notebook(directory / f"{number}.ipynb", "en", cell)
    return Instead(number, file.name, directory / file.source.name)


def test_after_a_failure_the_next_chapter_starts_from_its_checkpoint(tmp_path: Path) -> None:
    """Chapter 04 builds upon 03. An earlier run kept what 03 leaves (here a file on each node); now 03 fails."""
    lifecycle.ensure_up(LAB)
    with closing(open_lab(LAB)) as lab:
        states.prepare(lab, "03")
        lab.nodes.run(["all"], "echo left by 03 >/root/mark")
        assert states.remember(lab, "03") is not None
    course = {chapter.number: chapter for chapter in read_course()}
    chosen = [
        (instead(tmp_path, "03", "%%on e1\nsystemctl start nothing-of-that-name"), course["03"]),
        (instead(tmp_path, "05", "%%on all\ntrue"), course["05"]),
        (instead(tmp_path, "04", "%%on all\ngrep 'left by 03' /root/mark"), course["04"]),
    ]
    done = batch.run_batch(
        chosen,
        foundations=foundations(read_course()),
        lab=LAB,
        language="en",
        output=tmp_path / "run",
        places=LabPlaces(LAB),
    )
    assert [chapter.outcome for chapter in done.chapters] == ["failed", "skipped", "passed"], done.chapters
    third, fifth, fourth = done.chapters
    assert "nothing-of-that-name" in (third.reason or "")
    assert fourth.checkpoint and "after-03" in fourth.checkpoint
    assert "builds upon 03" in (fifth.reason or "")
