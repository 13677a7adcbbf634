"""A prediction: a question with a few answers, put before the act and held against what was measured after it.

The answer given is kept for the comparison. One answer is the default, so that a batch goes on; a default that nobody
chose is never shown as somebody's opinion. Once the outcome is known the question is closed.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from labhelpers.errors import UsageProblem
from labhelpers.i18n import decimal, tr
from labhelpers.widgets.look import BAD, GOOD, LINE, MUTED, NotebookCanvas, card, draw_widget, escape

YES, NO = ("true", "yes", "oui", "vrai"), ("false", "no", "non", "faux")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, and what makes it right: the measured value itself, or an expression over ``value``."""

    label: str
    holds: str
    is_expression: bool = False

    def is_right(self, measured: Any) -> bool:
        if self.is_expression:
            try:
                return bool(eval(self.holds, {"__builtins__": {}}, {"value": measured}))
            except TypeError:  # nothing was measured, or no number: it does not fit
                return False
        said, seen = self.holds.strip().casefold(), _as_text(measured).casefold()
        if isinstance(measured, bool):
            return said in (YES if measured else NO)
        try:
            return float(said.replace(",", ".")) == float(measured)
        except (TypeError, ValueError):
            return said == seen


@dataclass(slots=True)
class Prediction:
    """A question, its answers, and the one that is chosen."""

    key: str
    question: str
    answers: tuple[Answer, ...]
    chosen: int
    touched: bool = False
    closed: bool = False
    canvas: NotebookCanvas | None = field(default=None, repr=False)
    widget: Any = field(default=None, repr=False)

    @property
    def label(self) -> str:
        return self.answers[self.chosen].label

    def verdict(self, measured: Any) -> bool | None:
        """Whether the chosen answer is what was measured; None where no answer fits the measured value."""
        fitting = self.right_answers(measured)
        return self.answers[self.chosen] in fitting if fitting else None

    def right_answers(self, measured: Any) -> list[Answer]:
        return [answer for answer in self.answers if answer.is_right(measured)]


def _as_text(value: Any) -> str:
    return decimal(value) if isinstance(value, float) else str(value)


def parse_prediction(key: str, body: str) -> Prediction:
    """Read the YAML of a ``%%predict`` cell.

    ``answers`` is a list of texts, or of ``text: condition`` where the condition is a value or an expression over
    ``value`` (``value < 3``). ``default`` is one of the texts, or its place from 1. Raises :class:`UsageProblem`.
    """
    where = f"%%predict {key}"
    try:
        read = yaml.load(body, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        raise _wrong(where, tr(f"not YAML ({_problem(error)})", f"pas du YAML ({_problem(error)})")) from error
    if not isinstance(read, Mapping):
        raise _wrong(where, tr("write question:, answers: and default:", "écrivez question:, answers: et default:"))
    question, listed = read.get("question"), read.get("answers")
    if not isinstance(question, str) or not question.strip():
        raise _wrong(where, tr("question: is missing", "question: manque"))
    if not isinstance(listed, list) or len(listed) < 2:
        raise _wrong(where, tr("answers: needs at least two", "answers: en demande au moins deux"))
    answers = tuple(_answer(where, item) for item in listed)
    labels = [answer.label for answer in answers]
    default = str(read.get("default", labels[0])).strip()
    if default in labels:
        chosen = labels.index(default)
    elif default.isdigit() and 1 <= int(default) <= len(labels):
        chosen = int(default) - 1
    else:
        raise _wrong(
            where, tr(f"default: {default} is none of the answers", f"default: {default} n'est pas une réponse")
        )
    return Prediction(key, question.strip(), answers, chosen)


def _answer(where: str, item: Any) -> Answer:
    if isinstance(item, Mapping) and len(item) == 1:
        ((label, holds),) = item.items()
        holds = str(holds)
    elif isinstance(item, str):
        label = holds = item
    else:
        raise _wrong(where, tr(f"{item!r} is not an answer", f"{item!r} n'est pas une réponse"))
    if isinstance(item, Mapping):
        return condition_of(where, holds, str(label))
    return Answer(label.strip(), holds)


def condition_of(where: str, holds: str, label: str = "") -> Answer:
    """What holds where the measured value is ``holds``, or fits it: ``value < 3``. Raises :class:`UsageProblem`."""
    is_expression = "value" in holds
    if is_expression:
        _check_expression(where, holds)
    return Answer(label.strip(), holds, is_expression)


_ALLOWED = (
    ast.Expression,
    ast.Compare,
    ast.BoolOp,
    ast.UnaryOp,
    ast.And,
    ast.Or,
    ast.Not,
    ast.USub,
    ast.Name,
    ast.Constant,
    ast.Load,
    ast.Lt,
    ast.LtE,
    ast.Gt,
    ast.GtE,
    ast.Eq,
    ast.NotEq,
    ast.In,
    ast.NotIn,
    ast.Tuple,
    ast.List,
)


def _check_expression(where: str, text: str) -> None:
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError) as error:
        raise _wrong(where, tr(f"{text!r} is not a condition", f"{text!r} n'est pas une condition")) from error
    for part in ast.walk(tree):
        if not isinstance(part, _ALLOWED) or (isinstance(part, ast.Name) and part.id != "value"):
            raise _wrong(
                where,
                tr(f"{text!r}: compare `value`, nothing else", f"{text!r} : comparez `value`, rien d'autre"),
            )


def _wrong(where: str, why: str) -> UsageProblem:
    return UsageProblem(tr(f"{where}: {why}.", f"{where} : {why}."))


