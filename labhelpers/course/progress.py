"""Who shows a batch's progress: a display in place on a terminal, plain lines with the time elsewhere."""

from __future__ import annotations

import datetime
import sys
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from labhelpers.course.execute import CellStarted
from labhelpers.course.records import ChapterRecord
from labhelpers.course.reportwords import MARKS, OUTCOMES
from labhelpers.course.source import Chapter
from labhelpers.i18n import duration, language, tr

if TYPE_CHECKING:
    from rich.progress import TaskID


def outcome_line(record: ChapterRecord) -> str:
    """``✓ 05 Switchover: passed (48 s)``, and the reason where there is one."""
    word = OUTCOMES[language()][record.outcome]
    line = f"{MARKS[record.outcome]} {record.number} {record.title}: {word}"
    if record.started_at:
        line += f" ({duration(record.seconds)})"
    if record.failed_cell:
        line += tr(f", cell {record.failed_cell.index}", f", cellule {record.failed_cell.index}")
    return f"{line}: {record.reason}" if record.reason else line


class Lines:
    """One line an event, for a log file or a pipe."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._last = ""

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def _say(self, text: str) -> None:
        now = datetime.datetime.now().strftime("%H:%M:%S")
        print(f"{now} {text}", file=self._stream, flush=True)

    def chapter_started(self, chapter: Chapter, position: int, total: int) -> None:
        self._say(f"[{position}/{total}] {chapter.number} {chapter.title[language()]}")

    def note(self, chapter: Chapter, text: str) -> None:
        if text != self._last:
            self._say(f"    {chapter.number} ({text})")
        self._last = text

    def cell_started(self, chapter: Chapter, cell: CellStarted) -> None:
        self._say(f"    {chapter.number} {cell.index}/{cell.total} {cell.first_line}")

    def chapter_ended(self, record: ChapterRecord) -> None:
        self._say(outcome_line(record))


class Display:
    """Two bars in place, chapters and cells, with the running cell's first line; outcomes stay above them."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
        )
        self._course: TaskID | None = None
        self._chapter: TaskID | None = None

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def chapter_started(self, chapter: Chapter, position: int, total: int) -> None:
        if self._course is None:
            self._course = self._progress.add_task(tr("course", "cours"), total=total, detail="")
        self._progress.update(self._course, completed=position - 1, detail=chapter.title[language()])
        self._chapter = self._progress.add_task(f"  {chapter.number}", total=None, detail="")

    def note(self, chapter: Chapter, text: str) -> None:
        if self._chapter is not None:
            self._progress.update(self._chapter, detail=text[:60])

    def cell_started(self, chapter: Chapter, cell: CellStarted) -> None:
        if self._chapter is not None:
            detail = cell.first_line[:60]
            self._progress.update(self._chapter, total=cell.total, completed=cell.index - 1, detail=detail)

    def chapter_ended(self, record: ChapterRecord) -> None:
        if self._chapter is not None:
            self._progress.remove_task(self._chapter)
            self._chapter = None
        if self._course is not None:
            self._progress.advance(self._course)
        style = {"passed": "green", "failed": "red", "interrupted": "red"}.get(record.outcome, "yellow")
        self._progress.console.print(outcome_line(record), style=style, markup=False, highlight=False)


def watcher() -> Lines | Display:
    """What fits the standard output."""
    return Display() if sys.stdout.isatty() else Lines()
