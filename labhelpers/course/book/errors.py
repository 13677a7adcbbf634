"""What can be wrong with a book's input and with its place: both are the caller's to mend (exit status 2)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from labhelpers.errors import UsageProblem
from labhelpers.i18n import tr
from labhelpers.meant import command


class NothingExecuted(UsageProblem):
    """No chapter of the course was found executed."""

    def __init__(self, directories: Iterable[Path]) -> None:
        self.directories = tuple(directories)
        listed, run = ", ".join(str(directory) for directory in self.directories), command("run")
        super().__init__(
            tr(
                f"No executed notebook of the course is in {listed}. Make some: {run}",
                f"Aucun notebook exécuté du cours dans {listed}. Pour en produire : {run}",
            )
        )


class NotABook(UsageProblem):
    """The output directory holds something else; it stays untouched."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        super().__init__(
            tr(
                f"{directory} is there and is no book of this course; it stays as it is. "
                "Name an empty or new directory: --output DIR",
                f"{directory} existe et n'est pas un livre de ce cours ; il reste tel quel. "
                "Donnez un répertoire vide ou nouveau : --output DIR",
            )
        )


class BookNotWritable(UsageProblem):
    """The output directory can't be made."""

    def __init__(self, directory: Path, why: str) -> None:
        self.directory, self.why = directory, why
        super().__init__(
            tr(
                f"{directory} can't be written ({why}). Name another directory: --output DIR",
                f"{directory} est interdit en écriture ({why}). Autre répertoire : --output DIR",
            )
        )
