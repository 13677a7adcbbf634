"""%%file renders and merges; %%sql reads answers."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

import pandas as pd
import pytest

from labhelpers.errors import CommandFailed, UsageProblem
from labhelpers.magics.files import appended, diff_html, fields_of, merged, present, render
from labhelpers.magics.sql import Answer, ask_through_psql, assemble, parse_psql
from labhelpers.nodes import Result
from tests.unit.scripted_lab import lab, topology


def test_fields_are_each_nodes_own() -> None:
    net = topology()
    fields = fields_of(net, "e2")
    text = render("{{ node }} {{address}} {{ addresses.pg-1 }} {{ scope }}", fields)
    assert text == f"e2 {net.node('e2').address} {net.node('pg-1').address} 17-main\n"


def test_nothing_but_fields_has_a_meaning() -> None:
    body = "${#array[@]} {% raw %} {# note #} $HOME %p { { x } }"
    assert render(body, {}) == body + "\n"


def test_an_unknown_field_names_those_there_are() -> None:
    with pytest.raises(UsageProblem, match=r"addresses\.e1"):
        render("{{ nope }}", fields_of(topology(), "e1"))


def test_appending_twice_adds_once() -> None:
    once = appended("a", "export X=1\n")
    assert once == "a\nexport X=1\n"
    assert appended(once, "export X=1\n") == once
    assert appended("#export X=1\n", "export X=1\n") == "#export X=1\nexport X=1\n"


@dataclass
class OneFile:
    """A node with one file, or a node that answers nothing (``exited`` None)."""

    text: str | None
    exited: int | None = 0
    asked: list[str] = field(default_factory=list)

    def try_run(self, command: str) -> Result:
        self.asked.append(command)
        exited = self.exited if self.exited != 0 else (0 if self.text is not None else 1)
        return Result("e1", command, exited, "", "", 0.1, None if exited is not None else "no answer")

    def read(self, path: str) -> str:
        assert self.text is not None
        return self.text


def test_a_file_that_could_not_be_looked_at_is_not_taken_for_an_empty_one() -> None:
    assert present(OneFile("a"), "/x") == "a"
    assert present(OneFile(None), "/x") == ""
    for exited in (None, 127, 137, 255):
        with pytest.raises(CommandFailed):
            present(OneFile("a", exited), "/x")


def test_a_path_is_one_word_for_the_shell() -> None:
    node = OneFile(None)
    present(node, "/root/it's $HOME")
    assert shlex.split(node.asked[0]) == ["test", "-e", "/root/it's $HOME"]


def test_nodes_with_the_same_change_are_shown_together() -> None:
    diff = "--- /x (before)\n+++ /x (now)\n@@ -1 +1 @@\n-a\n+b\n"
    assert merged({"e1": diff, "e2": "", "e3": diff}) == [(["e1", "e3"], "-a\n+b"), (["e2"], "")]
    assert merged({"e1": "--- /etc/x\n+++ /etc/x\n@@ -1 +0,0 @@\n--- a comment\n"}) == [(["e1"], "--- a comment")]


def test_psql_rows_have_types() -> None:
    frame = parse_psql("a,ok\n1,t\n2,f\n")
    assert frame["a"].tolist() == [1, 2]
    assert frame["ok"].tolist() == [True, False]


@pytest.mark.parametrize(
    "text", ["000000010000000000000003", "0000000200000000000000E5", "007", "1.50", "nan", "9223372036854775808", "+1"]
)
def test_what_psql_printed_is_not_changed_by_a_type(text: str) -> None:
    assert parse_psql(f"a,b\n{text},1\n")["a"].tolist() == [text]


def test_numbers_with_a_gap_stay_whole() -> None:
    frame = parse_psql("a,b\n1,2.5\n,\n")
    assert frame["a"].astype(object).tolist() == [1, pd.NA] and frame["b"].tolist()[0] == 2.5


@pytest.mark.parametrize("tag", ["CREATE ROLE", "INSERT 0 1", "VACUUM"])
def test_a_statement_without_rows_says_what_it_did(tag: str) -> None:
    assert parse_psql(tag + "\n").iloc[0, 0] == tag


def test_a_result_without_rows_keeps_its_columns() -> None:
    assert list(parse_psql("relname\n").columns) == ["relname"]


def test_a_refusal_is_the_reason_alone() -> None:
    here = lab({"pg-1": (1, "", "ERROR:  cannot execute INSERT in a read-only transaction\n")})
    (answer,) = ask_through_psql(here, ["pg-1"], "insert …", database="postgres")
    assert answer.reason == "cannot execute INSERT in a read-only transaction"
    assert here.nodes.asked[0]["user"] == "postgres"


def test_answers_come_together_with_the_node_first() -> None:
    frame = assemble(
        [Answer("pg-1", pd.DataFrame({"a": [1]})), Answer("pg-2", None, "no"), Answer("pg-3", pd.DataFrame({"a": [3]}))]
    )
    assert list(frame.columns) == ["node", "a", "refused"]
    assert frame["node"].tolist() == ["pg-1", "pg-2", "pg-3"]
    assert "<td" in frame._repr_html_()


def test_folded_change_says_how_much_it_hides() -> None:
    shown = diff_html(["e2"], "-a\n+b\n+c", "/etc/x", "#000", folded=True)
    assert "<summary" in shown and "/etc/x · 3 changed lines" in shown and ">+c<" in shown
    assert "<details" not in diff_html(["e2"], "", "/etc/x", "#000", folded=True)
    assert "<details" not in diff_html(["e2"], "+b", "/etc/x", "#000")
