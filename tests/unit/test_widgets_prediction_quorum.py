"""Predictions, the quorum and the map as they read without a kernel."""

from __future__ import annotations

import re

import pytest

from labhelpers.errors import UsageProblem
from labhelpers.magics.predictions import (
    NoOutcome,
    OutcomeDiffers,
    OutcomeLine,
    PredictionMagics,
    evaluate,
    split_outcome,
)
from labhelpers.magics.session import Session
from labhelpers.widgets.nodemap import map_html, map_text
from labhelpers.widgets.prediction import outcome_html, outcome_text, parse_prediction, question_text
from labhelpers.widgets.quorum import Quorum, picture_html, table_text

BODY = """
question: How long without a write?
answers:
  - less than 3 s: value < 3
  - 3 to 10 s: 3 <= value < 10
  - longer: value >= 10
default: longer
"""


def test_default_by_text_and_by_place() -> None:
    assert parse_prediction("k", BODY).label == "longer"
    assert parse_prediction("k", BODY.replace("default: longer", "default: 2")).label == "3 to 10 s"
    assert parse_prediction("k", "question: q\nanswers: [yes, no]").label == "yes"


@pytest.mark.parametrize(
    ("measured", "right"), [(1.2, "less than 3 s"), (3, "3 to 10 s"), (31.8, "longer"), (10.0, "longer")]
)
def test_a_condition_says_which_answer_is_right(measured: float, right: str) -> None:
    asked = parse_prediction("k", BODY)
    assert [answer.label for answer in asked.right_answers(measured)] == [right]


@pytest.mark.parametrize(
    ("answer", "measured", "right"),
    [
        ("3", 3, True),
        ("3", 3.0, True),
        ("pg-2", "PG-2", True),
        ("oui", True, True),
        ("yes", False, False),
        ("3", "x", False),
    ],
)
def test_a_plain_answer_is_compared_with_what_was_measured(answer: str, measured: object, right: bool) -> None:
    asked = parse_prediction("k", f"question: q\nanswers: ['{answer}', 'zzz']")
    assert asked.answers[0].is_right(measured) is right


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("[1, 2", "not YAML"),
        ("just text", "write question:"),
        ("answers: [a, b]", "question: is missing"),
        ("question: q\nanswers: [a]", "at least two"),
        ("question: q\nanswers: [a, b]\ndefault: c", "none of the answers"),
        ("question: q\nanswers: [a, {b: 'value.x < 1'}]", "nothing else"),
        ("question: q\nanswers: [a, {b: '__import__(value)'}]", "nothing else"),
        ("question: q\nanswers: [a, {b: 'value <'}]", "not a condition"),
        ("question: q\nanswers: [a, [b]]", "not an answer"),
    ],
)
def test_a_malformed_prediction_says_why(body: str, why: str) -> None:
    with pytest.raises(UsageProblem, match=re.escape(why)):
        parse_prediction("k", body)


def test_a_default_that_nobody_chose_is_nobodys_opinion() -> None:
    asked = parse_prediction("k", BODY)
    html = outcome_html(asked, "k", 31.8, "s")
    assert "nobody chose" in html
    assert "as predicted" not in html
    assert "the answer: longer" in html


def test_a_chosen_answer_is_held_against_the_measure() -> None:
    asked = parse_prediction("k", BODY)
    asked.chosen, asked.touched = 0, True
    assert "✗ other than predicted: longer" in outcome_text(asked, 31.8, "s")
    asked.chosen = 2
    assert "✓ as predicted" in outcome_text(asked, 31.8, "s")
    assert "31.8 s" in outcome_text(asked, 31.8, "s")


def test_an_outcome_without_a_prediction_still_shows_the_measure() -> None:
    assert "31.8" in outcome_html(None, "k", 31.8)


def test_a_value_that_no_answer_fits_gets_no_verdict() -> None:
    asked = parse_prediction("k", "question: q\nanswers: [a, b]")
    assert asked.verdict("c") is None


def test_a_value_that_can_not_be_compared_fits_no_condition() -> None:
    asked = parse_prediction("k", BODY)
    assert asked.right_answers(None) == [] and asked.right_answers("x") == []


