"""``python -m labhelpers.incidents watchman --lab NAME``: be the watchman of a lab (the lab starts it by itself)."""

from __future__ import annotations

import argparse

from labhelpers.incidents import watchman
from labhelpers.meant import meaning

parser = argparse.ArgumentParser(prog="labhelpers.incidents", description="Watch over a lab's incidents.")
parser.add_argument("role", choices=["watchman"])
parser.add_argument("--lab", required=True)
lab = parser.parse_args().lab
with meaning(lab):
    watchman.run(lab)
