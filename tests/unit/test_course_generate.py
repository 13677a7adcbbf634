"""Notebooks from sources: valid, the same bytes each time, and linked."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from labhelpers.course.chapters import chapter_files, choose, foundations, read_course
from labhelpers.course.errors import SourceErrors, UnknownChapter
from labhelpers.course.generate import differences, generate

CHAPTER = """\
---
title: {{en: "{en}", fr: "{fr}"}}
minutes: 5{more}
---
+++ {{"lang": "en"}}
# {en}

+++ {{"lang": "fr"}}
# {fr}

```{{code-cell}} ipython3
print("hello")
```

+++ {{"lang": "en", "anchor": "end"}}
## The end

+++ {{"lang": "fr"}}
## La fin
"""


def write_chapter(directory: Path, name: str, en: str, fr: str, more: str = "") -> Path:
    path = directory / "src" / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(CHAPTER.format(en=en, fr=fr, more=more), encoding="utf-8")
    return path


@pytest.fixture
def course(tmp_path):
    write_chapter(tmp_path, "00_welcome", "Welcome", "Bienvenue")
    write_chapter(tmp_path, "03_etcd", "etcd", "etcd à trois")
    write_chapter(tmp_path, "90_further", "Further", "Plus loin", "\nbuilds_on: []")
    return tmp_path


def read(path: Path):
    return nbformat.read(path, as_version=4)


def test_each_chapter_gives_a_notebook_in_each_language(course):
    written = generate(read_course(course), course)
    assert len(written) == 6
    for language, kernel in (("en", "workshop-en"), ("fr", "workshop-fr")):
        notebook = read(course / language / "03_etcd.ipynb")
        nbformat.validate(notebook)
        assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
        assert notebook.metadata.kernelspec.name == kernel
        assert notebook.metadata.workshop.language == language
        assert all(not cell.outputs and cell.execution_count is None for cell in notebook.cells if "outputs" in cell)


def test_generation_is_deterministic_and_the_check_agrees(course):
    generate(read_course(course), course)
    before = {path: path.read_bytes() for path in course.rglob("*.ipynb")}
    assert generate(read_course(course), course) == []
    assert differences(read_course(course), course) == []
    assert before == {path: path.read_bytes() for path in course.rglob("*.ipynb")}


def test_the_check_names_what_differs_misses_or_has_no_source(course):
    generate(read_course(course), course)
    edited, missing, orphan = (
        course / "en/03_etcd.ipynb",
        course / "fr/00_welcome.ipynb",
        course / "fr/04_old.ipynb",
    )
    edited.write_text(edited.read_text(encoding="utf-8") + " ", encoding="utf-8")
    orphan.write_bytes(missing.read_bytes())
    missing.unlink()
    assert differences(read_course(course), course) == sorted([edited, missing, orphan])
    generate(read_course(course), course)
    assert differences(read_course(course), course) == []
    assert not orphan.exists()


def test_same_cells_have_the_same_identity_in_both_languages(course):
    generate(read_course(course), course)
    english, french = read(course / "en/03_etcd.ipynb"), read(course / "fr/03_etcd.ipynb")
    assert [cell.id for cell in english.cells] == [cell.id for cell in french.cells]
    assert len({cell.id for cell in english.cells}) == len(english.cells)


def test_each_section_leads_to_the_same_place_in_the_other_language(course):
    generate(read_course(course), course)
    sections = [c for c in read(course / "en/03_etcd.ipynb").cells if "\n\n#" in c.source]
    assert len(sections) == 2
    there = {cell.id for cell in read(course / "fr/03_etcd.ipynb").cells}
    for cell in sections:
        target = cell.source.split('href="')[1].split('"')[0]
        path, identity = target.split("#cell-id=")
        assert path == "../fr/03_etcd.ipynb"
        assert identity == cell.id
        assert identity in there


def test_navigation_leads_to_neighbours_that_exist(course):
    generate(read_course(course), course)
    last = read(course / "fr/03_etcd.ipynb").cells[-1].source
    assert "Précédent\u00a0: [00 Bienvenue](00_welcome.ipynb)" in last
    assert "Suivant\u00a0: [90 Plus loin](90_further.ipynb)" in last
    assert "[English](../en/03_etcd.ipynb#cell-id=navigation)" in last
    first = read(course / "en/00_welcome.ipynb").cells[-1].source
    assert "Previous" not in first and "Next: [03 etcd](03_etcd.ipynb)" in first
    end = read(course / "en/90_further.ipynb").cells[-1].source
    assert "Next" not in end


def test_french_prose_does_not_break_before_a_sign_and_code_stays_as_it_is(tmp_path):
    source = tmp_path / "src" / "03_etcd.md"
    source.parent.mkdir()
    source.write_text(
        """---
title: {en: etcd, fr: etcd}
---
+++ {"lang": "en"}
Why ? `a : b`
+++ {"lang": "fr"}
Pourquoi ? `a : b`
```{code-cell} ipython3
:lang: en
%%predict term
question: Why ?
```
```{code-cell} ipython3
:lang: fr
%%predict term
question: Pourquoi ?
```
```{code-cell} ipython3
print("Pourquoi ?")
```
""",
        encoding="utf-8",
    )
    generate(read_course(tmp_path), tmp_path)
    english, french = ([cell.source for cell in read(tmp_path / language / "03_etcd.ipynb").cells[:-1]]
                       for language in ("en", "fr"))  # fmt: skip
    assert english == ["Why ? `a : b`", "%%predict term\nquestion: Why ?", 'print("Pourquoi ?")']
    narrow = "\u202f"
    assert french == [
        f"Pourquoi{narrow}? `a : b`", f"%%predict term\nquestion: Pourquoi{narrow}?", 'print("Pourquoi ?")'
    ]  # fmt: skip


def test_notebooks_are_readable_json_with_accents(course):
    generate(read_course(course), course)
    text = (course / "fr/03_etcd.ipynb").read_text(encoding="utf-8")
    assert "etcd à trois" in text
    assert text.endswith("}\n") and json.loads(text)


def test_chapters_are_chosen_by_number_in_the_courses_order(course):
    files = chapter_files(course)
    assert [file.number for file in choose(["3", "00"], files)] == ["00", "03"]
    assert [file.number for file in choose(["03_etcd"], files)] == ["03"]
    assert [file.number for file in choose([], files)] == ["00", "03", "90"]


@pytest.mark.parametrize("name", ["99", "etcd", "", "-1", "³", "0003"])
def test_an_unknown_chapter_gets_the_list(course, name):
    with pytest.raises(UnknownChapter, match="00, 03, 90") as caught:
        choose([name], chapter_files(course))
    assert caught.value.exit_code == 2


def test_a_chapter_builds_upon_the_one_before_unless_it_says_otherwise(course):
    write_chapter(course, "04_patroni", "Patroni", "Patroni")
    assert foundations(read_course(course)) == {
        "00": frozenset(),
        "03": frozenset({"00"}),
        "04": frozenset({"00", "03"}),
        "90": frozenset(),
    }


def test_all_sources_errors_are_told_at_once(course):
    write_chapter(course, "04_patroni", "Patroni", "Patroni", "\nbuilds_on: 07")
    write_chapter(course, "03_again", "etcd", "etcd")
    (course / "src" / "notes.md").write_text("nothing", encoding="utf-8")
    with pytest.raises(SourceErrors) as caught:
        read_course(course)
    told = str(caught.value)
    assert "04_patroni.md:1: builds_on names 07" in told
    assert "the number 03 is another chapter's" in told
    assert "notes.md:1: a chapter's file is named" in told
