"""What a command prints, one block a node, in node order, drawn again while lines arrive.

Reading order never changes: the first node's block stays first however late it answers. A long output is folded
to its last lines, with the lines before them one click away. The text can be selected and copied as it stands.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from labhelpers.i18n import in_seconds, tr
from labhelpers.widgets.look import (
    BAD,
    FAINT,
    GOOD,
    LINE,
    MONO,
    MUTED,
    Canvas,
    escape,
    strip_terminal,
)

LIVE_LINES = 12
"""Lines a node shows while its command runs."""
FOLD_ABOVE = 40
"""All blocks together fit a screen with this many lines. Where they have more, the long ones are folded…"""
FOLDED_LINES = 15
"""…to this many at most, the last ones,…"""
FEWEST_LINES = 5
"""…and to no fewer than these."""
FEWEST_HIDDEN = 3
"""A fold that hides less is not worth its own line."""
KEPT_LINES = 2_000
"""Lines that are kept of one node: an executed notebook stays small."""
SLOW_SECONDS = 1.0
"""A command that took longer says so."""
REDRAW_SECONDS = 0.25

State = Literal["waiting", "running", "done", "interrupted"]


@dataclass(slots=True)
class Block:
    """One node's part of the output. ``exited`` is None until it ended, and where it never did (``error``)."""

    name: str
    colour: str
    state: State = "running"
    lines: list[tuple[str, bool]] = field(default_factory=list)  # (text, came from stderr)
    dropped: int = 0
    exited: int | None = None
    error: str | None = None
    took_seconds: float = 0.0
    failure_expected: bool = False

    def add(self, line: str, stderr: bool = False) -> None:
        self.lines.append((strip_terminal(line), stderr))
        if len(self.lines) > KEPT_LINES:
            half = KEPT_LINES // 2
            self.dropped += len(self.lines) - half
            del self.lines[:-half]

    def finish(self, exited: int | None, error: str | None, took_seconds: float) -> None:
        self.state = "done"
        self.exited, self.error, self.took_seconds = exited, error, took_seconds
        while self.lines and not self.lines[-1][0].strip():
            self.lines.pop()

    @property
    def length(self) -> int:
        """Its lines as they would stand unfolded."""
        return len(self.lines) + self.dropped if self.state == "done" else min(len(self.lines), LIVE_LINES)

    @property
    def failed(self) -> bool:
        return self.state == "done" and self.exited != 0

    def remark(self, now_seconds: float = 0.0) -> tuple[str, str | None]:
        """What is said below the output, and its colour: nothing where all went well and fast."""
        if self.state == "waiting":
            return tr("waiting", "en attente"), None
        if self.state == "running":
            return tr(f"running, {in_seconds(now_seconds, 0)}", f"en cours, {in_seconds(now_seconds, 0)}"), None
        if self.state == "interrupted":
            return tr("interrupted", "interrompu"), BAD
        took = f" · {in_seconds(self.took_seconds)}" if self.took_seconds >= SLOW_SECONDS else ""
        if self.exited == 0:
            return (
                (took[3:], None)
                if not self.failure_expected
                else (
                    tr("succeeded, and a failure was expected", "réussi, alors qu'un échec était attendu") + took,
                    BAD,
                )
            )
        what = (
            self.error or tr("no answer", "pas de réponse")
            if self.exited is None
            else tr(f"exit status {self.exited}", f"code de retour {self.exited}")
        )
        if self.failure_expected:
            return tr(f"failed, as expected: {what}", f"échec, comme prévu : {what}") + took, GOOD
        return what + took, BAD

    def hidden_lines(self, most: int) -> int:
        """How many of its first lines are folded where it may show ``most``."""
        count = len(self.lines) + self.dropped
        hidden = count - min(FOLDED_LINES, most)
        return hidden if count > most and hidden >= FEWEST_HIDDEN else 0

    def as_html(self, now_seconds: float = 0.0, most: int = FOLD_ABOVE) -> str:
        parts = []
        texts = self.lines
        if self.state != "done":
            texts = texts[-LIVE_LINES:]
        elif count := self.hidden_lines(most):
            cut = count - self.dropped
            before, texts = texts[:cut], texts[cut:]
            gone = tr(
                f" (the first {self.dropped} are not kept)",
                f" (les {self.dropped} premières ne sont pas gardées)",
            )
            parts.append(
                f'<details><summary style="{MUTED};cursor:pointer">'
                + tr(f"{count} lines before these", f"{count} lignes avant celles-ci")
                + (gone if self.dropped else "")
                + f"</summary>{_pre(before, self.failed and not self.failure_expected)}</details>"
            )
        if texts:
            parts.append(_pre(texts, self.failed and not self.failure_expected))
        remark, colour = self.remark(now_seconds)
        if remark:
            look = f"color:{colour}" if colour else MUTED
            parts.append(f'<div style="font-size:0.9em;{look}">{escape(remark)}</div>')
        if not parts:
            quiet = tr("done, no output", "fait, rien n'est affiché")
            parts.append(f'<div style="font-size:0.9em;{MUTED}">{quiet}</div>')
        edge = BAD if self.failed and not self.failure_expected else self.colour
        return (
            f'<div style="display:flex;border-left:3px solid {edge};margin:0 0 5px 0">'
            f'<div style="min-width:4.6em;padding:1px 10px;font-weight:600;{MONO};font-size:0.95em">'
            f"{escape(self.name)}</div>"
            f'<div style="flex:1 1 auto;min-width:0px;overflow-x:auto;padding:1px 0">{"".join(parts)}</div></div>'
        )

    def as_text(self, width: int, most: int = FOLD_ABOVE) -> str:
        """The same in plain text: the name at the left of the first line, the rest aligned below it."""
        texts = [text for text, _ in self.lines]
        if hidden := self.hidden_lines(most):
            texts = texts[hidden - self.dropped :]
            texts.insert(0, tr(f"… {hidden} lines before these", f"… {hidden} lignes avant celles-ci"))
        remark, _ = self.remark()
        if remark:
            texts.append(f"[{remark}]")
        texts = texts or [""]
        first, *rest = texts
        return "\n".join([f"{self.name:<{width}} {first}".rstrip(), *(f"{'':<{width}} {t}".rstrip() for t in rest)])


