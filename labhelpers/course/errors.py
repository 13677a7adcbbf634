"""What can be wrong with a course: its sources, a chapter's name, its notebooks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from labhelpers.errors import LabError, UsageProblem
from labhelpers.i18n import tr
from labhelpers.meant import command, program


class SourceError(LabError):
    """A chapter's source can't become notebooks: file, line, and what is wrong there."""

    def __init__(self, path: Path, line: int, why: str) -> None:
        self.path, self.line, self.why = path, line, why
        super().__init__(f"{path}:{line}: {why}")


class SourceErrors(LabError):
    """All that is wrong with a course's sources, a line each."""

    def __init__(self, errors: Iterable[SourceError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in self.errors))


class UnknownChapter(UsageProblem):
    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name, self.known = name, tuple(known)
        listed = ", ".join(self.known) or "-"
        super().__init__(
            tr(
                f"There is no chapter {name!r}. The chapters are: {listed}.",
                f"Il n'y a pas de chapitre {name!r}. Les chapitres sont : {listed}.",
            )
        )


class UnknownParameter(UsageProblem):
    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name, self.known = name, tuple(known)
        listed = ", ".join(self.known) or "-"
        super().__init__(
            tr(
                f"No chosen chapter has a parameter {name!r}. The parameters are: {listed}.",
                f"Aucun chapitre choisi n'a de paramètre {name!r}. Les paramètres sont : {listed}.",
            )
        )


class ParameterTooLarge(UsageProblem):
    """A lease longer than the chapters' waits allow for; ``value`` and ``most`` are in seconds."""

    def __init__(self, name: str, value: float, most: float) -> None:
        self.name, self.value, self.most = name, value, most
        super().__init__(
            tr(
                f"{name} is {value:g}; the chapters can wait for {most:g} s. Take a smaller one: -p {name} {most:g}",
                f"{name} vaut {value:g} ; les chapitres peuvent attendre {most:g} s. Un plus petit : "
                f"-p {name} {most:g}",
            )
        )


class NothingToResume(UsageProblem):
    """There is no run that was cut off; ``directory`` is where one was looked for."""

    def __init__(self, directory: Path, why: str) -> None:
        self.directory = directory
        run = command("run")
        super().__init__(
            tr(
                f"Nothing to resume in {directory}: {why}. Start a run: {run}",
                f"Rien à reprendre dans {directory} : {why}. Pour lancer un lot : {run}",
            )
        )


class RunUnderWay(LabError):
    """Another process is at work on that run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        super().__init__(
            tr(
                f"The run in {directory} is still under way. Wait for its end, or stop it with Ctrl-C.",
                f"Le lot de {directory} est encore en cours. Attendez sa fin, ou arrêtez-le par Ctrl-C.",
            )
        )


class NotebooksMissing(LabError):
    """The package was installed away from its clone, or the notebooks were not generated."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            tr(
                f"{path} is not there. The course runs from its clone: cd there, then ./workshop notebooks",
                f"{path} n'existe pas. Le cours vit dans son clone : allez-y, puis ./workshop notebooks",
            )
        )


class NotebooksDiffer(LabError):
    """The committed notebooks are not those that the sources give."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.paths = tuple(paths)
        listed, generate = ", ".join(str(path) for path in self.paths), f"{program()} notebooks"
        super().__init__(
            tr(
                f"These notebooks differ from their source: {listed}. Generate them: {generate}",
                f"Ces notebooks diffèrent de leur source : {listed}. Pour les régénérer : {generate}",
            )
        )
