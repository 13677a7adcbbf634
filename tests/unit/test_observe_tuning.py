"""What a batch's parameters may be, and that Patroni's own rule holds for each."""

from __future__ import annotations

import pytest

from labhelpers.observe.outage import PACES_IN_A_GAP
from labhelpers.observe.tuning import LEAST_RATE, BadSetting, Lease, ordinary_client, set_lease
from labhelpers.prediction import Timing


@pytest.mark.parametrize("ttl", [20, 21, 29, 30, 31, 60, 300])
def test_every_lease_obeys_patronis_rule(ttl):
    lease = Lease.of(ttl)
    assert lease.ttl == ttl and lease.loop_wait + 2 * lease.retry_timeout <= ttl


def test_the_default_is_patronis_own():
    assert Timing.from_config(Lease.of(30).to_config()) == Timing()


@pytest.mark.parametrize("ttl", [19, 0, -30, 30.5, "thirty", None, True])
def test_a_lease_that_patroni_would_refuse_is_a_sentence(ttl):
    with pytest.raises(BadSetting, match="20 or more"):
        Lease.of(ttl)


@pytest.mark.parametrize("pace", [0, -1, 0.1, 4.9, 1001, "fast", None, float("nan"), True])
def test_a_pace_that_no_client_has_is_a_sentence(pace):
    with pytest.raises(BadSetting, match="commits a second"):
        ordinary_client(pace)


def test_the_client_has_the_pace_that_was_asked_for():
    assert ordinary_client(5).rate == 5.0
    assert ordinary_client().pinned_to is None


def test_no_pace_that_is_taken_hides_an_outage_of_a_second():
    assert PACES_IN_A_GAP / LEAST_RATE < 1.0


def test_the_way_of_the_ordinary_client_can_be_cut():
    assert ordinary_client().own_network


class Lab:
    """A cluster whose leader takes a new lease some looks after its length was changed."""

    def __init__(self, config: dict[str, int], looks: int = 3) -> None:
        self.patroni = self.etcd = self
        self.patched: list[dict[str, int]] = []
        self._config, self._looks, self.lease_id = config, looks, "a"

    def config(self) -> dict[str, int]:
        return self._config

    def patch_config(self, changes: dict[str, int]) -> None:
        self.patched.append(changes)

    def leader_key(self) -> Lab:
        answer = type("Key", (), {"lease_id": self.lease_id})
        if self.patched:
            self._looks -= 1
            self.lease_id = "a" if self._looks > 0 else "b"
        return answer


def test_what_is_set_already_is_left_alone():
    lab = Lab(Lease.of(30).to_config())
    assert set_lease(lab, 30) is False and lab.patched == []


def test_a_new_length_is_waited_for():
    lab = Lab(Lease.of(30).to_config())
    assert set_lease(lab, 60) is True
    assert lab.patched == [{"ttl": 60, "loop_wait": 10, "retry_timeout": 10}]
    assert lab.lease_id == "b"
