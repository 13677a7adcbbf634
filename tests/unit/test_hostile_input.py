"""What the hostile cases have found, each by itself."""

from __future__ import annotations

import argparse
import contextlib
import io
import math

import pytest
from IPython.core.interactiveshell import InteractiveShell

from labhelpers.errors import LabError, UsageProblem
from labhelpers.lab import Lab
from labhelpers.magics.arguments import duration
from labhelpers.magics.names import explain_missing_names
from labhelpers.waiting import bounded, wait_until
from tests.unit.scripted_lab import topology


def test_what_was_typed_never_drives_the_terminal() -> None:
    assert (
        str(LabError("no node \x1b[31mred\x07, one\ntwo\tthree é"))
        == r"no node \x1b[31mred\x07, one" + "\ntwo\tthree é"
    )


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "1e999", "soon", ""])
def test_option_refuses_a_time_that_never_ends(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="seconds"):
        duration(text)
    assert duration("2.5") == 2.5


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -math.inf])
def test_wait_without_a_bound_is_refused(seconds: float) -> None:
    with pytest.raises(UsageProblem, match="finite"):
        wait_until(lambda: False, what="never", within=seconds)
    assert bounded(-1) == -1


@pytest.mark.parametrize("name", ["", "../main/app", "a/b", ".hidden", "a\0b", "x" * 65])
def test_secret_stays_in_its_directory(name: str) -> None:
    with pytest.raises(UsageProblem, match="not a secret's name"):
        Lab(topology()).secret(name)


def test_missing_name_is_a_sentence_and_the_cell_still_fails() -> None:
    shell = InteractiveShell()
    explain_missing_names(shell)
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        result = shell.run_cell("outage.seconds")
    assert isinstance(result.error_in_exec, NameError)
    assert out.getvalue().strip().splitlines() == [
        "NameError: this notebook has no outage yet. A cell above makes it: run that one first, then this one."
    ]


def test_missing_name_in_a_function_elsewhere_keeps_its_traceback() -> None:
    shell = InteractiveShell()
    explain_missing_names(shell)
    shell.user_ns["elsewhere"] = eval("lambda: missing", {})
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        shell.run_cell("elsewhere()")
    assert "Traceback" in out.getvalue() and "missing" in out.getvalue()
