"""JupyterLab as ``workshop start`` opens it, on a copy of the course, and a browser that looks at it."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx
import nbformat
from playwright.sync_api import Browser, Locator, Page, Playwright, expect

from labhelpers.course.chapters import clone_root
from labhelpers.errors import WaitTimeout
from labhelpers.paths import LabPaths
from labhelpers.waiting import slowness, wait_until

T = TypeVar("T")
CHROMIUM = os.environ.get("WORKSHOP_CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SCREENSHOTS = Path(os.environ.get("WORKSHOP_SCREENSHOTS", "test-screenshots"))
PATIENCE_MILLISECONDS = 60_000 * slowness()
NOTEBOOK = "[...window.jupyterapp.shell.widgets('main')].find(widget => widget.isVisible && widget.content?.activeCell)"
"""In the page: the panel of the notebook that is seen."""
SETTLING_SECONDS = 10
OWN = "own"
"""The directory of the tests' own notebooks, beside ``en`` and ``fr``."""


@dataclass(frozen=True, slots=True)
class JupyterLab:
    """A server that runs, and the copy of ``notebooks/`` that it serves."""

    address: str
    token: str
    notebooks: Path

    def url(self, path: str) -> str:
        """The address of a page, with the token: it is asked for once a browser."""
        return f"{self.address}/{path}?token={self.token}"

    def write_notebook(self, name: str, *cells: str) -> str:
        """A notebook of the tests' own, and its path below the root. A cell that begins with ``# `` is prose."""
        new = nbformat.v4
        made = [new.new_markdown_cell(c) if c.startswith("# ") else new.new_code_cell(c) for c in cells]
        kernel = {"name": "workshop-en", "display_name": "English", "language": "python"}
        (self.notebooks / OWN).mkdir(exist_ok=True)
        path = f"{OWN}/{name}.ipynb"
        nbformat.write(new.new_notebook(cells=made, metadata={"kernelspec": kernel}), self.notebooks / path)
        return path

    def close_kernels(self) -> None:
        """End what the last test left running: the next one has the processor for itself."""
        for kind, key in (("sessions", "id"), ("terminals", "name")):
            for one in self._api("GET", kind).json():
                self._api("DELETE", f"{kind}/{one[key]}")

    def answers(self) -> bool:
        with suppress(httpx.HTTPError):
            return self._api("GET", "status").is_success
        return False

    def _api(self, method: str, path: str) -> httpx.Response:
        headers = {"Authorization": f"token {self.token}"}
        return httpx.request(method, f"{self.address}/api/{path}", headers=headers, timeout=30, trust_env=False)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(directory: Path, lab: str, *options: str) -> Iterator[JupyterLab]:
    """``workshop start`` from a copy of the course in ``directory``, so that the clone's notebooks stay as they are."""
    course = directory / "course"
    for part in ("labhelpers", "notebooks"):
        shutil.copytree(clone_root() / part, course / part, ignore=shutil.ignore_patterns("__pycache__"))
    # The layout is the lab's: the one of an earlier test run is not what a first-time user finds.
    shutil.rmtree(LabPaths(lab).root / "jupyter", ignore_errors=True)
    configuration = directory / "configuration"
    configuration.mkdir()
    (configuration / "jupyter_lab_config.json").write_text(json.dumps({"LabApp": {"expose_app_in_browser": True}}))
    port, token = _free_port(), secrets.token_hex(8)
    environment = {
        **os.environ,
        "PYTHONPATH": str(course),
        "JUPYTER_TOKEN": token,
        "JUPYTER_CONFIG_DIR": str(configuration),
        "JUPYTERLAB_SETTINGS_DIR": str(directory / "settings"),
        "WORKSHOP_LANGUAGE": "en",
    }
    argv = [sys.executable, "-m", "labhelpers.cli", "start", "--lab", lab, "--no-browser", "--port", str(port)]
    with (directory / "server.log").open("wb") as log:
        server = subprocess.Popen([*argv, *options], stdout=log, stderr=log, env=environment, cwd=course)
    jupyterlab = JupyterLab(f"http://localhost:{port}", token, course / "notebooks")
    try:
        wait_until(jupyterlab.answers, what="JupyterLab", within=90, every=0.3)
        yield jupyterlab
    finally:
        server.terminate()
        server.wait(30)


