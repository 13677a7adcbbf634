"""Hostile input, 300 cases for each command, magic and public function (:mod:`tests.fuzz`), on a lab that does not run.

In a process of its own: the workshop's directory is another one there.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import strategies as st

from labhelpers.cli import COMMANDS
from tests.fuzz import magic_cases
from tests.fuzz.__main__ import run
from tests.fuzz.public import EXCUSED, public_functions
from tests.fuzz.verdict import Broken, check_sentence

CASES = 300


@pytest.mark.parametrize("part", ["cli", "magics", "api"])
def test_hostile_input_ends_in_a_sentence_and_changes_nothing(part: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", part, "--cases", str(CASES)],
        cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    tried = {name.strip(): int(cases) for name, cases in re.findall(r"^(\S.{27}) +(\d+) cases", said, re.MULTILINE)}
    if part == "cli":
        assert set(tried) == {f"workshop {name}" for name in (*COMMANDS, "(none)")}
    elif part == "magics":
        assert {f"%{name}" for name in our_magics()} == set(tried)
    else:
        public = set(public_functions())
        listed = {name.split("(")[0] for name in tried}
        assert public - listed == set(EXCUSED), "a public function is neither tried nor excused"
    assert sum(tried.values()) >= len(tried) * CASES * 0.8, said


def our_magics() -> set[str]:
    """The magics that a kernel knows from this package."""
    found = magic_cases.shell().magics_manager.magics.values()
    return {name for named in found for name, magic in named.items() if magic.__module__.startswith("labhelpers.")}


def test_a_traceback_or_a_terminal_sequence_or_silence_is_found() -> None:
    """The positive control of every case's verdict."""
    for said in ("", "\n", "Traceback (most recent call last):\n  x", "no node \x1b[31m", "a" * 30_000):
        with pytest.raises(Broken):
            check_sentence(said)
    check_sentence("There is no node 'pg-9'.")


def test_what_breaks_is_reported_with_its_case() -> None:
    def judge(number: int) -> None:
        if number > 100:
            raise Broken(f"broken by {number}")

    tried = run("target", judge, st.integers(0, 1000), 100)
    assert tried.problem == "broken by 101"
