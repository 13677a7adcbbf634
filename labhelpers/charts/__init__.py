"""Draw what was observed: an incident in three bands, an outage by layer, live and frozen.

>>> charts.incident_figure(recording, outage, accounts)     # a plotly Figure
>>> charts.layers_figure(outage)
>>> charts.LiveFigure(rec.path, rec.header.members).widget  # follows the recording's file

The figures:

incident        an incident in three bands over one time axis
layers          where an outage's seconds went, beside what was predicted

Their parts:

digest          a recording boiled down to what a figure shows, in bounded memory
thinning        series whose memory is bounded
lanes           who was what, and when
bands           the three bands, as the arrays of Plotly's traces
marks           what lies over them: incidents, changes of the leader, the prediction, the outage
axes            numbers on axes, and how much room a text takes
palette         colours, the same throughout the course

How they are shown:

live            while it happens
chart_widget    the Plotly figure beneath, whole whenever a browser meets it
frozen          in the notebook, readable later and without a kernel
svg             as a still picture, where no plotly.js is at hand

Nothing heavy is imported before a name is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labhelpers.charts.frozen import bundle, show_frozen
    from labhelpers.charts.incident import headline, incident_figure
    from labhelpers.charts.layers import layers_figure
    from labhelpers.charts.live import LiveDisplay, LiveFigure
    from labhelpers.charts.palette import MEMBER_COLOURS, member_colour

_HOMES = {
    "MEMBER_COLOURS": "palette",
    "LiveDisplay": "live",
    "LiveFigure": "live",
    "bundle": "frozen",
    "headline": "incident",
    "incident_figure": "incident",
    "layers_figure": "layers",
    "member_colour": "palette",
    "show_frozen": "frozen",
}

__all__ = [
    "MEMBER_COLOURS",
    "LiveDisplay",
    "LiveFigure",
    "bundle",
    "headline",
    "incident_figure",
    "layers_figure",
    "member_colour",
    "show_frozen",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"labhelpers.charts.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'labhelpers.charts' has no attribute {name!r}")
