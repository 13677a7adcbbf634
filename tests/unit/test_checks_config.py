"""The judges of configuration files: what is wrong is named, and what is right another way passes."""

from __future__ import annotations

import pytest

from labhelpers.checks.ch02 import parse_hosts
from labhelpers.checks.etcd_config import faults, parse_environment
from labhelpers.checks.patroni_config import (
    config_faults,
    dcs_faults,
    hosts_of,
    read_yaml,
    replication_login,
)

ADDRESSES = {"e1": "10.0.3.101", "e2": "10.0.3.102", "e3": "10.0.3.103", "pg-1": "10.0.3.201", "pg-2": "10.0.3.202"}
ETCD = ("e1", "e2", "e3")
CLUSTER = "e1=http://10.0.3.101:2380,e2=http://10.0.3.102:2380,e3=http://10.0.3.103:2380"


def right(node: str) -> str:
    address = ADDRESSES[node]
    return f"""\
ETCD_NAME='{node}'
ETCD_DATA_DIR='/var/lib/etcd/default'
ETCD_LISTEN_PEER_URLS='http://127.0.0.1:2380,http://{address}:2380'
ETCD_LISTEN_CLIENT_URLS='http://127.0.0.1:2379,http://{address}:2379'
ETCD_INITIAL_ADVERTISE_PEER_URLS='http://{address}:2380'
ETCD_INITIAL_CLUSTER_STATE='new'
ETCD_INITIAL_CLUSTER_TOKEN='etcd-cluster'
ETCD_INITIAL_CLUSTER='{CLUSTER}'
ETCD_ADVERTISE_CLIENT_URLS='http://{address}:2379'
"""


def judge(**changed: str) -> list[tuple[str, str]]:
    files = {node: parse_environment(changed.get(node, right(node))) for node in ETCD}
    return [(fault.key, fault.node) for fault in faults(files, ADDRESSES, ETCD)]


def test_the_chapters_files_are_right() -> None:
    assert judge() == []


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("'", '"'),
        lambda text: text.replace("'", ""),
        lambda text: "\n".join(reversed(text.splitlines())),
        lambda text: "# ours\n\n" + text.replace("http://10.0.3.102:2380'", "http://e2:2380'"),
        lambda text: text.replace("10.0.3.101:2380,e2=http://10.0.3.102", "e1:2380,e2=http://e2"),
        lambda text: text.replace("http://127.0.0.1:2380,http://10.0.3.102:2380'", "http://0.0.0.0:2380'"),
        lambda text: text.replace("ETCD_INITIAL_CLUSTER_TOKEN='etcd-cluster'\n", ""),
        lambda text: "ETCD_NAME='old'\n" + text,
        lambda text: text.replace(CLUSTER, ",".join(reversed(CLUSTER.split(",")))),
        lambda text: text.replace("ETCD_INITIAL_CLUSTER='e1=", "ETCD_INITIAL_CLUSTER='e1=").replace(",e2=", ",\\\ne2="),
    ],
)
def test_right_in_another_way_passes(change) -> None:  # type: ignore[no-untyped-def]
    assert judge(e2=change(right("e2"))) == []


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        (f"ETCD_INITIAL_CLUSTER='{CLUSTER}'\n", "", "config-missing"),
        ("2380,e2=", "2380, e2=", "config-space"),
        ("2380,e2=", "2380,\u00a0e2=", "config-space"),
        ("2380,e2=", "2380,\u200be2=", "config-space"),
        ("ETCD_INITIAL_CLUSTER=", "ETCD_INITIAL_CLUSTER+=", "config-plus"),
        ("ETCD_NAME='e2'", "ETCD_NAME='e1'", "config-name"),
        ("ETCD_NAME='e2'\n", "", "config-name"),
        ("TOKEN='etcd-cluster'", "TOKEN='other'", "config-token"),
        (",e3=http://10.0.3.103:2380'", "'", "config-cluster"),
        ("e3=http://10.0.3.103:2380'", "e3=http://10.0.3.103:2379'", "config-cluster"),
        ("e3=http://10.0.3.103:2380'", "e4=http://10.0.3.103:2380'", "config-cluster"),
        (
            "ADVERTISE_PEER_URLS='http://10.0.3.102:2380'",
            "ADVERTISE_PEER_URLS='http://10.0.3.101:2380'",
            "config-peer",
        ),
        (
            "ETCD_ADVERTISE_CLIENT_URLS='http://10.0.3.102:2379'",
            "ETCD_ADVERTISE_CLIENT_URLS='http://10.0.3.101:2379,http://10.0.3.102:2379'",
            "config-client",
        ),
        (
            "ETCD_ADVERTISE_CLIENT_URLS='http://10.0.3.102:2379'",
            "ETCD_ADVERTISE_CLIENT_URLS='http://localhost:2379'",
            "config-client",
        ),
        (
            "ETCD_ADVERTISE_CLIENT_URLS=",
            "ETCD_ADVERTISE_CLIENT_URLS+=",
            "config-client",
        ),
        (
            "CLIENT_URLS='http://127.0.0.1:2379,http://10.0.3.102:2379'",
            "CLIENT_URLS='http://127.0.0.1:2379'",
            "config-listen",
        ),
    ],
)
def test_a_wrong_file_is_named_with_its_kind(old: str, new: str, key: str) -> None:
    wrong = right("e2").replace(old, new)
    assert wrong != right("e2")
    found = judge(e2=wrong)
    assert found, "nothing found"
    assert found[0][0] == key
    if key != "config-cluster" or "e4" not in new:
        assert found[0][1] == "e2"


