"""Predictions: the interval told before the fault, with its formula."""

from __future__ import annotations

import pytest

from labhelpers.prediction import Mechanism, Timing, predict


def test_lease_lies_between_ttl_less_loop_wait_and_ttl_plus_loop_wait() -> None:
    prediction = predict("lease", Timing(30, 10, 10))
    assert (prediction.low_seconds, prediction.high_seconds) == (20, 43)
    assert prediction.interval == "20–43 s"
    assert prediction.formula == "ttl − loop_wait … ttl + loop_wait + 3"


def test_shorter_ttl_moves_the_interval() -> None:
    prediction = predict("lease", Timing(20, 5, 5))
    assert (prediction.low_seconds, prediction.high_seconds) == (15, 28)


@pytest.mark.parametrize("mechanism", ["release", "restart", "none"])
def test_what_needs_no_expiry_does_not_depend_on_ttl(mechanism: Mechanism) -> None:
    assert predict(mechanism, Timing(30)) == predict(mechanism, Timing(90))


def test_measured_cut_from_etcd_is_inside_its_interval() -> None:
    assert predict("read-only").contains(14.7)


def test_every_prediction_names_its_source() -> None:
    for mechanism in ("lease", "release", "restart", "read-only", "none"):
        assert predict(mechanism).url.startswith("https://patroni.readthedocs.io/")


def test_settings_that_are_not_written_are_patronis_defaults() -> None:
    assert Timing.from_config({"ttl": 45}) == Timing(45, 10, 10)
    assert Timing.from_config({"ttl": "long", "loop_wait": None, "retry_timeout": [5]}) == Timing()


def test_verdict_says_inside_or_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_LANGUAGE", "en")
    assert predict("lease").verdict(31.84) == "31.8 s measured, 20–43 s predicted: inside."
    assert predict("lease").verdict(50).endswith("outside.")
    monkeypatch.setenv("WORKSHOP_LANGUAGE", "fr")
    assert predict("lease").verdict(31.84) == "31,8 s mesurées, 20–43 s prédites : dans l'intervalle."


def test_sentence_tells_where_the_formula_comes_from() -> None:
    assert "; patroni.readthedocs.io/en/latest/dynamic_configuration)" in predict("lease").sentence()
