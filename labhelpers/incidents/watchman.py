"""The watchman: a process of the lab that undoes what nobody undid.

It looks once a second. It undoes an incident after its longest time, and at once when the process that injected it is
dead; it closes what somebody mended by hand; and while a notebook has the lab open, it adopts a node that a cell froze
by a plain ``lxc-freeze``. What it undid while nobody looked on, it heals: a member that diverged does not stay so. It
goes when there is nothing to watch: no incident, no open notebook, or no lab.

One a lab (a lock that dies with it), in a session of its own: neither Ctrl-C nor the kernel's end reaches it.

    python -m labhelpers.incidents watchman --lab main
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from labhelpers.errors import LabError, WaitTimeout
from labhelpers.host import as_root, is_locked
from labhelpers.i18n import tr
from labhelpers.incidents.engine import Engine
from labhelpers.incidents.errors import HealIncomplete, JournalBusy, WatchmanAbsent
from labhelpers.incidents.heal import heal
from labhelpers.incidents.journal import Entry, Journal
from labhelpers.incidents.locks import Held, holder_of, wait_for_lock
from labhelpers.incidents.owner import Owner
from labhelpers.waiting import wait_until

if TYPE_CHECKING:
    from labhelpers.lab import Lab

LOOK_EVERY_SECONDS = 1.0
RETRY_SECONDS = 5.0
"""After an undoing that failed."""
STILL_ACTING_SECONDS = 3.0
"""A command that the dead process started may still be at work: undone before it acts, an incident would stay."""
ON_DUTY_SECONDS = 30.0
"""From its start until it holds its lock (measured: 0.6 s, and 4 s on a machine that is busy)."""
SECOND_ONE_SECONDS = 2.0
SETTLED_SECONDS = 3.0
"""An incident is not taken for mended by hand before this age."""
LOG = "watchman.log"


@dataclass(slots=True)
class Watchman:
    """One look at a time, so that tests need no process."""

    engine: Engine
    lab_exists: Callable[[], bool]
    lab_is_busy: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = time.monotonic
    _not_before: dict[str, float] = field(default_factory=dict)
    _undid: bool = False

    def look(self) -> bool:
        """Do what is due. False: there is nothing left to watch. What fails is told, and tried again at a later look.

        Undoing comes first: nothing else that fails may stand in its way.
        """
        if not self.lab_exists():
            return False
        if self.lab_is_busy():
            return True
        for entry in self.engine.active():
            self._attend(entry)
        notebooks = self.engine.journal.notebooks()
        if self._undid and not self.engine.active():
            if notebooks:  # what the incident left behind may be the lesson
                self._undid = False
            else:
                self._try("heal", self._heal)
        if notebooks:
            self._try("adopt", lambda: self._adopt(notebooks[-1]))
        return bool(notebooks or self._undid or self.engine.active())

    def _try(self, key: str, step: Callable[[], object]) -> None:
        """One step, unless it failed a moment ago. The watchman outlives whatever it raises."""
        if self.clock() < self._not_before.get(key, 0.0):
            return
        try:
            step()
        except Exception as problem:
            self._not_before[key] = self.clock() + RETRY_SECONDS
            if not isinstance(problem, HealIncomplete):  # the engine has told it
                reason = str(problem) if isinstance(problem, LabError) else f"{type(problem).__name__}: {problem}"
                self.engine.say(tr(f"The watchman tries again in {RETRY_SECONDS:g} s: {reason}",
                                   f"Le gardien réessaie dans {RETRY_SECONDS:g} s : {reason}"))  # fmt: skip

    def _heal(self) -> None:
        heal(self.engine)
        self._undid = False

    def _adopt(self, notebook: Owner) -> None:
        held = {node for entry in self.engine.active() for node in entry.nodes}
        for node, state in self.engine.world.states().items():
            if state == "frozen" and node not in held:
                self.engine.adopt(node, notebook)

    def _attend(self, entry: Entry) -> None:
        why = self._due(entry)
        if why is not None:
            self._try(f"undo {entry.id}", lambda: self._undo(entry, why))
        elif entry.age_seconds > SETTLED_SECONDS:
            self._try(f"close {entry.id}", lambda: self.engine.close_if_gone(entry))

    def _undo(self, entry: Entry, why: str) -> None:
        self.engine.undo(entry.id, why)
        self._undid = True

    @staticmethod
    def _due(entry: Entry) -> str | None:
        if entry.orphaned and entry.age_seconds > STILL_ACTING_SECONDS:
            return tr("its notebook is gone", "son notebook a disparu")
        if entry.remaining_seconds <= 0:
            return tr("its time is over", "son temps est écoulé")
        return None


def ensure(lab: Lab, kernel_pid: int | None = None) -> None:
    """See to it that the lab gets a watchman. With ``kernel_pid``, that kernel's notebook counts as open."""
    journal = Journal(lab.paths.journal)
    kernel = Owner.of(kernel_pid) if kernel_pid is not None else None
    if kernel is not None:
        journal.open_notebook(kernel)
    if not is_locked(journal.watchman_lock):
        start(lab.name, lab.paths.log)


