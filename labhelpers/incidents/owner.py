"""Who injected an incident, and is that process still there?

A process number alone is not an identity: numbers are used again. Number, start time and the boot's id together are.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


def boot_id() -> str:
    """The id of this boot of the machine: what the kernel forgot since another one is not waited for."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def _start_ticks(pid: int) -> int | None:
    """Field 22 of ``/proc/PID/stat`` (proc(5)): clock ticks after the boot. None: no such process, or a zombie."""
    try:
        stat = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name, in brackets, may hold spaces
    return None if fields[0] in ("Z", "X") else int(fields[19])


@dataclass(frozen=True, slots=True)
class Owner:
    """One process of this machine, for good."""

    pid: int
    start_ticks: int
    boot: str

    @classmethod
    def of(cls, pid: int | None = None) -> Owner | None:
        """The process ``pid`` (this one where None), or None where it is gone."""
        number = os.getpid() if pid is None else pid
        ticks = _start_ticks(number)
        return None if ticks is None else cls(number, ticks, boot_id())

    @property
    def alive(self) -> bool:
        return self.boot == boot_id() and _start_ticks(self.pid) == self.start_ticks

    def to_json(self) -> dict[str, object]:
        return {"pid": self.pid, "start_ticks": self.start_ticks, "boot": self.boot}

    @classmethod
    def from_json(cls, data: dict[str, object]) -> Owner:
        return cls(int(str(data["pid"])), int(str(data["start_ticks"])), str(data["boot"]))
