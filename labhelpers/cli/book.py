"""``workshop book``: the executed course as pages to read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from labhelpers.i18n import LANGUAGES, tr
from labhelpers.meant import command

if TYPE_CHECKING:
    from labhelpers.course.book import Book
    from labhelpers.i18n import Language


@click.command()
@click.option(
    "--from",
    "sources",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    multiple=True,
    metavar="DIR",
    help="Where executed notebooks lie, at any depth; may be given several times. Default: runs in the clone.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where the book goes: a new or empty directory, or an earlier book. Default: book in the clone.",
)
def book(sources: tuple[Path, ...], output: Path | None) -> None:
    """Make the reading edition: HTML pages in both languages, for a browser without a network.

    Of each chapter in each language, the newest notebook that was executed to its end is taken. One that was executed
    in part, or not at all, is taken as it is, and its page says so.
    """
    from labhelpers.cli.progress import steps
    from labhelpers.course.book import build_book
    from labhelpers.course.chapters import clone_root

    with steps() as report:
        made = build_book(
            sources or (clone_root() / "runs",),
            output or clone_root() / "book",
            on_page=lambda edition, position, total: report(
                f"{position}/{total}  {edition.language}  {edition.chapter.number} {edition.title}", {}
            ),
        )
    for path in made.unreadable:
        click.echo(
            tr(f"{path} is no notebook and was passed over.", f"{path} n'est pas un notebook : ignoré."), err=True
        )
    for language in LANGUAGES:
        _say_what_lacks(made, language)
    pages = len(made.editions)
    click.echo(
        tr(f"{pages} chapters. Open {made.directory.as_uri()}/index.html",
           f"{pages} chapitres. À ouvrir : {made.directory.as_uri()}/index.html")
    )  # fmt: skip


def _say_what_lacks(made: Book, language: Language) -> None:
    spoken = {"en": tr("English", "anglais"), "fr": tr("French", "français")}[language]
    mine = [edition for edition in made.editions if edition.language == language]
    stopped = ", ".join(edition.chapter.number for edition in mine if edition.state == "stopped")
    without = " ".join(edition.chapter.number for edition in mine if edition.state == "unexecuted")
    if stopped:
        click.echo(
            tr(f"In {spoken}, the run of {stopped} did not come to its end; its page says so.",
               f"En {spoken}, l'exécution de {stopped} n'est pas allée à son terme ; sa page le dit."),
            err=True,
        )  # fmt: skip
    if without:
        chapters = f"{without} " if any(edition.executed_at for edition in mine) else ""
        run = command(f"run {chapters}--language {language}")
        click.echo(
            tr(f"In {spoken}, these chapters stand without outputs: {without}. To have them: {run}",
               f"En {spoken}, ces chapitres sont sans sorties : {without}. Pour les avoir : {run}"),
            err=True,
        )  # fmt: skip