def ensure_on_duty(lab: Lab, within_seconds: float = ON_DUTY_SECONDS) -> None:
    """The lab has a watchman, which watches. Raises :class:`WatchmanAbsent` after ``within_seconds``."""
    ensure(lab)
    try:
        wait_until(lambda: is_running(lab), what=tr("the watchman", "le gardien"), within=within_seconds, every=0.1)
    except WaitTimeout as problem:
        raise WatchmanAbsent(within_seconds, lab.paths.log / LOG) from problem


def start(lab: str, log: Path) -> None:
    """Start one, in its own session. A second one ends by itself."""
    log.mkdir(parents=True, exist_ok=True)
    with (log / LOG).open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "labhelpers.incidents", "watchman", "--lab", lab],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True, close_fds=True, cwd="/", env=_environment(),
        )  # fmt: skip
    _children.append(process)
    _children[:] = [child for child in _children if child.poll() is None]


_children: list[subprocess.Popen[bytes]] = []
"""Those that this process started: polled at times, so that none stays a zombie."""


def _environment() -> dict[str, str]:
    """Ours, and where this package lies, for a process that starts elsewhere."""
    package = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(part for part in (package, os.environ.get("PYTHONPATH", "")) if part)
    return {**os.environ, "PYTHONPATH": path}


def is_running(lab: Lab) -> bool:
    return is_locked(Journal(lab.paths.journal).watchman_lock)


def pid(lab: Lab) -> int | None:
    """The watchman's process; None where there is none."""
    lock = Journal(lab.paths.journal).watchman_lock
    if not is_locked(lock):
        return None
    number = holder_of(lock).rpartition(" ")[2]
    return int(number) if number.isdigit() else None


def dismiss(lab: Lab, within_seconds: float = 10) -> None:
    """The lab goes away: its watchman ends now. Repeatable. Raises ``WaitTimeout`` after ``within_seconds``."""
    number = pid(lab)
    if number is None:
        return
    try:
        os.kill(number, signal.SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError:  # another user's
        as_root(["kill", "-TERM", str(number)], check=False)
    wait_until(lambda: not is_running(lab), what=tr("the watchman's end", "la fin du gardien"), within=within_seconds)


def watch(watchman: Watchman, journal: Journal) -> None:
    """Look until there is nothing left. The lock goes while the journal is held, so that who writes an incident and
    then looks for a watchman never trusts one that is about to leave."""
    # Whoever looks whether there is a watchman holds this lock for an instant: that is not another watchman.
    lock = wait_for_lock(journal.watchman_lock, "watchman", SECOND_ONE_SECONDS)
    try:
        lock.__enter__()
    except Held:
        return  # there is one
    released = False
    try:
        while True:
            began = time.monotonic()
            if not watchman.look():
                if not watchman.lab_exists():
                    return
                with suppress(JournalBusy, OSError), journal.locked("watchman"):  # else it looks on
                    if not journal.entries() and not journal.notebooks():
                        lock.__exit__(None, None, None)
                        released = True
                        return
            time.sleep(max(0.05, LOOK_EVERY_SECONDS - (time.monotonic() - began)))
    finally:
        if not released:
            lock.__exit__(None, None, None)


def run(name: str) -> None:
    """Be the watchman of the lab, in this process."""
    from labhelpers.incidents.world import LabWorld
    from labhelpers.lab import open_lab

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    lab = open_lab(name)
    watchman = Watchman(
        Engine(LabWorld(lab), ensure_watchman=lambda: None),
        lab_exists=lambda: lab.paths.exists,
        lab_is_busy=lambda: is_locked(lab.paths.lock),
    )
    watch(watchman, Journal(lab.paths.journal))
