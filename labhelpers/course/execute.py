"""One notebook through papermill, on the lab named by the environment.

The executed notebook is saved after each cell, so that whatever happens, what was done can be read. A kernel
that does not start is tried again; a cell that ran is never run twice.
"""

from __future__ import annotations

import datetime
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labhelpers.course.collect import findings
from labhelpers.course.kernels import batch_kernel_manager, environment
from labhelpers.course.records import CellRecord, ChapterRecord, Outcome
from labhelpers.i18n import Language, tr

CELL_TIMEOUT_SECONDS = 1200
"""A cell that takes longer hangs: the longest one of the course waits some minutes."""
KERNEL_START_SECONDS = 60
KERNEL_START_TRIES = 3
OUTPUT_SECONDS = 60
"""How long after a cell's end its outputs may come; nbclient's own limit, 4 s, is short on a busy machine."""
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class CellStarted:
    """Told to whoever shows the progress."""

    index: int
    """Among the code cells, from 1."""
    total: int
    first_line: str


def execute_notebook(
    source: Path,
    output: Path,
    *,
    lab: str,
    language: Language,
    number: str = "",
    title: str = "",
    parameters: Mapping[str, Any] | None = None,
    on_cell: Callable[[CellStarted], None] = lambda cell: None,
    log: Path | None = None,
) -> ChapterRecord:
    """Executes ``source`` on that lab and saves it as ``output``.

    Nothing is raised: whatever a cell does is told in the record, and so is Ctrl-C (``interrupted``), after
    which the kernel is stopped and the notebook saved. ``log`` gets the whole failure, when there is one."""
    started_at = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    begun = time.monotonic()
    failure: BaseException | None = None
    progress = _Progress(source, on_cell)
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _environment_of(lab, language):
            _run_papermill(source, output, dict(parameters or {}), progress)
    except (Exception, KeyboardInterrupt) as error:
        failure = error
    seconds = time.monotonic() - begun
    record = _record(
        output,
        failure,
        seconds,
        number=number,
        name=source.stem,
        title=title,
        language=language,
        at=started_at,
    )
    if record.outcome != "passed" and log:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(_whole_failure(output, failure), encoding="utf-8")
    return record


class _Progress:
    """Counts the code cells as they begin."""

    def __init__(self, source: Path, on_cell: Callable[[CellStarted], None]) -> None:
        import nbformat

        notebook = nbformat.read(source, as_version=4)
        self.total = sum(cell.cell_type == "code" and bool(cell.source.strip()) for cell in notebook.cells)
        self.begun = 0
        self._on_cell = on_cell

    def cell(self, cell: Any, **_: Any) -> None:
        self.begun += 1
        self._on_cell(CellStarted(self.begun, max(self.total, self.begun), first_line(cell.source)))


def _run_papermill(source: Path, output: Path, parameters: dict[str, Any], progress: _Progress) -> None:
    import papermill
    from nbclient.exceptions import DeadKernelError

    for attempt in range(1, KERNEL_START_TRIES + 1):
        try:
            papermill.execute_notebook(
                source,
                output,
                parameters=parameters,
                progress_bar=False,
                cwd=source.parent,
                start_timeout=KERNEL_START_SECONDS,
                execution_timeout=CELL_TIMEOUT_SECONDS,
                iopub_timeout=OUTPUT_SECONDS,
                store_widget_state=False,
                kernel_manager_class=batch_kernel_manager(),
                on_cell_execute=progress.cell,
            )
        except (DeadKernelError, RuntimeError):
            # Nothing ran yet, so nothing can run twice.
            if progress.begun or attempt == KERNEL_START_TRIES:
                raise
        else:
            return


@contextmanager
def _environment_of(lab: str, language: Language) -> Iterator[None]:
    """The kernel inherits this process's environment."""
    before = dict(os.environ)
    os.environ.update(environment(lab, language))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def first_line(source: str) -> str:
    """What stands for a cell in a table: its first line, and what a magic cell runs first."""
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].startswith("%%"):
        return f"{lines[0]} · {lines[1]}"
    return lines[0] if lines else ""


