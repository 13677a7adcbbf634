"""Which chapters make a chapter's start, and when that start is another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from labhelpers.course.outline import digest, lineage, outlines

CODE = "```{{code-cell}} ipython3\n:tags: [solution]\n\n{code}\n```\n"
PROSE = '+++ {"lang": "en"}\nWords.\n'


def write(directory: Path, name: str, *, builds_on: str | None = None, code: str = "1 + 1", prose: str = PROSE) -> None:
    header = "---\ntitle: {en: T, fr: T}\n" + (f"builds_on: {builds_on}\n" if builds_on else "") + "---\n"
    (directory / "src").mkdir(exist_ok=True)
    (directory / "src" / f"{name}.md").write_text(header + prose + CODE.format(code=code))


@pytest.fixture
def course(tmp_path: Path) -> Path:
    write(tmp_path, "00_welcome", builds_on="[]")
    write(tmp_path, "02_infrastructure", builds_on="[]")
    write(tmp_path, "03_etcd", builds_on="[]")
    write(tmp_path, "04_patroni", builds_on='["03"]')
    write(tmp_path, "05_switchover")
    write(tmp_path, "08_configuration", builds_on="[04]")
    write(tmp_path, "99_glossary", builds_on="[]")
    return tmp_path


def numbers(course: Path, chapter: str) -> list[str]:
    return [each.number for each in lineage(chapter, outlines(course))]


def test_first_chapters_start_from_fresh_nodes(course: Path) -> None:
    assert [numbers(course, each) for each in ("00", "02", "03")] == [[], [], []]


def test_chapter_starts_where_those_it_builds_on_end(course: Path) -> None:
    assert numbers(course, "04") == ["03"]
    assert numbers(course, "08") == ["03", "04"]


def test_without_a_word_it_is_the_chapter_before(course: Path) -> None:
    assert numbers(course, "05") == ["03", "04"]


def test_glossary_needs_no_state(course: Path) -> None:
    needing_nothing = [each.number for each in outlines(course) if each.needs_nothing]
    assert needing_nothing == ["99"]


def state_of(course: Path, chapter: str) -> str:
    return digest(lineage(chapter, outlines(course)))


def test_other_code_is_another_state(course: Path) -> None:
    before = state_of(course, "08")
    write(course, "03_etcd", builds_on="[]", code="2 + 22")
    assert state_of(course, "08") != before


def test_other_prose_is_the_same_state(course: Path) -> None:
    before = state_of(course, "08")
    write(course, "03_etcd", builds_on="[]", prose='+++ {"lang": "en"}\nOther words, more of them.\n')
    assert state_of(course, "08") == before


def test_other_question_is_the_same_state(course: Path) -> None:
    before = state_of(course, "08")
    question = '```{code-cell} ipython3\n:lang: en\n%%predict who\nquestion: "Who?"\n```\n'
    write(course, "03_etcd", builds_on="[]", prose=PROSE + question)
    assert state_of(course, "08") == before


def test_code_of_a_chapter_that_is_not_in_the_way_changes_nothing(course: Path) -> None:
    before = state_of(course, "08")
    write(course, "05_switchover", code="3 + 33")
    assert state_of(course, "08") == before


def test_own_course_has_a_way_to_each_chapter() -> None:
    course = outlines()
    for chapter in course:
        assert all(each.number < chapter.number for each in lineage(chapter.number, course))
