"""A whole Debian machine with systemd, made in a privileged nesting container: what a newcomer would sit at.

It has Debian's minimal system, git and python3, and an ordinary user who may use sudo; nothing of the workshop. The
nodes of a lab run inside it as they do on a trainee's VM.

    with FreshMachine("trixie") as machine:
        machine.clone(REPOSITORY, "/home/trainee/my course")
        machine.run("./workshop up", cwd="/home/trainee/my course")
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from labhelpers.waiting import wait_until

WHERE = Path("/var/lib/patroni-workshop-test-machines")
"""Beside the workshop's own state, and not in it: the tests of ``down --purge`` must not meet it."""

USER = "trainee"
NETWORK = "10.78.0"
BRIDGE = "wsm-br"
PACKAGES = "systemd,systemd-sysv,dbus,udev,kmod,sudo,git,python3,ca-certificates,iproute2,iputils-ping,procps,less"
CONFIG = """\
lxc.include = /usr/share/lxc/config/common.conf
lxc.include = /usr/share/lxc/config/nesting.conf
lxc.uts.name = {name}
lxc.rootfs.path = dir:{root}
lxc.net.0.type = veth
lxc.net.0.link = {bridge}
lxc.net.0.flags = up
lxc.net.0.ipv4.address = {network}.2/24
lxc.net.0.ipv4.gateway = {network}.1
lxc.signal.halt = SIGRTMIN+3
lxc.cap.drop =
lxc.cgroup.devices.allow = a
lxc.cgroup2.devices.allow = a
lxc.mount.auto = proc:rw sys:rw cgroup:rw:force
"""
STOP_SECONDS = 60
PASSED_ON = ("PIP_", "UV_", "SSL_CERT_", "REQUESTS_CA_", "CURL_CA_")
"""Settings of this machine's package clients that a machine inside it needs as well."""


