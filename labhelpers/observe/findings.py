"""What a batch's report keeps of a recording: the outage in figures (see :mod:`labhelpers.course.collect`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labhelpers.i18n import tr
from labhelpers.incidents.catalogue import CATALOGUE, title_of
from labhelpers.observe.outage import find_fault
from labhelpers.observe.records import Mark

if TYPE_CHECKING:
    from labhelpers.observe.session import Session

SWITCHOVER = "switchover"
"""The word by which a chapter marks one; it is no incident of the catalogue."""


def outage_finding(session: Session) -> dict[str, Any] | None:
    """The outage of a recording that has ended; None where there was no fault.

    ``seconds`` are those that clients waited: 0 where they noticed nothing, None where they still wait.
    """
    outage = session.outage()
    if outage is None:
        return None
    fault, prediction = find_fault(session.recording), outage.prediction
    lost = sum(len(account.lost) for account in session.accounts) if session.accounts else None
    return {
        "kind": "outage",
        "name": session.name,
        "title": title_of_fault(fault) if fault else session.name,
        "seconds": outage.client_seconds if outage.interrupted else 0.0,
        # In order: a notebook's file sorts what has names.
        "layers": [[layer.title.split(" :")[0].split(":")[0], layer.seconds] for layer in outage.layers],
        "predicted": [prediction.low_seconds, prediction.high_seconds] if prediction else None,
        "measured": outage.measured_seconds,
        "as_predicted": outage.within_prediction,
        "leader": [outage.old_leader, outage.new_leader],
        "acknowledged": sum(account.acknowledged for account in session.accounts) if session.accounts else None,
        "lost": lost,
        "sentence": outage.sentence(),
    }


def title_of_fault(fault: Mark) -> str:
    """What was done, in the catalogue's words or in those of whoever marked it."""
    if fault.what == SWITCHOVER:
        return tr("Switchover", "Bascule")
    return title_of(fault.what) if fault.what in CATALOGUE else tr(fault.label_en, fault.label_fr) or fault.what
