"""One log of what happened to a lab's incidents, written by whoever did it: kernel, terminal or watchman."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

FILE = "incidents.log"
_ENOUGH_BYTES = 64 * 1024


def say(log_directory: Path, sentence: str) -> None:
    """Append one line, whole (a short write to a file opened for appending is). A full disk loses the line alone."""
    with suppress(OSError):
        log_directory.mkdir(parents=True, exist_ok=True)
        line = f"{datetime.now(UTC).isoformat(timespec='seconds')} {' '.join(sentence.split())}\n"
        with (log_directory / FILE).open("a", encoding="utf-8") as file:
            file.write(line)


def tail(log_directory: Path, lines: int = 6) -> list[str]:
    """The last lines, with the time of day as the trainee's clock shows it."""
    try:
        with (log_directory / FILE).open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _ENOUGH_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    return [_local(line) for line in text.splitlines()[-lines:]]


def _local(line: str) -> str:
    stamp, _, rest = line.partition(" ")
    try:
        return f"{datetime.fromisoformat(stamp).astimezone():%H:%M:%S} {rest}"
    except ValueError:
        return line