def _record(
    output: Path,
    failure: BaseException | None,
    seconds: float,
    *,
    number: str,
    name: str,
    title: str,
    language: Language,
    at: str,
) -> ChapterRecord:
    import nbformat

    try:
        notebook = nbformat.read(output, as_version=4)
    except (OSError, ValueError):
        notebook = nbformat.v4.new_notebook()
    interrupted = isinstance(failure, KeyboardInterrupt)
    cells = tuple(_cell_records(notebook, failure))
    failed = next((cell for cell in cells if cell.outcome in ("failed", "interrupted")), None)
    reason = None
    if failure is not None:
        reason = (failed.reason if failed else None) or one_sentence(failure)
    outcome: Outcome = "passed" if failure is None else "interrupted" if interrupted else "failed"
    return ChapterRecord(
        number=number,
        name=name,
        title=title,
        language=language,
        outcome=outcome,
        seconds=seconds,
        started_at=at,
        cells=cells,
        reason=reason,
        findings=findings(notebook),
    )


def _cell_records(notebook: Any, failure: BaseException | None) -> Iterator[CellRecord]:
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    begun = sum(bool(cell.metadata.get("papermill", {}).get("start_time")) for cell in cells)
    for index, cell in enumerate(cells, start=1):
        seconds = cell.metadata.get("papermill", {}).get("duration")
        outcome: Outcome = "passed"
        reason = None
        if index > begun:
            outcome, seconds = "not run", None
        elif index == begun and failure is not None:
            # After a time-out, a dead kernel or Ctrl-C no output tells it: the last that began did not end.
            outcome, reason = "failed", one_sentence(failure)
            errors = [output for output in cell.outputs if output.output_type == "error"]
            if isinstance(failure, KeyboardInterrupt):
                outcome = "interrupted"
            elif errors:
                reason = _reason(errors)
            else:
                reason = _usage_error(cell.outputs) or reason
        yield CellRecord(cell.get("id", ""), index, first_line(cell.source), outcome, seconds, reason)


def _reason(errors: list[Any]) -> str:
    """The failure's own sentence. The last error counts: what was raised while handling it comes before."""
    error = errors[-1]
    text = ANSI.sub("", str(error.evalue)).strip()
    return f"{error.ename}: {text.splitlines()[0]}" if text else str(error.ename)


def _usage_error(outputs: list[Any]) -> str | None:
    """A misspelt magic's sentence: IPython prints its ``UsageError`` and raises nothing that an output tells."""
    texts = [ANSI.sub("", str(item.text)) for item in outputs if item.output_type == "stream"]
    lines = [line for text in texts for line in text.splitlines() if line.startswith("UsageError:")]
    return lines[0] if lines else None


def one_sentence(failure: BaseException) -> str:
    """That exception for a table's cell."""
    if isinstance(failure, KeyboardInterrupt):
        return tr("interrupted", "interrompu")
    lines = [line for line in ANSI.sub("", str(failure)).splitlines() if line.strip(" -")]
    return lines[0].strip() if lines else type(failure).__name__


def _whole_failure(output: Path, failure: BaseException | None) -> str:
    """For the log: the failed cell with all its outputs as text, then what the tool raised."""
    import nbformat

    parts = []
    try:
        notebook = nbformat.read(output, as_version=4)
    except (OSError, ValueError):
        notebook = nbformat.v4.new_notebook()
    for cell in notebook.cells:
        outputs = cell.get("outputs", [])
        stopped = cell.metadata.get("papermill", {}).get("exception")
        if stopped or any(item.output_type == "error" for item in outputs):
            parts.append(f"{cell.source}\n\n{'-' * 80}")
            parts += [_as_text(item) for item in outputs]
    parts.append(ANSI.sub("", f"{type(failure).__name__}: {failure}"))
    return "\n".join(parts) + "\n"


def _as_text(output: Any) -> str:
    if output.output_type == "stream":
        return ANSI.sub("", str(output.text))
    if output.output_type == "error":
        return ANSI.sub("", "\n".join(output.traceback) or f"{output.ename}: {output.evalue}")
    return str(output.get("data", {}).get("text/plain", ""))
