"""Cells out of order and repeated: ``python -m tests.trials.cells --sequences 50 --report cells.md``.

Each sequence puts the lab where a chapter starts, runs the chapter's first cell in a real kernel, and then five to
eight cells drawn by Hypothesis: of that chapter, some twice, some of another chapter, and no more than half of them in
any one sequence before it. Each cell must end in its result or in one sentence, never in a traceback; one that takes
longer than the patience that was drawn with it is interrupted, as a trainee would do. Afterwards the lab must not be
broken: it is healed, and ``goto`` brings it back to where all that the chapter starts from holds. Exit status 0 where
as many sequences as asked for ran, and each ended well.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from jupyter_client.manager import start_new_kernel

from labhelpers import incidents
from labhelpers.checks.starts import start_results
from labhelpers.course import saves
from labhelpers.course.chapters import chapter_files
from labhelpers.errors import LabError
from labhelpers.lab import Lab, open_lab
from labhelpers.lifecycle import ensure_up
from labhelpers.waiting import wait_until

CHAPTERS = ("03", "04", "05", "08")
CELL_SECONDS = 30.0
PATIENCES_SECONDS = (3.0, 10.0, 20.0)
INTERRUPT_SECONDS = 20.0
FIRST, LAST = 5, 8
DISTINCT = 4
DRAWS_PER_SEQUENCE = 40

Step = tuple[str, int, float]
"""A chapter, the place of a code cell in it, and after how many seconds that is interrupted."""


@dataclass(slots=True)
class Ran:
    """How one cell ended: ``result``, ``sentence``, ``interrupted``, or ``traceback``."""

    chapter: str
    place: int
    ended: str
    said: str = ""


@dataclass(slots=True)
class Tried:
    """One sequence, what its cells ended in, and what became of the lab ("" where it is well)."""

    chapter: str
    ran: list[Ran] = field(default_factory=list)
    broken: str = ""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return not self.broken and all(one.ended != "traceback" for one in self.ran)


class Kernel:
    """A kernel on the lab, one cell at a time."""

    def __init__(self, lab: str) -> None:
        self.manager, self.client = start_new_kernel(kernel_name="python3", env=dict(os.environ, WORKSHOP_LAB=lab))

    def run(self, code: str, patience: float = CELL_SECONDS) -> tuple[str, str]:
        """How the cell ended, and what it said where it failed; it is interrupted after ``patience`` seconds."""
        message = self.client.execute(code, store_history=False, allow_stdin=False)
        error = self._finish(message, patience)
        if error is None:
            self.manager.interrupt_kernel()
            error = self._finish(message, INTERRUPT_SECONDS)
            return ("interrupted", "") if error is not None else ("traceback", "the kernel does not heed an interrupt")
        if not error:
            return "result", ""
        told = "\n".join(error[2:])
        # A traceback comes in several parts. Our sentence is one, and may repeat what a command said on several lines.
        is_sentence = len(error) == 3 and "Traceback" not in told and bool(error[1].strip())
        return ("sentence" if is_sentence else "traceback"), f"{error[0]}: {error[1]}"

    def _finish(self, message: str, within: float) -> list[str] | None:
        """The error's name, value and traceback; nothing where there was none; None where the time is up."""
        error: list[str] = []
        deadline = time.monotonic() + within
        while (left := deadline - time.monotonic()) > 0:
            try:
                got = self.client.get_iopub_msg(timeout=min(left, 1.0))
            except Exception as nothing:  # queue.Empty of either flavour of the client
                if type(nothing).__name__ != "Empty":
                    raise
                continue
            if got["parent_header"].get("msg_id") != message:
                continue
            content = got["content"]
            if got["msg_type"] == "error":
                error = [content["ename"], content["evalue"], *content["traceback"]]
            elif got["msg_type"] == "status" and content["execution_state"] == "idle":
                return error
        return None

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def code_cells() -> dict[str, list[str]]:
    """The code cells of each chapter's English notebook."""
    found = {}
    for file in chapter_files():
        if file.number in CHAPTERS:
            notebook = nbformat.read(file.notebook("en"), as_version=4)
            found[file.number] = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return found


def sequences(cells: dict[str, list[str]]) -> st.SearchStrategy[tuple[str, list[Step]]]:
    """A chapter, and cells of it; about one in five is another chapter's."""

    def of(chapter: str) -> st.SearchStrategy[Step]:
        places = st.integers(1, len(cells[chapter]) - 1)
        return st.tuples(st.just(chapter), places, st.sampled_from(PATIENCES_SECONDS))

    anybody = st.sampled_from(CHAPTERS).flatmap(of)

    def whole(chapter: str) -> st.SearchStrategy[tuple[str, list[Step]]]:
        step = st.one_of(of(chapter), of(chapter), of(chapter), of(chapter), anybody)
        return st.tuples(st.just(chapter), st.lists(step, min_size=FIRST, max_size=LAST))

    return st.sampled_from(CHAPTERS).flatmap(whole)


def is_different(steps: Sequence[Step], earlier: Sequence[Sequence[Step]]) -> bool:
    """Whether the steps have cells enough, and at most half of these in any earlier sequence: Hypothesis likes to draw
    again what it has just drawn, a little changed."""
    cells = {step[:2] for step in steps}
    return len(cells) >= DISTINCT and all(2 * len(cells & {step[:2] for step in one}) <= len(cells) for one in earlier)


def run_sequence(lab: Lab, cells: dict[str, list[str]], chapter: str, steps: Sequence[Step]) -> Tried:
    """The cells, the first of the chapter before them, on a lab that is where the chapter starts; then heal it."""
    began = time.monotonic()
    done = Tried(chapter)
    kernel = Kernel(lab.name)
    try:
        for where, place, patience in [(chapter, 0, CELL_SECONDS), *steps]:
            done.ran.append(Ran(where, place, *kernel.run(cells[where][place], patience)))
    finally:
        kernel.close()
    done.broken = mend(lab)
    done.seconds = time.monotonic() - began
    return done


