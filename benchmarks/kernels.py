"""Do kernels start, many in a row and two at a time?

    .venv/bin/python -m benchmarks.kernels [--starts 200] [--together 2]

Each start is a notebook of one cell, executed as a batch executes a chapter: kernel, cell, end. No lab is needed. It
prints a Markdown table, and each failure's sentence; the exit status is 1 where one failed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.progress import say
from labhelpers.course.execute import execute_notebook
from labhelpers.course.kernels import KERNELS, ensure_kernels
from labhelpers.course.soak import nearest_rank

TELL_EVERY = 10


def write_notebook(directory: Path) -> Path:
    """A notebook that asks nothing of a lab."""
    import nbformat

    kernel = {"name": KERNELS["en"].name, "display_name": KERNELS["en"].display_name, "language": "python"}
    cell = nbformat.v4.new_code_cell("6 * 7")
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel})
    path = directory / "one_cell.ipynb"
    nbformat.write(notebook, path)
    return path


def start_once(job: tuple[Path, int]) -> tuple[float, str | None]:
    """Seconds of one execution, and why it failed."""
    source, number = job
    output = source.with_name(f"executed-{number}.ipynb")
    began = time.monotonic()
    record = execute_notebook(source, output, lab="test-none", language="en")
    seconds = time.monotonic() - began
    answered = output.exists() and '"42"' in output.read_text(encoding="utf-8")
    output.unlink(missing_ok=True)
    if record.outcome == "passed" and not answered:
        return seconds, "the cell gave no answer"
    return seconds, record.reason


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmarks.kernels", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--starts", type=int, default=200, help="how many kernels in all (default: 200)")
    parser.add_argument("--together", type=int, default=2, help="how many at a time (default: 2)")
    options = parser.parse_args(arguments)
    ensure_kernels()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="workshop-kernels-") as directory:
        source = write_notebook(Path(directory))
        jobs = [(source, number) for number in range(options.starts)]
        # A pool of fresh interpreters: zmq's context does not survive a fork.
        with multiprocessing.get_context("spawn").Pool(options.together) as pool:
            results = []
            for result in pool.imap_unordered(start_once, jobs):
                results.append(result)
                if len(results) % TELL_EVERY == 0 or len(results) == len(jobs):
                    say(f"{len(results)} of {len(jobs)} kernels")
    whole = time.monotonic() - began
    seconds = [taken for taken, _ in results]
    failures = [why for _, why in results if why]
    print("| kernels started | at a time | failures | median | 95 % | slowest | in all |")
    print("|---|---|---|---|---|---|---|")
    print(
        f"| {len(results)} | {options.together} | {len(failures)} | {statistics.median(seconds):.1f} s "
        f"| {nearest_rank(seconds, 95):.1f} s | {max(seconds):.1f} s | {whole:.0f} s |"
    )
    for why in failures:
        print(f"- {why}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
