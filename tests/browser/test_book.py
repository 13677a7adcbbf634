"""The reading edition in a browser, opened from ``file://``: with a mouse, on a phone, in the dark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from labhelpers.course.book import build_book
from labhelpers.waiting import slowness
from tests.browser.axe import serious_findings
from tests.browser.jupyterlab import CHROMIUM, FLAGS, extent, settled
from tests.unit import executed_course

pytestmark = pytest.mark.browser

PATIENCE_MILLISECONDS = 30_000
PHONE = {"width": 390, "height": 800}
WIDE = {"width": 1360, "height": 900}
CHAPTER = "en/05_switchover.html"
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("reading")
    course = executed_course.write_course(directory / "notebooks")
    runs = executed_course.execute_all(course, directory / "runs")
    return build_book([runs], directory / "a book", notebooks=course).directory


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield launched
        launched.close()


@contextmanager
def reading(browser: Browser, address: str, **options: Any) -> Iterator[Page]:
    """A page of the book; a request beyond the book or an error in a script fails whoever reads it."""
    context = browser.new_context(**{"viewport": WIDE, "color_scheme": "light", **options})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MILLISECONDS * slowness())
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith(("file:", "data:")) else wrong.append(asked.url))
    page.goto(address)
    yield page
    context.close()
    assert wrong == []


@pytest.fixture
def page(browser: Browser, book: Path) -> Iterator[Page]:
    with reading(browser, f"{book.as_uri()}/{CHAPTER}") as opened:
        yield opened


def draw_chart(page: Page) -> None:
    page.locator("figure.chart").scroll_into_view_if_needed()
    page.wait_for_selector("figure.chart.live svg.main-svg", state="attached")


def test_a_person_comes_from_the_first_page_to_a_chapter(browser: Browser, book: Path) -> None:
    with reading(browser, f"{book.as_uri()}/index.html") as page:
        page.get_by_role("link", name="Français").click()
        page.get_by_role("main").get_by_role("link", name="Bascule").click()
        expect(page.locator("h1")).to_have_text("05 · Bascule")
        page.get_by_role("link", name="Suivant").click()
        expect(page.locator("h1")).to_have_text("06 · Perte du DCS")


def test_chart_is_drawn_when_it_comes_into_view_and_answers_the_mouse(page: Page) -> None:
    expect(page.locator("figure.chart .still svg")).to_have_count(1)
    draw_chart(page)
    expect(page.locator("figure.chart .still")).not_to_be_visible()
    width = pytest.approx(extent(page.locator("article"), "width"), abs=2)
    chart = page.locator("figure.chart svg.main-svg").first
    assert settled(lambda: extent(chart, "width"), width) == width
    bar = page.locator("figure.chart .barlayer .point path").first.bounding_box()
    assert bar
    page.mouse.move(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)
    page.mouse.move(bar["x"] + bar["width"] / 2 + 2, bar["y"] + bar["height"] / 2)
    page.wait_for_selector("figure.chart .hoverlayer .hovertext")
    assert "pg-1" in (page.locator("figure.chart .hoverlayer").text_content() or "")


@pytest.mark.parametrize(
    ("language", "typed", "place"),
    [
        ("en", "streaming replicas", "05_switchover.html#start"),
        ("en", "unless renewed", "99_glossary.html#words"),
        ("en", "patronictl", "05_switchover.html#healthy"),
        ("fr", "coute", "05_switchover.html#cost"),
        ("fr", "ARBITRES", "06_loss.html#gone"),
    ],
)
def test_search_finds_the_place(browser: Browser, book: Path, language: str, typed: str, place: str) -> None:
    with reading(browser, f"{book.as_uri()}/{language}/index.html") as page:
        page.keyboard.press("/")
        page.keyboard.type(typed)
        first = page.locator(".results a").first
        expect(first).to_have_attribute("href", place)
        expect(first.locator("mark").first).to_be_visible()
        expect(page.locator(".contents")).not_to_be_visible()
        first.click()
        page.wait_for_url(f"**/{language}/{place}")


def test_search_for_nothing_says_so_and_escape_brings_the_contents_back(page: Page) -> None:
    page.get_by_role("searchbox").fill("zebra")
    page.get_by_text("Nothing found").wait_for()
    page.keyboard.press("Escape")
    expect(page.locator(".contents")).to_be_visible()
    expect(page.get_by_role("searchbox")).to_have_value("")


def test_theme_follows_the_system_until_it_is_chosen_and_the_chart_follows_too(browser: Browser, book: Path) -> None:
    with reading(browser, f"{book.as_uri()}/{CHAPTER}", color_scheme="dark") as page:
        draw_chart(page)
        label = label_of(page)
        assert ground_of(page) < 60
        page.get_by_role("button", name="Light or dark").click()
        page.wait_for_function(
            "before => getComputedStyle(document.querySelector('.xtick text')).fill !== before", arg=label
        )
        assert ground_of(page) > 240
        with page.expect_navigation():
            page.get_by_role("link", name="Next").click()
        assert ground_of(page) > 240


def ground_of(page: Page) -> int:
    """The darkest of the page's background, from 0 to 255."""
    found: int = page.evaluate(
        "Math.min(...getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).slice(0, 3))"
    )
    return found