def dcs(text: str) -> list[str]:
    document, _ = read_yaml(text)
    assert document is not None
    return [wrong.key for wrong in dcs_faults(document, ADDRESSES, ETCD)]


@pytest.mark.parametrize(
    "text",
    [
        "etcd3:\n  hosts: e1:2379, e2:2379, e3:2379\n",
        "etcd3:\n  hosts: e3:2379,e2:2379,e1:2379\n",
        "etcd3:\n  hosts:\n  - 10.0.3.101:2379\n  - 10.0.3.102:2379\n  - e3:2379\n",
        "etcd3: {hosts: [e1, e2, e3], protocol: http}\n",
    ],
)
def test_the_dcs_may_be_written_in_several_ways(text: str) -> None:
    assert dcs(text) == []


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("etcd:\n  hosts: e1:2379, e2:2379, e3:2379\n", "dcs-v2"),
        ("zookeeper:\n  hosts: 127.0.0.1:2181\n", "dcs-none"),
        ("etcd3:\n  hosts: e1:2379, e2:2379\n", "dcs-hosts"),
        ("etcd3:\n  hosts: e1:2380, e2:2380, e3:2380\n", "dcs-hosts"),
        ("etcd3:\n  host: e1:2379\n", "dcs-hosts"),
        ("etcd3:\nhosts: e1:2379\n", "dcs-hosts"),
    ],
)
def test_a_wrong_dcs_is_named(text: str, key: str) -> None:
    assert dcs(text) == [key]


def test_what_is_not_yaml_says_where() -> None:
    assert read_yaml("a: [1\nb")[0] is None
    assert read_yaml("- a\n") == (None, "not a mapping")


GENERATED = """
scope: "17-main"
name: "pg-1"
etcd3:
  hosts: e1:2379, e2:2379, e3:2379
restapi:
  listen: 10.0.3.201:8008
  connect_address: 10.0.3.201:8008
postgresql:
  listen: "*:5432"
  connect_address: 10.0.3.201:5432
  authentication:
    replication:
      username: "replicator"
      password: "rep-pass"
"""


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("17-main", "main", "config-scope"),
        ('name: "pg-1"', 'name: "pg-2"', "config-name"),
        ("etcd3:", "etcd:", "config-dcs"),
        ("connect_address: 10.0.3.201:8008", "connect_address: :8008", "config-address"),
        ("connect_address: 10.0.3.201:5432", "connect_address: 127.0.0.1:5432", "config-address"),
    ],
)
def test_a_wrong_patroni_configuration_is_named(old: str, new: str, key: str) -> None:
    document, _ = read_yaml(GENERATED.replace(old, new))
    assert document
    assert [wrong.key for wrong in config_faults(document, "pg-1", "17-main", ADDRESSES, ETCD)] == [key]


def test_the_generated_configuration_is_right() -> None:
    document, _ = read_yaml(GENERATED)
    assert document
    assert list(config_faults(document, "pg-1", "17-main", ADDRESSES, ETCD)) == []
    assert replication_login(document) == ("replicator", "rep-pass")
    assert replication_login({"postgresql": None}) == ("", "")


def test_hosts_file_is_read_as_the_resolver_does() -> None:
    table = parse_hosts("127.0.0.1 localhost\n::1 e1\n10.0.3.101 e1 # first\n10.0.3.9 e1\n\n#10.0.3.102 e2\n")
    assert table["e1"] == "10.0.3.101"
    assert "e2" not in table


def test_hosts_of_nothing_is_nothing() -> None:
    assert hosts_of(None) == []
