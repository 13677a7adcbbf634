"""A warm-up that can't succeed says why in one sentence, and leaves what was there before."""

from __future__ import annotations

import http.server
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from labhelpers.topology import PLAYBOOK
from tests.fresh_machine.machine import own_mirror

WARMUP = str(PLAYBOOK / "warmup.sh")
PACKAGES_SERVED = 25
"""After so many, the mirror goes down."""

pytestmark = pytest.mark.live


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory of its own, with an image that somebody built before."""
    (tmp_path / "images" / "0123456789ab" / "root").mkdir(parents=True)
    return tmp_path


def warm_up(state: Path, *before: str, **settings: str) -> str:
    """Warm up in vain; what it said."""
    argv = [*before, "env", f"STATE={state}", *(f"{name}={value}" for name, value in settings.items()), WARMUP]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1, done.stdout
    assert {path.name for path in (state / "images").iterdir()} == {".lock", "0123456789ab"}
    return done.stderr


@contextmanager
def mirror_that_goes_down(upstream: str) -> Iterator[str]:
    """A mirror that hands on another one's files, until it has served enough packages."""
    served: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if "/pool/" in self.path:
                served.append(self.path)
            if len(served) > PACKAGES_SERVED:
                self.send_error(503)
                return
            answer = httpx.get(upstream.rstrip("/") + self.path, timeout=60, follow_redirects=True)
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
    assert len(served) > PACKAGES_SERVED


def test_without_a_network_the_reason_is_said(state: Path) -> None:
    said = warm_up(state, "unshare", "--net")
    assert len(said.splitlines()) == 1 and "Failed to fetch" in said and "Is there a network" in said


def test_a_mirror_that_goes_down_half_way_leaves_no_half_image(state: Path) -> None:
    with mirror_that_goes_down(own_mirror() or "http://deb.debian.org/debian") as mirror:
        said = warm_up(state, APT_MIRROR=mirror)
    assert len(said.splitlines()) == 1 and "Failed to fetch" in said and "503" in said
