"""A few trials with every run of the tests; many by ``python -m tests.trials``."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from labhelpers import incidents
from labhelpers.lab import Lab
from tests.live.incident_lab import cluster_lab, command
from tests.trials.trial import is_clean, run_trial

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    lab = cluster_lab()
    assert incidents.heal(lab).ok
    yield lab
    incidents.heal(lab)
    lab.close()


def test_check_finds_a_residue_that_is_left_on_purpose(lab: Lab) -> None:
    """The positive control of every trial's verdict."""
    assert is_clean(lab)
    command("lxc-freeze", "-P", str(lab.topology.lxc_path), "-n", "e2")
    assert not is_clean(lab)
    incidents.heal(lab)
    assert is_clean(lab)


@pytest.mark.parametrize("number", range(1, 6))
def test_lab_comes_back(lab: Lab, number: int) -> None:
    seed = random.SystemRandom().randrange(10**6)
    outcome = run_trial(lab, number, random.Random(seed))
    assert outcome.passed, f"seed {seed}: {outcome}"