def mend(lab: Lab) -> str:
    """Heal what the cells left; why it can't be healed, or "". A cluster that they took apart is for ``goto``."""
    try:
        incidents.heal(lab, wait=False)
    except LabError as error:
        return f"heal: {error}"
    left = [str(residue) for residue in incidents.residues(lab) if residue.kind != "service-down"]
    return f"left after heal: {', '.join(left)}" if left else ""


def arrive(lab: Lab, chapter: str) -> str:
    """Go where the chapter starts; what does not hold there, or ""."""
    findings: list[str] = []

    def holds() -> bool:
        nonlocal findings
        findings = [f"{f.node}: {f.found}" for result in start_results(lab, chapter) for f in result.findings]
        return not findings

    try:
        saves.goto(lab, chapter, keep=False)
        wait_until(holds, what=f"the start of chapter {chapter}", within=60, every=1, seen=lambda: "; ".join(findings))
    except LabError as error:
        return f"goto {chapter}: {error}"
    finally:
        lab.nodes.close()
    return ""


def report(done: Sequence[Tried], number: int, seconds: float) -> str:
    ran = [one for sequence in done for one in sequence.ran]
    ended = {word: sum(one.ended == word for one in ran) for word in ("result", "sentence", "interrupted", "traceback")}
    lines = [
        f"{sum(one.passed for one in done)} of {len(done)} sequences of cells ended well (chapters "
        f"{', '.join(CHAPTERS)}; seed {number}, {seconds / 60:.1f} min).",
        f"{len(ran)} cells: {ended['result']} gave a result, {ended['sentence']} one sentence, {ended['interrupted']} "
        f"were interrupted after {PATIENCES_SECONDS[0]:g} to {PATIENCES_SECONDS[-1]:g} s, {ended['traceback']} ended "
        f"in a traceback. Labs broken: {sum(bool(one.broken) for one in done)}.",
        "", "| # | start | cells | seconds | |", "|--:|---|---|--:|---|",
    ]  # fmt: skip
    for place, one in enumerate(done, 1):
        cells = " ".join(f"{ran.chapter}.{ran.place}{_mark(ran)}" for ran in one.ran)
        bad = "; ".join(
            f"**{r.chapter}.{r.place}: {' '.join(r.said[:300].split())}**" for r in one.ran if r.ended == "traceback"
        )
        lines.append(f"| {place} | {one.chapter} | {cells} | {one.seconds:.0f} | {one.broken} {bad or 'ok'} |")
    lines += ["", "`s` one sentence, `i` interrupted, `T` traceback."]
    return "\n".join(lines) + "\n"


def missing_sentence(ran: int, asked: int, minutes: float) -> str:
    """What was asked for and did not run, or "": a trial that was cut short proves less than it was asked to."""
    if ran >= asked:
        return ""
    return (
        f"✗ Only {ran} of the {asked} sequences that were asked for ran: the {minutes:g} minutes or the draws were up."
    )


def _mark(ran: Ran) -> str:
    return {"sentence": "s", "interrupted": "i", "traceback": "T"}.get(ran.ended, "")


def main() -> int:
    options = argparse.ArgumentParser(prog="tests.trials.cells", description=__doc__)
    options.add_argument("--sequences", type=int, default=50)
    options.add_argument("--lab", default="test-cel", help="a lab for tests; it is built where it is not there")
    options.add_argument("--seed", type=int, default=20261124)
    options.add_argument("--minutes", type=float, default=120, help="begin no sequence after this time")
    options.add_argument("--report", type=Path, help="write the report there too, after each sequence")
    wanted = options.parse_args()
    if not wanted.lab.startswith("test"):
        options.error("this takes a lab apart: only one whose name begins with 'test'")
    ensure_up(wanted.lab)
    lab = open_lab(wanted.lab)
    cells = code_cells()
    for chapter in CHAPTERS:  # the states are made once, by the chapters before: not in the time of a sequence
        saves.goto(lab, chapter, keep=False)
    began = time.monotonic()
    done: list[Tried] = []
    drawn_before: list[list[Step]] = []

    @seed(wanted.seed)
    @settings(
        max_examples=wanted.sequences * DRAWS_PER_SEQUENCE, phases=(Phase.generate,), database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(sequences(cells))
    def try_all(drawn: tuple[str, list[Step]]) -> None:
        chapter, steps = drawn
        is_over = len(done) == wanted.sequences or time.monotonic() - began > wanted.minutes * 60
        if is_over or not is_different(steps, drawn_before):
            return
        drawn_before.append(steps)
        broken = arrive(lab, chapter)
        if broken and not done:
            raise SystemExit(f"The lab was broken before the first sequence: {broken}")
        if broken:
            done[-1].broken += broken
        one = run_sequence(lab, cells, chapter, steps)
        done.append(one)
        print(f"{len(done)}/{wanted.sequences} {one.chapter}: {'ok' if one.passed else one}", flush=True)
        if wanted.report:
            wanted.report.write_text(report(done, wanted.seed, time.monotonic() - began), encoding="utf-8")

    try_all()
    if done:
        done[-1].broken += arrive(lab, CHAPTERS[-1])
    missing = missing_sentence(len(done), wanted.sequences, wanted.minutes)
    text = report(done, wanted.seed, time.monotonic() - began) + (f"\n{missing}\n" if missing else "")
    print(text)
    if wanted.report:
        wanted.report.write_text(text, encoding="utf-8")
    return 0 if not missing and all(one.passed for one in done) else 1


if __name__ == "__main__":
    sys.exit(main())
