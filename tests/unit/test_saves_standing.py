"""Whether the lab stands where it was put: what a look at it counts as changed, and what it passes over."""

from __future__ import annotations

from pathlib import Path

import pytest

from labhelpers.course.disks.look import scan
from labhelpers.course.saverecords import NOTHING_EXPECTED, Expected
from labhelpers.course.standing import digest_of, holds_what_nobody_tells

ETCD_ONLY, CLUSTER = Expected(True, None), Expected(True, 2, "pg-1")


@pytest.mark.parametrize(
    ("data", "expected", "silent"),
    [
        ([], NOTHING_EXPECTED, False),
        (["etcd"], NOTHING_EXPECTED, True),
        (["etcd"], ETCD_ONLY, False),
        (["etcd", "postgresql"], ETCD_ONLY, True),
        (["etcd", "postgresql"], CLUSTER, False),
    ],
)
def test_data_of_a_service_that_tells_nothing_count_as_changed(data: list[str], expected: Expected, silent: bool):
    files = {"e1": {"data": []}, "pg-1": {"data": data}}
    assert holds_what_nobody_tells(files, expected) is silent


def test_data_are_seen_on_the_whole_disk_also_where_a_layer_has_them(tmp_path: Path) -> None:
    node = tmp_path / "nodes" / "pg-1"
    (node / "upper").mkdir(parents=True)
    document = {"lab_dir": str(tmp_path), "nodes": ["pg-1"]}
    assert scan(document)["pg-1"]["data"] == []
    main = node / "root/var/lib/postgresql/17/main"
    main.mkdir(parents=True)
    (main / "PG_VERSION").write_text("17")
    (node / "root/var/lib/etcd/default/member").mkdir(parents=True)
    assert scan(document)["pg-1"]["data"] == ["postgresql", "etcd"]


KEYS = {"/postgresql-common/17-main/config": "{}", "mine": "1"}


def test_a_cluster_is_known_by_its_keys_whichever_nodes_answer() -> None:
    heartbeat = {**KEYS, "/postgresql-common/17-main/leader": "pg-1", "/postgresql-common/17-main/members/pg-1": "{}"}
    assert digest_of({"e1": KEYS, "e2": heartbeat, "e3": KEYS}) == digest_of({"e3": KEYS})


@pytest.mark.parametrize("node", ["e1", "e2", "e3"])
def test_a_key_on_any_of_three_that_are_on_their_own_is_seen(node: str) -> None:
    alone: dict[str, dict[str, str]] = {"e1": {}, "e2": {}, "e3": {}}
    assert digest_of({**alone, node: {"mine": "1"}}) != digest_of(alone)
    assert digest_of({**alone, node: {"mine": "1"}}) != digest_of({**alone, "e9": {"mine": "1"}})
