"""How a magic's line is read."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from labhelpers.errors import UnknownNode, UsageProblem
from labhelpers.magics.arguments import answers_of, interpolate, nodes_of, parse, split, split_command
from labhelpers.magics.commands import CommandMagics
from labhelpers.magics.files import FileMagics
from labhelpers.magics.typist import typed
from tests.unit.scripted_lab import lab


def patroni(leader: str | None) -> SimpleNamespace:
    return SimpleNamespace(leader=lambda: leader)


def test_quotes_group_words_and_backslashes_stay() -> None:
    assert split(r"""pg-1 --input 'pg-2\n\ny\n' "a b" x\y""") == ["pg-1", "--input", r"pg-2\n\ny\n", "a b", r"x\y"]


def test_an_open_quote_is_a_usage_problem() -> None:
    with pytest.raises(UsageProblem, match="quote"):
        split("pg-1 --input 'y")


def test_options_may_stand_between_nodes() -> None:
    args = parse(CommandMagics.on, "--user postgres pg-1 --timeout 5 pg-2")
    assert (args.nodes, args.user, args.timeout) == (["pg-1", "pg-2"], "postgres", 5.0)


@pytest.mark.parametrize("line", ["pg-1 --bogus", "pg-1 --timeout soon", "pg-1 --user"])
def test_a_wrong_option_is_our_own_error_and_names_the_form(line: str) -> None:
    with pytest.raises(UsageProblem, match=r"%%on: .*The form is: %%on \[--user USER\]"):
        parse(CommandMagics.on, line)


def test_file_needs_a_path_and_a_node() -> None:
    with pytest.raises(UsageProblem, match="required"):
        parse(FileMagics.file, "/etc/x")


@pytest.mark.parametrize(
    ("text", "answers"),
    [(r"pg-2\n\ny\n", ["pg-2", "", "y"]), ("y", ["y"]), (r"\n", [""]), ("", [""])],
)
def test_answers_end_with_the_return_key(text: str, answers: list[str]) -> None:
    assert answers_of(text) == answers


def test_groups_and_functions_name_nodes_in_node_order() -> None:
    here = lab(patroni=patroni("pg-2"))
    assert nodes_of(here, ["pg-3", "etcd"]) == ["e1", "e2", "e3", "pg-3"]
    assert nodes_of(here, ["leader"]) == ["pg-2"]
    assert nodes_of(here, ["replicas"]) == ["pg-1", "pg-3"]
    assert len(nodes_of(here, ["all"])) == 7


def test_no_node_and_no_leader_are_told() -> None:
    with pytest.raises(UsageProblem, match="at least one node"):
        nodes_of(lab(), [])
    with pytest.raises(UsageProblem, match="Nobody leads"):
        nodes_of(lab(patroni=patroni(None)), ["leader"])
    with pytest.raises(UnknownNode, match="pg-1"):
        nodes_of(lab(), ["pg-9"])


def test_variables_of_the_notebook_name_nodes() -> None:
    assert interpolate(["$who", "{some}", "e1"], {"who": "pg-1", "some": ["e2", "e3"]}) == ["pg-1", "e2", "e3", "e1"]
    with pytest.raises(UsageProblem, match="no variable who"):
        interpolate(["$who"], {})
    with pytest.raises(UsageProblem, match="neither a text nor a list"):
        interpolate(["$who"], {"who": 3})


def test_the_command_after_the_dashes_is_kept_as_written() -> None:
    assert split_command("pg-1 --until leader -- echo '$HOME' -- \"x\"") == (
        "pg-1 --until leader",
        "echo '$HOME' -- \"x\"",
    )
    for line in ("pg-1 patronictl list", "pg-1 --"):
        with pytest.raises(UsageProblem, match="which command"):
            split_command(line)


def test_typed_carries_script_and_answers_through_the_shell() -> None:
    line = typed('echo "it\'s"\nread x', ["a'b", ""])
    assert line.startswith("exec python3 -c ")
    assert split(line.replace("\n", " "))[0] == "exec"
