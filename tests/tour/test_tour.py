"""Any chapter, in any order, on a new lab; and a tour from chapter to chapter that ends well each time.

On a quiet machine of two cores the chapters alone take some 35 minutes, most of it the incidents' own time; each is
bounded by ``RUN_SECONDS``. The tour takes some 10, the rest some 5.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import psycopg
import pytest

from labhelpers import incidents
from labhelpers.checks.starts import ALREADY_DONE, STARTS, start_results
from labhelpers.course import saves, states
from labhelpers.course.chapters import chapter_files, chapter_numbers
from labhelpers.course.disks.plan import plan_file
from labhelpers.course.saverecords import Save, read_saves
from labhelpers.incidents import eventlog
from labhelpers.incidents.catalogue import CATALOGUE
from labhelpers.lab import Lab, open_lab
from labhelpers.waiting import wait_until
from tests.lab.machine import WORKSHOP, take_down_like_a_reboot, workshop
from tests.notebooks import labs

LAB = "test-tour"
RUN_SECONDS = 2400
VISITS = 2
SEED = "WORKSHOP_TOUR_SEED"
"""Set it to take the same tour again."""
CHOSEN = int(os.environ.get(SEED) or random.randrange(1_000_000))

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A new lab: what a chapter needs is prepared on the way, and kept for the next test."""
    labs.make_fresh(LAB)
    opened = open_lab(LAB)
    yield opened
    opened.close()
    if not os.environ.get(labs.KEEP):
        for save in read_saves(opened.paths):
            saves.delete(LAB, save.name)
    labs.leave(LAB)


def shuffled(times: int) -> list[str]:
    """All chapters, each so many times."""
    chapters = chapter_numbers() * times
    random.Random(CHOSEN).shuffle(chapters)
    return chapters


def say_seed() -> None:
    print(f"seed {CHOSEN}; the same order: {SEED}={CHOSEN}")


