"""A chapter's source: what it becomes, and what is refused with file and line."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from labhelpers.course.errors import SourceErrors
from labhelpers.course.source import parse_chapter

HEADER = """\
---
title: {en: Switchover, fr: Bascule}
minutes: 30
builds_on: "04"
---
"""

BODY = """\
+++ {"lang": "en", "anchor": "start"}
# Switchover

Text.

+++ {"lang": "fr"}
# Bascule

Texte.

```{code-cell} ipython3
:tags: [solution, hide-input]

%%on pg-1
patronictl list
```

+++ {"lang": "en"}
After.

+++ {"lang": "fr"}
Après.
"""


def parse(text: str, name: str = "05_switchover.md"):
    return parse_chapter(Path(name), textwrap.dedent(text))


def errors_of(text: str) -> list[tuple[int, str]]:
    with pytest.raises(SourceErrors) as caught:
        parse(text)
    return [(error.line, error.why) for error in caught.value.errors]


def test_header_gives_titles_minutes_and_what_it_builds_on():
    chapter = parse(HEADER + BODY)
    assert (chapter.number, chapter.slug, chapter.name) == ("05", "switchover", "05_switchover")
    assert chapter.title == {"en": "Switchover", "fr": "Bascule"}
    assert (chapter.minutes, chapter.builds_on) == (30, ("04",))


@pytest.mark.parametrize(
    ("written", "read"), [("04", ("04",)), ('["03", "04"]', ("03", "04")), ("[]", ()), ("8", ("08",))]
)
def test_builds_on_may_be_a_number_or_a_list(written, read):
    assert parse(HEADER.replace('"04"', written) + BODY).builds_on == read


def test_each_language_has_its_prose_and_the_shared_code():
    chapter = parse(HEADER + BODY)
    english, french = list(chapter.cells_in("en")), list(chapter.cells_in("fr"))
    assert [cell.text.split("\n")[0] for cell in english] == ["# Switchover", "%%on pg-1", "After."]
    assert [cell.text.split("\n")[0] for cell in french] == ["# Bascule", "%%on pg-1", "Après."]
    assert [cell.id for cell in english] == [cell.id for cell in french]


def test_tags_pass_through_and_hide_input_folds_the_source():
    code = next(cell for cell in parse(HEADER + BODY).cells if cell.kind == "code")
    assert code.metadata["tags"] == ["solution", "hide-input"]
    assert code.metadata["jupyter"] == {"source_hidden": True}


def test_an_anchor_is_the_identity_of_both_neighbours():
    cells = parse(HEADER + BODY).cells
    assert [cell.id for cell in cells[:2]] == ["start", "start"]


def test_identities_do_not_depend_on_what_stands_above():
    before = {cell.text: cell.id for cell in parse(HEADER + BODY).cells}
    added = '+++ {"lang": "en"}\nNew.\n\n+++ {"lang": "fr"}\nNeuf.\n\n'
    after = {cell.text: cell.id for cell in parse(HEADER + added + BODY).cells}
    assert all(after[text] == identity for text, identity in before.items())


def test_same_text_twice_has_two_identities():
    cells = parse(HEADER + "```{code-cell} ipython3\n%watch\n```\n\n```{code-cell} ipython3\n%watch\n```\n").cells
    assert len({cell.id for cell in cells}) == 2


def test_prose_without_a_language_is_refused_with_its_line():
    assert errors_of(HEADER + "Hello.\n") == [
        (6, 'prose without a language: put a line +++ {"lang": "en"} or "fr" before it')
    ]


def test_prose_after_code_without_a_mark_is_refused():
    [(line, why)] = errors_of(HEADER + BODY + "\n```{code-cell} ipython3\n1\n```\n\nForgotten.\n")
    assert "prose without a language" in why
    assert (HEADER + BODY + "\n```{code-cell} ipython3\n1\n```\n\nForgotten.\n").splitlines()[line - 1] == "Forgotten."


def test_lang_on_a_line_of_its_own_is_refused():
    [(_, why)] = errors_of(HEADER + "+++\nlang: en\n\nHello.\n")
    assert "prose without a language" in why


def test_english_without_its_french_neighbour_is_refused():
    assert errors_of(HEADER + '+++ {"lang": "en"}\nAlone.\n') == [
        (7, "this English cell is not followed by its French neighbour")
    ]


def test_french_without_its_english_neighbour_is_refused():
    [(line, why)] = errors_of(HEADER + '+++ {"lang": "fr"}\nSeul.\n')
    assert (line, why) == (7, "this French cell does not follow its English neighbour")


def test_code_between_the_neighbours_is_refused():
    text = '+++ {"lang": "en"}\nA.\n\n```{code-cell} ipython3\n1\n```\n\n+++ {"lang": "fr"}\nB.\n'
    assert len(errors_of(HEADER + text)) == 2


def test_code_with_a_language_is_refused():
    text = '```{code-cell} ipython3\n---\nlang: en\n---\nprint("hello")\n```\n'
    [(_, why)] = errors_of(HEADER + text)
    assert "code is the same in both languages" in why


def test_a_prediction_is_text_and_has_a_language():
    cells = "".join(
        f"```{{code-cell}} ipython3\n---\nlang: {language}\n---\n%%predict leader\nquestion: {text}\n```\n\n"
        for language, text in (("en", "Who?"), ("fr", "Qui ?"))
    )
    chapter = parse(HEADER + cells)
    assert [cell.text.splitlines()[1] for cell in chapter.cells_in("fr")] == ["question: Qui ?"]
    assert not any("lang" in cell.metadata for cell in chapter.cells)


@pytest.mark.parametrize(
    "directive", ["```{note}\nHello\n```", ":::{tip}\nHello\n:::", "- 1\n  ```{code-cell}\n  1\n  ```"]
)
def test_directives_that_show_raw_are_refused_with_their_line(directive):
    text = HEADER + f'+++ {{"lang": "en"}}\nA.\n\n{directive}\n\n+++ {{"lang": "fr"}}\nB.\n'
    [(line, why)] = errors_of(text)
    assert "shows raw in JupyterLab" in why
    assert "{" in text.splitlines()[line - 1]


def test_ordinary_fences_and_details_are_prose():
    fence = "<details><summary>Terminal</summary>\n\n```bash\nssh pg-1\n```\n\n</details>"
    text = f'+++ {{"lang": "en"}}\n{fence}\n\n+++ {{"lang": "fr"}}\n{fence}\n'
    assert len(parse(HEADER + text).cells) == 2


def test_anchors_are_unique_and_in_both_languages():
    pair = '+++ {"lang": "en"}\n<a id="x"></a> A\n\n+++ {"lang": "fr"}\n<a id="x"></a> B\n\n'
    parse(HEADER + pair)
    assert [why for _, why in errors_of(HEADER + pair + pair)] == [
        "the anchor 'x' is already at line 7",
        "the anchor 'x' is already at line 10",
    ]
    [(_, why)] = errors_of(HEADER + pair.replace('<a id="x"></a> B', "B"))
    assert why == "the anchor 'x' is not in the other language's cell"


@pytest.mark.parametrize("anchor", ["Two Words", "é", ""])
def test_malformed_anchors_are_refused(anchor):
    text = f'+++ {{"lang": "en", "anchor": "{anchor}"}}\nA\n\n+++ {{"lang": "fr"}}\nB\n'
    assert any("an anchor is made of" in why for _, why in errors_of(HEADER + text))


def test_header_errors_are_all_told_at_once():
    header = "---\ntitle: Switchover\nminutes: soon\nbuilds_on: etcd\nauthor: me\n---\n"
    why = " / ".join(why for _, why in errors_of(header + BODY))
    assert "a title in each language" in why
    assert "minutes is a whole number" in why
    assert "builds_on is a list" in why
    assert "unknown key 'author'" in why


def test_a_file_is_named_by_number_and_slug():
    with pytest.raises(SourceErrors, match="NN_slug"):
        parse(HEADER + BODY, name="switchover.md")


def test_broken_yaml_is_told_in_one_line():
    with pytest.raises(SourceErrors) as caught:
        parse("---\ntitle: {en: x\n---\n" + BODY)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("05_switchover.md:")