def launch(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


@contextmanager
def page_of(browser: Browser, **context: Any) -> Iterator[Page]:
    """A page with a memory of its own. Its console's last lines help where a picture does not."""
    own = browser.new_context(**{"viewport": {"width": 1600, "height": 1000}, **context})
    own.set_default_timeout(PATIENCE_MILLISECONDS)
    try:
        yield own.new_page()
    finally:
        own.close()


def open_notebook(page: Page, jupyterlab: JupyterLab, path: str) -> None:
    """The notebook, alone in JupyterLab, with its kernel ready."""
    workspace = re.sub("[^a-z0-9]+", "-", path.lower())
    page.goto(f"{jupyterlab.url(f'lab/workspaces/{workspace}/tree/{path}')}&reset")
    opened(page)
    command(page, "application:toggle-left-area")
    await_kernel(page)


def opened(page: Page) -> None:
    """JupyterLab is there, and the notebook drawn."""
    page.wait_for_function("window.jupyterapp && document.querySelector('.jp-Notebook .jp-Cell')")


def await_kernel(page: Page) -> None:
    """Before its kernel is there, JupyterLab would ask which one."""
    page.wait_for_function(f"({NOTEBOOK})?.sessionContext.session?.kernel?.status === 'idle'")


def cell_with(page: Page, text: str) -> Locator:
    """The first code cell whose source has ``text``, scrolled to and selected: JupyterLab draws cells when seen."""
    index = page.evaluate(
        """async text => {
            const panel = NOTEBOOK, notebook = panel.content;
            window.jupyterapp.shell.activateById(panel.id);
            const has = cell => cell.model.type === 'code' && cell.model.sharedModel.source.includes(text);
            const index = notebook.widgets.findIndex(has);
            if (index >= 0) { notebook.activeCellIndex = index; await notebook.scrollToItem(index); }
            return index;
        }""".replace("NOTEBOOK", NOTEBOOK),
        text,
    )
    assert index >= 0, f"no code cell has {text!r}"
    return page.locator(f".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell[data-windowed-list-index='{index}']")


def await_in_cell(page: Page, text: str, selector: str) -> None:
    """Wait until that is visible in the cell. A page that was just loaded may go back to the notebook's top, and the
    cell is scrolled to again; but not at once, for what comes into view is drawn anew."""

    def is_visible() -> bool:
        shown = cell_with(page, text).locator(selector).first
        return holds(lambda: expect(shown).to_be_visible(timeout=SETTLING_SECONDS * 1000 * slowness()))

    wait_until(is_visible, what=f"{selector} in the cell with {text}", within=60)


def standing_still(look: Callable[[], T]) -> T:
    """What is seen twice, a second apart."""
    seen = [look()]

    def is_still() -> bool:
        seen.append(look())
        return seen[-1] == seen[-2]

    wait_until(is_still, what="the page to stand still", within=30, every=1.0)
    return seen[-1]


def holds(expectation: Callable[[], None]) -> bool:
    """Whether what is expected of the page is so, within the expectation's own time."""
    with suppress(AssertionError):
        expectation()
        return True
    return False


def run_cell(page: Page, text: str) -> Locator:
    """Run the cell whose source has ``text``; returns it at once."""
    cell = cell_with(page, text)
    command(page, "notebook:run-cell")
    return cell


def ran(cell: Locator) -> None:
    """Wait until its execution is over: the prompt has its number again."""
    expect(cell.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\d+\]"))


def command(page: Page, name: str, **arguments: str) -> None:
    """One of JupyterLab's own commands."""
    page.evaluate("([name, args]) => { window.jupyterapp.commands.execute(name, args) }", [name, arguments])


@contextmanager
def dark(page: Page, wanted: bool = True) -> Iterator[None]:
    """JupyterLab's dark theme, and the light one again at the end."""
    if wanted:
        _set_theme(page, "JupyterLab Dark", "false")
    yield
    if wanted:
        _set_theme(page, "JupyterLab Light", "true")


def _set_theme(page: Page, name: str, light: str) -> None:
    command(page, "apputils:change-theme", theme=name)
    expect(page.locator(f"body[data-jp-theme-light='{light}']")).to_be_attached()


def settled(read: Callable[[], T], wanted: T) -> T:
    """What ``read`` finds when it is what is wanted, or else at last: a page may still be drawing when it is asked."""
    found: list[T] = []

    def is_wanted() -> bool:
        found.append(read())
        return found[-1] == wanted

    with suppress(WaitTimeout):
        wait_until(is_wanted, what="the page", within=SETTLING_SECONDS)
    return found[-1]


def extent(element: Locator, side: Literal["width", "height"]) -> float:
    """The element's width or height in pixels; 0 where it is not seen."""
    box = element.bounding_box()
    return box[side] if box else 0.0


def sideways(page: Page, selector: str) -> list[str]:
    """The elements below ``selector`` that are wider than the place they have."""
    return page.locator(selector).first.evaluate(
        """top => [top, ...top.querySelectorAll('*')]
            .filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0
                && getComputedStyle(e).display !== 'inline')
            .map(e => `${e.tagName}.${e.className} ${e.scrollWidth} > ${e.clientWidth}`)"""
    )
