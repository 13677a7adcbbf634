"""The way into the course, as an extension of the Jupyter server.

``/workshop`` leads to the first chapter in the language that the browser asks for, unless ``workshop start
--language`` chose one.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web

from labhelpers.course.chapters import chapter_files
from labhelpers.course.frontend import first_page
from labhelpers.i18n import Language, language, tr
from labhelpers.meant import command

PATH = "/workshop"
CHOSEN = "WORKSHOP_START_LANGUAGE"
"""The language of ``workshop start --language``, where it was given."""


def preferred(accept_language: str | None) -> Language:
    """The course's language that ``Accept-Language`` puts first; the locale's when it names neither.

    https://www.rfc-editor.org/rfc/rfc9110#field.accept-language
    """
    weighted: list[tuple[float, int, Language]] = []
    for position, item in enumerate((accept_language or "").split(",")):
        match = re.fullmatch(r"\s*([A-Za-z]+)[A-Za-z0-9-]*\s*(?:;\s*q\s*=\s*([0-9.]+)\s*)?", item)
        if match and match[1].lower() in ("en", "fr"):
            spoken: Language = "fr" if match[1].lower() == "fr" else "en"
            try:
                weight = float(match[2]) if match[2] else 1.0
            except ValueError:
                continue
            weighted.append((-weight, position, spoken))
    return min(weighted)[2] if weighted else language()


class LandingHandler(JupyterHandler):
    """Sends the browser to the first chapter; Jupyter's own login (the token) comes before."""

    @web.authenticated
    def get(self) -> None:
        chosen = os.environ.get(CHOSEN)
        spoken: Language
        if chosen in ("en", "fr"):
            spoken = "fr" if chosen == "fr" else "en"
        else:
            spoken = preferred(self.request.headers.get("Accept-Language"))
        self.redirect(url_path_join(self.base_url, first_page(spoken, chapter_files()[0])))


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "labhelpers.course.landing"}]


def _load_jupyter_server_extension(server: Any) -> None:
    server.web_app.add_handlers(".*$", [(url_path_join(server.base_url, PATH), LandingHandler)])
    # Jupyter says the address as an error, three times; ours is one line.
    server.log.addFilter(lambda record: "To access the server" not in record.getMessage())
    server.io_loop.add_callback(_tell, server)


def _tell(server: Any) -> None:
    """Where the course is, said once the server listens: Jupyter's own log is silent."""
    port, token = server.port, server.identity_provider.token
    address = f"http://localhost:{port}{url_path_join(server.base_url, PATH)}?token={token}"
    tunnel = f"ssh -p 22XX -L {port}:localhost:{port}"
    start, down = command("start"), command("down")
    print(
        tr(
            f"\nThe course is open at  {address}\n"
            f"From a laptop, first:  {tunnel} USER@MACHINE\n"
            f"Ctrl-C closes JupyterLab. The lab stays: {start} opens it again, {down} removes it.\n",
            f"\nLe cours est ouvert à l'adresse  {address}\n"
            f"Depuis un portable, d'abord :  {tunnel} UTILISATEUR@MACHINE\n"
            f"Ctrl-C ferme JupyterLab. Le lab reste : {start} le rouvre, {down} le supprime.\n",
        ),
        file=sys.stderr,
        flush=True,
    )
