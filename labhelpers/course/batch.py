"""Several chapters in order on one lab.

A chapter that builds upon one that failed would fail for that chapter's reason, and its own would not be seen. So it
starts from a checkpoint, the state that those chapters left when they passed before; where there is none, it is not
run. The others are.
"""

from __future__ import annotations

import dataclasses
import datetime
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, TypeVar

from labhelpers.course.chapters import ChapterFile
from labhelpers.course.execute import CellStarted, execute_notebook, one_sentence
from labhelpers.course.kernels import ensure_kernels, sweep_sockets
from labhelpers.course.overhead import accounted, seconds_within, waits_in
from labhelpers.course.parameters import parameters_of, require_known
from labhelpers.course.records import ChapterRecord, Outcome, RunRecord
from labhelpers.course.source import Chapter
from labhelpers.course.versions import packages, versions
from labhelpers.errors import LabError
from labhelpers.i18n import Language, tr

WAITS_FILE = ".waits"

T = TypeVar("T")


class Watcher(Protocol):
    """Whoever shows the progress of a batch."""

    def chapter_started(self, chapter: Chapter, position: int, total: int) -> None: ...

    def note(self, chapter: Chapter, text: str) -> None:
        """What is done to the lab before or after the chapter."""

    def cell_started(self, chapter: Chapter, cell: CellStarted) -> None: ...

    def chapter_ended(self, record: ChapterRecord) -> None: ...


class Places(Protocol):
    """Puts the lab where a chapter starts from, and keeps where it ends; ``say`` is told each step."""

    def prepare(self, chapter: Chapter, say: Callable[[str], None]) -> str | None:
        """How the lab was put there; None where it was there already."""

    def has_checkpoint(self, chapter: Chapter) -> bool: ...

    def remember(self, chapter: Chapter, say: Callable[[str], None]) -> None: ...

    def versions(self) -> dict[str, str]: ...


class Silent:
    """Shows nothing."""

    def chapter_started(self, chapter: Chapter, position: int, total: int) -> None: ...

    def note(self, chapter: Chapter, text: str) -> None: ...

    def cell_started(self, chapter: Chapter, cell: CellStarted) -> None: ...

    def chapter_ended(self, record: ChapterRecord) -> None: ...


class Anywhere:
    """No lab to put anywhere: chapters run on what they find."""

    def prepare(self, chapter: Chapter, say: Callable[[str], None]) -> str | None:
        return None

    def has_checkpoint(self, chapter: Chapter) -> bool:
        return False

    def remember(self, chapter: Chapter, say: Callable[[str], None]) -> None: ...

    def versions(self) -> dict[str, str]:
        return {}


def run_batch(
    chosen: Sequence[tuple[ChapterFile, Chapter]],
    *,
    foundations: Mapping[str, frozenset[str]],
    lab: str,
    language: Language,
    output: Path,
    parameters: Mapping[str, Any] | None = None,
    watcher: Watcher | None = None,
    places: Places | None = None,
    after_each: Callable[[RunRecord], None] = lambda so_far: None,
    earlier: RunRecord | None = None,
) -> RunRecord:
    """Runs those chapters and returns what happened; executed notebooks and logs are in ``output``.

    ``after_each`` gets the record so far after each chapter, so that a report is there whatever comes later.
    ``earlier`` is the record of this run before it was cut off: what passed then is not run again.
    Ctrl-C (or SIGTERM) stops the running chapter in order: the rest is recorded as not run.

    Raises:
        UnknownParameter: no chosen chapter has a parameter of that name; nothing was run.
        NotebooksMissing: a chapter's notebook was not generated; nothing was run.
    """
    given = dict(parameters or {})
    require_known(given, [file.notebook(language) for file, _ in chosen])
    ensure_kernels()
    sweep_sockets()
    output.mkdir(parents=True, exist_ok=True)
    with accounted(output / WAITS_FILE) as waits, _terminate_is_interrupt():
        batch = _Batch(
            foundations,
            lab,
            language,
            output,
            given,
            watcher or Silent(),
            places or Anywhere(),
            waits,
            time.monotonic(),
        )
        return batch.run(chosen, after_each, earlier)


