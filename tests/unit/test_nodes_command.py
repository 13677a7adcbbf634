"""The line that is sent to a node's shell, here run by a shell of this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

from labhelpers.nodes import _exports, _remote_command

SECRET = "it's q7Xk9vPd $x\nof two lines \\ é"


def run(remote: str, sent: str) -> str:
    """What it prints, while its input stays open as a connection's does."""
    process = subprocess.Popen(["bash", "-c", remote], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin and process.stdout
    process.stdin.write(sent.encode())
    process.stdin.flush()
    said = process.stdout.read().decode()
    assert process.wait(timeout=20) == 0
    process.stdin.close()
    return said


def test_a_variable_reaches_the_script_and_no_command_line() -> None:
    script = 'printf %s "$SECRET"; echo; for p in /proc/[0-9]*; do tr "\\0" " " <$p/cmdline; done 2>/dev/null'
    said = run(_remote_command(script, None, 20, None, with_env=True), _exports({"SECRET": SECRET, "OTHER": "x"}))
    assert said.startswith(SECRET + "\n")
    listed = said.removeprefix(SECRET)
    assert "for p in /proc" in listed  # the script itself is seen there
    assert "q7Xk9vPd" not in listed
    assert _exports({"SECRET": SECRET})[:40] not in listed


def test_input_and_variables_go_together_and_are_not_left_open() -> None:
    remote = _remote_command(
        'cat; printf " %s " "$A"; ls /proc/self/fd | tr "\\n" " "', None, 20, "typed", with_env=True
    )
    assert run(remote, _exports({"A": "b"})).startswith("typed b 0 1 2 3 ")


def test_without_variables_nothing_is_read_from_the_connection() -> None:
    assert "env" not in _remote_command("true", None, 20, None, with_env=False)
    assert run(_remote_command("cat; echo done", None, 20, None, with_env=False), "") == "done\n"


def test_a_connection_that_ends_before_the_variables_came_runs_nothing(tmp_path: Path) -> None:
    remote = _remote_command(f"touch {tmp_path}/ran", None, 20, None, with_env=True)
    done = subprocess.run(["bash", "-c", remote], stdin=subprocess.DEVNULL, timeout=20, check=False)
    assert done.returncode != 0
    assert list(tmp_path.iterdir()) == []
