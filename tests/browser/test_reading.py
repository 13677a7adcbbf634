"""A chart read later and elsewhere: the notebook is opened without a kernel, and nobody has run it here."""

from __future__ import annotations

import nbformat
import pytest
from playwright.sync_api import Page, expect

from labhelpers.charts.frozen import bundle
from labhelpers.charts.incident import incident_figure
from labhelpers.observe.outage import measure_outage
from labhelpers.observe.recordings import Recording
from tests.browser.jupyterlab import OWN, JupyterLab, opened
from tests.unit.scenes import frozen_primary

pytestmark = [pytest.mark.browser]


def test_frozen_chart_is_drawn_without_a_kernel(page: Page, jupyterlab: JupyterLab) -> None:
    recording = Recording(frozen_primary())
    outage = measure_outage(recording)
    assert outage is not None
    new = nbformat.v4
    output = new.new_output("display_data", data=bundle(incident_figure(recording, outage), outage.sentence()))
    cell = new.new_code_cell("freeze.stop()", outputs=[output], execution_count=1)
    # Its kernel is on the machine where it was run: JupyterLab asks, and the reader wants none.
    kernel = {"name": "elsewhere", "display_name": "Elsewhere", "language": "python"}
    (jupyterlab.notebooks / OWN).mkdir(exist_ok=True)
    nbformat.write(
        new.new_notebook(cells=[cell], metadata={"kernelspec": kernel}), jupyterlab.notebooks / OWN / "read.ipynb"
    )
    page.goto(f"{jupyterlab.url(f'lab/workspaces/read/tree/{OWN}/read.ipynb')}&reset")
    opened(page)
    page.locator(".jp-Dialog").get_by_role("button", name="No Kernel").click()
    chart = page.locator(".jp-OutputArea .js-plotly-plot")
    expect(chart.locator(".main-svg").first).to_be_visible()
    expect(chart).to_contain_text("pg-2")
    expect(page.locator(".jp-OutputArea-output")).to_have_count(1)
