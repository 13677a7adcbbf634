"""``python -m tests.fuzz [PART…] [--cases 300]``: a table; exit status 0 where nothing broke and nothing changed."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

PARTS = ("cli", "magics", "api")
Judge = Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class Tried:
    """One target: how many cases it took, and what broke it ("" where nothing did)."""

    name: str
    cases: int
    seconds: float
    problem: str


def targets(part: str) -> Iterator[tuple[str, Judge, st.SearchStrategy[Any]]]:
    """What is called, who judges it, and with what."""
    if part == "cli":
        from tests.fuzz import cli_cases

        for command, strategy in cli_cases.strategies().items():
            yield f"workshop {command}", cli_cases.attempt(command), strategy
    elif part == "magics":
        from tests.fuzz import magic_cases

        for name, lines in magic_cases.strategies().items():
            yield f"%{name}", magic_cases.attempt(name), lines
    else:
        from tests.fuzz import api_cases

        for name, (call, strategies) in api_cases.calls().items():
            yield name, api_cases.attempt(name, call), st.tuples(*strategies)


def run(name: str, judge: Judge, strategy: st.SearchStrategy[Any], cases: int) -> Tried:
    """The same cases each time: what broke is found again by the same command."""
    count = 0
    began = time.monotonic()

    @settings(
        max_examples=cases, derandomize=True, database=None, deadline=None, phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck), print_blob=False, report_multiple_bugs=False,
    )  # fmt: skip
    @given(strategy)
    def try_all(case: Any) -> None:
        nonlocal count
        count += 1
        judge(case)

    problem = ""
    try:
        try_all()
    except BaseException as broken:
        if isinstance(broken, KeyboardInterrupt):
            raise
        problem = " ".join(str(broken).split()) or type(broken).__name__
    return Tried(name, count, time.monotonic() - began, problem)


def main() -> int:
    options = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__)
    options.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    options.add_argument("--cases", type=int, default=300, help="for each command, magic and function")
    options.add_argument("--only", help="targets whose name contains this")
    chosen = options.parse_args()
    began = time.monotonic()
    broken = 0
    home = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as directory:
        state, work = Path(directory, "state"), Path(directory, "work")
        os.environ.update(WORKSHOP_STATE=str(state), WORKSHOP_LAB="fuzz", WORKSHOP_LANGUAGE="en")
        from tests.fuzz import stage

        stage.build(state, work)
        os.chdir(work)
        before = stage.look(state, work)
        done: list[Tried] = []
        for part in chosen.parts or PARTS:
            for name, judge, strategy in targets(part):
                if chosen.only and chosen.only not in name:
                    continue
                tried = run(name, judge, strategy, chosen.cases)
                after = stage.look(state, work)
                changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
                problem = tried.problem or (f"changed: {', '.join(changed)}" if changed else "")
                before = after
                done.append(tried)
                broken += bool(problem)
                print(f"{name:<28} {tried.cases:>5} cases {tried.seconds:6.1f} s  {problem or 'ok'}", flush=True)
        os.chdir(home)
    cases = sum(tried.cases for tried in done)
    print(f"{len(done)} targets, {cases} cases, {time.monotonic() - began:.0f} s: {broken} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
