"""One trial: an incident, a moment, a blow; then the lab is healthy and free of residues within a bound."""

from __future__ import annotations

import os
import pty
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import httpx

from labhelpers import incidents
from labhelpers.errors import LabError
from labhelpers.incidents.acts import POWEROFF_SECONDS
from labhelpers.incidents.catalogue import CATALOGUE
from labhelpers.incidents.heal import find_residues
from labhelpers.incidents.world import LabWorld, World
from labhelpers.lab import Lab
from labhelpers.waiting import wait_until

Blow = Literal["kernel SIGKILL", "Ctrl-C", "SSH closed", "watchman killed", "heal at once"]
BLOWS: tuple[Blow, ...] = get_args(Blow)

CLEAN_WITHIN_SECONDS = 60.0
WATCHMAN_WITHIN_SECONDS = 30.0
"""10 s to notice, and what the undoing itself takes (a node that boots, a machine that is busy)."""
LONGEST_MOMENT_SECONDS = 6.0
HELD_SHARE = 0.3
"""Of the trials with a prediction, these hold the incident until writes are accepted again."""
HELD_SECONDS = 75.0


@dataclass(slots=True)
class Outcome:
    """What one trial found. ``outage_seconds`` None: it was not held long enough to know."""

    number: int
    kind: str
    blow: Blow
    moment_seconds: float
    nodes: tuple[str, ...] = ()
    healed_seconds: float | None = None  # from the blow until nothing is in the journal
    clean_seconds: float | None = None  # from then until healthy and free of residues
    outage_seconds: float | None = None
    predicted: tuple[float, float] | None = None
    problem: str = ""
    left: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.problem

    @property
    def inside_prediction(self) -> bool | None:
        if self.outage_seconds is None or self.predicted is None:
            return None
        return self.predicted[0] <= self.outage_seconds <= self.predicted[1]


class WriteWatch:
    """When does a node accept writes again? Patroni's ``/primary`` of each node, ten times a second."""

    def __init__(self, lab: Lab, since: float) -> None:
        self._addresses = {node: lab.topology.node(node).address for node in lab.topology.postgres}
        self._since = since
        self._stop = threading.Event()
        self._lost = threading.Event()
        self.served_at: float | None = None
        self._answers: dict[str, tuple[float, bool]] = {}
        self._threads = [threading.Thread(target=self._ask, args=(node,), daemon=True) for node in self._addresses]
        for thread in self._threads:
            thread.start()

    def _ask(self, node: str) -> None:
        url = f"http://{self._addresses[node]}:8008/primary"
        with httpx.Client(timeout=0.5, trust_env=False) as client:
            while not self._stop.is_set():
                try:
                    serves = client.get(url).status_code == httpx.codes.OK
                except httpx.HTTPError:
                    serves = False
                self._note(node, serves)
                self._stop.wait(0.1)

    def _note(self, node: str, serves: bool) -> None:
        now = time.monotonic()
        self._answers[node] = (now, serves)
        served = any(yes for _, yes in self._answers.values())
        if len(self._answers) == len(self._addresses) and not served:
            self._lost.set()
        elif served and self._lost.is_set() and self.served_at is None:
            self.served_at = now

    def stop(self) -> float | None:
        self._stop.set()
        for thread in self._threads:
            thread.join(2)
        return None if self.served_at is None else self.served_at - self._since


def run_trial(lab: Lab, number: int, dice: random.Random) -> Outcome:
    """The lab is healthy before. Whatever becomes of the trial, it is healed after."""
    kind = dice.choice([kind for kind in CATALOGUE if incidents.possible(lab, kind) is None])
    mechanism = CATALOGUE[kind].mechanism
    held = mechanism in ("lease", "release", "restart") and dice.random() < HELD_SHARE
    blow: Blow = dice.choice(BLOWS)
    outcome = Outcome(number, kind, blow, dice.uniform(0, LONGEST_MOMENT_SECONDS))
    try:
        _carry_out(lab, outcome, held)
    except (LabError, OSError, subprocess.SubprocessError) as problem:
        outcome.problem = f"{type(problem).__name__}: {problem}"
    if outcome.problem:
        outcome.left = [str(residue) for residue in incidents.residues(lab)]
        incidents.heal(lab)
    return outcome


