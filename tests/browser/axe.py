"""What axe finds in a page, in words."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SERIOUS = ("serious", "critical")


def serious_findings(page: Page, selector: str | None = None) -> list[str]:
    """One line for each element with a serious or critical finding, in the page or below ``selector``.

    Raises:
        AssertionError: nothing matches the selector, so that nothing would be looked at.
    """
    if selector is not None:
        assert page.locator(selector).count(), f"nothing matches {selector}"
    found = Axe().run(page, context=selector).response["violations"]
    return [
        f"{finding['id']}: {', '.join(map(str, element['target']))}: {element['failureSummary']}"
        for finding in found
        if finding["impact"] in SERIOUS
        for element in finding["nodes"]
    ]
