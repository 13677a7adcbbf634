"""The journal: on the disk before the act, whole or absent, one writer at a time."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from labhelpers.host import is_locked
from labhelpers.incidents import acts
from labhelpers.incidents.acts import CutOff, Freeze, SlowLink
from labhelpers.incidents.errors import IncidentInProgress, IncidentOver, JournalBusy, JournalUnwritable
from labhelpers.incidents.journal import Entry, Journal, new_entry
from labhelpers.incidents.owner import Owner


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


def entry_for(*nodes: str, minutes: float = 5, owner: Owner | None = None) -> Entry:
    acts = [Freeze(nodes), CutOff("pg-1", ("e1", "e2")), SlowLink("pg-3", 256)]
    return new_entry("primary-frozen", nodes, acts, minutes=minutes, owner=owner)


def test_entry_comes_back_from_the_disk_the_same(journal: Journal) -> None:
    entry = entry_for("pg-1", owner=Owner.of())
    journal.write(entry)
    assert Journal(journal.directory).entries() == [entry]


def test_entry_that_an_earlier_version_wrote_is_read(journal: Journal) -> None:
    entry = entry_for("pg-1")
    journal.write(entry)
    path = journal.directory / f"{entry.id}.json"
    data = json.loads(path.read_text())
    del data["acted_monotonic"]
    path.write_text(json.dumps(data))
    assert journal.entries() == [entry]


def test_removed_entry_is_gone_and_removing_it_again_changes_nothing(journal: Journal) -> None:
    entry = entry_for("pg-1")
    journal.write(entry)
    journal.remove(entry.id)
    journal.remove(entry.id)
    assert journal.entries() == []


def test_half_written_entry_is_no_entry_but_is_found(journal: Journal) -> None:
    journal.write(entry_for("pg-1"))
    torn = journal.directory / "dcs-lost-000000.json"
    torn.write_text('{"id": "dcs-lost-0000')
    assert [entry.kind for entry in journal.entries()] == ["primary-frozen"]
    assert journal.unreadable() == [torn]


def test_directory_that_is_not_there_has_no_entries(journal: Journal) -> None:
    assert journal.entries() == [] and journal.notebooks() == [] and journal.unreadable() == []


def test_disk_without_room_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    """A directory in which no file can be made stands for the full disk: for root too."""
    blocked = tmp_path / "journal"
    blocked.write_text("a file where the directory should be")
    with pytest.raises(JournalUnwritable) as caught:
        Journal(blocked).write(entry_for("pg-1"))
    assert "is not injected" in str(caught.value)


@pytest.mark.skipif(not Path("/dev/full").exists() or os.geteuid() != 0, reason="needs root to mount a tiny disk")
def test_full_disk_is_said_and_leaves_no_entry(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)], check=False)
    if mounted.returncode != 0:
        pytest.skip("this machine lets nobody mount a tmpfs")
    try:
        journal = Journal(disk / "journal")
        journal.directory.mkdir()
        with (disk / "filler").open("wb") as filler, pytest.raises(OSError):
            filler.write(b"x" * 65536)
            filler.flush()
        with pytest.raises(JournalUnwritable):
            journal.write(entry_for("pg-1"))
        assert journal.entries() == [] and journal.unreadable() == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_extended_entry_lasts_longer(journal: Journal) -> None:
    entry = entry_for("pg-1", minutes=1)
    journal.write(entry)
    longer = journal.extend(entry.id, 5)
    assert longer.until_monotonic == pytest.approx(entry.until_monotonic + 300)
    assert journal.entries() == [longer]


def test_extending_what_is_over_says_so(journal: Journal) -> None:
    with pytest.raises(IncidentOver):
        journal.extend("primary-frozen-000000", 5)


def test_entry_of_an_earlier_boot_has_no_time_left() -> None:
    entry = replace(entry_for("pg-1"), boot="another")
    assert entry.remaining_seconds == 0


def test_second_injector_is_told_at_once(journal: Journal) -> None:
    with journal.injecting("first"):
        began = time.monotonic()
        with pytest.raises(IncidentInProgress) as caught, journal.injecting("second"):
            pytest.fail("both inject")
        assert time.monotonic() - began < 5
    assert "first" in caught.value.holder
    with journal.injecting("third"):
        pass


def test_error_inside_an_injection_passes_through(journal: Journal) -> None:
    with pytest.raises(OSError, match="mine"), journal.injecting("first"):
        raise OSError("mine")


def test_undoing_waits_for_a_bounded_time(journal: Journal) -> None:
    with journal.locked("first"), pytest.raises(JournalBusy), journal.locked("second", within_seconds=0.2):
        pytest.fail("both hold the journal")


def _hold(path: str, ready: multiprocessing.synchronize.Event) -> None:
    with Journal(Path(path)).locked("killed one"):
        ready.set()
        time.sleep(60)


def test_lock_dies_with_its_process(journal: Journal) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=_hold, args=(str(journal.directory), ready))
    process.start()
    assert ready.wait(30)
    assert is_locked(journal.directory / "journal.lock")
    process.kill()
    process.join()
    with journal.locked("the next", within_seconds=5):
        pass


def test_owner_is_alive_while_its_process_is() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    owner = Owner.of(process.pid)
    assert owner is not None and owner.alive
    process.kill()
    process.wait()
    assert not owner.alive
    assert Owner.of(process.pid) is None


def test_number_used_again_is_another_owner() -> None:
    mine = Owner.of()
    assert mine is not None
    assert not replace(mine, start_ticks=mine.start_ticks - 1).alive
    assert not replace(mine, boot="another").alive


def test_notebook_counts_while_its_kernel_lives(journal: Journal) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    kernel = Owner.of(process.pid)
    assert kernel is not None
    journal.open_notebook(kernel)
    assert journal.notebooks() == [kernel]
    process.kill()
    process.wait()
    assert journal.notebooks() == []
    assert list(journal.directory.glob("*.notebook")) == []


def test_every_act_is_found_again_by_what_the_journal_calls_it() -> None:
    """An act that is not in ``_ACTS`` is injected, and no later process could undo it."""
    here = [act for act in vars(acts).values() if isinstance(act, type) and getattr(act, "do", "")]
    assert len(here) > 5
    assert {act.do: act for act in here} == acts._ACTS, "acts.py: name the new act in _ACTS"
