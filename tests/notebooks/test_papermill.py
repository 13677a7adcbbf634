"""The course with papermill, chapter by chapter, on a fresh lab: what ``workshop run`` does."""

from __future__ import annotations

import datetime
import json
import os
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import sync_playwright

from labhelpers.course import batch
from labhelpers.course.book import build_book
from labhelpers.course.chapters import ChapterFile, chapter_files, clone_root
from labhelpers.course.execute import execute_notebook
from labhelpers.course.records import ChapterRecord, RunRecord
from labhelpers.course.report import write_report
from labhelpers.course.versions import versions
from labhelpers.i18n import Language
from labhelpers.magics.blocks import FOLD_ABOVE
from labhelpers.paths import LabPaths
from tests.browser.axe import serious_findings
from tests.browser.jupyterlab import launch, settled
from tests.browser.test_book import PHONE, reading
from tests.notebooks import labs
from tests.notebooks.order import course_foundations
from tests.notebooks.screen import open_lines
from tests.notebooks.secrets import leaks, leaks_in_git, secrets_of
from tests.notebooks.written import write_notebook
from tests.unit.book_links import broken

LANGUAGE: Language = "fr" if os.environ.get("WORKSHOP_TEST_PAPERMILL") == "fr" else "en"

LARGEST_BYTES = 2_000_000
NONE: list[str] = []

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore")]


@dataclass
class Course:
    """The chapters executed so far, in this run."""

    lab: str
    output: Path
    begun: float = field(default_factory=time.monotonic)
    records: list[ChapterRecord] = field(default_factory=list)

    def record(self) -> RunRecord:
        return RunRecord(
            lab=self.lab,
            language=LANGUAGE,
            started_at=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
            seconds=time.monotonic() - self.begun,
            chapters=tuple(self.records),
            versions=versions(),
        )


@pytest.fixture(scope="module")
def course() -> Iterator[Course]:
    lab = labs.lab_of(LANGUAGE)
    labs.make_fresh(lab)
    begun = Course(lab, clone_root() / "runs" / lab)
    yield begun
    write_report(begun.record(), begun.output)
    labs.leave(lab)


@pytest.mark.parametrize("file", chapter_files(), ids=lambda file: file.name)
def test_chapter(course: Course, file: ChapterFile) -> None:
    done = {record.number: record.outcome for record in course.records}
    broken = [number for number in course_foundations()[file.number] if done.get(number) != "passed"]
    if broken:
        pytest.skip(f"it builds upon {', '.join(sorted(broken))}, which did not pass")
    log = course.output / f"{file.name}.log"
    log.unlink(missing_ok=True)
    batch.ensure_kernels()
    record = execute_notebook(
        file.notebook(LANGUAGE),
        course.output / f"{file.name}.ipynb",
        lab=course.lab,
        language=LANGUAGE,
        number=file.number,
        title=file.name,
        log=log,
    )
    course.records.append(record)
    if record.outcome == "interrupted":
        raise KeyboardInterrupt
    assert record.outcome == "passed", log.read_text(encoding="utf-8")


def test_every_notebook_in_the_directory_was_executed(course: Course) -> None:
    there = sorted(path.name for path in chapter_files()[0].notebook(LANGUAGE).parent.glob("*.ipynb"))
    assert there == sorted(f"{record.name}.ipynb" for record in course.records)
    for name in there:
        for cell in nbformat.read(course.output / name, as_version=4).cells:
            if cell.cell_type == "code" and cell.source.strip():
                assert cell.execution_count is not None, f"{name}: {cell.source}"


def executed(course: Course) -> list[tuple[Path, Any]]:
    """The notebooks of this run, and where they are."""
    there = [course.output / f"{record.name}.ipynb" for record in course.records]
    assert there
    return [(path, nbformat.read(path, as_version=4)) for path in there]


def test_an_executed_notebook_stays_small(course: Course) -> None:
    sizes = {path.name: path.stat().st_size for path, _ in executed(course)}
    assert {name: size for name, size in sizes.items() if size >= LARGEST_BYTES} == {}


def test_the_output_of_each_cell_fits_a_screen_or_is_folded(course: Course) -> None:
    long = [
        f"{path.name}: {open_lines(cell)} lines of {cell.source[:60]!r}"
        for path, notebook in executed(course)
        for cell in notebook.cells
        if cell.cell_type == "code" and open_lines(cell) > FOLD_ABOVE
    ]
    assert long == []


def test_no_secret_of_the_lab_is_in_a_notebook_a_log_or_git(course: Course, tmp_path: Path) -> None:
    """Debian's documented password of the replication role is none of the lab's: the chapter has it changed."""
    paths = LabPaths(course.lab)
    secrets = secrets_of(paths.keys)
    assert "app.secret" in secrets and "id_ed25519, line 0" in secrets and "host/pg-1, line 0" in secrets
    for number, value in enumerate(secrets.values()):  # the positive control: each would be seen
        (tmp_path / f"{number}.ipynb").write_text(json.dumps({"outputs": [f"x {value}\n"]}), encoding="utf-8")
    assert len(leaks(secrets, [tmp_path])) == len(secrets)
    assert leaks(secrets, [course.output, paths.log, paths.recordings]) == []
    assert leaks_in_git(secrets, clone_root()) == []
    assert "README.md" in leaks_in_git({"in the README": "Patroni Workshop"}, clone_root())


@pytest.fixture(scope="module")
def book(course: Course, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_book([course.output], tmp_path_factory.mktemp("reading") / "book").directory


def test_the_book_of_this_run_is_whole_and_fetches_nothing(book: Path) -> None:
    assert broken(book) == []


def test_pages_of_this_run_have_no_serious_barrier_and_fit_a_phone(book: Path) -> None:
    with sync_playwright() as playwright, closing(launch(playwright)) as browser:
        for name in ("04_patroni", "06_loss_of_the_dcs"):
            address = (book / LANGUAGE / f"{name}.html").as_uri()
            for scheme in ("light", "dark"):
                with reading(browser, address, color_scheme=scheme) as page:
                    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
                    assert settled(partial(serious_findings, page), NONE) == NONE
            with reading(browser, address, viewport=PHONE, has_touch=True) as page:
                width = partial(page.evaluate, "document.documentElement.scrollWidth")
                assert settled(width, PHONE["width"]) == PHONE["width"]


def test_a_wrong_command_makes_the_run_fail(course: Course, tmp_path: Path) -> None:
    wrong = write_notebook(tmp_path / "wrong.ipynb", LANGUAGE, "%%on pg-1\npatronictl lisst", "print('too late')")
    record = execute_notebook(wrong, tmp_path / "out.ipynb", lab=course.lab, language=LANGUAGE)
    assert record.outcome == "failed"
    assert [cell.outcome for cell in record.cells] == ["passed", "failed", "not run"]
    assert "pg-1" in (record.reason or "")