@dataclass(frozen=True, slots=True)
class _Batch:
    """One call of :func:`run_batch`."""

    foundations: Mapping[str, frozenset[str]]
    lab: str
    language: Language
    output: Path
    parameters: Mapping[str, Any]
    watcher: Watcher
    places: Places
    waits: Path
    begun: float
    interrupted: threading.Event = field(default_factory=threading.Event)
    """Ctrl-C came: no other chapter begins."""

    def run(
        self,
        chosen: Sequence[tuple[ChapterFile, Chapter]],
        after_each: Callable[[RunRecord], None],
        earlier: RunRecord | None,
    ) -> RunRecord:
        base = dataclasses.replace(earlier, chapters=(), resumed=earlier.resumed + 1) if earlier else self._empty()
        base = dataclasses.replace(base, planned=len(chosen), interrupted=False)
        passed = (
            {chapter.name: chapter for chapter in earlier.chapters if chapter.outcome == "passed"} if earlier else {}
        )
        records: list[ChapterRecord] = []
        record = base
        for position, (file, chapter) in enumerate(chosen, start=1):
            if file.name in passed:
                records.append(passed[file.name])
                continue
            done = self._one(file, chapter, position, len(chosen), records)
            records.append(done)
            # What passed in a run that was cut off is kept whole from now on, whatever comes.
            later = [passed[other.name] for other, _ in chosen[position:] if other.name in passed]
            record = self._so_far(base, [*records, *later])
            self.watcher.chapter_ended(done)
            after_each(record)
        return record if record.chapters else dataclasses.replace(base, chapters=tuple(records))

    def _empty(self) -> RunRecord:
        return RunRecord(
            lab=self.lab,
            language=self.language,
            started_at=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
            seconds=0.0,
            chapters=(),
            parameters=dict(self.parameters),
            versions=versions(),
            packages=packages(),
        )

    def _so_far(self, base: RunRecord, records: Sequence[ChapterRecord]) -> RunRecord:
        waited = self._waited_since(self.begun)
        return dataclasses.replace(
            base,
            chapters=tuple(records),
            seconds=base.seconds + time.monotonic() - self.begun,
            waited_seconds=(base.waited_seconds or 0.0) + waited,
            lab_versions=self._noting_interrupt(self.places.versions) or base.lab_versions,
            interrupted=self.interrupted.is_set(),
        )

    def _noting_interrupt(self, call: Callable[[], T]) -> T | None:
        """What a chapter did is not lost to a Ctrl-C that comes after it: the batch ends once that is recorded."""
        try:
            return call()
        except KeyboardInterrupt:
            self.interrupted.set()
            return None

    def _waited_since(self, begin: float) -> float:
        return seconds_within(waits_in(self.waits), begin, time.monotonic())

    def _one(
        self, file: ChapterFile, chapter: Chapter, position: int, total: int, before: Sequence[ChapterRecord]
    ) -> ChapterRecord:
        """Run a chapter, unless the batch was interrupted or nothing is there that it could start from."""
        if self.interrupted.is_set():
            return self._not_run(chapter, [], interrupted=True)
        unusable = {record.number for record in before if record.outcome != "passed"}
        broken = sorted(self.foundations.get(chapter.number, frozenset()) & unusable)
        if broken and not self.places.has_checkpoint(chapter):
            return self._not_run(chapter, broken, interrupted=False)
        self.watcher.chapter_started(chapter, position, total)
        begun = time.monotonic()
        done = self._run(file, chapter)
        if done.outcome == "interrupted":
            self.interrupted.set()
        # The whole of it: the lab put where it starts, the notebook, the state kept afterwards.
        return dataclasses.replace(done, seconds=time.monotonic() - begun, waited_seconds=self._waited_since(begun))

    def _run(self, file: ChapterFile, chapter: Chapter) -> ChapterRecord:
        def say(text: str) -> None:
            self.watcher.note(chapter, text)

        try:
            checkpoint = self.places.prepare(chapter, say)
        except LabError as error:
            return self._not_started(chapter, "failed", str(error))
        except KeyboardInterrupt as error:
            return self._not_started(chapter, "interrupted", one_sentence(error))
        executed = self.output / f"{file.name}.ipynb"
        log = self.output / f"{file.name}.log"
        log.unlink(missing_ok=True)
        notebook = file.notebook(self.language)
        mine = parameters_of(notebook) if self.parameters else frozenset()
        done = execute_notebook(
            notebook,
            executed,
            lab=self.lab,
            language=self.language,
            number=chapter.number,
            title=chapter.title[self.language],
            parameters={name: value for name, value in self.parameters.items() if name in mine},
            on_cell=lambda cell: self.watcher.cell_started(chapter, cell),
            log=log,
        )
        if done.outcome == "passed":
            try:
                self._noting_interrupt(lambda: self.places.remember(chapter, say))
            except LabError as error:
                # The chapter did what it is for; only a later return to its end costs more.
                say(str(error))
        return dataclasses.replace(
            done,
            checkpoint=checkpoint,
            notebook=executed.name if executed.exists() else None,
            log=log.name if log.exists() else None,
        )

    def _not_run(self, chapter: Chapter, broken: Sequence[str], *, interrupted: bool) -> ChapterRecord:
        if interrupted:
            reason = tr("the batch was interrupted before", "le lot a été interrompu avant")
        else:
            listed = ", ".join(broken)
            reason = tr(
                f"it builds upon {listed}, which did not pass, and there is no checkpoint to start from",
                f"il s'appuie sur {listed}, qui n'a pas réussi, et il n'y a pas de point de départ gardé",
            )
        return self._not_started(chapter, "not run" if interrupted else "skipped", reason)

    def _not_started(self, chapter: Chapter, outcome: Outcome, reason: str) -> ChapterRecord:
        return ChapterRecord(
            number=chapter.number,
            name=chapter.name,
            title=chapter.title[self.language],
            language=self.language,
            outcome=outcome,
            seconds=0.0,
            started_at=None,
            reason=reason,
        )


@contextmanager
def _terminate_is_interrupt() -> Iterator[None]:
    """A SIGTERM ends a batch as Ctrl-C does, with the kernel stopped and the report written."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
