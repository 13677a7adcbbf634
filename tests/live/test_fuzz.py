"""Hostile input on real nodes: the fault is in the result or in one sentence, and nothing on the nodes is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from labhelpers import checks, incidents
from labhelpers.errors import LabError
from labhelpers.incidents.catalogue import CATALOGUE
from labhelpers.lab import Lab
from tests.fuzz.values import numbers, raw_words, words
from tests.fuzz.verdict import check_sentence
from tests.live.incident_lab import cluster_lab, inside

pytestmark = pytest.mark.live

NODE = "backup"
"""The one that no test breaks."""
CASES = 60
LOOK = "find / -xdev -newer /run/fuzz-began -type f -not -path '/proc/*' -not -path '/run/*' -not -path '/var/log/*'"
nowhere = words.map(lambda word: f"/nonexistent/{word}/x")
no_user = raw_words.filter(lambda word: word not in ("root", "postgres", "nobody", "daemon"))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    lab = cluster_lab()
    incidents.heal(lab)
    yield lab
    lab.close()


def refused(call: Callable[[], Any]) -> None:
    """The call fails by one of our sentences."""
    with pytest.raises(LabError) as caught:
        call()
    check_sentence(str(caught.value))


def hostile(*strategies: st.SearchStrategy[Any]) -> Callable[[Any], Any]:
    """The same cases each time."""
    same = settings(
        max_examples=CASES, derandomize=True, database=None, deadline=None, phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    return lambda test: same(given(*strategies)(test))


@pytest.fixture
def unchanged(lab: Lab) -> Iterator[None]:
    """No file of the node is written meanwhile, and the cluster is what it was."""
    inside(lab, NODE, "touch /run/fuzz-began")
    before = lab.status().to_json()
    yield
    assert inside(lab, NODE, LOOK).stdout == ""
    after = lab.status().to_json()
    assert after["nodes"] == before["nodes"] and after["incidents"] == before["incidents"] == []


@pytest.mark.usefixtures("unchanged")
def test_nodes_refuse_users_paths_and_variables_that_there_are_not(lab: Lab) -> None:
    node = lab.nodes[NODE]

    @hostile(no_user, nowhere, words)
    def try_all(user: str, path: str, word: str) -> None:
        assert node.try_run("true", user=user, timeout=10).failed or user == ""
        refused(lambda: node.read(path))
        refused(lambda: node.write(path, "x"))
        refused(lambda: node.run("true", env={f"{word};touch /tmp/fuzzed": "x"}))

    try_all()


@pytest.mark.usefixtures("unchanged")
def test_options_in_the_place_of_a_name_are_names(lab: Lab) -> None:
    node = lab.nodes[NODE]
    assert node.try_run("true", user="--help").failed
    refused(lambda: node.read("--help"))
    refused(lambda: node.write("--version", "x", owner="--help"))


@pytest.mark.usefixtures("unchanged")
def test_incidents_and_checks_refuse_what_they_do_not_know(lab: Lab) -> None:
    strange = raw_words.filter(lambda word: word not in lab.topology.names and word not in ("all", "etcd", "postgres"))

    @hostile(st.one_of(strange, st.sampled_from(sorted(CATALOGUE))), strange, numbers)
    def try_all(kind: str, node: str, minutes: float) -> None:
        refused(lambda: incidents.inject(lab, kind, node))
        refused(lambda: incidents.inject(lab, kind, minutes=minutes))
        refused(lambda: checks.run_check(lab, node))

    try_all()


@pytest.mark.usefixtures("unchanged")
def test_services_refuse_strange_questions(lab: Lab) -> None:
    @hostile(raw_words, raw_words)
    def try_all(word: str, other: str) -> None:
        assert lab.etcd.get(f"/fuzz/{word}") is None
        refused(lambda: lab.patroni.switchover(f"no-{word}", within=1))
        refused(lambda: lab.postgres.query("pg-1", word, user="app", dbname=f"no-{other}"))

    try_all()


def test_a_variable_reaches_a_login_and_is_in_no_command_line(lab: Lab) -> None:
    value = "it's q7Xk9vPd $x\nof two lines"
    said = lab.nodes["pg-2"].run('printf %s "$SECRET"; ps -ewwo args', user="postgres", env={"SECRET": value}).stdout
    assert said.startswith(value)
    assert "ps -ewwo args" in said  # the positive control: command lines are listed
    assert "q7Xk9vPd" not in said.removeprefix(value)
