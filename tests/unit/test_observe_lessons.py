"""What chapters ask of a recording: a fault made by hand, and several incidents in one table."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
import scenes

from labhelpers.observe import lessons
from labhelpers.observe.by_hand import see_by_hand
from labhelpers.observe.outage import Outage, measure_outage
from labhelpers.observe.recordings import Recording
from labhelpers.observe.records import Attempt, ClientInfo, Header, KeyEvent, Mark, NodeChange, Record
from labhelpers.observe.session import Session

Z = scenes.ZERO


@dataclass
class Scripted:
    """A session whose recording is written by the test; marks go into it as a real one's do."""

    records: list[Record]
    name: str = "07-scene"
    accounts: list[Any] = field(default_factory=list)

    @property
    def header(self) -> Header:
        return scenes.header()

    @property
    def recording(self) -> Recording:
        return Recording(self.records)

    def mark(self, mark: Mark) -> Mark:
        self.records.append(mark)
        return mark

    def unmark(self, mark: Mark, at: float) -> None:
        self.records.append(replace(mark, until=at))

    def outage(self) -> Outage | None:
        return measure_outage(self.recording)

    def check(self) -> None: ...


def session(*records: Record) -> Session:
    return cast(Session, Scripted([scenes.header(), KeyEvent(Z, "held", "pg-1", 1), *records]))


def frozen(*nodes: str, at: float = 10.0) -> list[Record]:
    return [
        *(NodeChange(Z, node, "running") for node in nodes),
        *(NodeChange(Z + at + 0.1 * place, node, "frozen") for place, node in enumerate(nodes)),
    ]


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_LANGUAGE", "en")


@pytest.mark.parametrize(
    ("nodes", "kind"),
    [
        (("pg-1",), "primary-frozen"),
        (("pg-2",), "replica-frozen"),
        (("e2",), "etcd-node-lost"),
        (("e1", "e3"), "dcs-majority-lost"),
        (("e1", "e2", "e3"), "dcs-lost"),
    ],
)
def test_what_a_hand_froze_has_the_catalogues_name(nodes: tuple[str, ...], kind: str) -> None:
    mark = see_by_hand(session(*frozen(*nodes)))
    assert mark is not None
    assert (mark.what, mark.nodes, mark.at, mark.until) == (kind, nodes, Z + 10, None)


def test_nodes_that_freeze_one_after_the_other_are_one_incident_that_ends_with_the_last_thaw() -> None:
    one = session(*frozen("e1"))
    first = see_by_hand(one)
    cast(Scripted, one).records += [*frozen("e2", "e3", at=10.5)[2:], NodeChange(Z + 20, "e1", "running")]
    second = see_by_hand(one)
    assert first is not None
    assert second is not None
    assert (first.id, second.what) == (second.id, "dcs-lost")
    assert [mark.until for mark in one.recording.marks] == [None]
    cast(Scripted, one).records += [NodeChange(Z + at, node, "running") for at, node in ((21, "e2"), (22, "e3"))]
    see_by_hand(one)
    assert [mark.until for mark in one.recording.marks] == [Z + 22]


def test_later_freeze_is_an_incident_of_its_own() -> None:
    one = session(*frozen("e1"), NodeChange(Z + 20, "e1", "running"))
    first = see_by_hand(one)
    cast(Scripted, one).records += frozen("pg-1", at=60.0)
    second = see_by_hand(one)
    assert first is not None
    assert second is not None
    assert (second.what, second.nodes, second.at) == ("primary-frozen", ("pg-1",), Z + 60)
    assert [mark.until for mark in one.recording.marks] == [Z + 20, None]


def test_same_node_frozen_again_is_an_incident_of_its_own() -> None:
    again = [NodeChange(Z + 20, "pg-2", "running"), NodeChange(Z + 60, "pg-2", "frozen")]
    one = session(*frozen("pg-2"), *again, NodeChange(Z + 70, "pg-2", "running"))
    mark = see_by_hand(one)
    assert mark is not None
    assert [(each.at, each.until) for each in one.recording.marks] == [(Z + 60, Z + 70)]


def test_freeze_by_the_panel_is_not_a_hands() -> None:
    engine = Mark(Z + 9.5, "primary-frozen-1a2b3c", "primary-frozen", ("pg-1",))
    one = session(engine, *frozen("pg-1"))
    assert see_by_hand(one) is None
    cast(Scripted, one).records += frozen("e2", at=12.0)
    mark = see_by_hand(one)
    assert mark is not None
    assert (mark.what, mark.nodes) == ("etcd-node-lost", ("e2",))


def test_nothing_frozen_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lessons, "SEEN_WITHIN_SECONDS", 0.0)
    with pytest.raises(lessons.NothingByHand, match="Run the cell that freezes"):
        lessons.mark_by_hand(session(NodeChange(Z, "pg-1", "running")))


def test_comparison_has_one_row_an_incident_and_no_column_that_says_nothing() -> None:
    story = scenes.frozen_primary()
    table = lessons.compare(cast(Session, Scripted(story)), cast(Session, Scripted(story)))
    assert list(table.columns) == [
        "incident", "recording", "no commit for", "waiting for the key", "then promotion", "leader", "timeline",
    ]  # fmt: skip
    row = table.iloc[0]
    assert row["incident"] == "Freeze the primary"
    assert row["waiting for the key"] == "28.5 s"
    assert (row["leader"], row["timeline"]) == ("pg-1 → pg-2", "3 → 4")
    assert "<th></th>" not in table._repr_html_()


def test_comparison_tells_writes_that_went_on_from_a_wait_for_the_key() -> None:
    writes = [
        Attempt(Z + at / 20, Z + at / 20 + 0.004, "app", at, 1, "acknowledged", "pg-1", 3) for at in range(1, 600)
    ]
    late = Attempt(Z + 50, Z + 50.02, "app", 700, 1, "acknowledged", "pg-1", 4)
    rec = session(ClientInfo(Z, "app", None, 20.0), *frozen("e1", "e2", "e3"), *writes, late)
    see_by_hand(rec)
    row = lessons.compare(rec).iloc[0]
    assert (row["incident"], row["writes went on"], row["no commit for"]) == ("Lose the whole DCS", "20.0 s", "20.1 s")
    assert "waiting for the key" not in row


def test_comparison_speaks_french(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_LANGUAGE", "fr")
    table = lessons.compare(cast(Session, Scripted(scenes.frozen_primary())))
    assert table.iloc[0]["attente du jeton"] == "28,5 s"
