"""The public functions of ``labhelpers``, called from Python on a lab that does not run."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from labhelpers import checks, incidents, lifecycle, observe, open_lab, waiting
from labhelpers.course import archive, chapters, saves, states
from labhelpers.errors import LabError, UsageProblem
from labhelpers.incidents.catalogue import CATALOGUE
from labhelpers.lab import Lab, lab_status
from labhelpers.magics.arguments import interpolate, nodes_of, split, split_command
from labhelpers.magics.conditions import condition
from labhelpers.magics.files import fields_of, render
from labhelpers.observe import lessons
from labhelpers.observe.recordings import Recording
from labhelpers.paths import validate_lab_name
from labhelpers.pgbackrest import parse_info
from labhelpers.topology import load_topology, scratch_lab_name
from labhelpers.widgets import panel, quorum
from labhelpers.widgets.prediction import parse_prediction
from tests.fuzz.values import A_FILE, LAB, broken_lab_names, is_save_name, numbers, raw_words
from tests.fuzz.verdict import Broken, check_sentence

Call = Callable[..., Any]
PAST = (0.0, -1.0, -1e9, float("-inf"), float("nan"), float("inf"))
"""Bounds that are over at once, and two that are none."""
NODES = ("e1", "e2", "e3", "pg-1", "pg-2", "pg-3", "backup")
node = st.one_of(raw_words, st.sampled_from(NODES))
no_node = raw_words.filter(lambda word: word not in (*NODES, "all", "etcd", "postgres"))
some_nodes = st.lists(node, max_size=3)
absent_save = raw_words.filter(lambda word: word != "fresh" and states.chapter_number(word) is None)
no_size = st.integers().filter(lambda number: number not in quorum.SIZES)
less_than_none = st.integers(max_value=-1)
no_seconds = st.one_of(raw_words, numbers, st.integers(max_value=19))
kind = st.one_of(raw_words, st.sampled_from(sorted(CATALOGUE)))


def calls() -> dict[str, tuple[Call, tuple[st.SearchStrategy[Any], ...]]]:
    """Each function by its name, and what it is called with."""
    lab = open_lab(LAB)
    return {
        **_names(lab), **_nodes(lab), **_services(lab), **_incidents(lab), **_course(lab), **_reading(lab),
    }  # fmt: skip


def _names(lab: Lab) -> dict[str, Any]:
    return {
        "open_lab": (open_lab, (raw_words.filter(lambda word: word not in ("", LAB)),)),
        "load_topology": (load_topology, (raw_words,)),
        "validate_lab_name": (validate_lab_name, (broken_lab_names,)),
        "scratch_lab_name": (scratch_lab_name, (raw_words,)),
        "lifecycle.locked": (lambda name: lifecycle.locked(name).__enter__(), (broken_lab_names,)),
        "lifecycle.is_held": (lifecycle.is_held, (broken_lab_names,)),
        "lifecycle.ensure_up": (lifecycle.ensure_up, (broken_lab_names,)),
        "lifecycle.destroy": (
            lambda name, purge: lifecycle.destroy(name, purge=purge),
            (broken_lab_names, st.booleans()),
        ),
        "waiting.bounded": (waiting.bounded, (numbers,)),
        "waiting.wait_until": (
            lambda what, bound: waiting.wait_until(lambda: None, what=what, within=bound),
            (raw_words, st.sampled_from(PAST)),
        ),
        "lab_status": (lambda name: lab_status(load_topology(name)), (raw_words,)),
        "topology.node": (lab.topology.node, (raw_words,)),
        "topology.expand": (lab.topology.expand, (some_nodes,)),
        "topology.replicas": (lab.topology.replicas, (raw_words,)),
        "lab.secret": (lab.secret, (raw_words.filter(lambda word: not _is_secret_name(word)),)),
    }


def _is_secret_name(word: str) -> bool:
    """Such a secret would be drawn: that is no mistake."""
    return word.isascii() and word.replace("-", "").replace("_", "").isalnum() and len(word) < 65


def _nodes(lab: Lab) -> dict[str, Any]:
    pg = lab.nodes["pg-1"]
    return {
        "nodes[]": (lambda name: lab.nodes[name], (raw_words,)),
        "nodes.run": (lab.nodes.run, (some_nodes, raw_words)),
        "nodes.try_run": (lambda names, text, user, bound: lab.nodes.try_run(names, text, user=user, timeout=bound),
                          (some_nodes, raw_words, raw_words, numbers)),
        "node.run": (lambda text, bound, given: pg.run(text, timeout=bound, input=given),
                     (raw_words, numbers, raw_words)),
        "node.try_run": (lambda text, key, value: pg.try_run(text, env={key: value}),
                         (raw_words, raw_words, raw_words)),
        "node.read": (pg.read, (raw_words,)),
        "node.write": (lambda path, text, owner, mode: pg.write(path, text, owner=owner, mode=mode),
                       (raw_words, raw_words, raw_words, raw_words)),
        "containers.state": (lab.containers.state, (raw_words,)),
        "containers.pid": (lab.containers.pid, (no_node,)),
        "containers.cgroup": (lab.containers.cgroup, (no_node,)),
        "containers.freezer_file": (lab.containers.freezer_file, (no_node,)),
        "containers.freeze": (lab.containers.freeze, (node,)),
        "containers.unfreeze": (lab.containers.unfreeze, (node,)),
        "containers.start": (lab.containers.start, (node,)),
        "containers.stop": (lambda name, bound: lab.containers.stop(name, timeout=bound), (node, numbers)),
        "containers.kill": (lab.containers.kill, (node,)),
        "containers.hold": (lab.containers.hold, (node,)),
        "containers.release": (lab.containers.release, (node,)),
    }  # fmt: skip


def _services(lab: Lab) -> dict[str, Any]:
    return {
        "patroni.cluster": (lab.patroni.cluster, (node,)),
        "patroni.node_status": (lab.patroni.node_status, (node, numbers)),
        "patroni.switchover": (lambda name: lab.patroni.switchover(name, within=0), (node,)),
        "patroni.reinitialize": (lab.patroni.reinitialize, (node,)),
        "patroni.wait_for_leader": (lambda name, bound: lab.patroni.wait_for_leader(name, within=bound),
                                    (node, st.sampled_from(PAST))),
        "patroni.patch_config": (lambda key, value: lab.patroni.patch_config({key: value}), (raw_words, raw_words)),
        "patroni.history": (lab.patroni.history, (node,)),
        "patroni.wait_for_healthy": (lambda bound: lab.patroni.wait_for_healthy(within=bound),
                                     (st.sampled_from(PAST),)),
        "etcd.members": (lab.etcd.members, (node,)),
        "etcd.leader_key": (lab.etcd.leader_key, (node,)),
        "etcd.status": (lab.etcd.status, (node,)),
        "etcd.get": (lab.etcd.get, (raw_words, node)),
        "postgres.is_in_recovery": (lab.postgres.is_in_recovery, (node,)),
        "postgres.query": (lab.postgres.query, (node, raw_words)),
        "postgres.connect": (lambda name, database: lab.postgres.connect(name, dbname=database), (node, raw_words)),
        "postgres.conninfo": (lambda name, database: lab.postgres.conninfo([name], dbname=database), (node, raw_words)),
        "pgbackrest.stanza": (lab.pgbackrest.stanza, (raw_words,)),
    }  # fmt: skip


def _incidents(lab: Lab) -> dict[str, Any]:
    return {
        "incidents.inject": (lambda what, name, bound: incidents.inject(lab, what, name, minutes=bound),
                             (kind, node, numbers)),
        "lab.incident": (lambda what, name: lab.incident(what, name).__enter__(), (kind, node)),
        "incidents.possible": (lambda what, name: incidents.possible(lab, what, name), (kind, node)),
        "incidents.kind_of": (incidents.kind_of, (kind,)),
        "incidents.heal(one)": (lambda name: incidents.heal(lab, name), (raw_words,)),
        "observe.Client": (lambda name, rate: observe.Client(lab, name, rate=rate), (node, numbers)),
        "observe.ClientSpec": (lambda name: observe.ClientSpec(pinned_to=name), (node,)),
        "observe.start": (lambda name, to: observe.start(lab, name, [to]), (raw_words, no_node.filter(bool))),
        "lessons.start": (lambda name, to: lessons.start(lab, name, pinned_to=to), (raw_words, no_node.filter(bool))),
        "lessons.adjust": (lambda ttl, pace: lessons.adjust(lab, ttl, pace), (no_seconds, numbers)),
        "lessons.compare": (lambda _: lessons.compare(), (raw_words,)),
        "panel.press": (panel.press, (kind, node)),
        "Panel.press": (panel.Panel(lab).press, (kind, node)),
        "Recording.save": (lambda name: Recording().save(Path(A_FILE, "none", name.lstrip("/"))), (raw_words,)),
        "Recording.load": (lambda name: Recording.load(Path("/nonexistent") / name.lstrip("/")), (raw_words,)),
    }  # fmt: skip


def _course(lab: Lab) -> dict[str, Any]:
    return {
        "checks.find_check": (checks.find_check, (raw_words,)),
        "checks.checks_of": (checks.checks_of, (raw_words,)),
        "checks.run_check": (lambda name: checks.run_check(lab, name), (raw_words,)),
        "saves.goto": (lambda name: saves.goto(lab, name), (absent_save,)),
        "saves.save": (lambda name: saves.save(lab, name), (raw_words.filter(lambda word: not is_save_name(word)),)),
        "saves.delete": (lambda name: saves.delete(LAB, name), (absent_save,)),
        "saves.find": (lambda name: saves.find(lab, name), (absent_save,)),
        "archive.take": (lambda name: archive.take(lab, Path(A_FILE, "none", name.lstrip("/"))), (raw_words,)),
        "chapters.choose": (lambda name: chapters.choose([name], chapters.chapter_files()), (raw_words,)),
        "states.is_at_start": (lambda name: states.is_at_start(lab, name), (absent_save,)),
    }


def _reading(lab: Lab) -> dict[str, Any]:
    known = lab.topology.postgres
    return {
        "magics.split": (split, (raw_words,)),
        "magics.split_command": (split_command, (raw_words,)),
        "magics.nodes_of": (lambda names: nodes_of(lab, names), (some_nodes,)),
        "magics.interpolate": (lambda names: interpolate(names, {}), (some_nodes,)),
        "magics.condition": (lambda text: condition(text, known), (raw_words,)),
        "magics.render": (lambda text: render(text, fields_of(lab.topology, "pg-1")), (raw_words,)),
        "quorum.explorer": (quorum.explorer, (st.one_of(raw_words, no_size, numbers), st.integers())),
        "quorum.explorer(3)": (lambda failed: quorum.explorer(3, failed), (st.one_of(raw_words, less_than_none),)),
        "parse_prediction": (parse_prediction, (raw_words, raw_words)),
        "parse_info": (parse_info, (raw_words,)),
    }


def attempt(name: str, call: Call) -> Callable[[tuple[Any, ...]], None]:
    """Call it once and judge. Raises :class:`Broken`."""

    def judge(given: tuple[Any, ...]) -> None:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                call(*given)
        except LabError as error:
            if isinstance(error, UsageProblem) and error.exit_code != 2:
                raise Broken(f"{name}{given!r}: wrong input with exit status {error.exit_code}") from error
            check_sentence(str(error))
        except Exception as error:
            raise Broken(f"{name}{given!r}: {type(error).__name__}: {error}") from error

    return judge
