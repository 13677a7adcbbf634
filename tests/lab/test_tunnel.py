"""The way in from a laptop: ``ssh -p 22XX -L 8888:localhost:8888``, tried with a real sshd on a high port."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from labhelpers import lifecycle
from labhelpers.waiting import wait_until
from tests.lab.machine import WORKSHOP, leaving_nothing, output_of

LAB = "test-tunnel"
TOKEN = "only-for-this-test"

pytestmark = pytest.mark.live


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def answers(port: int, token: str) -> int | None:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/api/contents?token={token}", timeout=2, trust_env=False).status_code
    except httpx.HTTPError:
        return None


def greets(port: int) -> bool:
    """Whether an sshd answers there."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def said(directory: Path) -> str:
    """What both ends of the tunnel said."""
    return "\n".join(f"{log.name}: {log.read_text()[-2000:]}" for log in sorted(directory.glob("*.log")))


@contextmanager
def running(argv: list[str], log: Path = Path(os.devnull), **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=5)


@pytest.fixture(scope="module")
def jupyterlab() -> Iterator[int]:
    """JupyterLab as ``workshop start`` opens it, on a port of its own."""
    port = free_port()
    start = [*WORKSHOP, "start", "--lab", LAB, "--no-browser", "--port", str(port)]
    with leaving_nothing(LAB):
        lifecycle.ensure_up(LAB)
        with running(start, JUPYTER_TOKEN=TOKEN):
            wait_until(lambda: answers(port, TOKEN) == 200, what="JupyterLab to answer", within=60)
            yield port


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """An sshd on a high port of the loopback, and the key that it lets in."""
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "the test needs openssh-server; ./workshop test installs it"
    for name in ("host", "laptop"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True)
    shutil.copy(tmp_path / "laptop.pub", tmp_path / "authorized_keys")
    port = free_port()
    # Without PAM, sshd refuses an account whose password is locked, as root's is on some machines.
    use_pam = "yes" if Path("/etc/pam.d/sshd").exists() else "no"
    config = tmp_path / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {tmp_path}/host\nPidFile {tmp_path}/pid\nStrictModes no\n"
        f"AuthorizedKeysFile {tmp_path}/authorized_keys\nUsePAM {use_pam}\nPermitRootLogin prohibit-password\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)  # sshd's own empty directory, which systemd makes elsewhere
    with running([program, "-D", "-e", "-f", str(config)], log=tmp_path / "sshd.log"):
        wait_until(lambda: greets(port), what="sshd to listen", within=30)
        yield port, tmp_path / "laptop"


def test_jupyterlab_answers_through_the_tunnel(jupyterlab: int, sshd: tuple[int, Path], tmp_path: Path) -> None:
    port, key = sshd
    near = free_port()
    tunnel = [
        "ssh", "-N", "-p", str(port), "-i", str(key), "-o", f"UserKnownHostsFile={tmp_path}/known", "-o",
        "StrictHostKeyChecking=accept-new", "-o", "ExitOnForwardFailure=yes", "-L", f"{near}:localhost:{jupyterlab}",
        f"{pwd.getpwuid(os.getuid()).pw_name}@127.0.0.1",
    ]  # fmt: skip
    with running(tunnel, log=tmp_path / "ssh.log") as ssh:
        wait_until(
            lambda: ssh.poll() is not None or answers(near, TOKEN) == 200, what="JupyterLab through the tunnel",
            within=30, seen=lambda: said(tmp_path),
        )  # fmt: skip
        assert ssh.poll() is None, said(tmp_path)
        wait_until(lambda: answers(near, "not-the-token") == 403, what="a refusal", within=30)


def test_jupyterlab_listens_on_the_loopback_alone_and_wants_its_token(jupyterlab: int) -> None:
    listening = [line.split()[3] for line in output_of("ss", "-Hltn").splitlines() if f":{jupyterlab} " in line]
    assert listening
    assert {address.rpartition(":")[0] for address in listening} <= {"127.0.0.1", "[::1]"}
    wait_until(lambda: answers(jupyterlab, "") == 403, what="a refusal", within=30)
