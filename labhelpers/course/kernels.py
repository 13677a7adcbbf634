"""The two kernels, English and français, and the way they are reached.

A kernel cannot know which notebook it serves, so each language has a kernelspec that sets
``WORKSHOP_LANGUAGE``; the lab (``WORKSHOP_LAB``) comes from the environment of whoever starts it.

Jupyter picks a free TCP port, lets go of it and hands its number to the kernel, which may find it taken by
then (https://github.com/nteract/papermill/issues/511). A batch has no use for TCP: its kernels talk over
sockets in a directory of their own, where no one else can take the name.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labhelpers.i18n import LANGUAGES, Language

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager


SOCKETS = "workshop-kernel-"
"""How the directories begin; the number of the process that made one follows."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """One language's kernelspec."""

    language: Language
    name: str
    display_name: str

    def spec(self, python: str = sys.executable) -> dict[str, Any]:
        return {
            # Silent about TCP without encryption: JupyterLab's kernels listen on loopback, their messages are signed.
            "argv": [python, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--IPKernelApp.log_level=40"],
            "display_name": self.display_name,
            "language": "python",
            # The second silences a warning that the debugger prints at every start.
            "env": {"WORKSHOP_LANGUAGE": self.language, "PYDEVD_DISABLE_FILE_VALIDATION": "1"},
            "metadata": {"debugger": False},
        }


KERNELS: dict[Language, Kernel] = {
    "en": Kernel("en", "workshop-en", "English"),
    "fr": Kernel("fr", "workshop-fr", "Français"),
}


def ensure_kernels(prefix: Path = Path(sys.prefix)) -> None:
    """Both kernelspecs in the environment's ``share/jupyter/kernels``, written only where they differ."""
    for language in LANGUAGES:
        kernel = KERNELS[language]
        path = prefix / "share" / "jupyter" / "kernels" / kernel.name / "kernel.json"
        text = json.dumps(kernel.spec(), indent=1, ensure_ascii=False) + "\n"
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)


def environment(lab: str, language: Language | None = None) -> dict[str, str]:
    """What a kernel, a terminal or a test of that lab finds in its environment.

    The environment's own commands (``workshop``, ``ansible-playbook``) come first in the path.
    """
    result = dict(os.environ)
    result["WORKSHOP_LAB"] = lab
    if language:
        result["WORKSHOP_LANGUAGE"] = language
    binaries = str(Path(sys.prefix) / "bin")
    paths = result.get("PATH", os.defpath).split(os.pathsep)
    if paths[0] != binaries:
        result["PATH"] = os.pathsep.join([binaries, *(path for path in paths if path != binaries)])
    return result


def sweep_sockets() -> None:
    """Remove the sockets of batches that were killed: their kernels end with them, and nobody else would."""
    for path in Path("/tmp").glob(f"{SOCKETS}*"):
        pid = path.name.removeprefix(SOCKETS).partition("-")[0]
        if pid.isdigit() and not Path("/proc", pid).exists():
            shutil.rmtree(path, ignore_errors=True)  # another user's stay


def with_private_sockets(manager_class: type[Any]) -> type[Any]:
    """That kernel manager, over sockets in a directory of its own, which goes when the kernel has gone."""

    class PrivateSockets(manager_class):
        def __init__(self, **options: Any) -> None:
            # Short: a socket's path has at most 107 characters.
            self._sockets = Path(tempfile.mkdtemp(prefix=f"{SOCKETS}{os.getpid()}-", dir="/tmp"))
            super().__init__(transport="ipc", ip=str(self._sockets / "k"), **options)

        def write_connection_file(self, **options: Any) -> None:
            self._sockets.mkdir(mode=0o700, exist_ok=True)  # gone after a restart
            super().write_connection_file(**options)

        def cleanup_ipc_files(self) -> None:
            shutil.rmtree(self._sockets, ignore_errors=True)

    return PrivateSockets


def batch_kernel_manager() -> type[AsyncKernelManager]:
    """For papermill and nbclient (``kernel_manager_class``)."""
    from jupyter_client.manager import AsyncKernelManager

    return with_private_sockets(AsyncKernelManager)
