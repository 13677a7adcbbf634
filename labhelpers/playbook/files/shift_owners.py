#!/usr/bin/env python3
"""Give a tree to the users of an unprivileged container: owners 0..65535 become BASE..BASE+65535.

    shift_owners.py ROOT BASE

A change of owner takes the set-user-id bits away, so each mode is set again.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path


def shift(root: Path, base: int) -> None:
    for directory, folders, files in os.walk(root):
        for path in [Path(directory), *(Path(directory) / name for name in (*folders, *files))]:
            status = path.lstat()
            if status.st_uid >= base:
                continue
            os.lchown(path, status.st_uid + base, status.st_gid + base)
            if not stat.S_ISLNK(status.st_mode):
                path.chmod(stat.S_IMODE(status.st_mode))


if __name__ == "__main__":
    shift(Path(sys.argv[1]), int(sys.argv[2]))
