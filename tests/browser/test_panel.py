"""Chapter 07 with the incident panel beside it: pressed by mouse and by keyboard, seen, read, healed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from labhelpers import incidents
from labhelpers.lab import Lab
from labhelpers.waiting import slowness, wait_until
from tests.browser.axe import serious_findings
from tests.browser.jupyterlab import (
    JupyterLab,
    await_in_cell,
    await_kernel,
    cell_with,
    dark,
    extent,
    open_notebook,
    opened,
    ran,
    run_cell,
    settled,
    sideways,
    standing_still,
)  # fmt: skip
from tests.live.incident_lab import lxc_state

pytestmark = [pytest.mark.browser, pytest.mark.live]

CHAPTER = "en/07_loss_of_the_primary.ipynb"
OPENING = "%chapter 07"
LEAD = "patronictl switchover --candidate pg-1"
PANEL = "panel.open(lab)"
RECORDING = 'lessons.start(lab, "07-rewind"'
RECORDING_ENDS = "again.stop()"
DRAWN = ":is(.js-plotly-plot .main-svg, img.plot-img):visible"
"""JupyterLab keeps a picture of a chart that it has drawn in the notebook, and shows that until the mouse comes."""
FAILOVER_MILLISECONDS = 120_000 * slowness()


@pytest.fixture(scope="module", autouse=True)
def panel(page: Page, jupyterlab: JupyterLab, lab: Lab) -> None:
    open_notebook(page, jupyterlab, CHAPTER)
    for text in (OPENING, LEAD, PANEL):
        ran(run_cell(page, text))
    lab.patroni.wait_for_leader("pg-1", within=30)
    expect(page.locator(".workshop-card")).to_have_count(len(incidents.CATALOGUE))


def button(page: Page, title: str) -> Locator:
    return page.locator(".workshop-card", has=page.locator(f"b:text-is('{title}')")).locator("button.workshop-go")


def tile(page: Page, node: str) -> Locator:
    return page.locator(".workshop-tile", has_text=node)


def nothing_runs(lab: Lab) -> None:
    wait_until(lambda: not incidents.active(lab), what="no incident", within=60)


def test_button_breaks_once_is_seen_and_heal_brings_back(lab: Lab, page: Page) -> None:
    one = button(page, "Lose one etcd node")
    one.dblclick()
    wait_until(lambda: len(incidents.active(lab)) == 1, what="one incident", within=30)
    [running] = incidents.active(lab)
    [node] = running.nodes
    wait_until(lambda: lxc_state(lab, node) == "FROZEN", what=f"{node} frozen", within=10)
    expect(tile(page, node)).to_have_class("workshop-tile frozen")
    expect(one).to_have_text(f"Thaw {node}")
    expect(page.locator(".workshop-log")).to_contain_text(node)
    expect(page.locator(".workshop-panel button.workshop-heal")).to_be_in_viewport()

    page.locator("button.workshop-heal").click()
    expect(tile(page, node)).not_to_have_class("workshop-tile frozen")
    nothing_runs(lab)
    expect(page.locator(".workshop-foot")).to_contain_text("Cluster healthy")
    assert lxc_state(lab, node) == "RUNNING"


def test_panel_works_by_keyboard(lab: Lab, page: Page) -> None:
    expect(button(page, "Lose one etcd node")).not_to_have_class(re.compile("workshop-busy"))
    button(page, "Lose one etcd node").focus()
    page.keyboard.press("Enter")
    wait_until(lambda: len(incidents.active(lab)) == 1, what="one incident", within=30)
    expect(button(page, "Lose one etcd node")).to_have_text(re.compile("Thaw"))
    expect(button(page, "Lose one etcd node")).to_be_focused()
    more_time = page.locator(".workshop-card.runs button", has_text="+5 min")
    expect(more_time).to_be_visible()
    page.keyboard.press("Tab")
    expect(more_time).to_be_focused()
    heal = page.locator("button.workshop-heal")
    for _ in range(30):
        if heal.evaluate("heal => heal === document.activeElement"):
            break
        page.keyboard.press("Tab")
    expect(heal).to_be_focused()
    page.keyboard.press("Space")
    nothing_runs(lab)
    expect(page.locator(".workshop-foot")).to_contain_text("Cluster healthy")
    expect(heal).to_be_focused()


def test_summary_stays_in_the_notebook(page: Page) -> None:
    output = cell_with(page, PANEL).locator(".jp-OutputArea")
    expect(output).to_contain_text("pg-1")
    expect(output).to_contain_text("No incident runs")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_panel_has_no_serious_barrier(page: Page, theme: str) -> None:
    more = page.locator(".workshop-panel .jupyter-widget-Collapse-header")
    more.click()
    expect(button(page, "Freeze a replica")).to_be_visible()
    with dark(page, theme == "dark"):
        found = settled(lambda: serious_findings(page, ".workshop-panel"), [])
    more.click()
    assert found == []


@pytest.mark.parametrize("width", [1280, 800])
def test_panel_fits_narrow_windows(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    try:
        assert settled(lambda: sideways(page, ".workshop-panel"), []) == []
        expect(page.locator("button.workshop-heal")).to_be_in_viewport()
        for each in page.locator(".workshop-panel button:visible").all():
            assert settled(lambda shown=each: extent(shown, "width") > 24, True)
    finally:
        page.set_viewport_size({"width": 1600, "height": 1000})


def test_frozen_primary_is_followed_on_the_chart_healed_and_read_later(lab: Lab, page: Page) -> None:
    recording = run_cell(page, RECORDING)
    ran(recording)
    expect(recording.locator(".jp-OutputArea")).to_contain_text("the chart is in the panel")
    chart = page.locator(".workshop-panel .js-plotly-plot")
    expect(chart.locator(".gtitle, .annotation-text", has_text="pg-1 holds the key")).to_be_visible()
    for width, height in ((1280, 800), (1600, 1000)):
        page.set_viewport_size({"width": width, "height": height})
        cell_with(page, RECORDING_ENDS)  # far below: the cell that has the recording is out of sight
        expect(chart).to_be_in_viewport(ratio=1)
        expect(button(page, "Freeze the primary")).to_be_in_viewport(ratio=1)
        expect(page.locator("button.workshop-heal")).to_be_in_viewport(ratio=1)
        assert settled(lambda: sideways(page, ".workshop-panel .workshop-foot"), []) == []

    button(page, "Freeze the primary").click()
    expect(tile(page, "pg-1")).to_have_class(re.compile("frozen"))
    new_leader = re.compile("pg-[23] holds the key")
    expect(chart.locator(".gtitle, .annotation-text", has_text=new_leader)).to_be_visible(timeout=FAILOVER_MILLISECONDS)
    page.locator("button.workshop-heal").click()
    foot = page.locator(".workshop-foot")
    expect(foot).to_contain_text("Cluster healthy", timeout=FAILOVER_MILLISECONDS)
    expect(foot).to_contain_text(re.compile(r"Clients waited .* s, now served by pg-[23]\. Predicted 20–43 s"))
    expect(page.locator(".workshop-log")).to_contain_text("takes the key")
    nothing_runs(lab)
    lab.patroni.wait_for_healthy(within=30)

    ran(run_cell(page, RECORDING_ENDS))
    await_in_cell(page, RECORDING, DRAWN)
    title, bars = standing_still(
        lambda: (chart.locator(".gtitle").text_content(), chart.locator(".barlayer .point").count())
    )
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    page.reload()
    opened(page)
    await_kernel(page)
    await_in_cell(page, RECORDING, DRAWN)
    expect(chart.locator(".gtitle")).to_have_text(title or "")
    expect(chart.locator(".barlayer .point")).to_have_count(bars)
