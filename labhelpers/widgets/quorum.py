"""The quorum explorer: how many arbiters must agree, how many may fail, and why four are no safer than three.

A decision needs a majority of all members there are, whether they answer or not: more than half. So two halves of a
cut network never both decide (https://etcd.io/docs/v3.5/faq/#what-is-failure-tolerance).
"""

from __future__ import annotations

from dataclasses import dataclass

from labhelpers.errors import UsageProblem
from labhelpers.i18n import tr
from labhelpers.widgets.look import (
    BAD,
    FAINT,
    GOOD,
    LINE,
    MUTED,
    NotebookCanvas,
    draw_widget,
    escape,
)

SIZES = range(1, 10)
STATIC_SIZES = (1, 2, 3, 4, 5, 6, 7)


@dataclass(frozen=True, slots=True)
class Quorum:
    """A group of ``members``, of which ``failed`` do not answer."""

    members: int
    failed: int = 0

    @property
    def needed(self) -> int:
        """How many must agree: more than half of all members."""
        return self.members // 2 + 1

    @property
    def tolerated(self) -> int:
        """How many may fail while the others still decide."""
        return self.members - self.needed

    @property
    def alive(self) -> int:
        return self.members - self.failed

    @property
    def decides(self) -> bool:
        return self.alive >= self.needed

    def sentence(self) -> str:
        """What this group can do, in one sentence."""
        counts = tr(
            f"{self.alive} of {self.members} answer, {self.needed} must agree",
            f"{self.alive} sur {self.members} répondent, {self.needed} doivent s'accorder",
        )
        if not self.decides:
            return counts + tr(
                ": nobody may decide. Databases become read-only.",
                " : personne ne peut décider. Les bases passent en lecture seule.",
            )
        left = self.alive - self.needed
        return counts + tr(
            f": the group decides. {left} more may fail." if left else ": the group decides. None may fail now.",
            f" : le groupe décide. {left} de plus peuvent tomber."
            if left
            else " : le groupe décide. Plus aucun ne peut tomber.",
        )

    def comparison(self) -> str:
        """How an even group compares with the odd one below it; "" for an odd one."""
        if self.members % 2 or self.members < 2:
            return ""
        below = Quorum(self.members - 1)
        return tr(
            f"{self.members} members tolerate {self.tolerated}, as {below.members} do: one machine more that "
            "can "
            "fail, and one voice more to wait for at each write.",
            f"{self.members} membres en tolèrent {self.tolerated}, comme {below.members} : une machine de "
            "plus qui "
            "peut tomber, et une voix de plus à attendre à chaque écriture.",
        )


def circles_html(quorum: Quorum) -> str:
    """The members as circles; what is alive, what has failed and where the majority ends is told by shape and word."""
    drawn = []
    for place in range(1, quorum.members + 1):
        alive = place <= quorum.alive
        border = GOOD if alive and quorum.decides else (LINE if alive else BAD)
        fill = f"background-color:{FAINT}" if alive else "opacity:0.75"
        style = "solid" if alive else "dashed"
        inner = str(place) if alive else "✗"
        drawn.append(
            f'<span style="display:inline-block;width:34px;height:34px;line-height:32px;text-align:center;'
            f'border:2px {style} {border};border-radius:50%;margin:2px 4px 2px 0;{fill}">{inner}</span>'
        )
        if place == quorum.needed and quorum.members > 1:
            word = tr("majority", "majorité")
            drawn.append(
                f'<span style="display:inline-block;padding:0 8px 0 4px;border-left:2px dotted {LINE};{MUTED};'
                f'font-size:0.85em">← {word}</span>'
            )
    return "".join(drawn)


def picture_html(quorum: Quorum) -> str:
    """One group: its members and what it can do."""
    colour = GOOD if quorum.decides else BAD
    comparison = quorum.comparison()
    return (
        f'<div style="padding:2px 0">{circles_html(quorum)}</div>'
        f'<div><span style="color:{colour};font-weight:600">{"✓" if quorum.decides else "✗"}</span> '
        f"{escape(quorum.sentence())}</div>"
        + (f'<div style="{MUTED}">{escape(comparison)}</div>' if comparison else "")
    )


