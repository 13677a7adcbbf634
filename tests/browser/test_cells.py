"""What a trainee types and runs in a cell: completion, output as it comes, the stop button, live views."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from labhelpers.lab import Lab
from labhelpers.waiting import wait_until
from tests.browser.jupyterlab import JupyterLab, cell_with, extent, open_notebook, ran, run_cell, settled

pytestmark = [pytest.mark.browser, pytest.mark.live]

GATE = "/tmp/browser-test-gate"
OPEN = "%load_ext labhelpers"
COMPLETION = "%%on pg-"
STREAMING = f"%%on pg-2\necho the first line; until test -e {GATE}; do sleep 0.1; done; rm {GATE}; echo the last line"
LONG = "%%on pg-2\necho it runs; sleep 4711"
SHORT = "%%on pg-2\nhostname"
WATCH = "%watch pg-2 --within 8 -- date +%s.%N"
QUORUM = "from labhelpers.widgets import quorum\nquorum.explorer()"
MANY_LINES = "%%on e1\nseq 300"


@pytest.fixture(scope="module", autouse=True)
def notebook(page: Page, jupyterlab: JupyterLab) -> None:
    path = jupyterlab.write_notebook("cells", OPEN, COMPLETION, STREAMING, LONG, SHORT, WATCH, QUORUM, MANY_LINES)
    open_notebook(page, jupyterlab, path)
    ran(run_cell(page, OPEN))


def test_tab_completes_the_names_of_nodes(page: Page) -> None:
    line = cell_with(page, COMPLETION).locator(".cm-content")
    line.click()
    page.keyboard.press("End")
    page.keyboard.press("Tab")
    expect(page.locator(".jp-Completer .jp-Completer-match")).to_have_text(["pg-1", "pg-2", "pg-3"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(line).to_have_text("%%on pg-2")


def test_output_is_seen_while_the_command_runs(page: Page, lab: Lab) -> None:
    cell = run_cell(page, STREAMING)
    output = cell.locator(".jp-OutputArea-output")
    expect(output).to_contain_text("the first line")
    expect(cell.locator(".jp-InputPrompt")).to_have_text(re.compile(r"\[\*\]"))
    lab.nodes["pg-2"].run(f"touch {GATE}")
    ran(cell)
    expect(output).to_contain_text("the last line")


def test_stop_button_leaves_node_and_kernel_usable(page: Page, lab: Lab) -> None:
    long = run_cell(page, LONG)
    expect(long.locator(".jp-OutputArea")).to_contain_text("it runs")
    page.locator(".jp-NotebookPanel-toolbar [data-jp-item-name='interrupt'] jp-button").click()
    ran(long)
    expect(long.locator(".jp-OutputArea")).to_contain_text("interrupted")
    assert "Traceback" not in long.inner_text()
    wait_until(
        lambda: not lab.nodes["pg-2"].try_run("pgrep -f '[s]leep 4711'").ok, what="the command to end", within=10
    )
    after = run_cell(page, SHORT)
    ran(after)
    expect(after.locator(".jp-OutputArea")).to_contain_text("pg-2")


def test_live_view_changes_in_place(page: Page) -> None:
    cell = run_cell(page, WATCH)
    shown = cell.locator(".jp-OutputArea-output pre")
    expect(shown).to_have_count(1)
    expect(shown).not_to_have_text(shown.inner_text())
    expect(shown).to_have_count(1)
    ran(cell)
    expect(cell.locator(".jp-OutputArea-output")).to_have_count(1)


def test_long_output_is_folded(page: Page) -> None:
    cell = run_cell(page, MANY_LINES)
    ran(cell)
    output = cell.locator(".jp-OutputArea-output")
    expect(output.locator("summary")).to_contain_text("lines before these")
    assert settled(lambda: 0 < extent(output, "height") < 500, True)
    output.locator("summary").click()
    expect(output.locator("details pre")).to_be_visible()


def test_quorum_explorer_answers_the_sliders(page: Page) -> None:
    output = run_cell(page, QUORUM).locator(".jp-OutputArea-output")
    expect(output).to_contain_text("1 more may fail")
    output.get_by_role("slider").nth(1).focus()
    page.keyboard.press("ArrowRight")
    expect(output).to_contain_text("None may fail now")
    page.keyboard.press("ArrowRight")
    expect(output).to_contain_text("nobody may decide")
