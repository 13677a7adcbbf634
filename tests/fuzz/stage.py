"""A directory of state of our own with a lab in it that does not run, and the proof that nothing in it changed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tests.fuzz.values import A_FILE, LAB


def build(state: Path, work: Path) -> None:
    """What a reboot leaves of a lab that was never started: its description, and no network."""
    work.mkdir()
    (work / A_FILE).write_text("a file", encoding="ascii")
    root = state / "labs" / LAB
    for name in ("keys", "saves", "journal", "recordings", "log", "nodes"):
        (root / name).mkdir(parents=True)
    (state / "locks").mkdir()
    described = {"lab": LAB, "network": "10.127.255", "bridge": "fuzz-none", "image": "0" * 12, "id_base": 1048576}
    (root / "lab.json").write_text(json.dumps(described), encoding="utf-8")
    (root / "keys" / "app.secret").write_text("secret", encoding="ascii")


def look(*directories: Path) -> dict[str, str]:
    """Every file and its content's digest. Locks are opened by those who only look: they come and go."""
    seen = {}
    for directory in directories:
        for path in sorted(directory.rglob("*")):
            if path.suffix == ".lock" or path.name == ".lock" or path.parent.name == "locks":
                continue
            content = path.read_bytes() if path.is_file() else b""
            seen[str(path)] = hashlib.sha256(content).hexdigest()
    return seen
