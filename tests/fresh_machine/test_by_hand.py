"""The hand-out's own way, with Debian's own Ansible, on both releases: the playbook typed by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.fresh_machine.machine import FreshMachine
from tests.fresh_machine.test_newcomer import COURSE, REPOSITORY, typed

pytestmark = [pytest.mark.live, pytest.mark.fresh_machine, pytest.mark.long]

LAB = "-e lab=byhand -e network=10.0.7"
ADDRESSES = [f"10.0.7.{host}" for host in (101, 102, 103, 201, 202, 203, 204)]


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def machine(request: pytest.FixtureRequest) -> Iterator[FreshMachine]:
    with FreshMachine(request.param) as fresh:
        fresh.clone(REPOSITORY, COURSE)
        yield fresh


def in_playbook(machine: FreshMachine, command: str) -> str:
    return typed(machine, f"cd labhelpers/playbook && {command}")


def test_one_command_gives_seven_nodes(machine: FreshMachine) -> None:
    typed(machine, "./workshop up")
    document = json.loads(typed(machine, "./workshop status --json"))
    assert [node["state"] for node in document["nodes"]] == ["running"] * 7


def test_debians_own_ansible_builds_and_destroys(machine: FreshMachine) -> None:
    typed(machine, "sudo apt-get -y -qq install ansible-core")
    in_playbook(machine, "sudo ./warmup.sh")
    in_playbook(machine, f"sudo ansible-playbook -f 7 -i inventory.yml setup.yml {LAB}")
    listed = typed(machine, "sudo lxc-ls -f -P /var/lib/patroni-workshop/labs/byhand/lxc")
    assert listed.count("RUNNING") == 7 and all(address in listed for address in ADDRESSES)
    key = "/var/lib/patroni-workshop/labs/byhand/keys/id_ed25519"
    said = typed(machine, f"sudo ssh -i {key} -o StrictHostKeyChecking=accept-new root@10.0.7.201 hostname")
    assert said.strip().endswith("pg-1")
    in_playbook(machine, f"sudo ansible-playbook -i inventory.yml teardown.yml {LAB}")
    assert "byhand" not in typed(machine, "ls /var/lib/patroni-workshop/labs; sudo nft list tables; ip -br link")


def test_the_other_lab_stays(machine: FreshMachine) -> None:
    document = json.loads(typed(machine, "./workshop status --json"))
    assert [node["state"] for node in document["nodes"]] == ["running"] * 7
    typed(machine, "./workshop down")
