"""Figures: one message each, readable without a kernel, bounded while they are live."""

from __future__ import annotations

import json
import sys
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import closing
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from statistics import median
from types import FrameType
from typing import Any

import pytest
import scenes

from labhelpers.charts.chart_widget import ChartWidget
from labhelpers.charts.frozen import LARGEST_BYTES, PLOTLY_MIME, bundle
from labhelpers.charts.incident import headline, incident_figure
from labhelpers.charts.layers import layers_figure
from labhelpers.charts.live import SHOWN_SECONDS, LiveFigure, status
from labhelpers.charts.svg import picture
from labhelpers.observe.accounting import account_for
from labhelpers.observe.outage import Outage, measure_outage
from labhelpers.observe.recordings import Recording, RecordingWriter
from labhelpers.observe.records import Attempt, KeyEvent, MemberSample, Record
from labhelpers.prediction import DYNAMIC_CONFIGURATION, predict
from labhelpers.waiting import wait_until

Z = scenes.ZERO


@pytest.fixture
def recording() -> Recording:
    return Recording(scenes.frozen_primary())


@pytest.fixture
def outage(recording: Recording) -> Outage:
    found = measure_outage(recording, prediction=predict("lease"))
    assert found is not None
    return found


def lanes(figure: Any) -> dict[str, Any]:
    bars: dict[str, Any] = figure.to_dict()["data"][0]
    return bars


def test_title_is_the_finding(recording: Recording, outage: Outage) -> None:
    rows = {"pg-2": {"app-1": {a.sequence for a in recording.attempts if a.outcome == "acknowledged"}}}
    account = account_for("app-1", recording.attempts, rows, "pg-2")
    title = incident_figure(recording, outage, [account]).layout.title.text.replace("<br>", " ")
    assert title.startswith("pg-1 frozen: pg-2 took over from pg-1; clients waited 32.2 s; 0 of 1,5")


def test_title_counts_what_was_lost(recording: Recording, outage: Outage) -> None:
    account = account_for("app-1", recording.attempts[:10], {"pg-2": {}}, "pg-2")
    assert "10 of 10 acknowledged commits lost" in headline(recording, outage, [account])


def test_role_is_told_by_fill_and_by_word(recording: Recording, outage: Outage) -> None:
    bars = lanes(incident_figure(recording, outage))
    by_word: dict[str, set[tuple[str, str]]] = {}
    for text, fill, pattern in zip(
        bars["text"], bars["marker"]["color"], bars["marker"]["pattern"]["shape"], strict=True
    ):
        by_word.setdefault(text.split(" · ")[0], set()).add((fill, pattern))
    assert by_word["leader"] == {("#0072B2", ""), ("#D55E00", "")}
    assert all(fill.startswith("rgba") and not pattern for fill, pattern in by_word["replica"])
    assert {pattern for _, pattern in by_word["frozen"]} == {"/"}


def test_timeline_is_written_on_the_lane(recording: Recording, outage: Outage) -> None:
    texts = lanes(incident_figure(recording, outage))["text"]
    assert "leader · TL 3" in texts
    assert "leader · TL 4" in texts


def test_two_leaders_are_visible_and_said() -> None:
    recording = Recording(scenes.two_leaders())
    figure = incident_figure(recording)
    texts = lanes(figure)["text"]
    assert "writable, no Patroni · TL 3" in texts
    assert "leader · TL 4" in texts
    assert "two nodes accepted writes for 2" in figure.layout.title.text.replace("<br>", " ")


def test_incident_is_shaded_and_the_prediction_is_a_band(recording: Recording, outage: Outage) -> None:
    layout = incident_figure(recording, outage).to_dict()["layout"]
    spans = [(s["x0"], s["x1"], s["yref"]) for s in layout["shapes"] if s["type"] == "rect"]
    assert spans == [(20.0, 75.0, "paper"), (40.0, 63.0, "y3 domain")]
    words = [note["text"] for note in layout["annotations"]]
    assert {"pg-1 frozen", "key gone 28.5 s", "pg-2 leads 31.8 s", "thawed", "predicted 20–43 s"} <= set(words)
    assert "<b>32.2 s</b> without a commit" in words


def test_time_axis_tells_the_time_of_day(recording: Recording) -> None:
    header = scenes.header()
    assert incident_figure(recording).layout.xaxis.title.text == f"seconds since {header.began_at}"


def test_lost_commits_are_drawn(recording: Recording, outage: Outage) -> None:
    account = account_for("app-1", recording.attempts, {"pg-2": {}}, "pg-2")
    figure = incident_figure(recording, outage, [account])
    assert len(figure.to_dict()["data"][-1]["x"]) == account.acknowledged


def test_recording_without_anything_makes_a_figure() -> None:
    figure = incident_figure(Recording([scenes.header()]))
    assert figure.layout.title.text == "Nothing was disturbed"


