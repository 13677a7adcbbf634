"""Run a shell script on this machine, streaming, and end all of it when the time is up or a person interrupts."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from labhelpers.errors import LabError
from labhelpers.host import as_root
from labhelpers.i18n import tr
from labhelpers.nodes import Result
from labhelpers.waiting import physical_wait

GRACE_SECONDS = 2.0
"""What a script has to end by itself before it is killed."""


def host_environment(lab: str, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a script: this one's, the workshop's own command on the path, and the notebook's lab."""
    environment = dict(os.environ)
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", os.defpath)])
    environment["WORKSHOP_LAB"] = lab
    environment.update(PAGER="cat", SYSTEMD_PAGER="cat", TERM="dumb", PYTHONUNBUFFERED="1", **(extra or {}))
    return environment


@physical_wait()
def run_on_host(
    script: str,
    *,
    name: str,
    lab: str,
    timeout: float,
    on_line: Callable[[str, str, str], None] | None = None,
) -> Result:
    """Run ``script`` with bash. ``timeout`` is in seconds; a failure is in the result (``name``'s), not raised.

    A KeyboardInterrupt ends the script and everything that it started, then passes on.
    """
    began = time.monotonic()
    process = subprocess.Popen(
        ["bash", "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
        env=host_environment(lab),
    )
    collected: dict[str, list[str]] = {"stdout": [], "stderr": []}

    def read(stream: IO[str], label: str) -> None:
        for line in stream:
            collected[label].append(line)
            if on_line:
                on_line(name, line, label)

    assert process.stdout and process.stderr
    readers = [
        threading.Thread(target=read, args=(process.stdout, "stdout"), daemon=True),
        threading.Thread(target=read, args=(process.stderr, "stderr"), daemon=True),
    ]
    for reader in readers:
        reader.start()
    error = None
    try:
        exited: int | None = process.wait(timeout)
    except subprocess.TimeoutExpired:
        _end(process)
        exited, error = (
            None,
            tr(f"not done after {timeout:g} s, and ended", f"pas fini après {timeout:g} s, et arrêté"),
        )
    except BaseException:
        _end(process)
        raise
    for reader in readers:
        reader.join(GRACE_SECONDS)  # a child in the background may keep the pipe open: what it says later is not ours
    return Result(
        name,
        script,
        exited,
        "".join(collected["stdout"]),
        "".join(collected["stderr"]),
        time.monotonic() - began,
        error,
    )


def _end(process: subprocess.Popen[str]) -> None:
    """End the script's whole group of processes: asked first, then killed, what root runs there as well."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
            break
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if _group_lives(process.pid):
        with contextlib.suppress(LabError):
            as_root(["kill", "-TERM", "--", f"-{process.pid}"], timeout=5, check=False)


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
