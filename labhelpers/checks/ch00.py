"""Chapter 00: what stands on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from labhelpers.checks.probes import all_running, ask
from labhelpers.checks.registry import Finding, check

if TYPE_CHECKING:
    from labhelpers.lab import Lab


@check("00.nodes", chapter="00", en="The nodes run and answer", fr="Les nœuds tournent et répondent")
def nodes(lab: Lab) -> Iterator[Finding]:
    stopped = list(all_running(lab, lab.topology.names))
    yield from stopped
    down = {finding.node for finding in stopped}
    _, silent = ask(lab, [name for name in lab.topology.names if name not in down], {"up": "true"})
    yield from silent
