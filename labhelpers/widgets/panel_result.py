"""The panel's clock: it counts while an incident runs, and its result stays until the next one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from labhelpers.i18n import in_seconds, tr
from labhelpers.incidents.eventlog import say
from labhelpers.incidents.situation import Situation
from labhelpers.observe import stage
from labhelpers.observe.outage import AFTERMATH_SECONDS, Outage, measure_outage
from labhelpers.prediction import Timing
from labhelpers.widgets.panel_model import Clock, clock, ended, latest

if TYPE_CHECKING:
    from labhelpers.lab import Lab


class Result:
    """What clients felt of a lab's latest incident: from its recording where there is one, else from the roles."""

    def __init__(self, lab: Lab) -> None:
        self.clock: Clock | None = None
        self._lab = lab
        self._gone_at: float | None = None
        self._final = False
        self._told: str | None = None

    def update(self, situation: Situation, timing: Timing, leaders: Sequence[tuple[float, str]]) -> Clock | None:
        """The clock now; ``leaders`` as for :func:`labhelpers.widgets.panel_model.clock`."""
        running = latest(situation)
        if running is not None:
            self._gone_at, self._final = None, False
            outage = self._outage(running.id)
            self.clock = clock(situation, timing, leaders, outage)
            self._tell(running.id, outage)
        elif self.clock is not None and not self._final:
            now = time.monotonic()
            self._gone_at = self._gone_at if self._gone_at is not None else now
            outage = self._outage(self.clock.incident_id)
            self.clock = ended(self.clock, outage)
            self._tell(self.clock.incident_id, outage)
            waits = outage is not None and outage.interrupted and not outage.is_over
            self._final = not waits and now - self._gone_at > AFTERMATH_SECONDS
        return self.clock

    def _outage(self, incident_id: str) -> Outage | None:
        """What the recording saw of it; None where nobody recorded when it began."""
        session = stage.latest_session(self._lab.name)
        if session is None:
            return None
        recording = session.recording
        mark = next((mark for mark in recording.marks if mark.id == incident_id), None)
        if mark is None or mark.at < recording.begin or not recording.attempts:
            return None
        return measure_outage(recording, mark, prediction=session.prediction(mark))

    def _tell(self, incident_id: str, outage: Outage | None) -> None:
        """One line in the log, once, when clients write again."""
        if outage is None or outage.client_seconds is None or self._told == incident_id:
            return
        self._told = incident_id
        waited = in_seconds(outage.client_seconds)
        say(self._lab.paths.log, tr(f"first commit acknowledged, after {waited}",
                                    f"premier commit acquitté, au bout de {waited}"))  # fmt: skip