@pytest.mark.parametrize("theme", ["both", "light", "dark"])
def test_figure_adapts_to_its_pane_in_every_theme(recording: Recording, outage: Outage, theme: Any) -> None:
    layout = incident_figure(recording, outage, theme=theme).layout
    assert layout.autosize
    assert layout.width is None
    assert layout.plot_bgcolor == "rgba(0,0,0,0)"


def test_french_figure_speaks_french(recording: Recording, outage: Outage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_LANGUAGE", "fr")
    figure = incident_figure(recording, outage)
    assert "les clients ont attendu 32,2 s" in figure.layout.title.text
    assert {"secondaire · TL 3", "jeton : pg-1"} <= set(lanes(figure)["text"])
    assert "jeton perdu 28,5 s" in [note.text for note in figure.layout.annotations]


def test_layers_stand_beside_the_prediction(outage: Outage) -> None:
    layout = layers_figure(outage).to_dict()["layout"]
    words = " ".join(note["text"] for note in layout["annotations"])
    assert "predicted 20–43 s" in words
    assert "ttl − loop_wait" in words
    assert f'<a href="{DYNAMIC_CONFIGURATION}">' in words
    for name in ("detect", "elect", "promote", "reconnect"):
        assert name in words
    assert layout["title"]["text"] == "Where the 32.1 s went"


class Tags(HTMLParser):
    """The tags that were opened and not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_frozen_figure_has_three_forms_and_is_small(recording: Recording, outage: Outage) -> None:
    forms = bundle(incident_figure(recording, outage), outage.sentence())
    assert set(forms) == {PLOTLY_MIME, "text/html", "text/plain"}
    assert forms["text/plain"] == outage.sentence()
    assert len(json.dumps(forms)) < LARGEST_BYTES
    parser = Tags()
    parser.feed(forms["text/html"])
    assert parser.open == []


def test_frozen_figure_of_an_hour_is_small_too() -> None:
    recording = Recording(hour())
    forms = bundle(incident_figure(recording), "an hour")
    assert len(json.dumps(forms)) < LARGEST_BYTES


def test_summary_cannot_break_out_of_the_html(recording: Recording, outage: Outage) -> None:
    figure = incident_figure(recording, outage, title="</script><script>alert(1)</script>")
    html = bundle(figure, "<b>bold</b> & more")["text/html"]
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; more" in html
    assert "<script>alert" not in html


def test_still_picture_is_well_formed_and_shows_the_lanes(recording: Recording, outage: Outage) -> None:
    for figure in (incident_figure(recording, outage), layers_figure(outage)):
        ET.fromstring(picture(json.loads(figure.to_json()), "p"))
    texts = picture(json.loads(incident_figure(recording, outage).to_json()), "p")
    for word in ("leader · TL 3", "frozen", "key: pg-2", "without a commit", "pg-3"):
        assert word in texts


def hour() -> Iterator[Record]:
    """An hour of four looks a second at three members, twenty commits a second, a change of leader each ten minutes."""
    yield scenes.header()
    for tick in range(3600 * 4):
        now = Z + tick / 4
        at = int(tick / 4 // 600) % 3
        if tick % 2400 == 0:
            yield KeyEvent(now, "held", scenes.MEMBERS[at], tick)
        for index, member in enumerate(scenes.MEMBERS):
            if index == at:
                yield MemberSample(now, member, "running", True, "patroni", "leader", "running", 3 + tick // 2400)
            else:
                yield MemberSample(
                    now, member, "running", True, "patroni", "replica", "streaming", 3 + tick // 2400,
                    lag_bytes=(tick * 7919) % 5000,
                )  # fmt: skip
        for part in range(5):
            moment = now + part / 20
            yield Attempt(moment, moment + 0.004 + (tick % 7) / 1000, "app", tick, 1, "acknowledged", "pg-1", 3)


def bytecodes(call: Callable[[], object]) -> int:
    """How many of Python's instructions a call takes: a cost that does not depend on what else the machine does."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Callable[..., Any]:
        nonlocal count
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


def test_live_figure_does_not_grow_slower_in_an_hour(recording: Recording) -> None:
    live = LiveFigure(None, scenes.MEMBERS)
    costs: list[int] = []
    sizes: list[int] = []
    batch: list[Record] = []
    for record in hour():
        batch.append(record)
        if len(batch) == 8 * 4 * 45:  # three quarters of a minute's records, then one update
            live.feed(batch)
            batch.clear()
            costs.append(bytecodes(lambda: live.update() or pytest.fail("nothing to draw")))
            sizes.append(sum(len(trace.get("x", ())) for trace in live.widget.figure["data"]))
    fifth = len(costs) // 5
    early, late = median(costs[fifth : 2 * fifth]), median(costs[-fifth:])
    assert late < 1.3 * early, "the median update of the last fifth costs what an early one did"
    assert max(sizes[-fifth:]) < 1.3 * max(sizes[fifth : 2 * fifth])
    begin = live.digest.begin or 0.0
    window = [at for at, _ in live.digest.acknowledged["pg-1"].points(begin + 3600 - SHOWN_SECONDS)]
    assert len(window) >= 200, "the last minutes are drawn as densely as the first ones"
    assert all(later - earlier < 5.0 for earlier, later in pairwise(window))
    assert len(live.digest.acknowledged["pg-1"]) <= live.digest.acknowledged["pg-1"].limit
    assert len(live.digest.lag["pg-2"].points(begin + 3600 - SHOWN_SECONDS)) >= 50


def test_live_figure_sends_nothing_where_nothing_changed() -> None:
    live = LiveFigure(None, scenes.MEMBERS)
    live.feed(scenes.frozen_primary(end=30, thaw=29))
    assert live.update()
    assert not live.update()


def test_change_waits_until_the_browser_has_drawn_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labhelpers.charts.live.DRAWN_WITHIN_SECONDS", 60.0)
    path = tmp_path / "scene.jsonl"
    with closing(RecordingWriter(path)) as writer:
        for record in scenes.frozen_primary(end=30, thaw=29):
            writer.write(record)
    live = LiveFigure(path, scenes.MEMBERS, every=0.02)
    live.start()
    try:
        assert not live.widget.is_drawn
        assert live.digest.begin is None
        live.widget.drawn = 0  # what a browser says
        wait_until(lambda: live.widget.figure["number"] == 1, what="the first change", within=10)
        assert not live.widget.is_drawn
        assert live.widget.figure["layout"]["title"]["text"]
    finally:
        live.stop()
    assert "stands still" not in live.widget.figure["layout"]["title"]["text"]


def test_chart_that_cannot_be_drawn_says_so_until_it_can(tmp_path: Path) -> None:
    path = tmp_path / "scene.jsonl"
    with closing(RecordingWriter(path)) as writer:
        writer.write(scenes.header())
    with path.open("a", encoding="utf-8") as file:
        file.write(f'{{"record": "member", "at": {Z + 1}, "member": "pg-2", "lag_bytes": "<many>"}}\n')
    live = LiveFigure(path, scenes.MEMBERS, every=60)
    before = live.widget.figure
    live.widget.drawn = 0  # what a browser says
    live.start()
    try:
        wait_until(lambda: live.widget.figure["number"] == 1, what="the title", within=10)
    finally:
        live.stop()
    title = live.widget.figure["layout"]["title"]["text"].replace("<br>", " ")
    assert title.startswith("This chart stands still: ValueError(") and "&lt;many&gt;" in title
    assert live.widget.figure["data"] == before["data"]
    assert live.update()
    assert live.widget.figure["layout"]["title"]["text"] == "Waiting for etcd"


def test_live_figure_stops_at_once_where_nobody_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the stop falls between the thread's last look and its wait."""
    monkeypatch.setattr("labhelpers.charts.live.DRAWN_WITHIN_SECONDS", 60.0)
    live = LiveFigure(None, scenes.MEMBERS)
    clear, is_looking = live._awake.clear, threading.Event()

    def clear_late() -> None:
        is_looking.set()
        assert live._awake.wait(10)
        clear()

    monkeypatch.setattr(live._awake, "clear", clear_late)
    live.start()
    assert is_looking.wait(10)
    begin = time.monotonic()
    live.stop()
    assert time.monotonic() - begin < 4.0  # a thread that does not hear of it is left after five


def test_code_of_the_chart_is_there_at_once() -> None:
    """anywidget gives a widget's code two seconds, and plotly.js is 4 MB: it has to come beside."""
    state = ChartWidget({"data": [], "layout": {}, "config": {}}).get_state()
    assert len(state["_esm"]) < 10_000
    assert len(state["library"]) > 1_000_000


def test_figure_is_numbered_json_without_a_kernels_help() -> None:
    live = LiveFigure(None, scenes.MEMBERS)
    live.feed(scenes.frozen_primary())
    assert live.update()
    told = ChartWidget(live.widget.figure).get_state("figure")["figure"]
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert len(told["data"][0]["y"]) == len(told["data"][0]["marker"]["color"]) > 0


def test_live_title_says_how_long_clients_have_been_waiting() -> None:
    live = LiveFigure(None, scenes.MEMBERS)
    scene = sorted(scenes.frozen_primary(), key=lambda r: getattr(r, "finished", r.at))
    live.feed(record for record in scene if getattr(record, "finished", record.at) <= Z + 45)
    assert status(live.digest) == "pg-1 holds the key; clients have been waiting for 25.0 s"


def test_live_title_says_that_two_accept_writes() -> None:
    live = LiveFigure(None, scenes.MEMBERS)
    live.feed(sorted(scenes.two_leaders(), key=lambda r: r.at))
    assert "pg-1 and pg-2 both accept writes" in status(live.digest)
