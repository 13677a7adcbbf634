"""What a batch's report keeps of a recording: the figures of the outage, and none that nobody measured."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import scenes

from labhelpers.observe.findings import outage_finding, title_of_fault
from labhelpers.observe.outage import measure_outage
from labhelpers.observe.recordings import Recording
from labhelpers.observe.records import Mark
from labhelpers.prediction import predict


def session(records, *, prediction=None, accounts=()):
    """What the finding asks of a recording's session, over records that were made up."""
    recording = Recording(records)
    outage = measure_outage(recording, prediction=prediction)
    return SimpleNamespace(name="07-freeze", recording=recording, accounts=accounts, outage=lambda: outage)


def test_an_outage_is_told_in_figures_that_survive_a_notebooks_file():
    found = outage_finding(session(scenes.frozen_primary(), prediction=predict("lease")))
    assert found is not None
    outage = measure_outage(Recording(scenes.frozen_primary()))
    assert outage is not None
    assert found["seconds"] == pytest.approx(outage.client_seconds)
    assert found["as_predicted"] is True and found["predicted"] == [20.0, 43.0]
    assert found["layers"][0][0] == "detect"
    assert sum(seconds for _, seconds in found["layers"]) == pytest.approx(outage.seconds, abs=0.01)
    assert json.loads(json.dumps(found, sort_keys=True))["layers"] == found["layers"]


def test_losses_are_unknown_until_commits_were_counted():
    assert outage_finding(session(scenes.frozen_primary()))["lost"] is None
    accounts = [SimpleNamespace(lost=(3, 4), acknowledged=100), SimpleNamespace(lost=(), acknowledged=50)]
    found = outage_finding(session(scenes.frozen_primary(), accounts=accounts))
    assert (found["lost"], found["acknowledged"]) == (2, 150)


def test_no_fault_is_no_finding():
    assert outage_finding(session([scenes.header()])) is None


def test_a_fault_has_the_catalogues_name_or_the_one_it_was_given():
    assert title_of_fault(Mark(1.0, "a", "primary-frozen")) == "Freeze the primary"
    assert title_of_fault(Mark(1.0, "a", "switchover")) == "Switchover"
    assert title_of_fault(Mark(1.0, "a", "my-own", (), "Unplugged", "Débranché")) == "Unplugged"
    assert title_of_fault(Mark(1.0, "a", "my-own")) == "my-own"