def _problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    line = f", {tr('line', 'ligne')} {mark.line + 1}" if mark else ""
    return f"{getattr(error, 'problem', None) or 'YAML'}{line}"


def question_html(prediction: Prediction) -> str:
    """The question as it reads without a kernel: the answers, and the one that is chosen."""
    rows = []
    for place, answer in enumerate(prediction.answers):
        chosen = place == prediction.chosen
        mark = "●" if chosen else "○"
        tail = ""
        if chosen and not prediction.touched:
            nobody = tr("not chosen by anyone yet", "pas encore choisie")
            tail = f' <span style="{MUTED};font-size:0.9em">{nobody}</span>'
        weight = "font-weight:600" if chosen and prediction.touched else ("" if chosen else MUTED)
        rows.append(f'<div style="padding:1px 0;{weight}">{mark} {escape(answer.label)}{tail}</div>')
    title = f'<div style="font-weight:600;margin:0 0 4px 0">{escape(prediction.question)}</div>'
    return card(title + "".join(rows), LINE)


def question_text(prediction: Prediction) -> str:
    rows = [
        f"({'x' if place == prediction.chosen else ' '}) {answer.label}"
        for place, answer in enumerate(prediction.answers)
    ]
    return "\n".join([prediction.question, *rows])


def outcome_html(prediction: Prediction | None, key: str, measured: Any, unit: str = "") -> str:
    """What was predicted beside what was measured."""
    said = escape(prediction.label) if prediction else tr("no prediction was made", "aucune prédiction")
    if prediction and not prediction.touched:
        nobody = tr("the default; nobody chose", "par défaut ; personne n’a choisi")
        said = f'<span style="{MUTED}">{said} ({nobody})</span>'
    verdict, colour = verdict_of(prediction, measured)
    cell = "padding:2px 22px 2px 0;text-align:left;vertical-align:top;border:none;background-color:transparent"
    head = f"{cell};{MUTED};font-weight:400;font-size:0.9em"
    question = f'<div style="{MUTED};margin:0 0 4px 0">{escape(prediction.question)}</div>' if prediction else ""
    table = (
        f'<table style="border:none;margin:0"><tr style="background-color:transparent">'
        f'<th style="{head}">{tr("predicted", "prédit")}</th><th style="{head}">{tr("measured", "mesuré")}</th>'
        f'<th style="{head}"></th></tr><tr style="background-color:transparent"><td style="{cell}">{said}</td>'
        f'<td style="{cell};font-weight:600">{escape(measured_text(measured, unit))}</td>'
        f'<td style="{cell};color:{colour}">{escape(verdict)}</td></tr></table>'
    )
    return card(question + table, colour if colour != "inherit" else LINE)


def measured_text(measured: Any, unit: str = "") -> str:
    if isinstance(measured, bool):
        return tr("yes", "oui") if measured else tr("no", "non")
    if isinstance(measured, (list, tuple, set)):
        return ", ".join(str(item) for item in measured) or "—"
    if measured is None:
        return "—"
    return _as_text(measured) + (f" {unit}" if unit else "")


def verdict_of(prediction: Prediction | None, measured: Any) -> tuple[str, str]:
    """The verdict in words, and its colour."""
    if prediction is None:
        return "", "inherit"
    verdict = prediction.verdict(measured)
    if verdict is None:
        return "", "inherit"
    right = prediction.right_answers(measured)[0].label
    if not prediction.touched:
        return tr(f"the answer: {right}", f"la réponse : {right}"), "inherit"
    if verdict:
        return tr("✓ as predicted", "✓ comme prédit"), GOOD
    return tr(f"✗ other than predicted: {right}", f"✗ autre que prédit : {right}"), BAD


def outcome_text(prediction: Prediction | None, measured: Any, unit: str = "") -> str:
    said = prediction.label if prediction else "—"
    verdict, _ = verdict_of(prediction, measured)
    return f"{tr('predicted', 'prédit')}: {said} | {tr('measured', 'mesuré')}: {measured_text(measured, unit)}" + (
        f" | {verdict}" if verdict else ""
    )


def ask(prediction: Prediction) -> None:
    """Show the question with its radio buttons."""
    import ipywidgets as w

    choices = w.RadioButtons(
        options=[(answer.label, place) for place, answer in enumerate(prediction.answers)],
        value=prediction.chosen if prediction.touched else None,
        layout=w.Layout(width="max-content"),
    )
    title = w.HTML(f'<div style="font-weight:600;line-height:1.4">{escape(prediction.question)}</div>')
    said = w.HTML()
    box = w.VBox([title, choices, said], layout=w.Layout(padding="4px 12px", border_left=f"3px solid {LINE}"))

    def choose(change: Mapping[str, Any]) -> None:
        if change["new"] is None or prediction.closed:
            return
        prediction.chosen, prediction.touched = int(change["new"]), True
        noted = tr("Noted. The chapter comes back to it.", "C'est noté. Le chapitre y reviendra.")
        said.value = f'<span style="{MUTED};font-size:0.9em">{noted}</span>'

    choices.observe(choose, names="value")
    prediction.widget = box
    prediction.canvas = NotebookCanvas()
    draw_widget(prediction.canvas, box, question_html(prediction), question_text(prediction))


def close(prediction: Prediction) -> None:
    """The outcome is known: from now on the question shows what was chosen and can't be changed."""
    prediction.closed = True
    if prediction.canvas is not None:
        prediction.canvas.draw(question_html(prediction), question_text(prediction))
    if prediction.widget is not None:
        prediction.widget.close()
        prediction.widget = None
