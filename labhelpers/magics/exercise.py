"""``%%solution``: an exercise's answer, which acts only while the trainee's own has not."""

from __future__ import annotations

from IPython.core import magic_arguments
from IPython.core.magic import cell_magic, magics_class, no_var_expand

from labhelpers.checks import find_check, run_check
from labhelpers.i18n import tr
from labhelpers.magics.arguments import parse
from labhelpers.magics.base import WorkshopMagics
from labhelpers.widgets.look import GOOD, MUTED, NotebookCanvas, card, escape


@magics_class
class ExerciseMagics(WorkshopMagics):
    """Exercises: one source for the empty cell and its solution."""

    @no_var_expand
    @magic_arguments.magic_arguments()
    @magic_arguments.argument("name", metavar="CHECK", help="the check that tells whether the exercise is done")
    @cell_magic
    def solution(self, line: str, cell: str) -> None:
        """Run the cell only while that check fails: a batch gets the solution, a trainee's own work stays."""
        name = find_check(parse(self.solution, line).name).name
        canvas = NotebookCanvas()
        if run_check(self.session.lab(), name).passed:
            said = tr("Done already: the solution is not needed.", "Déjà fait : la solution est inutile.")
            canvas.draw(card(f'<span style="color:{GOOD}">✓</span> {escape(said)}', GOOD), f"✓ {said}")
            return
        said = tr(f"{name} does not pass yet: the solution runs.", f"{name} ne passe pas encore : place à la solution.")
        canvas.draw(card(f'<span style="{MUTED}">{escape(said)}</span>'), said)
        assert self.shell is not None
        # Not run_cell: it shows an error and swallows it, and the cell would seem to have succeeded.
        exec(compile(self.shell.transform_cell(cell), f"<solution of {name}>", "exec"), self.names)
