"""Where the seconds of an outage went, beside what was predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labhelpers.charts.axes import fits, second_ticks
from labhelpers.charts.incident import FONT
from labhelpers.charts.palette import BLUE, ORANGE, PURPLE, THEMES, VERMILION, ThemeName
from labhelpers.i18n import in_seconds, seconds, tr
from labhelpers.observe.outage import Layer, Outage
from labhelpers.prediction import Prediction

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

HEIGHT = 230
PIXELS = 860.0
COLOURS = {
    "writes go on": "#9AA3AD", "detect": "#6B7480", "elect": ORANGE, "promote": VERMILION, "reconnect": BLUE,
    "wait": PURPLE,
}  # fmt: skip
BAR = (0.30, 0.62)
PREDICTION = (0.72, 0.80)
BELOW = -0.14
LABEL_GAP_PIXELS = 14


def layers_figure(
    outage: Outage, prediction: Prediction | None = None, *, theme: ThemeName = "both", height: int = HEIGHT
) -> Figure:
    """One bar from the fault to the first commit, cut by layer; above it the interval predicted (the outage's
    own).

    A layer too short for its name has it below, at the end of a line.
    """
    from plotly.graph_objects import Figure

    colours = THEMES[theme]
    prediction = prediction or outage.prediction
    layers = [layer for layer in outage.layers if layer.seconds > 0]
    total = sum(layer.seconds for layer in layers)
    shows_band = prediction is not None and prediction.mechanism != "none"
    highest = max(total, prediction.high_seconds if prediction and shows_band else 0.0, 0.5) * 1.18
    shapes: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    outside: list[Layer] = []
    for layer in layers:
        colour = COLOURS[layer.name]
        shapes.append(_box(layer.begin_seconds, layer.begin_seconds + layer.seconds, BAR, colour))
        text = f"{layer.title} {in_seconds(layer.seconds)}"
        if fits(text, layer.seconds, highest, PIXELS):
            at = layer.begin_seconds + layer.seconds / 2
            annotations.append(_words(at, sum(BAR) / 2, text, "#FFFFFF"))
        else:
            outside.append(layer)
    annotations += _below(outside, highest)
    if prediction is not None and shows_band:
        shapes.append(_box(prediction.low_seconds, prediction.high_seconds, PREDICTION, colours.sand, opacity=1))
        text = tr("predicted", "prédit") + f" {prediction.interval}   ({prediction.formula}; {_link(prediction)})"
        middle = (prediction.low_seconds + prediction.high_seconds) / 2
        annotations.append(_words(middle, PREDICTION[1] + 0.11, text, colours.sand_text))
    return Figure(
        data=[_hover(layers)],
        layout={
            "template": "none", "autosize": True, "height": height, "showlegend": False, "shapes": shapes,
            "annotations": annotations, "paper_bgcolor": colours.background, "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": FONT, "size": 12, "color": colours.text},
            "margin": {"l": 30, "r": 24, "t": 46, "b": 46},
            "title": {"text": _title(outage, total), "x": 0.01, "xanchor": "left", "y": 0.97, "yanchor": "top",
                      "font": {"size": 15, "color": colours.text}},
            "xaxis": {"range": [0, highest], "tickvals": second_ticks(0, highest), "gridcolor": colours.grid,
                      "zeroline": False, "fixedrange": True,
                      "title": {"text": tr("seconds after the fault", "secondes après la panne"), "standoff": 4}},
            "yaxis": {"range": [-0.32, 1], "visible": False, "fixedrange": True},
        },
    )  # fmt: skip


def _link(prediction: Prediction) -> str:
    return f'<a href="{prediction.url}">{tr("source", "source")}</a>'


def _title(outage: Outage, total: float) -> str:
    if not outage.interrupted:
        return tr("Nobody had to wait", "Personne n'a attendu")
    if outage.first_commit_at is None:
        return tr("The outage is not over", "L'interruption n'est pas finie")
    return tr(f"Where the {seconds(total)} went", f"Où sont passées les {seconds(total)}")


def _box(begin: float, end: float, height: tuple[float, float], colour: str, opacity: float = 0.95) -> dict[str, Any]:
    return {
        "type": "rect", "xref": "x", "yref": "y", "x0": round(begin, 3), "x1": round(end, 3), "y0": height[0],
        "y1": height[1], "fillcolor": colour, "opacity": opacity, "line": {"width": 0}, "layer": "above",
    }  # fmt: skip


def _words(at: float, height: float, text: str, colour: str) -> dict[str, Any]:
    return {
        "x": round(at, 3), "y": height, "xref": "x", "yref": "y", "text": text, "showarrow": False,
        "font": {"size": 12, "color": colour}, "xanchor": "center", "yanchor": "middle",
    }  # fmt: skip


def _below(layers: list[Layer], highest: float) -> list[dict[str, Any]]:
    """Names below the bar, pushed apart where they would touch, each with a line to its layer."""

    def width(layer: Layer) -> float:
        longest = max(len(layer.name) + 2, len(layer.title), 6)
        return (min(longest, 16) * 6.8 + LABEL_GAP_PIXELS) * highest / PIXELS

    centres: list[float] = []
    for layer in layers:
        wanted = layer.begin_seconds + layer.seconds / 2
        if centres:
            previous = layers[len(centres) - 1]
            wanted = max(wanted, centres[-1] + (width(previous) + width(layer)) / 2)
        centres.append(wanted)
    if layers:
        overhang = max(centres[-1] + width(layers[-1]) / 2 - highest, 0.0)
        first = layers[0].begin_seconds + layers[0].seconds / 2
        room = (centres[0] - width(layers[0]) / 2) if centres else 0.0
        shift = max(overhang, min(centres[-1] - first, room) * 0.35 if len(layers) > 1 else 0.0)
        centres = [centre - shift for centre in centres]
    annotations: list[dict[str, Any]] = []
    for layer, centre in zip(layers, centres, strict=True):
        name = layer.title.split(" :")[0].split(":")[0]
        annotations.append(
            {
                "x": round(layer.begin_seconds + layer.seconds / 2, 3), "y": BAR[0], "xref": "x", "yref": "y",
                "ax": round(centre, 3), "ay": BELOW + 0.14, "axref": "x", "ayref": "y", "showarrow": True,
                "arrowhead": 0, "arrowwidth": 1.2, "arrowcolor": COLOURS[layer.name], "text": "",
            }
        )  # fmt: skip
        label = _words(centre, BELOW, f"{name}<br>{seconds(layer.seconds)}", COLOURS[layer.name])
        annotations.append(label)
    return annotations


def _hover(layers: list[Layer]) -> dict[str, Any]:
    """Invisible points that carry what the mouse shows: each layer's seconds and who told them."""
    return {
        "type": "scatter", "mode": "markers", "marker": {"size": 26, "opacity": 0}, "hoverinfo": "text",
        "x": [round(layer.begin_seconds + layer.seconds / 2, 3) for layer in layers],
        "y": [sum(BAR) / 2 for _ in layers],
        "hovertext": [f"{layer.title}<br>{seconds(layer.seconds)} ({layer.source})" for layer in layers],
    }  # fmt: skip