@pytest.mark.parametrize("position", range(len(chapter_numbers())))
def test_any_chapter_alone_in_any_order(lab: Lab, position: int, tmp_path: Path) -> None:
    chapter = shuffled(1)[position]
    say_seed()
    print(f"chapter {chapter}")
    done = workshop("run", chapter, "--lab", LAB, "--output", str(tmp_path), timeout=RUN_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert [(each["number"], each["outcome"]) for each in report["chapters"]] == [(chapter, "passed")]


def test_what_was_acknowledged_is_there_after_a_save_and_the_return(lab: Lab) -> None:
    """A client writes until the moment at which ``goto`` takes the disks away."""
    saves.goto(lab, "05")
    leader = lab.patroni.wait_for_leader()
    lab.postgres.query(leader, "create table if not exists kept (n int primary key)")
    acknowledged: list[int] = []

    def write() -> None:
        own = open_lab(LAB)
        try:
            # A node that is stopped while a client waits for it says nothing.
            soon_lost = own.postgres.conninfo([leader]) + " keepalives_idle=5 keepalives_interval=2 keepalives_count=3"
            with psycopg.connect(soon_lost, autocommit=True) as connection:
                for number in range(1_000_000):
                    connection.execute("insert into kept values (%s)", (number,))
                    acknowledged.append(number)
        except psycopg.OperationalError:
            pass  # the node was stopped: that is the test
        finally:
            own.close()

    client = threading.Thread(target=write)
    client.start()
    wait_until(lambda: len(acknowledged) > 100, what="a hundred rows", within=60)
    arrival = saves.goto(lab, "03")
    client.join(timeout=120)
    assert not client.is_alive()
    assert arrival.automatic is not None
    assert start_results(lab, "03")[-1].passed
    saves.goto(lab, arrival.automatic.name)
    assert lab.patroni.wait_for_leader() == leader
    wait_until(
        lambda: all(set(acknowledged) <= rows_on(lab, node) for node in lab.topology.postgres),
        what="all acknowledged rows on every node", within=30,
    )  # fmt: skip
    print(f"{len(acknowledged)} rows acknowledged, all there on every node")


def test_random_tour_visits_each_chapter_twice_and_ends_well(lab: Lab) -> None:
    say_seed()
    chance = random.Random(CHOSEN)
    for number, chapter in enumerate(shuffled(VISITS), start=1):
        if states.starts_anywhere(chapter):
            assert saves.goto(lab, chapter).save is None
            continue
        disturbed = disturb(lab, chance)
        arrival = saves.goto(lab, chapter)
        assert arrival.save is not None
        print(f"{number:3} {chapter}  {arrival.ready_seconds:5.1f} s  after {disturbed}  {arrival.parts}", flush=True)
        assert incidents.active(lab) == []
        results = start_results(lab, chapter)
        assert all(result.passed for result in results), [result.findings for result in results]
        assert (arrival.save.expected.replicas == 2) == ("start.healthy" in STARTS.get(chapter, ()) or chapter == "90")
        if arrival.save.expected.replicas is not None:
            assert streaming_by_postgresql(lab) == len(lab.topology.postgres) - 1


@pytest.mark.parametrize("switched", [False, True], ids=["before the disks are switched", "after it"])
def test_a_goto_that_a_reboot_cut_off_goes_on_with_the_leader_first(lab: Lab, switched: bool) -> None:
    """A replica that started with it could lead, and lose what the leader alone has."""
    saves.goto(lab, "05")
    lab.patroni.switchover("pg-2")  # not the one that starts first by itself
    lab.patroni.wait_for_leader("pg-2")
    lab.patroni.wait_for_healthy(within=120)
    lab.nodes["pg-2"].run('psql -Xc "create table if not exists there as select 1 as n"', user="postgres")
    with removed(lab, saves.save(lab, "led-by-pg-2").save) as target:
        saves.goto(lab, "05")
        lab.nodes["pg-1"].run("touch /root/before-the-goto")
        kill_goto(lab, target, switched=switched)
        take_down_like_a_reboot(LAB)
        done = workshop("up", "--lab", LAB)
        assert done.returncode == 0, done.stderr
        assert target.name in done.stderr
        assert not saves.is_cut_off(lab.paths)
        assert lab.patroni.wait_for_leader() == "pg-2"
        assert streaming_by_postgresql(lab) == len(lab.topology.postgres) - 1
        lab.nodes["pg-2"].run('psql -Xc "select n from there"', user="postgres")
        kept = [save for save in read_saves(lab.paths) if save.before == target.name]
        assert kept
        saves.goto(lab, kept[-1].name)
        lab.nodes["pg-1"].run("test -e /root/before-the-goto")


def test_plain_papermill_takes_the_parameters_of_a_notebook(lab: Lab, tmp_path: Path) -> None:
    """As the README has it, and as the settings of a trainee are afterwards."""
    saves.goto(lab, "06")
    said_before = len(eventlog.tail(lab.paths.log, 1000))
    notebook = next(file for file in chapter_files() if file.number == "06").notebook("en")
    papermill = [str(Path(sys.executable).with_name("papermill")), "--no-progress-bar"]
    done = subprocess.run(
        [*papermill, str(notebook), str(tmp_path / "executed.ipynb"), "-p", "ttl", "20", "-p", "target", "e2"],
        env={**os.environ, "WORKSHOP_LAB": LAB}, capture_output=True, text=True, timeout=RUN_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    printed = "".join(
        output.get("text", "")
        for cell in nbformat.read(tmp_path / "executed.ipynb", as_version=4).cells
        if cell.cell_type == "code"
        for output in cell.outputs
    )
    assert "lease now lasts 20 s" in printed
    first, *_ = eventlog.tail(lab.paths.log, 1000)[said_before:]
    assert first.endswith(f"{CATALOGUE['etcd-node-lost'].title.en}: e2")
    assert lab.patroni.config()["ttl"] == 30


@contextmanager
def removed(lab: Lab, save: Save | None) -> Iterator[Save]:
    """The save is there for the test alone."""
    assert save is not None
    try:
        yield save
    finally:
        saves.delete(LAB, save.name)


def kill_goto(lab: Lab, target: Save, *, switched: bool) -> None:
    """A goto in a process of its own, killed with all that it started once its plan is there, or carried out."""
    quiet = subprocess.DEVNULL
    command = [*WORKSHOP, "goto", "--lab", LAB, target.name]
    process = subprocess.Popen(command, start_new_session=True, stdout=quiet, stderr=quiet)

    def has_come_there() -> bool:
        planned = plan_file(lab.paths.root).exists()
        return (saves.is_cut_off(lab.paths) and not planned) if switched else planned

    wait_until(has_come_there, what="the moment to kill it", within=120, every=0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=10)
    assert saves.is_cut_off(lab.paths)


def test_a_chapter_that_is_done_is_told_so(lab: Lab) -> None:
    saves.goto(lab, "10")
    for chapter in ("03", "04", "09"):
        assert [finding.key for finding in start_results(lab, chapter)[-1].findings] == [ALREADY_DONE]


def rows_on(lab: Lab, node: str) -> set[int]:
    _, rows = lab.postgres.query(node, "select n from kept")
    return {row[0] for row in rows}


def disturb(lab: Lab, chance: random.Random) -> str:
    """What a trainee may leave behind."""
    node = chance.choice(lab.topology.names)
    what: dict[str, Callable[[], object]] = {
        "nothing": lambda: None,
        "a file": lambda: lab.nodes[node].run("date >/root/left-behind"),
        "a frozen node": lambda: lab.containers.freeze(node),
        "a stopped node": lambda: lab.containers.stop(node),
    }
    name = chance.choice(list(what))
    what[name]()
    return name if name == "nothing" else f"{name} on {node}"


def streaming_by_postgresql(lab: Lab) -> int:
    """The replicas that the one database which writes sees streaming."""
    served = "select count(*) from pg_stat_replication where state = 'streaming'"
    asked = f'psql -XAtc "select pg_is_in_recovery(), ({served})"'
    told = {result.node: result.stdout.strip() for result in lab.nodes.run(["postgres"], asked, user="postgres")}
    writers = [said for said in told.values() if said.startswith("f|")]
    assert len(writers) == 1, told
    return int(writers[0].partition("|")[2])