class FreshMachine:
    """A machine that is new at each ``with``; only Debian's bare system is kept between two of them."""

    def __init__(self, suite: str) -> None:
        self.suite = suite
        self.name = f"fresh-{suite}"
        self.directory = WHERE / self.name
        self.root = self.directory / "rootfs"

    def __enter__(self) -> FreshMachine:
        self._remove()
        base = WHERE / f"base-{self.suite}"
        if not base.is_dir():
            self._build(base)
        self.directory.mkdir(parents=True)
        _run(["cp", "-a", "--reflink=auto", str(base), str(self.root)])
        self._settle_in()
        self._bring_up_network()
        config = CONFIG.format(name=self.name, root=self.root, bridge=BRIDGE, network=NETWORK)
        (self.directory / "config").write_text(config)
        _run(["lxc-start", "-P", str(WHERE), "-n", self.name])
        wait_until(lambda: self._state() in ("running", "degraded"), what="systemd in the fresh machine", within=60)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def clone(self, repository: Path, to: str) -> None:
        """A clone of the repository's HEAD, as ``git clone`` would give it."""
        target = Path(f"{self.root}{to}")
        _run(["git", "clone", "-q", "--no-hardlinks", str(repository), str(target)])
        _run(["chroot", str(self.root), "chown", "-R", f"{USER}:", to])

    def run(
        self, command: str, *, cwd: str = f"/home/{USER}", timeout: float = 900
    ) -> subprocess.CompletedProcess[str]:
        """What the user types after logging in. The output is both streams, in order."""
        line = f"set -a; . /etc/environment; set +a; cd {shlex.quote(cwd)} && {command}"
        argv = ["lxc-attach", "-P", str(WHERE), "-n", self.name, "--clear-env", "--", "su", "-", USER, "-c", line]
        return subprocess.run(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
            timeout=timeout, check=False,
        )  # fmt: skip

    def _state(self) -> str:
        argv = ["lxc-attach", "-P", str(WHERE), "-n", self.name, "--", "systemctl", "is-system-running"]
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()

    def _build(self, base: Path) -> None:
        new = base.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        WHERE.mkdir(parents=True, exist_ok=True)
        mirror = own_mirror()
        sources = [f"deb {mirror} {self.suite} main"] if mirror else []
        _run(["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", self.suite, str(new), *sources], timeout=600)
        new.rename(base)

    def _settle_in(self) -> None:
        etc = self.root / "etc"
        for name in ("resolv.conf", "pip.conf", "ssl/certs/ca-certificates.crt"):
            if (Path("/etc") / name).exists():
                (etc / name).unlink(missing_ok=True)
                shutil.copy(Path("/etc") / name, etc / name)
        (etc / "hostname").write_text(f"{self.name}\n")
        (etc / "hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n")
        (etc / "environment").write_text(
            "".join(
                f"{k}={shlex.quote(v)}\n" for k, v in os.environ.items() if k.startswith(PASSED_ON) and "FIND" not in k
            )
        )
        _run(["chroot", str(self.root), "useradd", "-m", "-s", "/bin/bash", USER])
        self.let_sudo(f"{USER} ALL=(ALL) NOPASSWD: ALL")

    def let_sudo(self, rule: str) -> None:
        """What the user may do by ``sudo``, as one line of sudoers."""
        file = self.root / "etc" / "sudoers.d" / USER
        file.write_text(f"{rule}\n")
        file.chmod(0o440)

    def _bring_up_network(self) -> None:
        if not Path(f"/sys/class/net/{BRIDGE}").exists():
            _run(["ip", "link", "add", BRIDGE, "type", "bridge"])
        _run(["ip", "addr", "replace", f"{NETWORK}.1/24", "dev", BRIDGE])
        _run(["ip", "link", "set", BRIDGE, "up"])
        _run(["sysctl", "-qw", "net.ipv4.ip_forward=1"])
        rules = (
            "table ip workshop_machines {}\n"
            "delete table ip workshop_machines\n"
            "table ip workshop_machines {\n"
            " chain out {\n"
            "  type nat hook postrouting priority srcnat;\n"
            f"  ip saddr {NETWORK}.0/24 ip daddr != {NETWORK}.0/24 masquerade\n"
            " }\n"
            "}\n"
        )
        _run(["nft", "-f", "-"], input=rules)

    def _remove(self) -> None:
        self._thaw()
        for argv in (
            ["lxc-stop", "-P", str(WHERE), "-n", self.name, "-k"],
            ["nft", "delete", "table", "ip", "workshop_machines"],
            ["ip", "link", "del", BRIDGE],
        ):
            subprocess.run(argv, capture_output=True, check=False, timeout=STOP_SECONDS)
        for line in reversed(Path("/proc/mounts").read_text().splitlines()):
            mounted = line.split()[1]
            if mounted.startswith(f"{self.directory}/"):
                subprocess.run(["umount", "-l", mounted], check=False)
        subprocess.run(["rm", "-rf", "--one-file-system", str(self.directory)], check=True)

    def _thaw(self) -> None:
        """A node that a test left frozen inside the machine does not die, and the machine would not stop."""
        for group in Path("/sys/fs/cgroup").glob(f"**/lxc.payload.{self.name}*"):
            for name, thawed in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
                for state in group.rglob(name):
                    with suppress(OSError):  # a group ends with its last process
                        state.write_text(thawed)


def own_mirror() -> str | None:
    """Debian's mirror as this machine has it; ``None``: mmdebstrap's default."""
    for source in Path("/etc/apt/sources.list.d").glob("*.sources"):
        for line in source.read_text().splitlines():
            if line.startswith("URIs:") and line.rstrip("/").endswith("/debian"):
                return line.split()[1]
    return None


def _run(argv: list[str], *, input: str | None = None, timeout: float = 120) -> None:
    done = subprocess.run(argv, input=input, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, f"{shlex.join(argv)}: {done.stderr[-800:]}"