def label_of(page: Page) -> str:
    found: str = page.evaluate("getComputedStyle(document.querySelector('.xtick text')).fill")
    return found


def test_copied_cell_is_what_was_typed(browser: Browser, book: Path) -> None:
    with reading(browser, f"{book.as_uri()}/{CHAPTER}", permissions=["clipboard-read", "clipboard-write"]) as page:
        button = page.locator(".cell.code .copy").first
        page.clock.install(time=0)
        page.clock.pause_at(1000)  # "Copied" is shown for a moment, which a busy machine may miss
        button.click()
        expect(button).to_have_text("Copied")
        page.clock.run_for(1500)
        expect(button).to_have_text("Copy")
        assert page.evaluate("navigator.clipboard.readText()") == "%%on pg-1 --user postgres\npatronictl list"


@pytest.mark.parametrize("clipboard", ["undefined", "{writeText: () => Promise.reject(new Error('no focus'))}"])
def test_cell_is_copied_where_the_browser_keeps_its_clipboard(browser: Browser, book: Path, clipboard: str) -> None:
    with reading(browser, f"{book.as_uri()}/{CHAPTER}") as page:
        page.evaluate(f"Object.defineProperty(navigator, 'clipboard', {{value: {clipboard}}})")
        page.evaluate(
            "document.addEventListener('copy', () => { window.copied = String(document.activeElement.value) })"
        )
        page.locator(".cell.code .copy").first.click()
        page.wait_for_function("window.copied === '%%on pg-1 --user postgres\\npatronictl list'")


def test_long_output_is_folded_until_asked_for(page: Page) -> None:
    long = page.locator(".outputs").first
    assert settled(lambda: 0 < extent(long, "height") < 500, True)
    page.get_by_role("button", name="Show all").click()
    assert settled(lambda: extent(long, "height") > 900, True)


def test_folded_cell_opens_by_keyboard(page: Page) -> None:
    expect(page.get_by_text("pg_is_in_recovery")).not_to_be_visible()
    page.get_by_text("Show the cell").focus()
    page.keyboard.press("Enter")
    page.get_by_text("pg_is_in_recovery").wait_for()


def test_other_language_opens_at_the_same_place(page: Page) -> None:
    page.locator(".sections a", has_text="What it cost").click()
    page.wait_for_selector(".sections a[data-here]")
    page.get_by_role("link", name="Français", exact=True).click()
    page.wait_for_url("**/fr/05_switchover.html#*")
    expect(page.locator("h2", has_text="cela a coûté")).to_be_in_viewport()


@pytest.mark.parametrize("name", ["index.html", "en/index.html", CHAPTER, "fr/06_loss.html", "en/99_glossary.html"])
def test_phone_reads_without_scrolling_sideways(browser: Browser, book: Path, name: str) -> None:
    with reading(browser, f"{book.as_uri()}/{name}", viewport=PHONE, has_touch=True) as page:
        if page.locator("figure.chart").count():
            draw_chart(page)
        assert settled(lambda: page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], True)


def test_phone_has_the_contents_behind_a_button(browser: Browser, book: Path) -> None:
    with reading(browser, f"{book.as_uri()}/{CHAPTER}", viewport=PHONE, has_touch=True) as page:
        expect(page.locator("nav.side")).not_to_be_visible()
        page.get_by_role("button", name="Contents").click()
        page.get_by_role("link", name="99 Glossary").click()
        expect(page.locator("h1")).to_have_text("Glossary")


def test_reader_without_scripts_has_text_contents_and_still_chart(browser: Browser, book: Path) -> None:
    with reading(browser, f"{book.as_uri()}/{CHAPTER}", java_script_enabled=False) as page:
        expect(page.locator("figure.chart .still svg")).to_be_visible()
        expect(page.locator("nav.side .contents")).to_be_visible()
        expect(page.locator("button").first).not_to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index.html", "fr/index.html", CHAPTER, "fr/06_loss.html"])
def test_no_serious_barrier(browser: Browser, book: Path, name: str, scheme: str) -> None:
    with reading(browser, f"{book.as_uri()}/{name}", color_scheme=scheme) as page:
        if page.locator("figure.chart").count():
            draw_chart(page)
            page.get_by_role("searchbox").fill("cluster")
            page.locator(".results a").first.wait_for()
            page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert settled(lambda: serious_findings(page), []) == []


def test_barrier_is_found_where_there_is_one(page: Page) -> None:
    page.evaluate("document.querySelector('h1').style.color = '#eee'")
    assert any(line.startswith("color-contrast: h1") for line in serious_findings(page))
