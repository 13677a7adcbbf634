"""The panel's HTML and its style: JupyterLab's own CSS variables, so that light and dark themes need no code."""

from __future__ import annotations

from collections.abc import Sequence

from labhelpers.i18n import tr
from labhelpers.topology import Topology
from labhelpers.widgets.look import BAD, FAINT, GOOD, LINE, MONO, MUTED, colour_of, escape
from labhelpers.widgets.panel_model import Card, Clock, PanelState, Tile, clock_sentence

STYLE = """
<style>
.workshop-panel { color: var(--jp-ui-font-color1, inherit); font-family: var(--jp-ui-font-family, sans-serif);
  font-size: 13px; line-height: 1.35; padding: 10px; box-sizing: border-box; width: 100%; overflow: clip visible; }
.workshop-panel .widget-html, .workshop-panel .widget-html-content { line-height: 1.35; width: auto; margin: 0;
  overflow: hidden; height: auto; }
.workshop-panel .jupyter-widgets { margin-left: 0; margin-right: 0; }
.workshop-tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(76px, 1fr)); gap: 6px; }
.workshop-tile { border: 1px solid var(--jp-border-color1, #bbb); border-radius: 6px; padding: 4px 7px; min-width: 0; }
.workshop-tile b { display: block; font-size: 12px; overflow-wrap: anywhere; text-wrap: balance; }
.workshop-tile .mark { display: inline-block; width: 9px; height: 9px; margin-right: 5px; border-radius: 50%;
  background: currentColor; }
.workshop-tile.leader { border: 2px solid var(--workshop-member); padding: 3px 6px; }
.workshop-tile.frozen { opacity: .85; background: repeating-linear-gradient(135deg, transparent 0 6px,
  var(--jp-border-color2, #ddd) 6px 8px); }
.workshop-tile.frozen .mark, .workshop-tile.stopped .mark { border-radius: 0; color: #8a939b; }
.workshop-tile.stopped { border-style: dashed; opacity: .75; }
.workshop-tile.unknown .mark { background: none; border: 2px solid currentColor; box-sizing: border-box; }
.workshop-cards { display: grid !important; grid-template-columns: repeat(auto-fill, minmax(170px, 1fr));
  gap: 8px; margin: 8px 0 !important; overflow: visible !important; }
.workshop-card { border: 1px solid var(--jp-border-color1, #bbb); border-radius: 6px; padding: 7px 9px;
  display: flex; justify-content: space-between; min-width: 0; overflow: visible !important;
  background: var(--jp-layout-color1, transparent); }
.workshop-card.runs { border-color: #d1350f; background: rgba(209, 53, 15, .09); }
.workshop-card p { margin: 2px 0 0 0; color: var(--jp-ui-font-color2, inherit); }
.workshop-card .note { font-size: 12px; text-wrap: balance; }
.workshop-card .off { opacity: .72; }
.workshop-card .jupyter-button { width: auto; min-width: max-content; flex: 0 0 auto; height: 28px;
  line-height: 26px; padding: 0 10px; margin: 2px 6px 2px 0; overflow: visible; }
.workshop-card .widget-hbox, .workshop-card .jupyter-widget-hbox { flex-wrap: wrap; overflow: visible; }
.workshop-panel .jupyter-button { border-radius: 4px; border: 1px solid var(--jp-border-color1, #999);
  background: var(--jp-layout-color1, #fff); color: var(--jp-ui-font-color1, #000); font-size: 13px; }
.workshop-panel .jupyter-button:hover:enabled { background: var(--jp-layout-color2, #eee); }
.workshop-panel .jupyter-button:focus-visible { outline: 3px solid #56b4e9; outline-offset: 2px; }
.workshop-panel .jupyter-button:disabled { opacity: .5; cursor: not-allowed; }
.workshop-panel .workshop-busy { cursor: progress; border-style: dashed; }
.workshop-panel .runs .workshop-go { background: #c62f0d; border-color: #c62f0d; color: #fff; }
.workshop-panel .runs .workshop-go:hover:enabled { background: #a82509; }
.workshop-panel .workshop-heal { background: #0072b2; border-color: #0072b2; color: #fff; height: 40px;
  line-height: 38px; width: auto; min-width: 150px; font-size: 15px; padding: 0 18px; flex: 0 0 auto; }
.workshop-panel .workshop-heal:hover:enabled { background: #005c91; }
.workshop-panel .workshop-bottom { position: sticky; bottom: 0; z-index: 1; overflow: visible !important;
  flex: 0 0 auto; background: var(--jp-layout-color1, #fff); }
.workshop-panel .workshop-foot { align-items: center; justify-content: space-between; gap: 12px;
  margin: 8px 0 !important; padding: 6px 0; overflow: visible !important; flex: 0 0 auto; }
.workshop-panel a { color: var(--jp-content-link-color, #1976d2); text-decoration: underline; }
.workshop-panel .workshop-message { margin-top: 3px; color: var(--jp-ui-font-color2, inherit); }
.workshop-panel.charted .workshop-cards { grid-template-columns: repeat(auto-fill, minmax(140px, 1fr)); gap: 6px; }
.workshop-panel.charted .workshop-card { padding: 4px 7px; }
.workshop-panel.charted .explains { display: none; }
.workshop-panel.charted .workshop-heal { height: 34px; line-height: 32px; }
.workshop-panel.charted .workshop-foot { margin: 2px 0 !important; padding: 4px 0; }
.workshop-bar { position: relative; height: 7px; margin-top: 5px; background: var(--jp-border-color2, #ddd);
  border-radius: 4px; overflow: hidden; max-width: 420px; }
.workshop-bar i { position: absolute; top: 0; height: 7px; }
.workshop-log { font-family: var(--jp-code-font-family, monospace); font-size: 12px; white-space: pre-wrap;
  background: var(--jp-layout-color2, #f4f6f8); border-radius: 6px; padding: 8px 10px; }
.workshop-panel details, .workshop-panel summary { margin: 0; }
</style>
"""


