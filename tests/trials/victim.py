"""Stands for a notebook's kernel: has the lab open, injects one incident, and waits for what becomes of it."""

from __future__ import annotations

import os
import sys
import time

from labhelpers import incidents
from labhelpers.lab import open_lab


def main(lab_name: str, kind: str) -> None:
    lab = open_lab(lab_name)
    incidents.watchman.ensure(lab, os.getpid())
    print("injecting", flush=True)
    with incidents.incident(lab, kind) as running:
        print("injected", *running.nodes, flush=True)
        time.sleep(600)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
