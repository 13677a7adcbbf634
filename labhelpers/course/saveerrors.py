"""What can be wrong with a save: its name, the lab that it belongs to, room on the disk."""

from __future__ import annotations

from collections.abc import Iterable

from labhelpers.errors import LabError, UsageProblem
from labhelpers.i18n import tr
from labhelpers.meant import command


class UnknownSave(UsageProblem):
    """Neither a chapter nor a save: what there is."""

    def __init__(self, name: str, chapters: Iterable[str], saves: Iterable[str]) -> None:
        self.name, self.chapters, self.saves = name, tuple(chapters), tuple(saves)
        numbers, names = ", ".join(self.chapters) or "-", ", ".join(self.saves) or "-"
        super().__init__(
            tr(f"There is no chapter and no save {name!r}. Chapters: {numbers}. Saves: {names}.",
               f"Il n'y a ni chapitre ni sauvegarde {name!r}. Chapitres : {numbers}. Sauvegardes : {names}.")
        )  # fmt: skip


class BadSaveName(UsageProblem):
    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            tr(f"{name!r} can't be a save's name: a lower-case letter, then lower-case letters, digits, '.', '_' "
               "or '-', at most 40 characters; auto-, after- and fresh are the workshop's own.",
               f"{name!r} ne peut pas nommer une sauvegarde : une minuscule, puis minuscules, chiffres, « . », "
               "« _ » ou « - », 40 caractères au plus ; auto-, after- et fresh sont réservés.")
        )  # fmt: skip


class SaveExists(UsageProblem):
    def __init__(self, name: str, lab: str | None = None) -> None:
        self.name = name
        delete = command(f"saves --delete {name}", lab)
        super().__init__(
            tr(f"There is a save {name!r} already. Take another name, or delete it: {delete}",
               f"La sauvegarde {name!r} existe déjà. Autre nom, ou suppression : {delete}")
        )  # fmt: skip


class SaveUnusable(LabError):
    """The save is of another image, network or version."""

    def __init__(self, name: str, why: str, lab: str | None = None) -> None:
        self.name, self.why = name, why
        saves = command("saves", lab)
        super().__init__(
            tr(f"The save {name!r} can't be used here: {why}. See the others: {saves}",
               f"La sauvegarde {name!r} est inutilisable ici : {why}. Voir les autres : {saves}")
        )  # fmt: skip


class DiskNearlyFull(LabError):
    """Refused before anything changed."""

    def __init__(self, directory: object, free_bytes: int, needed_bytes: int, lab: str | None = None) -> None:
        self.free_bytes, self.needed_bytes = free_bytes, needed_bytes
        free, needed = free_bytes >> 20, needed_bytes >> 20
        delete = command(tr("saves --delete NAME", "saves --delete NOM"), lab)
        super().__init__(
            tr(f"Only {free} MB are free in {directory}, and the nodes need {needed} MB to go on; nothing was "
               f"changed. Make room: {delete}",
               f"Il ne reste que {free} Mo dans {directory}, et il en faut {needed} aux nœuds ; rien n'a été "
               f"modifié. Pour faire de la place : {delete}")
        )  # fmt: skip


class NoRoomToExport(LabError):
    """Refused before anything was written."""

    def __init__(self, directory: object, free_bytes: int, needed_bytes: int) -> None:
        self.free_bytes, self.needed_bytes = free_bytes, needed_bytes
        free, needed = free_bytes >> 20, needed_bytes >> 20
        super().__init__(
            tr(f"The save may need {needed} MB, and {free} MB are free in {directory}; nothing was written. "
               "Name a file on another disk.",
               f"La sauvegarde peut demander {needed} Mo, et {free} Mo sont libres dans {directory} ; rien n'a été "
               "écrit. Nommez un fichier sur un autre disque.")
        )  # fmt: skip


class NoPlaceToExport(LabError):
    """Refused before anything was written."""

    def __init__(self, directory: object) -> None:
        super().__init__(
            tr(f"There is no directory {directory}; nothing was written. Make it first: mkdir -p {directory}",
               f"Il n'y a pas de répertoire {directory} ; rien n'a été écrit. Créez-le d'abord : mkdir -p {directory}")
        )  # fmt: skip


class StateFailed(LabError):
    """A chapter that makes the state of another did not pass."""

    def __init__(self, chapter: str, of: str, reason: str, notebook: object) -> None:
        self.chapter, self.of = chapter, of
        super().__init__(
            tr(f"The state for chapter {chapter} could not be made: chapter {of} did not pass ({reason}). "
               f"Its executed notebook: {notebook}",
               f"L'état du chapitre {chapter} n'a pas pu être préparé : le chapitre {of} n'a pas réussi "
               f"({reason}). Son notebook exécuté : {notebook}")
        )  # fmt: skip


class BadArchive(LabError):
    """The file is no save."""

    def __init__(self, path: object, why: str) -> None:
        super().__init__(
            tr(f"{path} can't be imported: {why}. Nothing was changed.",
               f"{path} ne peut pas être importé : {why}. Rien n'a été modifié.")
        )  # fmt: skip
