"""What the trials found, as a table in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from labhelpers.waiting import slowness
from tests.trials.trial import CLEAN_WITHIN_SECONDS, Outcome


def _seconds(value: float | None) -> str:
    return "—" if value is None else f"{value:.1f}"


def _share(count: int, whole: int) -> str:
    return f"{count / whole:.0%}" if whole else "—"


def report(outcomes: Sequence[Outcome], seed: int, took_seconds: float) -> str:
    passed = sum(outcome.passed for outcome in outcomes)
    held = [outcome for outcome in outcomes if outcome.inside_prediction is not None]
    inside = sum(bool(outcome.inside_prediction) for outcome in held)
    healed = sorted(outcome.healed_seconds for outcome in outcomes if outcome.healed_seconds is not None)
    clean = sorted(outcome.clean_seconds for outcome in outcomes if outcome.clean_seconds is not None)
    lines = [
        f"{passed} of {len(outcomes)} trials ({_share(passed, len(outcomes))}) came back, healthy and clean within "
        f"{CLEAN_WITHIN_SECONDS * slowness():g} s of the healing ({took_seconds / 60:.1f} min).",
        f"Again: python -m tests.trials --trials {len(outcomes)} --seed {seed}",
        f"From the blow until undone: median {_middle(healed)} s, longest {_last(healed)} s. "
        f"From then until healthy and clean: median {_middle(clean)} s, longest {_last(clean)} s.",
        f"Outages inside the predicted interval: {inside} of {len(held)} that were held to their end "
        f"({_share(inside, len(held))}).",
        "",
        "| # | incident | nodes | blow | at (s) | undone (s) | clean (s) | outage (s) | predicted (s) | |",
        "|--:|---|---|---|--:|--:|--:|--:|---|---|",
    ]
    for one in outcomes:
        predicted = f"{one.predicted[0]:g}–{one.predicted[1]:g}" if one.predicted else ""
        said = "ok" if one.passed else f"**{one.problem}** {'; '.join(one.left)}"
        lines.append(
            f"| {one.number} | {one.kind} | {' '.join(one.nodes)} | {one.blow} | {one.moment_seconds:.1f} | "
            f"{_seconds(one.healed_seconds)} | {_seconds(one.clean_seconds)} | {_seconds(one.outage_seconds)} | "
            f"{predicted} | {said} |"
        )
    return "\n".join(lines) + "\n"


def _middle(values: Sequence[float]) -> str:
    return _seconds(values[len(values) // 2] if values else None)


def _last(values: Sequence[float]) -> str:
    return _seconds(values[-1] if values else None)
