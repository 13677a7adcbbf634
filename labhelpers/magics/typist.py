"""Types the answers to a command's prompts, as a person at a terminal would.

The command gets a terminal of its own, so it prompts, and the terminal echoes what is typed: the output reads like
the trainee's screen. An answer is typed when the command has stopped in the middle of a line (a prompt), never ahead
of it. The driver is a small Python script, so it runs the same on a node and on this machine.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

DRIVER = r"""
import fcntl, json, os, pty, select, struct, sys, termios
script, answers = json.loads(sys.argv[1])
PROMPT, SILENCE = 0.35, 6.0
pid, fd = pty.fork()
if pid == 0:
    os.environ.update(TERM="dumb", PAGER="cat", SYSTEMD_PAGER="cat", COLUMNS="110", LINES="50")
    os.execvp("bash", ["bash", "-c", script])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 110, 0, 0))
last, quiet = b"", 0.0
while True:
    ready, _, _ = select.select([fd], [], [], 0.05)
    if ready:
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        os.write(1, data.replace(b"\r\n", b"\n"))
        last, quiet = (last + data)[-200:], 0.0
        continue
    quiet += 0.05
    prompted = last.rstrip(b" ") and not last.endswith(b"\n")
    if answers and last and quiet >= (PROMPT if prompted else SILENCE):
        os.write(fd, answers.pop(0).encode() + b"\n")
        last, quiet = b"\n", 0.0
_, status = os.waitpid(pid, 0)
code = os.waitstatus_to_exitcode(status)
sys.exit(code if code >= 0 else 128 - code)
"""


def typed(script: str, answers: Sequence[str]) -> str:
    """A shell script that runs ``script`` at a terminal and types ``answers`` at its prompts."""
    return f"exec python3 -c {shlex.quote(DRIVER)} {shlex.quote(json.dumps([script, list(answers)]))}"
