"""What the command at work on the disks means to do, written before the program that does it is started.

A killed command leaves that program behind it. The program begins only while its command still means it
(:func:`require_wanted`), under the lock that :func:`await_idle` waits for: so whoever comes next can be sure that
nothing will move the disks any more.
"""

from __future__ import annotations

import fcntl
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from labhelpers.course.disks.files import DiskProblem
from labhelpers.i18n import tr
from labhelpers.paths import LabPaths


@dataclass(frozen=True, slots=True)
class Intent:
    """``plan`` is the id of the plan that may still begin; empty: none may."""

    plan: str
    action: str
    name: str


def intent_file(lab_dir: Path) -> Path:
    return lab_dir / "plan.said"


def read_intent(paths: LabPaths) -> Intent | None:
    """None where nothing was ever meant here."""
    return _read(paths.root)


def _read(lab_dir: Path) -> Intent | None:
    try:
        return Intent(**json.loads(intent_file(lab_dir).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_intent(paths: LabPaths, intent: Intent) -> None:
    new = intent_file(paths.root).with_suffix(".mine")
    new.write_text(json.dumps(asdict(intent)), encoding="utf-8")
    new.replace(intent_file(paths.root))


def require_wanted(lab_dir: Path, plan: str) -> None:
    """Raises :class:`DiskProblem` where the command that wanted this plan is gone."""
    meant = _read(lab_dir)
    if meant is None or meant.plan != plan:
        raise DiskProblem(
            tr("The command that asked for this is gone: nothing was changed.",
               "La commande qui le demandait n'est plus là : rien n'a été changé.")
        )  # fmt: skip


def lock_file(lab_dir: Path) -> Path:
    """Held by the program while it is at work."""
    return lab_dir / "saves" / ".lock"


def await_idle(paths: LabPaths) -> None:
    """Return when no such program is at work; it bounds its own steps."""
    path = lock_file(paths.root)
    if path.exists():
        with path.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
