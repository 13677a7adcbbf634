"""The errors that only the magics raise."""

from __future__ import annotations

from collections.abc import Iterable

from labhelpers.errors import LabError
from labhelpers.i18n import tr


class Interrupted(LabError):
    """A person stopped a running cell."""

    def __init__(self, nodes: Iterable[str]) -> None:
        self.nodes = tuple(nodes)
        listed = ", ".join(self.nodes)
        super().__init__(
            tr(
                f"Interrupted: the command was ended on {listed}. Nodes and notebook are usable; run the "
                "cell again "
                "when you like.",
                f"Interruption : la commande a été arrêtée sur {listed}. Les nœuds et le notebook restent "
                "utilisables ; relancez la cellule quand vous voudrez.",
            )
        )


class WrongState(LabError):
    """The lab is not in the state that the chapter starts from."""


class StatementFailed(LabError):
    """PostgreSQL refused a statement on at least one node."""

    def __init__(self, reasons: dict[str, str]) -> None:
        self.reasons = dict(reasons)
        details = "; ".join(f"{node}: {reason}" for node, reason in self.reasons.items())
        super().__init__(tr(f"The statement failed. {details}", f"L'instruction a échoué. {details}"))


class NoChapter(LabError):
    """A magic needs to know the chapter, and none was opened."""

    def __init__(self) -> None:
        super().__init__(
            tr(
                "No chapter is open in this notebook. Run its first cell, %chapter, then this one again.",
                "Aucun chapitre n'est ouvert dans ce notebook. Exécutez sa première cellule, %chapter, puis celle-ci.",
            )
        )
