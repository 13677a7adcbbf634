"""What was asked of a batch, and how far it has come: all that ``workshop run --resume`` needs, in its directory.

``order.json`` is written before anything runs, and each ``report.json`` after each chapter, both through to the disk: a
power cut loses one chapter's work at most. What passed is never run again; a chapter that was cut off begins again from
where it starts.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labhelpers.course.errors import NothingToResume, RunUnderWay
from labhelpers.course.records import RunRecord
from labhelpers.i18n import Language, tr

ORDER = "order.json"
REPORT = "report.json"
LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked."""

    lab: str
    language: Language
    chapters: tuple[str, ...]
    """Their files' names, in order."""
    parameters: dict[str, Any] = field(default_factory=dict)
    repeat: int = 1

    def directories(self, directory: Path) -> list[Path]:
        """Where the report of each run of this order goes."""
        if self.repeat == 1:
            return [directory]
        return [directory / f"run-{number:0{len(str(self.repeat))}d}" for number in range(1, self.repeat + 1)]


def begin(order: Order, directory: Path) -> None:
    """Keep the order beside what comes of it; what an earlier order left there is no record of this one."""
    for each in order.directories(directory):
        (each / REPORT).unlink(missing_ok=True)
    write_through(directory / ORDER, json.dumps(dataclasses.asdict(order), indent=1, ensure_ascii=False) + "\n")


def read_order(directory: Path) -> Order:
    """The order of that directory. Raises :class:`NothingToResume`."""
    try:
        document = json.loads((directory / ORDER).read_text(encoding="utf-8"))
        return Order(**{**document, "chapters": tuple(document["chapters"])})
    except FileNotFoundError:
        raise NothingToResume(directory, tr("no run was begun there", "aucun lot n'y a été commencé")) from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        why = tr(f"{ORDER} can't be read ({error})", f"{ORDER} est illisible ({error})")
        raise NothingToResume(directory, why) from None


def read_record(directory: Path) -> RunRecord | None:
    """What is recorded of a run; None where it has not come to its first report. Raises :class:`NothingToResume`."""
    path = directory / REPORT
    if not path.exists():
        return None
    try:
        return RunRecord.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        why = tr(f"{REPORT} can't be read ({error})", f"{REPORT} est illisible ({error})")
        raise NothingToResume(directory, why) from None


def is_cut_off(order: Order, record: RunRecord | None) -> bool:
    """Whether some chapter of it has no result of its own yet."""
    if record is None:
        return True
    settled = [chapter.name for chapter in record.chapters if chapter.outcome not in ("interrupted", "not run")]
    return set(order.chapters) != set(settled)


def is_unfinished(order: Order, directory: Path) -> bool:
    """Whether some run of it, by the reports there, did not come to its end. Raises :class:`NothingToResume`."""
    return any(is_cut_off(order, read_record(each)) for each in order.directories(directory))


def last_cut_off(runs: Path) -> Path:
    """The latest run in that directory that did not come to its end. Raises :class:`NothingToResume`."""
    begun = sorted(runs.glob(f"*/{ORDER}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in begun:
        if is_unfinished(read_order(path.parent), path.parent):
            return path.parent
    raise NothingToResume(runs, tr("every run there came to its end", "tous les lots y sont arrivés à leur terme"))


def require_something_to_do(order: Order, directory: Path) -> None:
    """Raises :class:`NothingToResume` where every chapter of every run has passed."""
    records = [read_record(each) for each in order.directories(directory)]
    if not any(record is None or not record.passed or is_cut_off(order, record) for record in records):
        raise NothingToResume(directory, tr("every chapter passed", "tous les chapitres ont réussi"))


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """The run is this process's alone. The kernel lets go of it when the process ends, however that comes.

    Raises :class:`RunUnderWay`.
    """
    with (directory / LOCK).open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunUnderWay(directory) from None
        yield


def write_through(path: Path, text: str) -> None:
    """Replace a file in one step; it is on the disk afterwards. Raises ``OSError``; the old file is there then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