def _pre(lines: Sequence[tuple[str, bool]], failed: bool) -> str:
    """Lines as selectable text; where the command failed, what came from stderr stands out."""
    shown = []
    for text, stderr in lines:
        line = escape(text)
        shown.append(f'<span style="color:{BAD}">{line}</span>' if stderr and failed else line)
    body = "\n".join(shown)
    return (
        f'<pre style="margin:0;padding:0;background-color:transparent;white-space:pre;{MONO};line-height:1.35">'
        f"{body}</pre>"
    )


def note(text: str, colour: str = LINE) -> str:
    """A muted line between or below the blocks."""
    return (
        f'<div style="border-left:3px solid {colour};padding:1px 10px;margin:0 0 5px 0;font-size:0.9em;'
        f'background-color:{FAINT}">{escape(text)}</div>'
    )


def lines_each(lengths: Iterable[int]) -> int:
    """How many lines each block may show so that all of them fit a screen: short ones show all, the long ones share
    what is left.

    >>> lines_each([2, 30, 60])
    19
    """
    left = FOLD_ABOVE
    shortest_first = sorted(lengths)
    for place, length in enumerate(shortest_first):
        share = left // (len(shortest_first) - place)
        if length > share:
            return max(share, FEWEST_LINES)
        left -= length
    return FOLD_ABOVE


class BlocksView:
    """The blocks of one command on a canvas. Lines may come from any thread."""

    def __init__(self, canvas: Canvas, blocks: Iterable[Block], *, quiet: bool = False) -> None:
        self._canvas = canvas
        self._blocks = {block.name: block for block in blocks}
        self._quiet = quiet
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._dirty = True
        self.notes: list[str] = []

    def __getitem__(self, name: str) -> Block:
        return self._blocks[name]

    def add(self, name: str, line: str, stream: str = "stdout") -> None:
        with self._lock:
            self._blocks[name].add(line, stderr=stream == "stderr")
            self._dirty = True

    def finish(self, name: str, exited: int | None, error: str | None, took_seconds: float) -> None:
        with self._lock:
            self._blocks[name].finish(exited, error, took_seconds)
            self._dirty = True

    def interrupt(self) -> list[str]:
        """Mark what still ran as interrupted, and name it."""
        with self._lock:
            running = [block for block in self._blocks.values() if block.state in ("running", "waiting")]
            for block in running:
                block.state = "interrupted"
            self._dirty = True
        return [block.name for block in running]

    def draw(self) -> None:
        with self._lock:
            shown = [
                block
                for block in self._blocks.values()
                if not (self._quiet and block.state == "done" and not block.failed and not block.failure_expected)
            ]
            hushed = [block for block in self._blocks.values() if block not in shown]
            now = time.monotonic() - self._began
            width = max((len(name) for name in self._blocks), default=0)
            most = lines_each(block.length for block in shown)
            html = "".join(block.as_html(now, most) for block in shown)
            plain = [block.as_text(width, most) for block in shown]
            if hushed:
                took = max(block.took_seconds for block in hushed)
                line = "✓ " + " ".join(block.name for block in hushed) + f" · {in_seconds(took)}"
                html += note(line, GOOD)
                plain.append(line)
            for text in self.notes:
                html += note(text)
                plain.append(text)
            self._dirty = False
        self._canvas.draw(html, "\n".join(plain))

    def __enter__(self) -> BlocksView:
        """Draw now, and again while something changes; the last drawing is at the exit.

        The drawing thread runs in a copy of the cell's context, so that what it sends belongs to the cell.
        """
        self.draw()
        self._stop = threading.Event()
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._redraw,), daemon=True)
        self._thread.start()
        return self

    def _redraw(self) -> None:
        ticks = 0
        while not self._stop.wait(REDRAW_SECONDS):
            ticks += 1
            if self._dirty or ticks % 4 == 0:
                self.draw()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.draw()