def table_html(chosen: Quorum | None = None) -> str:
    """All sizes at a glance: what must agree, what may fail. The row of ``chosen`` stands out."""
    cell = "padding:2px 16px 2px 0;text-align:left;border:none"
    heads = (
        tr("members", "membres"),
        tr("must agree", "doivent s'accorder"),
        tr("may fail", "peuvent tomber"),
        "",
    )
    rows = "".join(f'<th style="{cell};{MUTED};font-weight:400">{head}</th>' for head in heads)
    body = ""
    for members in STATIC_SIZES:
        quorum = Quorum(members)
        words = (
            tr("as safe as", "aussi sûr que") + f" {members - 1}"
            if members % 2 == 0 and members > 2
            else tr("worse than 1: any loss stops it", "pire que 1 : toute perte l'arrête")
            if members == 2
            else ""
        )
        weight = "font-weight:600" if chosen and chosen.members == members else ""
        dots = "●" * quorum.needed + "○" * quorum.tolerated
        body += (
            f'<tr style="background-color:transparent;{weight}"><td style="{cell}">{members}</td>'
            f'<td style="{cell}">{quorum.needed}</td>'
            f'<td style="{cell}">{quorum.tolerated}</td>'
            f'<td style="{cell}"><span style="letter-spacing:2px">{dots}</span> '
            f'<span style="{MUTED};font-size:0.9em">{words}</span></td></tr>'
        )
    return (
        f'<table style="border:none;margin:6px 0"><thead><tr style="background-color:transparent">{rows}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def table_text() -> str:
    lines = [
        tr("members | must agree | may fail", "membres | doivent s'accorder | peuvent tomber"),
        *(f"{size} | {Quorum(size).needed} | {Quorum(size).tolerated}" for size in STATIC_SIZES),
    ]
    return "\n".join(lines)


def explorer(members: int = 3, failed: int = 0) -> None:
    """Show the explorer: two sliders and what they mean; without a kernel, the table of all sizes.

    More failed than there are means all of them. Raises :class:`UsageProblem` where there can be no such group.
    """
    if not isinstance(members, int) or members not in SIZES:
        raise UsageProblem(
            tr(f"A group of {members!r} members can't be shown: {SIZES[0]} to {SIZES[-1]}.",
               f"Un groupe de {members!r} membres ne peut pas être montré : de {SIZES[0]} à {SIZES[-1]}.")
        )  # fmt: skip
    if not isinstance(failed, int) or failed < 0:
        raise UsageProblem(
            tr(f"{failed!r} is no number of failed members: 0 or more.",
               f"{failed!r} n'est pas un nombre de membres en panne : 0 ou plus.")
        )  # fmt: skip
    canvas = NotebookCanvas()
    start = Quorum(members, min(failed, members))
    import ipywidgets as w

    style = {"description_width": "9em"}
    wide = w.Layout(width="24em")
    size = w.IntSlider(
        start.members, SIZES[0], SIZES[-1], description=tr("members", "membres"), style=style, layout=wide
    )
    lost = w.IntSlider(start.failed, 0, members, description=tr("failed", "en panne"), style=style, layout=wide)
    picture, table = w.HTML(), w.HTML(table_html(start))

    def show(_: object = None) -> None:
        lost.max = size.value
        quorum = Quorum(size.value, min(lost.value, size.value))
        picture.value = picture_html(quorum)
        table.value = table_html(quorum)

    size.observe(show, names="value")
    lost.observe(show, names="value")
    show()
    box = w.VBox([size, lost, picture, table], layout=w.Layout(padding="4px 12px"))
    draw_widget(canvas, box, picture_html(start) + table_html(start), start.sentence() + "\n" + table_text())
