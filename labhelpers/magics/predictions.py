"""``%%predict`` and ``%outcome``: think first, then compare."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from IPython.core import magic_arguments
from IPython.core.magic import cell_magic, line_magic, magics_class, no_var_expand

from labhelpers.errors import LabError, UsageProblem
from labhelpers.i18n import tr
from labhelpers.magics.arguments import parse
from labhelpers.magics.base import WorkshopMagics
from labhelpers.widgets import prediction as predictions
from labhelpers.widgets.look import NotebookCanvas


@magics_class
class PredictionMagics(WorkshopMagics):
    """Predictions and what became of them."""

    @no_var_expand
    @magic_arguments.magic_arguments()
    @magic_arguments.argument("key", metavar="KEY", help="the name by which %%outcome finds the prediction")
    @cell_magic
    def predict(self, line: str, cell: str) -> None:
        """Ask for a prediction. The cell is YAML: question, answers, default."""
        args = parse(self.predict, line)
        asked = predictions.parse_prediction(args.key, cell)
        before = self.session.predictions.get(args.key)
        if before is not None and before.touched and before.answers == asked.answers:
            asked.chosen, asked.touched = before.chosen, True
        self.session.predictions[args.key] = asked
        predictions.ask(asked)

    @no_var_expand
    @line_magic
    def outcome(self, line: str) -> None:
        """%outcome KEY [--unit U] [--must CONDITION] EXPRESSION: what was predicted under KEY beside the value of the
        expression. With --must the cell fails where the value is not what the chapter says."""
        asked = split_outcome(line)
        must = predictions.condition_of(f"%outcome {asked.key}", asked.must) if asked.must else None
        measured = evaluate(asked.expression, self.names)
        found = self.session.predictions.get(asked.key)
        if found is not None:
            predictions.close(found)
        NotebookCanvas().draw(
            predictions.outcome_html(found, asked.key, measured, asked.unit),
            predictions.outcome_text(found, measured, asked.unit),
        )
        if must is not None and not must.is_right(measured):
            raise OutcomeDiffers(asked.key, predictions.measured_text(measured, asked.unit), asked.must)


@dataclass(frozen=True, slots=True)
class OutcomeLine:
    """What stands in a line of ``%outcome``. ``must`` is a value, or a condition over ``value``; "" where not said."""

    key: str
    expression: str
    unit: str = ""
    must: str = ""


_OPTION = re.compile(r"""--(?P<name>unit|must)\s+(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<plain>\S+))(?:\s+|$)""")


def split_outcome(line: str) -> OutcomeLine:
    """The parts of the line; the expression is kept as it is written. Raises :class:`UsageProblem`."""
    key, _, rest = line.strip().partition(" ")
    rest = rest.strip()
    options: dict[str, str] = {}
    while match := _OPTION.match(rest):
        options[match["name"]] = match["double"] or match["single"] or match["plain"] or ""
        rest = rest[match.end() :]
    if not key or not rest:
        raise UsageProblem(
            tr(
                "%outcome: write a key and an expression, such as: %outcome duration --unit s outage.seconds",
                "%outcome : écrivez une clé et une expression, par exemple : %outcome duree --unit s outage.seconds",
            )
        )
    return OutcomeLine(key, rest, **options)


class OutcomeDiffers(LabError):
    """What was measured is not what must hold after the cells above (``--must``)."""

    def __init__(self, key: str, measured: str, must: str) -> None:
        self.key, self.measured, self.must = key, measured, must
        super().__init__(
            tr(
                f"%outcome {key}: measured {measured}, and after the cells above it must be {must}. Did they all "
                "run, in order? From the start of the chapter: %goto and its number.",
                f"%outcome {key} : mesuré {measured}, alors qu'après les cellules précédentes on doit avoir {must}. "
                "Ont-elles toutes été exécutées, dans l'ordre ? Pour repartir du début du chapitre : %goto et son "
                "numéro.",
            )
        )


class NoOutcome(LabError):
    """The expression of %outcome could not be evaluated."""


def evaluate(expression: str, names: dict[str, Any]) -> Any:
    """The expression's value in the notebook. A lab's error passes as it is; others are :class:`NoOutcome`."""
    try:
        value = eval(expression, names)
    except LabError:
        raise
    except Exception as error:
        raise NoOutcome(
            tr(
                f"%outcome: {expression} has no value ({type(error).__name__}: {error}). Run the cells above first.",
                f"%outcome : {expression} n'a pas de valeur ({type(error).__name__} : {error}). Exécutez "
                "d'abord les "
                "cellules précédentes.",
            )
        ) from error
    item = getattr(value, "item", None)  # numpy's and pandas' scalars
    return item() if callable(item) and getattr(value, "ndim", 0) == 0 else value
