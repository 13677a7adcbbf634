"""The reading edition: what it is made from, where it goes, and that it asks for nothing beyond its directory."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

from labhelpers.cli import main
from labhelpers.course.book import Book, build_book
from labhelpers.course.book.building import _put
from labhelpers.course.book.chapter import terms_of
from labhelpers.course.book.errors import BookNotWritable, NotABook, NothingExecuted
from labhelpers.course.book.executed import Edition
from labhelpers.course.book.listing import listing
from labhelpers.course.book.words import WORDS
from labhelpers.course.chapters import notebooks_directory
from labhelpers.i18n import LANGUAGES, Language
from tests.unit import executed_course
from tests.unit.book_links import broken

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return executed_course.write_course(tmp_path_factory.mktemp("course") / "notebooks")


@pytest.fixture(scope="module")
def book(course: Path, tmp_path_factory: pytest.TempPathFactory) -> Book:
    runs = executed_course.execute_all(course, tmp_path_factory.mktemp("runs"))
    return build_book([runs], tmp_path_factory.mktemp("made") / "book", notebooks=course)


@pytest.fixture
def runs(course: Path, tmp_path: Path) -> Path:
    executed_course.execute(course, tmp_path / "runs" / "one", "05_switchover", "en")
    return tmp_path / "runs"


def soup(book: Book, page: str) -> BeautifulSoup:
    return BeautifulSoup((book.directory / page).read_text(encoding="utf-8"), "html.parser")


def edition(book: Book, number: str, language: str = "en") -> Edition:
    return next(one for one in book.editions if (one.chapter.number, one.language) == (number, language))


# --- What a page is made from


def test_newest_whole_run_stands_for_the_chapter(course: Path, runs: Path, tmp_path: Path) -> None:
    executed_course.execute(course, runs / "two", "05_switchover", "en", at="2026-11-25T03:00:00")
    executed_course.execute(course, runs / "three", "05_switchover", "en", at="2026-11-26T03:00:00", stop=True)
    made = build_book([runs], tmp_path / "book", notebooks=course)
    assert edition(made, "05").notebook == runs / "two" / "05_switchover.ipynb"
    assert "2026-11-25" in soup(made, "en/05_switchover.html").select_one("main > footer").get_text()


def test_several_directories_are_one_book(course: Path, runs: Path, tmp_path: Path) -> None:
    executed_course.execute(course, tmp_path / "elsewhere", "06_loss", "fr")
    made = build_book([runs, tmp_path / "elsewhere"], tmp_path / "book", notebooks=course)
    assert [edition(made, *key).state for key in (("05", "en"), ("06", "fr"), ("06", "en"))] == [
        "executed",
        "executed",
        "unexecuted",
    ]


def test_stopped_run_is_better_than_none_and_its_page_says_so(course: Path, tmp_path: Path) -> None:
    executed_course.execute(course, tmp_path / "runs", "05_switchover", "en", stop=True)
    made = build_book([tmp_path / "runs"], tmp_path / "book", notebooks=course)
    page = soup(made, "en/05_switchover.html")
    assert page.select_one(".notice").get_text() == WORDS["en"]["stopped"]
    assert "waited 30 s" in page.select_one(".outputs .error").get_text()


@pytest.mark.parametrize("language", LANGUAGES)
def test_chapter_without_a_run_says_so_on_its_page_and_in_the_contents(book: Book, language: str) -> None:
    words = WORDS[language]
    assert soup(book, f"{language}/06_loss.html").select_one(".notice").get_text() == words["unexecuted"]
    listed = [item.get_text() for item in soup(book, f"{language}/index.html").select(".chapters li")]
    assert [words["unexecuted_short"] in item for item in listed] == [False, True, False]


def test_executed_chapter_and_glossary_have_no_notice(book: Book) -> None:
    assert not [page for page in ("05_switchover", "99_glossary") if soup(book, f"en/{page}.html").select(".notice")]


def test_nothing_executed_names_the_command(course: Path, tmp_path: Path) -> None:
    shutil.copytree(course, tmp_path / "runs")
    with pytest.raises(NothingExecuted, match=r"No executed notebook .* \./workshop run"):
        build_book([tmp_path / "runs"], tmp_path / "book", notebooks=course)
    assert not (tmp_path / "book").exists()


def test_command_exits_with_2_where_nothing_was_executed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "runs").mkdir()
    with pytest.raises(SystemExit) as ended:
        main(["book", "--from", str(tmp_path / "runs"), "--output", str(tmp_path / "book")])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "./workshop run" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cells": 3, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}'])
def test_what_is_no_notebook_is_passed_over_and_told(course: Path, runs: Path, tmp_path: Path, text: str) -> None:
    (runs / "broken.ipynb").write_text(text, encoding="utf-8")
    made = build_book([runs], tmp_path / "book", notebooks=course)
    assert made.unreadable == (runs / "broken.ipynb",)


# --- Where it goes


def test_another_directory_is_refused_and_stays(course: Path, runs: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "book.json").write_text('{"kind": "diary"}', encoding="utf-8")
    with pytest.raises(NotABook) as refused:
        build_book([runs], tmp_path / "mine", notebooks=course)
    assert refused.value.exit_code == 2
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["book.json"]


def test_file_is_refused_and_stays(course: Path, runs: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("a diary", encoding="utf-8")
    with pytest.raises(NotABook):
        build_book([runs], tmp_path / "mine", notebooks=course)
    with pytest.raises(BookNotWritable):
        build_book([runs], tmp_path / "mine" / "book", notebooks=course)
    assert (tmp_path / "mine").read_text(encoding="utf-8") == "a diary"


def test_link_to_a_book_is_refused_and_stays(course: Path, runs: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(build_book([runs], tmp_path / "book", notebooks=course).directory)
    with pytest.raises(NotABook):
        build_book([runs], tmp_path / "link", notebooks=course)
    assert (tmp_path / "link").is_symlink()


def test_impossible_name_is_told_in_one_sentence(course: Path, runs: Path, tmp_path: Path) -> None:
    with pytest.raises(BookNotWritable, match=r"--output DIR|Autre"):
        build_book([runs], tmp_path / ("x" * 300), notebooks=course)


def test_earlier_book_is_replaced_and_an_empty_directory_is_taken(course: Path, runs: Path, tmp_path: Path) -> None:
    (tmp_path / "book").mkdir()
    build_book([runs], tmp_path / "book", notebooks=course)
    (tmp_path / "book" / "en" / "00_gone.html").touch()
    build_book([runs], tmp_path / "book", notebooks=course)
    assert not (tmp_path / "book" / "en" / "00_gone.html").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["book", "runs"]


def test_interruption_leaves_the_earlier_book(course: Path, runs: Path, tmp_path: Path) -> None:
    def interrupt(edition: Edition, position: int, total: int) -> None:
        if position == total:
            raise KeyboardInterrupt

    build_book([runs], tmp_path / "book", notebooks=course)
    before = {path: path.read_bytes() for path in (tmp_path / "book").rglob("*") if path.is_file()}
    with pytest.raises(KeyboardInterrupt):
        build_book([runs], tmp_path / "book", notebooks=course, on_page=interrupt)
    assert {path: path.read_bytes() for path in (tmp_path / "book").rglob("*") if path.is_file()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["book", "runs"]


def test_interruption_at_the_last_moment_leaves_the_earlier_book(book: Book, tmp_path: Path) -> None:
    """Between the two renames: here the second one fails."""
    shutil.copytree(book.directory, tmp_path / "book")
    with pytest.raises(FileNotFoundError):
        _put(tmp_path / "nothing", tmp_path / "book")
    assert [path.name for path in tmp_path.iterdir()] == ["book"]
    assert (tmp_path / "book" / "index.html").exists()


def test_same_input_gives_the_same_bytes(course: Path, runs: Path, book: Book, tmp_path: Path) -> None:
    books = [build_book([runs], tmp_path / name, notebooks=course).directory for name in ("one", "two")]
    files = [{path.relative_to(at): path.read_bytes() for path in at.rglob("*") if path.is_file()} for at in books]
    assert files[0] == files[1]


# --- What is in it


def test_book_is_whole_and_fetches_nothing_from_elsewhere(book: Book) -> None:
    assert broken(book.directory) == []


def test_search_for_what_is_missing_finds_it(book: Book, tmp_path: Path) -> None:
    copy = tmp_path / "book"
    shutil.copytree(book.directory, copy)
    page = copy / "en" / "06_loss.html"
    page.write_text(
        '<script src="https://example.org/x.js"></script><img src="no.png"><a href="#no">', encoding="utf-8"
    )
    assert [line.split(": ")[1] for line in broken(copy) if "06_loss" in line.split(": ")[0]] == [
        "https://example.org/x.js",
        "no.png",
        "#no (no such anchor)",
    ]


def test_pages_of_the_whole_course_lead_somewhere(tmp_path: Path) -> None:
    notebook = nbformat.read(notebooks_directory() / "en" / "01_principles.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count = 1
    nbformat.write(notebook, tmp_path / "01_principles.ipynb")
    made = build_book([tmp_path], tmp_path / "book")
    assert edition(made, "01").state == "executed"
    assert broken(made.directory) == []


def test_outputs_run_nothing_in_the_page(book: Book) -> None:
    page = soup(book, "en/05_switchover.html")
    scripts = page.select("main script:not([type='application/json'])")
    assert scripts == page.select("main link") == page.select("main [onclick]") == []
    assert "a map" in page.get_text()


def test_plotly_is_there_once(book: Book) -> None:
    assert [path.relative_to(book.directory).as_posix() for path in book.directory.rglob("plotly*")] == [
        "assets/plotly.min.js"
    ]
    assert "Plotly.newPlot" not in (book.directory / "en" / "05_switchover.html").read_text(encoding="utf-8")


def test_chart_has_its_data_its_still_picture_and_its_words(book: Book) -> None:
    chart = soup(book, "en/05_switchover.html").select_one("figure.chart")
    assert len(json.loads(chart.script.string)["data"]) > 1
    assert chart.select_one(".still svg")
    assert chart.figcaption.get_text().startswith("pg-1 frozen")


def test_places_are_the_same_in_both_languages(book: Book) -> None:
    for name in ("05_switchover", "06_loss", "99_glossary"):
        places = [[tag["id"] for tag in soup(book, f"{lang}/{name}.html").select("main [id]")] for lang in LANGUAGES]
        assert places[0] == places[1]
        assert places[0]
    link = soup(book, "en/05_switchover.html").select_one("#healthy .heading a[lang=fr]")
    assert link["href"] == "../fr/05_switchover.html#healthy"


def test_what_notebooks_alone_need_is_left_out(book: Book) -> None:
    text = soup(book, "en/05_switchover.html").select_one("article").get_text()
    assert "Français" not in text
    assert "Next:" not in text


def test_new_words_lead_to_the_glossary_in_each_language(book: Book) -> None:
    for language, word in (("en", "lease"), ("fr", "bail")):
        [term] = soup(book, f"{language}/05_switchover.html").select("a.term")
        assert (term.get_text(), term["href"]) == (word, "99_glossary.html#lease")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_the_glossary_is_known_as_it_is_read(language: Language) -> None:
    notebook = nbformat.read(notebooks_directory() / language / "99_glossary.ipynb", as_version=4)
    ids = re.findall(r'<a id="([^"]+)"></a>\*\*', "\n".join(cell.source for cell in notebook.cells))
    terms = terms_of(notebook)
    assert len(ids) > 30
    assert set(terms.values()) == set(ids)
    assert terms["pg_hba.conf"] == "pg-hba" and terms["watchdog"] == "watchdog" and terms["streaming"] == "streaming"
    if language == "fr":
        assert terms["retard"] == terms["lag"] == terms["retard (lag)"] == "lag"
    else:
        assert terms["standby"] == "replica"


def test_folded_cells_stay_folded(book: Book) -> None:
    page = soup(book, "en/05_switchover.html")
    assert [fold.summary.get_text() for fold in page.select("details")] == ["In a terminal", "Show the cell"]
    assert page.select("details[open]") == []
    assert "pg_is_in_recovery" in page.select("details")[1].get_text()


def test_previous_and_next_follow_the_course(book: Book) -> None:
    links = soup(book, "fr/06_loss.html").select(".pages a")
    assert [(link["rel"], link["href"]) for link in links] == [
        (["prev"], "05_switchover.html"),
        (["next"], "99_glossary.html"),
    ]


@pytest.mark.parametrize(
    ("language", "title"), [("en", "Begin with a healthy cluster"), ("fr", "Qu'est-ce que cela a coûté\u202f?")]
)
def test_index_has_every_section_with_its_text(book: Book, language: str, title: str) -> None:
    script = (book.directory / "assets" / f"index-{language}.js").read_text(encoding="utf-8")
    entries = json.loads(script.removeprefix("window.bookIndex = ").rstrip(";\n"))
    assert len(entries) == 5
    found = next(entry for entry in entries if entry["title"] == title)
    assert soup(book, f"{language}/{found['page']}").find(id=found["anchor"])
    assert ("%%on pg-1 --user postgres patronictl list" if language == "en" else "rec.show()") in found["text"]
    assert not found["text"].startswith(title[:12])


def test_index_has_nothing_of_folded_cells(book: Book) -> None:
    assert "pg_is_in_recovery" not in (book.directory / "assets" / "index-en.js").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("source", "head", "body", "lexer"),
    [
        ("%%on pg-1\npatronictl list", "%%on pg-1", "patronictl list", "bash"),
        ("%%sql pg-1\nSELECT 1", "%%sql pg-1", "SELECT 1", "postgresql"),
        ("%%solution 03.cluster\n%%on e1\nls", "%%solution 03.cluster\n%%on e1", "ls", "bash"),
        ("%%file /etc/patroni/dcs.yml pg-1\na: 1", "%%file /etc/patroni/dcs.yml pg-1", "a: 1", "yaml"),
        ("%%file /etc/pgbackrest.conf pg-1\n[main]", "%%file /etc/pgbackrest.conf pg-1", "[main]", "ini"),
        ("%%file /etc/default/etcd e1\nA=1", "%%file /etc/default/etcd e1", "A=1", "bash"),
        ("%%file /etc/hosts e1\n::1 a", "%%file /etc/hosts e1", "::1 a", "text"),
        ("%check 04.dcs", "", "%check 04.dcs", "ipython3"),
        ("%%on pg-1", "%%on pg-1", "", "bash"),
    ],
)
def test_cell_is_shown_as_what_it_runs(source: str, head: str, body: str, lexer: str) -> None:
    shown = listing(source)
    assert (shown.head, shown.body, shown.lexer) == (head, body, lexer)
    assert bool(shown.html) == bool(body)
