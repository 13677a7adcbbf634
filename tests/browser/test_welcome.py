"""How the course opens: the language, the chapters at the left, a terminal; the other language in a click."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from labhelpers.lab import Lab
from labhelpers.waiting import slowness
from tests.browser.jupyterlab import (
    SETTLING_SECONDS,
    JupyterLab,
    await_kernel,
    command,
    holds,
    opened,
    page_of,
    serving,
    settled,
    sideways,
)  # fmt: skip

pytestmark = [pytest.mark.browser, pytest.mark.live]

FRONT = ".jp-NotebookPanel:not(.lm-mod-hidden)"


@pytest.fixture(scope="module", autouse=True)
def welcome(page: Page, jupyterlab: JupyterLab) -> None:
    """The address that ``workshop start`` says."""
    page.goto(jupyterlab.url("workshop"))
    opened(page)


def heading(page: Page, text: str) -> Locator:
    return page.locator(f"{FRONT} :is(h1, h2)", has_text=text)


def test_browser_that_asks_for_english_gets_english(page: Page) -> None:
    expect(heading(page, "00 · Welcome")).to_be_in_viewport()
    expect(page.locator(".jp-DirListing-item")).to_contain_text(["00_welcome", "01_principles", "02_infrastructure"])
    expect(page.locator(".jp-Dialog")).to_have_count(0)


def test_terminal_knows_the_lab(lab: Lab, page: Page) -> None:
    terminal = page.locator(".jp-Terminal").first
    expect(terminal.locator(".xterm-screen")).to_be_visible()
    await_kernel(page)  # until then the notebook may take the keyboard
    terminal.click()
    expect(terminal.locator("textarea")).to_be_focused()
    page.keyboard.type("clear; workshop status | head -n 1; ssh pg-1 hostname; echo e''nd\n")
    for said in (f"Lab {lab.name}", "pg-1", "end"):
        page.wait_for_function(TERMINAL_SAYS, arg=said)


TERMINAL_SAYS = """said => {
    const terminal = [...window.jupyterapp.shell.widgets('main')].find(widget => widget.content?.session?.name);
    const lines = terminal.content._term.buffer.active;
    return [...Array(lines.length).keys()].some(n => lines.getLine(n).translateToString(true).startsWith(said));
}"""


@pytest.mark.parametrize("width", [1280, 800])
def test_welcome_fits_narrow_windows(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    try:
        expect(heading(page, "00 · Welcome")).to_be_in_viewport()
        assert settled(lambda: sideways(page, f"{FRONT} .jp-MarkdownCell .jp-RenderedHTMLCommon"), []) == []
    finally:
        page.set_viewport_size({"width": 1600, "height": 1000})


def test_click_leads_to_the_same_place_in_the_other_language(page: Page) -> None:
    heading(page, "00 · Welcome").click()  # the next notebook opens beside this one, and not by the terminal below
    page.locator(".jp-DirListing-item", has_text="01_principles").dblclick()
    expect(heading(page, "01 · Principles")).to_be_visible()
    follow_to_french(page)
    if not comes_into_view(heading(page, "Trois métiers")):
        # JupyterLab may go back to the top while it still draws a notebook that it has just opened
        # (github.com/jupyterlab/jupyterlab/issues/14106). On one that is open the link leads there for sure.
        command(page, "application:activate-previous-tab")
        follow_to_french(page)
        expect(heading(page, "Trois métiers")).to_be_in_viewport()
    expect(page.locator(f"{FRONT} .jp-cell-toolbar")).to_have_count(0)
    await_kernel(page)


def follow_to_french(page: Page) -> None:
    here = page.locator(f"{FRONT} .jp-MarkdownCell", has=page.locator("h2", has_text="Three trades"))
    link = here.get_by_role("link", name="Français")
    # JupyterLab makes the link its own, and then writes where the file lies; before, the browser would leave the page.
    expect(link).to_have_attribute("href", re.compile("/files/"))
    link.click()
    page.wait_for_function("window.jupyterapp.shell.currentWidget?.context?.path === 'fr/01_principles.ipynb'")


def comes_into_view(place: Locator) -> bool:
    return holds(lambda: expect(place).to_be_in_viewport(timeout=SETTLING_SECONDS * 1000 * slowness()))


def test_browser_that_asks_for_french_gets_french(browser: Browser, jupyterlab: JupyterLab) -> None:
    with page_of(browser, locale="fr-FR") as page:
        page.goto(jupyterlab.url("workshop"))
        opened(page)
        expect(heading(page, "00 · Bienvenue")).to_be_in_viewport()


def test_language_of_the_command_line_comes_first(browser: Browser, lab: Lab, tmp_path: Path) -> None:
    with serving(tmp_path, lab.name, "--language", "fr") as jupyterlab, page_of(browser, locale="en-US") as page:
        page.goto(jupyterlab.url("workshop"), wait_until="commit")
        page.wait_for_url("**/tree/fr/00_welcome.ipynb*")
