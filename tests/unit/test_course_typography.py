"""French spaces that no line may be broken at, and what is no prose."""

from __future__ import annotations

import re

import pytest

from labhelpers.course.chapters import read_course
from labhelpers.course.typography import french

N, W = "\u202f", "\u00a0"


@pytest.mark.parametrize(
    ("typed", "set_as"),
    [
        ("Qui mène ? Personne ; et alors !", f"Qui mène{N}? Personne{N}; et alors{N}!"),
        ("Voici : trois lignes", f"Voici{W}: trois lignes"),
        ("Elle dit « non » et « `oui` ».", f"Elle dit «{W}non{W}» et «{W}`oui`{W}»."),
        ("Le mot **bail** : un droit", f"Le mot **bail**{W}: un droit"),
        ("***streaming*** : un secondaire", f"***streaming***{W}: un secondaire"),
        ("`ttl` : `30` ; `loop_wait` : `10`", f"`ttl`{W}: `30`{N}; `loop_wait`{W}: `10`"),
        ("*Pourquoi ?* (Vraiment ?)", f"*Pourquoi{N}?* (Vraiment{N}?)"),
        ("Quoi ?!", f"Quoi{N}?!"),
        ("## Où est la vérité ?", f"## Où est la vérité{N}?"),
        ("- Un mot : un sens", f"- Un mot{W}: un sens"),
        ("Les suites :\n\n- une", f"Les suites{W}:\n\n- une"),
        ("[Et si ?](05_x.ipynb) : suite", f"[Et si{N}?](05_x.ipynb){W}: suite"),
        ("| mot : sens | qui ? |", f"| mot{W}: sens | qui{N}? |"),
        ('<a id="lsn"></a>**LSN** : une position', f'<a id="lsn"></a>**LSN**{W}: une position'),
        (
            "<details><summary>Et ici ?</summary>\n\nRien : voyez\n\n</details>",
            f"<details><summary>Et ici{N}?</summary>\n\nRien{W}: voyez\n\n</details>",
        ),
        ("Avant ?\n\n```bash\na ? b : c\n```\n\nAprès ?", f"Avant{N}?\n\n```bash\na ? b : c\n```\n\nAprès{N}?"),
    ],
)
def test_spaces_of_prose_hold(typed: str, set_as: str) -> None:
    assert french(typed) == set_as
    assert french(set_as) == set_as


@pytest.mark.parametrize(
    "text",
    [
        "`a ? b : c` et ``x ` : y``",
        "```yaml\nttl : 30\n« clé » : valeur ?\n```",
        "~~~\nvrai ?\n```\nfaux : non\n~~~",
        "- un point\n\n  ```bash\n  [ -e x ] ; echo ?\n  ```",
        "````\n```\na : b\n```\nc : d\n````",
        "```\njamais fermé : non",
        '<a href="x ? y : z" title="Qui > quoi ?">ici</a>',
        "<!-- à faire : ceci -->",
        "<pre>\na : b\n\nc ?\n</pre> et <code>d : e</code>",
        "https://example.org/a?b=c:d et <https://example.org/?q=!>",
        '[ici](page.ipynb "Où ? Là : ici") et [là](page_(1).ipynb#cell-id=x)',
        '[nom]: https://example.org/ "Quoi ?"',
        "| a | b |\n|---|:---:|\n| - | :--- |\n| ? | : |",
        "| --- | :---: |",
        "- ?\n- : x\n1. !\n> ?\n# !",
        "![une image](x.png) et ![une autre](y.png)",
        "x != y, une heure comme 10:30, ::1, :8080 et /etc/passwd:x",
        "Pas d'espace: rien. Une fin de ligne\n: reste.",
    ],
)
def test_what_is_no_prose_stays(text: str) -> None:
    assert french(text) == text


def prose() -> list[str]:
    return [cell.text for chapter in read_course() for cell in chapter.cells_in("fr") if cell.lang == "fr"]


def test_course_changes_in_spaces_only_and_no_code_tag_or_address_changes() -> None:
    from nbconvert.filters import markdown2html

    made_of_words = re.compile(r'<a class="anchor-link".*?</a>|<h\d.*?>')
    kept = re.compile(r"<(pre|code)\b.*?</\1>|<[^>]*>", re.DOTALL)
    for text in prose():
        done = french(text)
        assert done.translate({0x202F: " ", 0xA0: " "}) == text
        assert french(done) == done
        before, after = (
            [found[0] for found in kept.finditer(made_of_words.sub("", markdown2html(each)))] for each in (text, done)
        )
        assert before == after


def test_no_sign_of_the_course_can_wrap_alone() -> None:
    no_prose = re.compile(r"^```.*?^```$|`[^`]*`|<[^>]*>|!=", re.DOTALL | re.MULTILINE)
    alone = re.compile(r".{0,20}(?: [;?!:»]|« )")
    assert [found[0] for text in prose() for found in alone.finditer(no_prose.sub("", french(text)))] == []
