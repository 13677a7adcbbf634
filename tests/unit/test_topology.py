"""Names, roles and addresses out of the inventory."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labhelpers.errors import BadInventory, InvalidLabName, UnknownNode
from labhelpers.paths import LONGEST_LAB_NAME, validate_lab_name
from labhelpers.topology import INVENTORY, load_topology, scratch_lab_name


def test_main_lab_has_the_hand_outs_names_and_addresses() -> None:
    topology = load_topology("main")
    assert {node.name: node.address for node in topology.nodes} == {
        "e1": "10.0.3.101", "e2": "10.0.3.102", "e3": "10.0.3.103",
        "pg-1": "10.0.3.201", "pg-2": "10.0.3.202", "pg-3": "10.0.3.203", "backup": "10.0.3.204",
    }  # fmt: skip
    assert topology.etcd == ("e1", "e2", "e3")
    assert topology.postgres == ("pg-1", "pg-2", "pg-3")
    assert topology.backup == ("backup",)
    assert topology.scope == "17-main"


def test_another_lab_has_another_network_bridge_and_interfaces() -> None:
    main, other = load_topology("main"), load_topology("scratch")
    assert not main.subnet.overlaps(other.subnet)
    assert main.bridge != other.bridge
    assert not {node.interface for node in main.nodes} & {node.interface for node in other.nodes}


@given(st.from_regex(r"[a-z][a-z0-9-]{0,10}", fullmatch=True))
def test_every_lab_has_a_private_network_and_names_that_linux_takes(lab: str) -> None:
    topology = load_topology(lab)
    assert topology.subnet.is_private
    assert lab == "main" or topology.subnet.subnet_of(ipaddress.IPv4Network("10.64.0.0/10"))
    assert len(topology.bridge) <= 15
    assert all(len(node.interface) <= 15 for node in topology.nodes)
    assert len(scratch_lab_name(lab)) <= LONGEST_LAB_NAME


@pytest.mark.parametrize("name", ["", "Main", "1lab", "a b", "../x", "a" * 12, "lab_1", "-x", "a\n"])
def test_malformed_lab_names_are_refused_with_the_rule(name: str) -> None:
    with pytest.raises(InvalidLabName, match="lower-case"):
        validate_lab_name(name)


def test_groups_expand_to_nodes_in_node_order() -> None:
    topology = load_topology("main")
    assert topology.expand(["pg-3", "etcd", "pg-1", "e1"]) == ["e1", "e2", "e3", "pg-1", "pg-3"]
    assert topology.expand(["all"]) == list(topology.names)


def test_unknown_node_is_refused_with_the_list() -> None:
    with pytest.raises(UnknownNode, match="pg-1, pg-2, pg-3"):
        load_topology("main").expand(["pg-4"])


@pytest.mark.parametrize(
    ("spoilt", "where"),
    [
        ("all: [\n", ":2:"),
        ("", "must be a mapping"),
        ("all:\n  vars: 7\n", ":2: 'vars' must be a mapping"),
        ("all:\n  vars: {network: 10.0.3, postgres_version: '17', client_host: 250}\n", "children"),
    ],
)
def test_spoilt_inventory_is_named_with_what_is_wrong(tmp_path: Path, spoilt: str, where: str) -> None:
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(spoilt)
    with pytest.raises(BadInventory, match=where) as refused:
        load_topology("main", inventory)
    assert str(inventory) in str(refused.value)


def test_spoilt_address_is_named_with_its_line(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(INVENTORY.read_text().replace("{{ network }}.202", "10.0.3.2O2"))
    line = next(n for n, text in enumerate(inventory.read_text().splitlines(), 1) if "2O2" in text)
    with pytest.raises(BadInventory, match=f"inventory.yml:{line}: .*pg-2"):
        load_topology("main", inventory)


@pytest.mark.parametrize(
    ("written", "spoilt", "why"),
    [
        ("network: 10.0.3 ", "network: hello ", "network must be the first three numbers"),
        ("network: 10.0.3 ", "network: 10.3 ", "network must be .* not '10.3'"),
        ("network: 10.0.3 ", "network: 10.0.999 ", "network must be .* not '10.0.999'"),
        ("network: 10.0.3 ", "network: 10.0.3.0 ", "network must be"),
        ("client_host: 250", "client_host: abc", "client_host must be a number from 2 to 254, not 'abc'"),
        ("client_host: 250", "client_host: 255", "client_host must be a number"),
        ('postgres_version: "17"', 'postgres_version: ""', "postgres_version must be a version"),
        ('pg-2: {address: "{{ network }}.202', 'pg-2: {address: "{{ network }}.302', "pg-2 must be .* from 2 to 254"),
        ('pg-2: {address: "{{ network }}.202', 'pg-2: {address: "{{ network }}.1', "pg-2 .* from 2 to 254"),
        ('pg-2: {address: "{{ network }}.202', 'pg-2: {address: "{{ network }}.101', "pg-2 has the address of e1"),
        ('pg-2: {address: "{{ network }}.202', 'pg-2: {address: "{{ network }}.250', "address of client_host"),
        ('pg-2: {address: "{{ network }}.202"}', "pg-2: 202", "'pg-2' must be a mapping, not int"),
        ("pg-2: {address", "postgresql-2: {address", "'postgresql-2' is not a node's name"),
    ],
)
def test_inventory_that_no_lab_could_be_built_from_is_named_with_its_line(
    tmp_path: Path, written: str, spoilt: str, why: str
) -> None:
    right = INVENTORY.read_text()
    assert right.count(written) == 1
    line = right[: right.index(written)].count("\n") + 1
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(right.replace(written, spoilt))
    with pytest.raises(BadInventory, match=f"inventory.yml:{line}: .*{why}"):
        load_topology("main", inventory)


def test_inventory_in_another_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.yml"
    inventory.write_bytes(b"all:\n  vars:\n    lab: caf\xe9\n")
    with pytest.raises(BadInventory, match=r"inventory\.yml:3: not UTF-8"):
        load_topology("main", inventory)