def test_the_question_reads_as_text() -> None:
    assert "(x) longer" in question_text(parse_prediction("k", BODY))


def test_outcome_lines() -> None:
    assert split_outcome("k --unit s a + b") == OutcomeLine("k", "a + b", unit="s")
    assert split_outcome("k len(x)") == OutcomeLine("k", "len(x)")
    assert split_outcome('k --must "value < 3" --unit s f("--must 1")') == OutcomeLine(
        "k", 'f("--must 1")', unit="s", must="value < 3"
    )
    for line in ("", "k", "k --unit s"):
        with pytest.raises(UsageProblem):
            split_outcome(line)


@pytest.mark.parametrize(
    ("must", "measured", "passes"),
    [
        ("3", "3", True),
        ("3", "1", False),
        ('"value == 3"', "1", False),
        ('"value < 3"', "None", False),
        ("no", "False", True),
        ("no", "True", False),
    ],
)
def test_an_outcome_other_than_the_chapter_teaches_fails_in_one_sentence(
    must: str, measured: str, passes: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    magics = PredictionMagics(None, Session())
    line = f"clusters --must {must} {measured}"
    if passes:
        magics.outcome(line)
    else:
        with pytest.raises(OutcomeDiffers, match="clusters"):
            magics.outcome(line)
    assert "measured" in capsys.readouterr().out


def test_a_must_that_is_no_condition_is_said_before_anything_is_measured() -> None:
    with pytest.raises(UsageProblem, match="%outcome k: 'value <' is not a condition"):
        PredictionMagics(None, Session()).outcome('k --must "value <" nope')


def test_an_expression_without_a_value_is_one_sentence() -> None:
    assert evaluate("a + 1", {"a": 1}) == 2
    with pytest.raises(NoOutcome, match="NameError"):
        evaluate("nope", {})


@pytest.mark.parametrize(
    ("members", "needed", "tolerated"), [(1, 1, 0), (2, 2, 0), (3, 2, 1), (4, 3, 1), (5, 3, 2), (9, 5, 4)]
)
def test_quorum_is_more_than_half_of_all(members: int, needed: int, tolerated: int) -> None:
    quorum = Quorum(members)
    assert (quorum.needed, quorum.tolerated) == (needed, tolerated)
    assert Quorum(members, tolerated).decides
    assert not Quorum(members, tolerated + 1).decides


def test_four_are_compared_with_three() -> None:
    assert "4 members tolerate 1, as 3 do" in Quorum(4).comparison()
    assert Quorum(5).comparison() == ""


def test_the_pictures_read_without_a_kernel() -> None:
    assert picture_html(Quorum(5, 2)).count("✗") == 2
    assert "4 | 3 | 1" in table_text()


STATUS = {
    "lab": "main",
    "subnet": "10.0.3.0/24",
    "nodes": [
        {"name": "e1", "role": "etcd", "address": "10.0.3.101", "state": "frozen"},
        {"name": "pg-1", "role": "postgres", "address": "10.0.3.201", "state": "running"},
        {"name": "pg-2", "role": "postgres", "address": "10.0.3.202", "state": "running"},
        {"name": "backup", "role": "backup", "address": "10.0.3.204", "state": "absent"},
    ],
    "cluster": {
        "leader": "pg-1",
        "members": [
            {"name": "pg-1", "role": "leader", "state": "running", "timeline": 4, "lag_bytes": None},
            {"name": "pg-2", "role": "replica", "state": "starting", "timeline": None, "lag_bytes": None},
        ],
    },
    "incidents": [],
}


def test_the_map_names_state_role_and_address() -> None:
    text = map_text(STATUS)
    assert re.search(r"e1 +10.0.3.101 +frozen", text)
    assert "leader · TL 4" in text
    assert "replica · starting" in text
    assert map_html(STATUS).count("running") >= 2


def test_the_map_of_a_lab_without_cluster_says_nothing_of_roles() -> None:
    assert "leader" not in map_text({**STATUS, "cluster": None})
