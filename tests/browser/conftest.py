"""One lab, one JupyterLab and one browser for all tests. A failed test keeps its picture of that moment."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from labhelpers import incidents
from labhelpers.lab import Lab
from tests.browser.jupyterlab import PATIENCE_MILLISECONDS, SCREENSHOTS, JupyterLab, launch, page_of, serving
from tests.live.incident_lab import cluster_lab, ensure_app

PROFILE = "~postgres/.profile"
PATRONICTL = "export PATRONICTL_CONFIG_FILE=/etc/patroni/17-main.yml"

PAGE = pytest.StashKey[Page]()
"""The page of a module's tests: also a fixture that fails has its picture taken."""

expect.set_options(timeout=PATIENCE_MILLISECONDS)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    module = item.getparent(pytest.Module)
    page = module.stash.get(PAGE, None) if module is not None else None
    if report.when != "teardown" and report.failed and page is not None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{re.sub('[^a-z0-9-]+', '-', item.name.lower())}.png")
    return report


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The lab of the incidents, with what chapter 04 makes for clients and for ``patronictl``."""
    lab = cluster_lab()
    assert incidents.heal(lab).ok
    ensure_app(lab)
    lab.nodes.run(lab.topology.postgres, f"grep -qsx '{PATRONICTL}' {PROFILE} || echo '{PATRONICTL}' >> {PROFILE}")
    yield lab
    incidents.heal(lab)
    lab.close()


@pytest.fixture(scope="session")
def jupyterlab(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterLab]:
    with serving(tmp_path_factory.mktemp("jupyterlab"), lab.name) as served:
        yield served


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page(browser: Browser, jupyterlab: JupyterLab, request: pytest.FixtureRequest) -> Iterator[Page]:
    """One page for the tests of a module, for JupyterLab takes its time to open; its kernels end with it."""
    with page_of(browser) as page:
        request.node.stash[PAGE] = page
        yield page
        del request.node.stash[PAGE]
    jupyterlab.close_kernels()
