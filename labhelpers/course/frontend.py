"""How JupyterLab opens: chapters at the left, the first one open, and a terminal with the lab's commands.

Settings lie in the environment's own ``overrides.d``, so that a person's own settings still win. The
layout is a workspace of the lab, one a language: what a trainee arranges is found again the next day.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from labhelpers.course.chapters import ChapterFile
from labhelpers.i18n import LANGUAGES, Language
from labhelpers.paths import LabPaths

SETTINGS: dict[str, dict[str, Any]] = {
    # No question about news at the first start, and no request to the network.
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    # Anchors (<a id="…">) of the text keep their name.
    "@jupyterlab/apputils-extension:sanitizer": {"allowNamedProperties": True},
    "@jupyterlab/docmanager-extension:plugin": {"autosaveInterval": 60},
    "@jupyterlab/filebrowser-extension:browser": {
        "navigateToCurrentDirectory": True,
        # The chapters' names in full.
        "showLastModifiedColumn": False,
    },
    # Milliseconds. On a busy machine the kernel's first completion takes more than the one second that is the default.
    "@jupyterlab/completer-extension:manager": {"providerTimeout": 10_000},
    "@jupyterlab/terminal-extension:plugin": {"fontSize": 13},
}

DISABLED = ("@jupyterlab/cell-toolbar-extension:plugin",)
"""The cell's buttons would cover the link to the other language, and one of them deletes. Their setting
(``showToolbar``) is minded in the notebook that JupyterLab opens with, and in no other."""


def ensure_settings(prefix: Path = Path(sys.prefix)) -> None:
    """The environment's defaults for JupyterLab; where they are not ours to write they stay as they are."""
    settings = prefix / "share" / "jupyter" / "lab" / "settings" / "overrides.d" / "patroni-workshop.json"
    plugins = prefix / "etc" / "jupyter" / "labconfig" / "page_config.d" / "patroni-workshop.json"
    try:
        _write(settings, json.dumps(SETTINGS, indent=1) + "\n")
        _write(plugins, json.dumps({"disabledExtensions": dict.fromkeys(DISABLED, True)}, indent=1) + "\n")
    except PermissionError:
        return


def workspace_name(language: Language) -> str:
    return f"workshop-{language}"


def first_page(language: Language, first: ChapterFile) -> str:
    """The address of the first chapter in that language, with the layout of the course."""
    return f"/lab/workspaces/{workspace_name(language)}/tree/{language}/{first.name}.ipynb"


def ensure_workspaces(directory: Path, first: ChapterFile) -> None:
    """The layouts of both languages; one that is there already is the trainee's and stays."""
    from jupyterlab_server.workspaces_handler import WorkspacesManager

    manager = WorkspacesManager(str(directory))
    there = {workspace["metadata"]["id"].lstrip("/") for workspace in manager.list_workspaces()}
    for language in LANGUAGES:
        name = workspace_name(language)
        if name not in there:
            manager.save(name, json.dumps({"data": layout(language, first), "metadata": {"id": name}}))


def layout(language: Language, first: ChapterFile) -> dict[str, Any]:
    """JupyterLab's layout data: the notebook above, a terminal below, the chapters at the left."""
    path = f"{language}/{first.name}.ipynb"
    notebook, terminal = f"notebook:{path}", "terminal:1"
    return {
        "layout-restorer:data": {
            "main": {
                "dock": {
                    "type": "split-area",
                    "orientation": "vertical",
                    "sizes": [0.76, 0.24],
                    "children": [
                        {"type": "tab-area", "currentIndex": 0, "widgets": [notebook]},
                        {"type": "tab-area", "currentIndex": 0, "widgets": [terminal]},
                    ],
                },
                "current": notebook,
            },
            "left": {
                "collapsed": False,
                "visible": True,
                "current": "filebrowser",
                "widgets": ["filebrowser", "running-sessions", "@jupyterlab/toc:plugin"],
            },
            "right": {"collapsed": True, "visible": True, "widgets": []},
            "relativeSizes": [0.17, 0.83, 0],
        },
        "file-browser-filebrowser:cwd": {"path": language},
        notebook: {"data": {"path": path, "factory": "Notebook"}},
        terminal: {"data": {"name": "1"}},
    }


def terminal_files(paths: LabPaths, directory: Path) -> Path:
    """Writes what a terminal of JupyterLab starts with, and returns bash's start file.

    In it ``workshop`` is the environment's, and ``ssh pg-1`` (and ``scp``) know the lab beside the user's own
    hosts."""
    config, start = directory / "ssh_config", directory / "bashrc"
    _write(config, f'Include "{paths.ssh_config}"\nInclude ~/.ssh/config\n')
    binaries = shlex.quote(str(Path(sys.prefix) / "bin"))
    quoted = shlex.quote(str(config))
    _write(
        start,
        "[ -r /etc/bash.bashrc ] && . /etc/bash.bashrc\n"
        "[ -r ~/.bashrc ] && . ~/.bashrc\n"
        f"PATH={binaries}:$PATH:/usr/sbin:/sbin\n"
        f"export PATH WORKSHOP_LAB={shlex.quote(paths.lab)}\n"
        f'ssh() {{ command ssh -F {quoted} "$@"; }}\n'
        f'scp() {{ command scp -F {quoted} "$@"; }}\n'
        'eval "$(_WORKSHOP_COMPLETE=bash_source workshop 2>/dev/null)"\n',
    )
    return start


def _write(path: Path, text: str) -> None:
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
