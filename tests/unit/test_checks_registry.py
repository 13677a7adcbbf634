"""The registry of checks, and checks on scripted nodes."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from labhelpers.checks import CheckFailed, UnknownCheck, chapters, checks_of, find_check, run_check
from labhelpers.checks.probes import ask
from labhelpers.checks.registry import CheckResult, Finding
from labhelpers.checks.starts import ALREADY_DONE, STARTS, start_results
from labhelpers.cli.check import check as check_command
from labhelpers.course.errors import UnknownChapter
from labhelpers.magics.checkview import failed_html, merged, result_text
from labhelpers.magics.course import CourseMagics, wrong_state
from labhelpers.magics.session import Session
from tests.unit.scripted_lab import Reply, ScriptedContainers, ScriptedLab, ScriptedNodes, lab, topology


def answering(**facts: str):  # type: ignore[no-untyped-def]
    """Nodes that answer each question of a probe with the text given for it, and status 0."""

    def reply(name: str, command: str) -> Reply:
        out = ""
        for question in re.findall(r"echo '=====workshop:(\w+)'", command):
            out += f"=====workshop:{question}\n{facts.get(question, '')}\n=====workshop:0\n"
        return 0, out, ""

    return reply


def test_names_say_the_chapter_and_steps_keep_their_order() -> None:
    for chapter in chapters():
        assert all(check.name.startswith(f"{chapter}.") for check in checks_of(chapter))
    names = [check.name for check in checks_of("04")]
    assert names.index("04.packages") < names.index("04.disabled") < names.index("04.cluster")


def test_every_check_has_a_title_in_both_languages() -> None:
    for chapter in chapters():
        for check in checks_of(chapter):
            assert check.en and check.fr and check.en != check.fr


def test_starts_name_checks_that_there_are() -> None:
    for names in STARTS.values():
        for name in names:
            assert find_check(name).chapter == "start"


def test_an_unknown_check_names_those_of_its_chapter() -> None:
    with pytest.raises(UnknownCheck, match=r"03\.config"):
        find_check("03.zzz")
    with pytest.raises(UnknownCheck, match=r"02\.hosts"):
        find_check("77.zzz")


def test_several_facts_come_in_one_round_trip() -> None:
    here = lab(answering(a="one\ntwo", b=""))
    facts, silent = ask(here, ["e1", "e2"], {"a": "cat a", "b": "cat b"})
    assert silent == []
    assert facts["e2"]["a"] == "one\ntwo"
    assert facts["e1"].ok("b")
    assert len(here.nodes.asked) == 1


def test_a_frozen_node_is_a_finding_with_the_way_back() -> None:
    here = ScriptedLab(
        ScriptedNodes(topology(), {"e2": (None, "", "")}), containers=ScriptedContainers({"e2": "frozen"})
    )
    _, silent = ask(here, ["e2"], {"a": "true"})
    assert silent[0].key == "node-frozen"
    assert "lxc-unfreeze" in silent[0].command


def test_packages_missing_on_all_three_show_as_one_finding() -> None:
    result = run_check(lab(answering(commands="curl jq ping", unit="")), "03.packages")
    assert not result.passed
    (shown,) = merged(result.findings)
    assert shown.node == "e1 e2 e3"
    assert shown.command.startswith("%%on e1 e2 e3 ")


def test_packages_there_pass() -> None:
    assert run_check(lab(answering(commands="etcd etcdctl curl jq ping", unit="x")), "03.packages").passed


def test_hints_come_one_after_the_other() -> None:
    result = run_check(lab(answering(enabled="disabled")), "03.enabled")
    first, second, third = (result_text(result, level) for level in (1, 2, 3))
    assert "systemctl enable" not in first + second
    assert "Enable the service" in second
    assert "systemctl enable etcd" in third
    assert "systemctl enable" not in failed_html(result, 0, 4, hints=1)


def test_a_failed_check_names_node_and_next_hint() -> None:
    error = CheckFailed([run_check(lab(answering(enabled="disabled")), "03.enabled")])
    assert "e1" in str(error)
    assert "%hint 03.enabled" in str(error)


def test_a_lab_before_chapter_03_may_start_it() -> None:
    assert wrong_state("03", start_results(lab(answering()), "03")) is None


def test_a_chapter_done_already_says_how_to_do_it_again() -> None:
    results = start_results(lab(answering(etcd="/usr/bin/etcd")), "03")
    assert results[-1].findings[0].key == ALREADY_DONE
    error = wrong_state("03", results)
    assert error and "%goto 03" in str(error)


def test_a_stopped_node_comes_before_everything_else() -> None:
    here = lab(answering(etcd="/usr/bin/etcd"), containers=ScriptedContainers({"pg-2": "stopped"}))
    results = start_results(here, "03")
    assert len(results) == 1
    error = wrong_state("03", results)
    assert error and "pg-2" in str(error) and "lxc-start" in str(error)


def test_chapters_without_a_start_work_anywhere() -> None:
    assert start_results(lab(), "01") == []


def test_a_chapter_that_asks_every_node_says_at_its_start_that_one_does_not_run() -> None:
    here = lab(containers=ScriptedContainers({"e3": "frozen"}))
    for chapter in ("00", "02"):
        error = wrong_state(chapter, start_results(here, chapter))
        assert error and "e3" in str(error) and "lxc-unfreeze" in str(error)
        assert "%goto" not in str(error)  # it would throw away a lab of which a node is to be thawed


def test_a_chapter_without_checks_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    CourseMagics(None, Session()).check("01")
    assert "nothing to check in chapter 01" in capsys.readouterr().out
    done = CliRunner().invoke(check_command, ["01"], standalone_mode=False)
    assert done.return_value == 0 and "nothing to check in chapter 01" in done.output
    with pytest.raises(UnknownChapter, match=r"no chapter '77'.*, 99"):
        CliRunner().invoke(check_command, ["77"], standalone_mode=False, catch_exceptions=False)


def test_the_progress_says_whose_it_is() -> None:
    result = run_check(lab(answering(commands="etcd etcdctl curl jq ping", unit="x")), "03.packages")
    assert "1/4 passed in this notebook" in result_text(result, 1, done=1, total=4)


def test_findings_are_shown_as_text_not_markup() -> None:
    found = Finding("k", "e1", "<b>x</b>", "y", "h")
    assert "<b>x" not in failed_html(CheckResult(find_check("03.config"), (found,)), 0, 1, hints=1)
