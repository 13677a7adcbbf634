"""A command that a message prints reaches the lab that the message is about."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import labhelpers
from labhelpers.cli import COMMANDS, _not_permitted, main
from labhelpers.cli.lab import _print_tables
from labhelpers.cli.options import lab_option
from labhelpers.errors import NodeNotRunning, PatroniUnreachable
from labhelpers.incidents.errors import JournalBusy
from labhelpers.lab import LabStatus
from labhelpers.meant import command, default_lab, meaning, program, shell_lab
from labhelpers.paths import STATE
from labhelpers.topology import load_topology

PACKAGE = Path(labhelpers.__file__).parent


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A shell in the clone, in English: ``workshop`` is not on the path, and ``WORKSHOP_LAB`` is not set."""
    monkeypatch.delenv("WORKSHOP_LAB", raising=False)
    monkeypatch.setenv("WORKSHOP_LANGUAGE", "en")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    program.cache_clear()
    yield
    program.cache_clear()


@click.command()
@lab_option
@click.argument("node")
def thaw(lab: str, node: str) -> None:
    """As a command of ours; what it meets deep down does not know the lab."""
    click.echo(f"{default_lab()} {load_topology().lab} {lab} {NodeNotRunning(node, 'stopped')}")


def test_the_trainees_lab_needs_no_option() -> None:
    assert command("heal") == command("heal", "main") == "./workshop heal"


def test_another_lab_is_named() -> None:
    assert command("saves --delete mine", "scratch") == "./workshop saves --delete mine --lab scratch"


def test_a_notebooks_lab_needs_no_option_there_and_the_trainees_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_LAB", "scratch")
    assert default_lab() == shell_lab() == "scratch"
    assert command("heal") == command("heal", "scratch") == "./workshop heal"
    assert command("heal", "main") == "./workshop heal --lab main"


def test_where_the_shell_finds_the_workshop_its_name_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "workshop").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command("up", "scratch") == "workshop up --lab scratch"


def test_what_lab_says_is_meant_in_all_that_the_command_says() -> None:
    done = CliRunner().invoke(thaw, ["--lab", "scratch", "pg-1"])
    assert done.output.startswith("scratch scratch scratch pg-1 is stopped.")
    assert done.output.endswith("./workshop heal --lab scratch\n")


@pytest.mark.parametrize("arguments", [["--lab", "scratch", "pg-1"], ["--lab", "scratch"]])
def test_it_is_forgotten_after_the_command_also_where_that_failed(arguments: list[str]) -> None:
    CliRunner().invoke(thaw, arguments)
    assert default_lab() == "main"
    assert command("heal") == "./workshop heal"
    assert (
        CliRunner().invoke(thaw, ["pg-1"]).output == "main main main pg-1 is stopped. Bring it back: ./workshop heal\n"
    )


def test_a_command_of_ours_names_the_lab_that_it_did_not_find(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["saves", "--lab", "test-absent"])
    assert capsys.readouterr().err.endswith("Build it: ./workshop up --lab test-absent\n")
    assert default_lab() == "main"


def test_errors_that_are_told_the_lab_name_it_without_a_command() -> None:
    assert str(PatroniUnreachable("pg-1", "refused", "scratch")).endswith("./workshop status --lab scratch")
    assert str(PatroniUnreachable("pg-1", "refused")).endswith("./workshop status")


def test_a_process_of_a_lab_names_that_one() -> None:
    with meaning("scratch"):
        assert str(JournalBusy(60, "another")).endswith("./workshop heal --lab scratch")


def test_the_shell_that_started_jupyterlab_is_spoken_to_whatever_the_servers_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "workshop").touch(mode=0o755)
    with meaning("scratch"), meaning("other"):
        monkeypatch.setenv("WORKSHOP_LAB", "other")
        monkeypatch.setenv("PATH", str(tmp_path))
        assert command("start") == "./workshop start --lab other"


def test_status_names_the_lab_of_an_incident(capsys: pytest.CaptureFixture[str]) -> None:
    incident = {"id": "1", "kind": "primary-frozen", "nodes": ["pg-1"], "since": "2026-11-28T12:00:00+00:00"}
    _print_tables(LabStatus("scratch", "10.64.0.0/24", (), None, (incident,)))
    assert "Undo it: ./workshop heal --lab scratch\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("labs/scratch/journal/inject.lock", "./workshop up --lab scratch"),
        ("locks/scratch", "./workshop up --lab scratch"),
        ("labs/main/lab.json", "./workshop up"),
        ("images", "./workshop up"),
    ],
)
def test_another_users_file_says_whose_lab_is_to_be_taken_over(path: str, wanted: str) -> None:
    assert _not_permitted(PermissionError(13, "Permission denied", f"{STATE}/{path}")).endswith(f": {wanted}")


def test_no_message_writes_a_command_by_hand() -> None:
    """``./workshop`` by hand is for those who sit in the clone for certain: under sudo, before anything is set up."""
    by_hand = re.compile(rf"(?<!\./)\bworkshop ({'|'.join(COMMANDS)})\b")
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        for node in strings(ast.parse(path.read_text(encoding="utf-8")))
        if by_hand.search(node.value)
    ]
    assert found == []


def strings(tree: ast.AST) -> Iterator[ast.Constant]:
    """The strings of a module, f-strings' parts too; those that stand alone describe what is above them."""
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node