def _carry_out(lab: Lab, outcome: Outcome, held: bool) -> None:
    before = _led_by(lab)
    terminal, process = _start_victim(lab, outcome.kind)
    try:
        watch = WriteWatch(lab, time.monotonic()) if held else None
        if watch is not None:
            watch._since = wait_until(lambda: _acted_at(lab), what="the injection", within=30)
            _hold(watch)
            outcome.outage_seconds = watch.stop()
            if outcome.outage_seconds is not None:
                _require_expected(lab, outcome.kind, before)
            prediction = CATALOGUE[outcome.kind].prediction(incidents.engine(lab).world.timing())
            outcome.predicted = (prediction.low_seconds, prediction.high_seconds) if prediction else None
        else:
            deadline = time.monotonic() + outcome.moment_seconds
            wait_until(
                lambda: time.monotonic() >= deadline, what="the moment", within=outcome.moment_seconds + 5, every=0.01
            )
        outcome.nodes = tuple(node for running in incidents.active(lab) for node in running.nodes)
        struck = time.monotonic()
        _strike(lab, outcome.blow, terminal, process)
        # A node that shuts down in order is let finish before it is started again.
        undone = WATCHMAN_WITHIN_SECONDS + (POWEROFF_SECONDS if outcome.kind == "primary-shutdown" else 0)
        wait_until(lambda: not incidents.active(lab), what="the healing", within=undone)
        healed = time.monotonic()
        outcome.healed_seconds = healed - struck
        wait_until(lambda: is_clean(lab), what="a healthy lab", within=CLEAN_WITHIN_SECONDS, every=0.5,
                   seen=lambda: why_not_clean(lab))  # fmt: skip
        outcome.clean_seconds = time.monotonic() - healed
    finally:
        process.kill()
        process.wait()
        if outcome.blow != "SSH closed":
            os.close(terminal)


def _acted_at(lab: Lab) -> float | None:
    """The moment of the fault (monotonic seconds); None before it."""
    return next((running.acted_monotonic for running in incidents.active(lab)), None)


def _led_by(lab: Lab) -> str | None:
    seen = incidents.engine(lab).world.cluster()
    return seen.leader if seen else None


def _require_expected(lab: Lab, kind: str, before: str | None) -> None:
    """Writes are accepted again: by whom the catalogue says? The DCS hears of it a moment later."""
    expected = CATALOGUE[kind].expected

    def as_declared() -> bool:
        leader = _led_by(lab)
        return leader is not None and (leader != before) == expected.another_leader

    wait_until(as_declared, what=f"{kind}: {expected.en}", within=15, seen=lambda: f"{_led_by(lab)} leads")


def _hold(watch: WriteWatch) -> None:
    try:
        wait_until(lambda: watch.served_at is not None, what="writes", within=HELD_SECONDS)
    except LabError:
        return


def _start_victim(lab: Lab, kind: str) -> tuple[int, subprocess.Popen[bytes]]:
    """On a terminal of its own, as over SSH; it is about to inject when this returns."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.trials.victim", lab.name, kind],
        stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, start_new_session=True,
        preexec_fn=_take_terminal,
    )  # fmt: skip
    os.close(theirs)
    said = b""
    deadline = time.monotonic() + 60
    while b"injecting" not in said and time.monotonic() < deadline:
        said += os.read(ours, 1024)
    return ours, process


def _take_terminal() -> None:
    """The child's standard input becomes its controlling terminal: its end is a hang-up.

    Ctrl-C and the hang-up reach it as in a terminal, even where these trials themselves run in the background.
    """
    import fcntl
    import termios

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _strike(lab: Lab, blow: Blow, terminal: int, process: subprocess.Popen[bytes]) -> None:
    if blow == "kernel SIGKILL":
        process.kill()
    elif blow == "Ctrl-C":
        os.write(terminal, b"\x03")
    elif blow == "SSH closed":
        os.close(terminal)
    else:
        if blow == "watchman killed":
            number = incidents.watchman.pid(lab)
            if number is not None:
                os.kill(number, signal.SIGKILL)
            process.kill()
            process.wait()
        heal = subprocess.run(
            [sys.executable, "-m", "labhelpers.cli", "heal", "--lab", lab.name],
            capture_output=True, text=True, timeout=150, check=False,
        )  # fmt: skip
        if blow == "heal at once":
            process.kill()  # it may have been about to inject while the healing looked
        if heal.returncode != 0:
            raise LabError(f"workshop heal: {heal.stderr.strip()[-300:]} {heal.stdout.strip()[-300:]}")


def is_clean(lab: Lab) -> bool:
    return why_not_clean(lab) == ""


def why_not_clean(lab: Lab) -> str:
    world = incidents.engine(lab).world
    assert isinstance(world, LabWorld)
    return verdict(world, [running.id for running in incidents.active(lab)])


def verdict(world: World, entries: Sequence[str] = ()) -> str:
    """Why the lab is not clean: by the residue check, by the cluster, and by what each member says of itself; the DCS
    keeps a dead member's last word for a while.
    """
    left = find_residues(world, entries)
    if left:
        return ", ".join(str(residue) for residue in left)
    seen, members = world.cluster(), world.topology.postgres
    if seen is None or not seen.healthy(members):
        return str(seen)
    return "" if world.is_healthy(members) else f"a member contradicts the DCS: {seen}"
