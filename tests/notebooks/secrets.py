"""Do a lab's secrets stand anywhere that is handed on: a notebook, an output, a log, the repository?"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

PRIVATE_LINES = slice(2, None)
"""Of an OpenSSH key's body. The first line is the same in all keys, the second holds the public half."""
SHORTEST = 16
"""Characters: a key's last line may be short enough to stand somewhere by chance."""


def secrets_of(keys: Path) -> dict[str, str]:
    """What no reader may see, by where it is kept: each secret, and each line of a private key's private half."""
    found = {path.name: path.read_text(encoding="ascii").strip() for path in keys.rglob("*.secret")}
    for path in keys.rglob("*"):
        if not path.is_file() or "PRIVATE KEY" not in (text := path.read_text(encoding="ascii")):
            continue
        body = [line for line in text.splitlines() if not line.startswith("-----")]
        for number, line in enumerate(body[PRIVATE_LINES]):
            found[f"{path.relative_to(keys)}, line {number}"] = line
    return {where: value for where, value in found.items() if len(value) >= SHORTEST}


def leaks(secrets: Mapping[str, str], places: Iterable[Path]) -> list[str]:
    """Each file in these directories that holds a secret, and which."""
    found = []
    for place in places:
        for path in sorted(path for path in place.rglob("*") if path.is_file()):
            content = path.read_bytes()
            found += [f"{path}: {name}" for name, value in secrets.items() if value.encode() in content]
    return found


def leaks_in_git(secrets: Mapping[str, str], repository: Path) -> list[str]:
    """Each tracked file that holds a secret: its name alone."""
    patterns = "".join(f"{value}\n" for value in secrets.values())
    done = subprocess.run(
        ["git", "-C", str(repository), "grep", "--fixed-strings", "--files-with-matches", "-f", "-"],
        input=patterns, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if done.returncode not in (0, 1):  # 1: nothing was found
        raise AssertionError(done.stderr)
    return done.stdout.splitlines()
