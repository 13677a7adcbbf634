"""The magics in a real kernel, on real nodes: what a trainee sees, what fails, and what an interrupt leaves."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

from labhelpers import incidents
from labhelpers.checks import run_check
from labhelpers.lab import Lab
from labhelpers.paths import LabPaths
from labhelpers.topology import scratch_lab_name
from labhelpers.waiting import wait_until
from tests.live import incident_lab

pytestmark = pytest.mark.live

LAB = incident_lab.LAB
CELL_SECONDS = 120.0


@dataclass
class Shown:
    """What one cell showed: outputs by display id, the last drawing of each, and the error."""

    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    drawings: list[str] = field(default_factory=list)
    error: tuple[str, str, list[str]] | None = None
    stderr: str = ""

    @property
    def text(self) -> str:
        return "\n".join(str(data.get("text/plain", "")) for data in self.outputs.values())


class Notebook:
    """A kernel with the magics, as a front end drives it."""

    def __init__(self) -> None:
        self.manager: KernelManager
        self.client: BlockingKernelClient
        self.manager, self.client = start_new_kernel(kernel_name="python3", env=dict(os.environ, WORKSHOP_LAB=LAB))

    def start(self, code: str) -> str:
        return str(self.client.execute(code, store_history=False, allow_stdin=False))

    def finish(self, message: str, within: float = CELL_SECONDS) -> Shown:
        shown = Shown()
        deadline = time.monotonic() + within
        while True:
            got = self.client.get_iopub_msg(timeout=max(0.1, deadline - time.monotonic()))
            if got["parent_header"].get("msg_id") != message:
                continue
            kind, content = got["msg_type"], got["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return shown
            if kind in ("display_data", "update_display_data", "execute_result"):
                name = content.get("transient", {}).get("display_id") or f"output-{len(shown.outputs)}"
                shown.outputs[name] = content["data"]
                shown.drawings.append(str(content["data"].get("text/plain", "")))
            if kind == "error":
                shown.error = (content["ename"], content["evalue"], content["traceback"])
            if kind == "stream" and content["name"] == "stderr":
                shown.stderr += content["text"]

    def run(self, code: str) -> Shown:
        return self.finish(self.start(code))

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    lab = incident_lab.cluster_lab()
    assert incidents.heal(lab).ok
    lab.patroni.switchover("pg-1")  # the incidents' tests leave the lead where it fell
    lab.patroni.wait_for_healthy(within=90)
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def notebook(lab: Lab) -> Iterator[Notebook]:
    notebook = Notebook()
    shown = notebook.run("%load_ext labhelpers\n%chapter 00")
    assert shown.error is None, shown.error
    yield notebook
    notebook.close()


def test_output_comes_a_block_a_node_in_node_order(notebook: Notebook) -> None:
    shown = notebook.run("%%on pg-1 e2 e1\nhostname")
    answers = [line.split() for line in shown.text.splitlines() if not line.startswith(" ")]
    assert answers == [["e1", "e1"], ["e2", "e2"], ["pg-1", "pg-1"]]


def test_lines_are_shown_while_the_command_runs(notebook: Notebook) -> None:
    shown = notebook.run("%%on e1\nfor i in 1 2 3; do echo line-$i; sleep 1; done")
    assert any("line-1" in drawing and "line-3" not in drawing for drawing in shown.drawings)
    assert len(shown.outputs) == 1


def test_a_failure_is_one_sentence_and_the_other_nodes_stay_visible(notebook: Notebook) -> None:
    shown = notebook.run("%%on e1 e2\n[ $(hostname) = e1 ] && echo fine || { echo 'no such key' >&2; exit 3; }")
    assert shown.error is not None
    name, sentence, traceback = shown.error
    assert name == "CommandFailed"
    assert "e2" in sentence and "exit status 3" in sentence and "no such key" in sentence
    assert len(traceback) == 1
    assert "fine" in shown.text


def test_wrong_arguments_are_our_own_error(notebook: Notebook) -> None:
    for code in ("%%on e9\ntrue", "%%on --bogus e1\ntrue", "%%on\ntrue", "%watch e1 --until nonsense -- date"):
        shown = notebook.run(code)
        assert shown.error is not None, code
        assert shown.error[0] in ("UnknownNode", "UsageProblem")
        assert "UsageError" not in shown.stderr


def test_answers_are_typed_at_the_prompts_and_seen(notebook: Notebook) -> None:
    shown = notebook.run('%%on e1 --input "bob\\ny\\n"\nread -p "Name: " n; read -p "Sure, $n? " a; echo "done: $a"')
    assert shown.text.splitlines()[:3] == ["e1 Name: bob", "   Sure, bob? y", "   done: y"]


def test_a_silent_node_costs_its_own_time_and_is_named(notebook: Notebook, lab: Lab) -> None:
    lab.containers.freeze("e3")
    try:
        shown = notebook.run("%%on e1 e3 --timeout 5\nhostname")
    finally:
        lab.containers.unfreeze("e3")
    assert shown.error is not None and "e3" in shown.error[1]
    assert "e1 e1" in shown.text
    assert any(drawing.startswith("e1 e1") for drawing in shown.drawings)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("%%on e1 e2 --timeout 300\nsleep 271", "sleep 271"),
        ("%%on e1 --user nobody-else --timeout 300\nsleep 272", "sleep 272"),
        ('%%on e1 --timeout 300 --input "x\\n"\nsleep 273', "sleep 273"),
    ],
)
def test_an_interrupt_ends_the_command_and_leaves_kernel_and_node_usable(
    notebook: Notebook, lab: Lab, code: str, name: str
) -> None:
    lab.nodes["e1"].run("id -u nobody-else 2>/dev/null || useradd -m -s /bin/bash nobody-else")

    def running() -> bool:
        return lab.nodes["e1"].try_run(f"pgrep -fx '{name}'").ok

    message = notebook.start(code)
    wait_until(running, what=name, within=20)
    notebook.manager.interrupt_kernel()
    shown = notebook.finish(message, within=30)
    assert shown.error is not None and shown.error[0] == "Interrupted"
    assert "interrupted" in shown.text
    wait_until(lambda: not running(), what=f"no {name}", within=20)
    assert notebook.run("%%on e1 e2\necho again").text.count("again") == 2


def test_an_interrupt_ends_a_command_of_this_machine(notebook: Notebook) -> None:
    message = notebook.start("%%host\nsleep 274 & sleep 275")
    asked = ["pgrep", "-fx", "sleep 275"]
    wait_until(lambda: not subprocess.run(asked, capture_output=True, check=False).returncode, what="it", within=20)
    notebook.manager.interrupt_kernel()
    shown = notebook.finish(message, within=30)
    assert shown.error is not None and shown.error[0] == "Interrupted"
    assert notebook.run("%%host --expect-failure\npgrep -fx 'sleep 27[45]'").error is None


def test_a_watch_leaves_one_frame_and_the_time(notebook: Notebook) -> None:
    shown = notebook.run("%watch pg-1 --until healthy --within 30 -- hostname; date +%s%N")
    assert shown.error is None
    assert len(shown.outputs) == 1
    assert "✓ healthy after" in shown.text


def test_a_watch_in_vain_says_what_it_saw(notebook: Notebook) -> None:
    shown = notebook.run("%watch pg-1 --until no-leader --within 2 -- hostname")
    assert shown.error is not None and shown.error[0] == "WaitTimeout"
    assert "pg-1 leader running" in shown.error[1]


def test_a_file_is_each_nodes_own_and_writing_it_again_changes_nothing(notebook: Notebook, lab: Lab) -> None:
    code = "%%file /root/magic.conf etcd --mode 600\nname={{ node }} me={{ address }} first={{ addresses.e1 }}"
    assert "+name=e2" in notebook.run(code).text
    again = notebook.run(code).text
    assert "+name" not in again and "already so" in again
    address = lab.topology.node("e2").address
    assert lab.nodes["e2"].read("/root/magic.conf") == (
        f"name=e2 me={address} first={lab.topology.node('e1').address}\n"
    )
    assert lab.nodes["e2"].run("stat -c %a /root/magic.conf").stdout.strip() == "600"
    lab.nodes.run(["etcd"], "rm /root/magic.conf")


def test_a_file_is_written_on_the_other_nodes_while_one_is_silent(notebook: Notebook, lab: Lab) -> None:
    notebook.run("%%on e1\ntrue")  # with a connection that stands, a frozen node is silent for all of its time-out
    lab.containers.freeze("e1")
    try:
        message = notebook.start("%%file /root/magic.conf e1 e2 e3\nname={{ node }}")
        written = "grep -qx name=e3 /root/magic.conf"
        wait_until(lambda: lab.nodes["e3"].try_run(written).ok, what="the file on e3", within=15)
        shown = notebook.finish(message)
    finally:
        lab.containers.unfreeze("e1")
    assert shown.error is not None and shown.error[0] == "WriteFailed"
    assert "e1" in shown.error[1] and "e2:" not in shown.error[1]
    assert "+name=e2" in shown.text and "+name=e3" in shown.text
    lab.nodes.run(["etcd"], "rm -f /root/magic.conf")


def test_adding_to_a_file_of_a_silent_node_loses_nothing(notebook: Notebook, lab: Lab) -> None:
    lab.nodes["e1"].run("echo kept >'/root/magic it'\\''s.conf'")
    lab.containers.freeze("e1")
    try:
        shown = notebook.run('%%file "/root/magic it\'s.conf" e1 --append\nadded')
    finally:
        lab.containers.unfreeze("e1")
    assert shown.error is not None and shown.error[0] == "WriteFailed"
    assert notebook.run('%%file "/root/magic it\'s.conf" e1 --append\nadded').error is None
    assert lab.nodes["e1"].read("/root/magic it's.conf") == "kept\nadded\n"
    lab.nodes["e1"].run("rm /root/magic*.conf")


def test_sql_comes_back_with_the_node(notebook: Notebook) -> None:
    shown = notebook.run("%%sql postgres --as-postgres --into rows\nselect pg_is_in_recovery() as replica")
    assert shown.error is None, shown.error
    text = notebook.run("rows[~rows.replica].node.tolist(), list(rows.columns)").text
    assert "['node', 'replica']" in text


def test_a_refused_statement_is_one_sentence_or_the_lesson(notebook: Notebook) -> None:
    write = "create table magic(a int)"
    shown = notebook.run(f"%%sql replicas --as-postgres\n{write}")
    assert shown.error is not None and shown.error[0] == "StatementFailed"
    assert "read-only transaction" in shown.error[1]
    assert notebook.run(f"%%sql replicas --as-postgres --expect-failure\n{write}").error is None
    shown = notebook.run("%%sql leader --as-postgres --expect-failure\nselect 1")
    assert shown.error is not None and shown.error[0] == "CommandSucceeded"


def test_a_node_that_freezes_under_a_statement_is_named_within_the_bound(notebook: Notebook, lab: Lab) -> None:
    incident_lab.ensure_app(lab)

    def asleep() -> bool:
        return "pg_sleep" in incident_lab.sql(lab, "pg-2", "select query from pg_stat_activity where usename = 'app'")

    message = notebook.start("%%sql pg-2 pg-3 --timeout 22\nselect pg_sleep(15)")
    wait_until(asleep, what="the statement to run", within=40, every=0.1)
    lab.containers.freeze("pg-2")
    try:
        shown = notebook.finish(message, within=60)
    finally:
        lab.containers.unfreeze("pg-2")
    assert shown.error is not None and shown.error[0] == "StatementFailed"
    assert "pg-2" in shown.error[1] and "within 25 s" in shown.error[1]
    assert "pg-3:" not in shown.error[1]
    assert shown.stderr == ""
    lab.patroni.wait_for_healthy(within=60)


def test_completion_knows_nodes_options_and_checks(notebook: Notebook) -> None:
    def complete(code: str) -> list[str]:
        reply = notebook.client.complete(code, reply=True, timeout=30)
        return [str(match) for match in reply["content"]["matches"]]

    assert complete("%%on pg-") == ["pg-1", "pg-2", "pg-3"]
    assert complete("%%on e1 --us") == ["--user"]
    assert "postgres" in complete("%%on e1 --user p")
    assert "03.cluster" in complete("%check 03.")


def test_help_of_a_magic_lists_its_options(notebook: Notebook) -> None:
    reply = notebook.client.inspect("%%on", detail_level=0, reply=True, timeout=30)
    assert "--expect-failure" in reply["content"]["data"]["text/plain"]


def test_a_chapter_done_already_is_told_and_its_lab_is_open(notebook: Notebook) -> None:
    shown = notebook.run("%chapter 03")
    assert shown.error is not None and shown.error[0] == "WrongState"
    assert "%goto 03" in shown.error[1]
    assert notebook.run("lab.name").text == f"'{LAB}'"
    shown = notebook.run("%chapter 05")
    assert shown.error is None, shown.error


def test_a_failed_check_hints_in_three_steps(notebook: Notebook, lab: Lab) -> None:
    lab.nodes["pg-2"].run("systemctl disable patroni@17-main")
    try:
        shown = notebook.run("%check 04.enabled")
        assert shown.error is not None and shown.error[0] == "CheckFailed"
        assert "pg-2" in shown.text and "systemctl enable" not in shown.text
        assert "start is for now" in notebook.run("%hint 04.enabled").text
        assert "systemctl enable" in notebook.run("%hint 04.enabled").text
    finally:
        lab.nodes["pg-2"].run("systemctl enable patroni@17-main")
    assert notebook.run("%check 04.enabled").error is None


@pytest.mark.parametrize(
    ("node", "spoil", "mend", "check", "key"),
    [
        (
            "e2",
            "sed -i.was 's/2380,e2=/2380, e2=/' /etc/default/etcd",
            "mv /etc/default/etcd.was /etc/default/etcd",
            "03.config",
            "config-space",
        ),
        (
            "e3",
            "cp /etc/default/etcd /root/was; echo \"ETCD_INITIAL_CLUSTER_TOKEN='x'\" >> /etc/default/etcd",
            "mv /root/was /etc/default/etcd",
            "03.config",
            "config-token",
        ),
        ("e1", "systemctl stop etcd", "systemctl start etcd", "03.cluster", "etcd-stopped"),
        (
            "pg-3",
            "systemctl enable postgresql",
            "systemctl disable postgresql",
            "04.disabled",
            "postgresql-enabled",
        ),
        (
            "pg-1",
            "sed -i.was 's/etcd3:/etcd:/' /etc/patroni/dcs.yml",
            "mv /etc/patroni/dcs.yml.was /etc/patroni/dcs.yml",
            "04.dcs",
            "dcs-v2",
        ),
        (
            "pg-2",
            "sed -i.was 's/rep-pass/other/' /etc/patroni/17-main.yml",
            "mv /etc/patroni/17-main.yml.was /etc/patroni/17-main.yml",
            "04.replication",
            "role-password",
        ),
        (
            "pg-2",
            "systemctl stop patroni@17-main",
            "systemctl start patroni@17-main",
            "04.cluster",
            "patroni-stopped",
        ),
        (
            "pg-3",
            "systemctl stop patroni@17-main",
            "systemctl start patroni@17-main",
            "04.enabled",
            "patroni-stopped",
        ),
    ],
)
def test_a_wrong_state_is_caught_by_its_check(lab: Lab, node: str, spoil: str, mend: str, check: str, key: str) -> None:
    lab.nodes[node].run(spoil)
    try:
        found = [(finding.key, finding.node) for finding in run_check(lab, check).findings]
    finally:
        lab.nodes[node].run(mend)
    assert (key, node) in found
    wait_until(lambda: run_check(lab, check).passed, what=f"{check} to pass again", within=60, every=1)


def test_a_second_lab_that_is_half_gone_is_caught(lab: Lab) -> None:
    assert run_check(lab, "02.scratch-gone").passed
    scratch = LabPaths(scratch_lab_name(lab.name))
    assert not scratch.root.exists()
    (scratch.nodes / "e2").mkdir(parents=True)
    try:
        (finding,) = run_check(lab, "02.scratch-gone").findings
    finally:
        shutil.rmtree(scratch.root)
    assert finding.node == scratch_lab_name(lab.name) and "e2" in finding.found
