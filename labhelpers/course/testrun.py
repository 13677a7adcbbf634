"""Several pytest runs side by side, and one summary in pytest's own words.

Two labs are two sets of containers, so the English and the French course can run at the same time. A *lane* is a
list of *parts* that run one after the other, for they share a lab; some lanes run side by side, and the next one
begins when one of them has ended. Each part is one pytest run with its own report (JUnit's XML), and the counts at the
end come from those reports alone. What cannot be counted has failed.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

NO_TESTS = 5
"""pytest's exit status when it collected nothing."""
REASON_LINES = 20
"""Of what pytest says of a failed test, so many first and so many last lines are said again at the end."""


@dataclass(frozen=True, slots=True)
class Part:
    """One pytest run."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    may_be_empty: bool = False
    """With a selection (``-k``) a part may have nothing to run."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A test that failed, or broke before or after it ran, with the beginning and the end of what pytest said of it."""

    test: str
    reason: str

    def __str__(self) -> str:
        return f"FAILED {self.test}\n{self.reason}"


@dataclass(frozen=True, slots=True)
class Counts:
    """What pytest counted, and the seconds that it took."""

    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    seconds: float = 0.0
    broken: tuple[str, ...] = ()
    """Parts that ended without saying how, or with a status that their counts do not explain."""
    failures: tuple[Failure, ...] = ()

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.passed + other.passed,
            self.failed + other.failed,
            self.errors + other.errors,
            self.skipped + other.skipped,
            self.seconds + other.seconds,
            self.broken + other.broken,
            self.failures + other.failures,
        )

    @property
    def ok(self) -> bool:
        """Something ran, and nothing of it failed."""
        return self.passed > 0 and not (self.failed or self.errors or self.broken)

    def line(self, seconds: float) -> str:
        """pytest's closing line: ``==== 3 failed, 120 passed, 1 skipped in 64.20s (0:01:04) ====``."""
        errors = self.errors + len(self.broken)
        words = [
            (self.failed, "failed"),
            (self.passed, "passed"),
            (self.skipped, "skipped"),
            (errors, "errors"),
        ]
        said = [f"{number} {word}" for number, word in words if number] or ["no tests ran"]
        long = f" ({int(seconds) // 3600}:{int(seconds) // 60 % 60:02d}:{int(seconds) % 60:02d})"
        text = f" {', '.join(said)} in {seconds:.2f}s{long if seconds >= 60 else ''} "
        return text.center(80, "=")


def read_report(path: Path, part: str) -> Counts:
    """The counts of a part from its JUnit report; one that is not there is broken."""
    try:
        suites = ElementTree.parse(path).getroot().iter("testsuite")
        counts = Counts()
        for suite in suites:
            total, failed, errors, skipped = (
                int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")
            )
            seconds = float(suite.get("time", "0"))
            failures = tuple(_failures(suite))
            # A test that passes and fails in its teardown is there twice: counted as passed and as an error.
            passed = max(total - failed - errors - skipped, 0)
            counts += Counts(passed, failed, errors, skipped, seconds, failures=failures)
        return counts
    except (OSError, ElementTree.ParseError, ValueError):
        return Counts(broken=(part,))


def _failures(suite: ElementTree.Element) -> Iterator[Failure]:
    for case in suite.iter("testcase"):
        for found in (*case.iter("failure"), *case.iter("error")):
            lines = (found.text or found.get("message") or "").strip().splitlines()
            if len(lines) > 2 * REASON_LINES:
                lines[REASON_LINES:-REASON_LINES] = ["…"]
            test = f"{case.get('classname', '')}::{case.get('name', '')}"
            yield Failure(test, "\n".join(f"    {line}" for line in lines))


def _environment() -> dict[str, str]:
    """Ours, but that Python keeps what it compiled: hundreds of processes of the tests start from it."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


class Runner:
    """Runs lanes, some side by side; what they print comes out line by line, marked with the part's name."""

    def __init__(self, root: Path, reports: Path, out: Callable[[str], None] | None = None) -> None:
        self._root, self._reports = root, reports
        self._out = out or (lambda line: print(line, flush=True))
        self._printing = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = False
        self.results: dict[str, Counts] = {}

    def run(self, lanes: Sequence[Sequence[Part]], at_once: int = 2) -> Counts:
        """All parts of all lanes, in their order, ``at_once`` lanes at a time.

        Ctrl-C interrupts pytest in each, and what was done is still counted.

        Raises:
            KeyboardInterrupt: after the parts have ended.
        """
        waiting: queue.SimpleQueue[Sequence[Part]] = queue.SimpleQueue()
        for lane in lanes:
            waiting.put(lane)
        threads = [threading.Thread(target=self._lanes, args=(waiting,), daemon=True) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(timeout=0.5)
        except KeyboardInterrupt:
            self._stop()
            for thread in threads:
                thread.join()
            raise
        return self.total()

    def total(self) -> Counts:
        return sum(self.results.values(), Counts())

    def _lanes(self, waiting: queue.SimpleQueue[Sequence[Part]]) -> None:
        with suppress(queue.Empty):
            while True:
                for part in waiting.get_nowait():
                    if self._stopped:
                        return
                    try:
                        self.results[part.name] = self._part(part)
                    except Exception as error:  # else the part would not be counted at all
                        self.results[part.name] = Counts(broken=(part.name,))
                        with self._printing:
                            self._out(f"[{part.name}] could not be run: {error!r}")

    def _part(self, part: Part) -> Counts:
        report = self._reports / f"{part.name}.xml"
        report.unlink(missing_ok=True)
        argv = [
            sys.executable, "-m", "pytest", "-v", "--tb=short", "--color=no", "-rfE", f"--junitxml={report}",
            *part.arguments,
        ]  # fmt: skip
        begun = time.monotonic()
        process = subprocess.Popen(
            argv, cwd=self._root, env={**_environment(), "PYTHONUNBUFFERED": "1", **part.environment},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", start_new_session=True,
        )  # fmt: skip
        self._running.add(process)
        assert process.stdout is not None
        for line in process.stdout:
            with self._printing:
                self._out(f"[{part.name}] {line.rstrip()}")
        status = process.wait()
        self._running.discard(process)
        counts = self._judged(part, status, report)
        with self._printing:
            self._out(f"[{part.name}] done in {time.monotonic() - begun:.0f} s, exit status {status}")
        return counts

    def _judged(self, part: Part, status: int, report: Path) -> Counts:
        counts = read_report(report, part.name)
        if status == NO_TESTS and part.may_be_empty:
            return Counts()
        explained = status == 0 or (status == 1 and (counts.failed or counts.errors))
        if not explained and not counts.broken:
            counts += Counts(broken=(part.name,))
        return counts

    def _stop(self) -> None:
        self._stopped = True
        for process in list(self._running):
            # pytest's own session: it gets the signal from here only, and ends in order.
            process.send_signal(signal.SIGINT)
