"""What the classes of magics share: the session and the notebook's variables."""

from __future__ import annotations

from typing import Any

from IPython.core.magic import Magics, magics_class

from labhelpers.magics.session import Session


@magics_class
class WorkshopMagics(Magics):
    """Magics that know the notebook's session."""

    def __init__(self, shell: Any, session: Session) -> None:
        super().__init__(shell)
        self.session = session

    @property
    def names(self) -> dict[str, Any]:
        """The notebook's variables."""
        namespace: dict[str, Any] = self.shell.user_ns if self.shell else {}
        return namespace
