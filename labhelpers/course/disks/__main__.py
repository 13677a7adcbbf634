"""The program that root runs.   python -m labhelpers.course.disks VERB < document.json"""

from __future__ import annotations

import contextlib
import fcntl
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from labhelpers.course.disks import look, owners, plan
from labhelpers.course.disks.intent import lock_file
from labhelpers.errors import LabError

VERBS = {
    "commit": plan.commit,
    "finish": plan.finish,
    "scan": look.scan,
    "sizes": look.sizes,
    "collect": look.collect,
    "named": look.keep_named,
    "shift": owners.shift,
}


def main() -> None:
    document = json.load(sys.stdin)
    try:
        lock = lock_file(Path(document["lab_dir"]))
        lock.parent.mkdir(exist_ok=True)
        with held(lock):
            print(json.dumps(VERBS[sys.argv[1]](document)))
    except (LabError, OSError) as problem:
        sys.exit(str(problem))


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """One such program at a time: a command that was killed may have left this one running."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    main()
