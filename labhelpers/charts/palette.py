"""Colours, the same throughout the course: a member has one, and keeps it; what is said by colour is said by
words too.

Okabe and Ito's set, safe for colour-blind readers (https://jfly.uni-koeln.de/color/). Figures are
transparent, so that they sit on a light page and on a dark one: greys between the two, fills with an alpha,
and a member's own colour for its lines. ``LIGHT`` and ``DARK`` are for those who know the page beneath.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

ThemeName: TypeAlias = Literal["both", "light", "dark"]

BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
ORANGE, SKY, PURPLE = "#E69F00", "#56B4E9", "#CC79A7"
MEMBER_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, SKY, ORANGE)
"""By the member's place in the inventory: pg-1, pg-2, pg-3, …"""

RED = "#D0341A"  # nobody holds the key; refused
SAND = "#E2A82E"  # what was predicted
GREY = "#7B828C"


def member_colour(member: str, members: Sequence[str]) -> str:
    """The colour of a member, grey for one that is not of the cluster."""
    if member not in members:
        return GREY
    return MEMBER_COLOURS[list(members).index(member) % len(MEMBER_COLOURS)]


def rgba(colour: str, alpha: float) -> str:
    """``#0072B2`` at an alpha, as CSS and Plotly read it."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


@dataclass(frozen=True, slots=True)
class Theme:
    """What depends on the page beneath. ``pale`` is the alpha of a replica's fill."""

    name: ThemeName
    text: str
    faint: str
    grid: str
    shade: str
    hatch: str
    pale: float
    sand: str
    sand_text: str
    on_solid: str = "#FFFFFF"
    background: str = "rgba(0,0,0,0)"


BOTH = Theme(
    "both", text="#787F88", faint="#7D848D", grid="rgba(128,134,142,0.22)", shade="rgba(128,134,142,0.13)",
    hatch="rgba(128,134,142,0.55)", pale=0.17, sand=rgba(SAND, 0.22), sand_text="#B5811A",
)  # fmt: skip
LIGHT = Theme(
    "light", text="#1F2328", faint="#6E7781", grid="#E6E8EB", shade="rgba(100,110,125,0.10)",
    hatch="#A8AEB5", pale=0.22, sand=rgba(SAND, 0.24), sand_text="#9A6A00", background="#FFFFFF",
)  # fmt: skip
DARK = Theme(
    "dark", text="#E6E8EB", faint="#9BA3AC", grid="#2B3036", shade="rgba(150,160,175,0.10)",
    hatch="#5B636C", pale=0.26, sand=rgba(SAND, 0.20), sand_text="#E2B04A", background="#111418",
)  # fmt: skip
THEMES: dict[str, Theme] = {"both": BOTH, "light": LIGHT, "dark": DARK}
