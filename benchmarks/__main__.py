"""All benchmarks in one run, with one report: ``python -m benchmarks [--only NAME…] [--loss] [--report FILE]``.

``lab``, ``labs``, ``goto``, ``observe`` and ``kernels`` one after another (about half an hour), as the README has them;
``loss``, which takes more than an hour, where ``--loss`` or ``--only loss`` asks for it. One that fails is told in the
report, and the others still run. The report is Markdown on stdout, and in FILE after each benchmark; exit status 1 if
one failed or missed its reach. Each makes its own labs (test-bench, test-side-1, …) and removes them.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib
import io
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.progress import say
from labhelpers.errors import LabError


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A module of this package: what it measures, and how it is called here."""

    name: str
    title: str
    arguments: tuple[str, ...] = ()
    long: bool = False

    def run(self) -> int:
        """Its table on stdout; its exit status."""
        main: Callable[[Sequence[str]], int] = importlib.import_module(f"benchmarks.{self.name}").main
        return main(self.arguments)


BENCHMARKS = (
    Benchmark("lab", "How long a lab takes", ("--runs", "3", "--from-nothing")),
    Benchmark("labs", "Several labs on one machine"),
    Benchmark("goto", "How long a return takes", ("--resets", "20")),
    Benchmark("observe", "What watching costs"),
    Benchmark("kernels", "Whether kernels start"),
    Benchmark("loss", "What a failover loses", long=True),
)


@dataclass(frozen=True, slots=True)
class Section:
    """One benchmark's part of the report."""

    benchmark: Benchmark
    text: str
    reached: bool
    seconds: float

    def to_markdown(self) -> str:
        call = " ".join(["python -m", f"benchmarks.{self.benchmark.name}", *self.benchmark.arguments])
        mark = "✓" if self.reached else "✗"
        return f"## {self.benchmark.title} {mark}\n\n{self.text}\n\n`{call}`, {self.seconds / 60:.1f} min\n"


def measure(benchmark: Benchmark) -> Section:
    """Run it; what it could not measure is its text. An interrupt goes through."""
    began = time.monotonic()
    table = io.StringIO()
    trouble = ""
    status = 1
    try:
        with contextlib.redirect_stdout(table):
            status = benchmark.run()
    except (Exception, SystemExit) as problem:  # whatever it is, the others still run, and the report tells of it
        trouble = f"✗ {problem if isinstance(problem, LabError | SystemExit) else repr(problem)}"
    text = "\n\n".join(part for part in (table.getvalue().strip(), trouble) if part)
    return Section(benchmark, text or "✗ nothing was measured", status == 0, time.monotonic() - began)


def report(sections: Sequence[Section]) -> str:
    """The whole run as Markdown."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    head = (
        f"# Benchmarks of {datetime.date.today():%Y-%m-%d}\n\n"
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}; load {os.getloadavg()[0]:.1f} now.\n"
    )
    return "\n".join([head, *(section.to_markdown() for section in sections)])


def chosen(only: Sequence[str], loss: bool) -> list[Benchmark]:
    """Those named, or else all that are not long; ``loss`` adds the long one."""
    return [
        benchmark
        for benchmark in BENCHMARKS
        if benchmark.name in only or (benchmark.long and loss) or (not only and not benchmark.long)
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [benchmark.name for benchmark in BENCHMARKS]
    parser.add_argument("--only", nargs="+", choices=names, default=[], metavar="NAME", help=", ".join(names))
    parser.add_argument("--loss", action="store_true", help="the failovers too (more than an hour)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the report there too")
    options = parser.parse_args(arguments)
    sections: list[Section] = []
    for benchmark in chosen(options.only, options.loss):
        say(f"— {benchmark.name}: {benchmark.title}")
        sections.append(measure(benchmark))
        say(f"  {sections[-1].seconds / 60:.1f} min")
        if options.report:
            options.report.write_text(report(sections), encoding="utf-8")
    print(report(sections))
    return 0 if all(section.reached for section in sections) else 1


if __name__ == "__main__":
    sys.exit(main())