def tiles_html(state: PanelState, topology: Topology) -> str:
    tiles = "".join(_tile_html(tile, colour_of(tile.node, topology)) for tile in state.tiles)
    label = tr("The nodes now", "Les nœuds maintenant")
    return f'<div class="workshop-tiles" role="list" aria-label="{label}">{tiles}</div>'


def _tile_html(tile: Tile, colour: str) -> str:
    mark = f"color:{colour}" if tile.shape not in ("frozen", "stopped") else ""
    return (
        f'<div class="workshop-tile {tile.shape}" role="listitem" style="--workshop-member:{colour}" '
        f'title="{escape(tile.node)}: {escape(tile.line)}"><span class="mark" style="{mark}"></span>'
        f"{escape(tile.node)}<b>{escape(tile.line)}</b></div>"
    )


def card_html(card: Card) -> str:
    off = "" if card.enabled or card.runs else ' class="off"'
    link = f" {source_link(card.source)}" if card.source else ""
    note = f'<p class="note">{escape(card.note)}{link}</p>' if card.note else ""
    what = "explains" if card.enabled and not card.runs else ""
    return f'<div{off}><b>{escape(card.title)}</b><p class="{what}">{escape(card.text)}</p>{note}</div>'


def source_link(url: str) -> str:
    """Where a prediction's formula comes from."""
    where = tr("Patroni's documentation", "La documentation de Patroni")
    word = tr("source", "source")
    return f'<a href="{escape(url)}" target="_blank" rel="noopener" title="{where}">{word}</a>'


def clock_html(clock: Clock | None, message: str) -> str:
    """The clock or the last result, and below it ``message`` (HTML). A clock that counts is not read out."""
    counting = f'<div role="timer">{clock_sentence(clock)}{_bar(clock)}</div>' if clock and clock.counts else ""
    result = f"<div>{clock_sentence(clock)}{_bar(clock)}</div>" if clock and not clock.counts else ""
    words = f'<div class="workshop-message">{message}</div>' if message else ""
    return f'{counting}<div role="status" aria-live="polite">{result}{words}</div>'


def _bar(clock: Clock) -> str:
    if clock.band is None or clock.undisturbed:
        return ""
    seconds = clock.waited_seconds or clock.new_leader_after_seconds or clock.elapsed_seconds
    whole = max(clock.band[1] * 1.15, seconds)
    low, high, now = (100 * value / whole for value in (*clock.band, seconds))
    return (
        f'<div class="workshop-bar"><i style="left:{low:.1f}%;width:{high - low:.1f}%;background:#e9c46a"></i>'
        f'<i style="left:0;width:{now:.1f}%;background:{BAD};opacity:.8;height:3px;top:2px"></i></div>'
    )


def log_html(lines: Sequence[str]) -> str:
    empty = tr("Nothing has happened yet.", "Il ne s'est encore rien passé.")
    body = "\n".join(escape(line) for line in lines) or empty
    label = tr("Last events", "Derniers événements")
    return f'<div class="workshop-log" role="log" aria-label="{label}">{body}</div>'


def summary_html(state: PanelState, topology: Topology, lines: Sequence[str]) -> str:
    """What stays in the executed notebook: plain tags and inline styles, for a reader without a kernel."""
    cells = "".join(
        f'<td style="border:1px solid {LINE};padding:3px 9px;text-align:left;background-color:transparent">'
        f'<span style="color:{colour_of(tile.node, topology)}">{_mark(tile)}</span> {escape(tile.node)}<br>'
        f"<b>{escape(tile.line)}</b></td>"
        for tile in state.tiles
    )
    running = [card for card in state.cards if card.runs]
    what = "".join(f"<li>{escape(card.title)} — {escape(card.text)}</li>" for card in running)
    now = (
        f'<ul style="margin:4px 0">{what}</ul>' if what else f'<div style="{MUTED};margin:4px 0">{_quiet(state)}</div>'
    )
    log = "<br>".join(escape(line) for line in lines)
    events = f'<div style="{MONO};font-size:0.9em;background-color:{FAINT};padding:6px 10px">{log}</div>' if log else ""
    return f'<table style="border-collapse:collapse;margin:0"><tr>{cells}</tr></table>{now}{events}'


def _mark(tile: Tile) -> str:
    return {"frozen": "■", "stopped": "□", "unknown": "○", "leader": "◆"}.get(tile.shape, "●")


def _quiet(state: PanelState) -> str:
    if state.anything_to_heal:
        return tr("No incident, but not every node runs.", "Pas d'incident, mais des nœuds ne tournent pas.")
    return f'<span style="color:{GOOD}">✓</span> ' + tr("No incident runs.", "Aucun incident en cours.")


def summary_text(state: PanelState, lines: Sequence[str]) -> str:
    tiles = " | ".join(f"{tile.node} {tile.line}" for tile in state.tiles)
    running = [f"{card.title} — {card.text}" for card in state.cards if card.runs]
    return "\n".join([tiles, *running, *lines])
