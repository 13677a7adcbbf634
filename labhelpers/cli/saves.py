"""``workshop goto``, ``save`` and ``saves``: any state of the lab, in seconds."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from labhelpers.cli.options import lab_option
from labhelpers.cli.progress import steps
from labhelpers.i18n import duration, megabytes, tr
from labhelpers.meant import command, default_lab

if TYPE_CHECKING:
    from labhelpers.course.saverecords import Save


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The chapters' numbers and the saves' names that begin with what is typed."""
    from labhelpers.course.chapters import chapter_numbers
    from labhelpers.course.saverecords import FRESH, read_saves
    from labhelpers.paths import LabPaths

    names = [save.name for save in read_saves(LabPaths(ctx.params.get("lab") or default_lab()))]
    chapters = [*chapter_numbers(), FRESH] if param.name == "target" else []
    return [CompletionItem(name) for name in (*chapters, *names) if name.startswith(incomplete)]


@click.command()
@lab_option
@click.argument("target", metavar="CHAPTER|SAVE", shell_complete=_complete)
def goto(lab: str, target: str) -> None:
    """Put the lab into the state that a chapter starts from, or into a save's.

    `fresh` means new nodes. What was there becomes an automatic save first; the last five of those stay.
    """
    from labhelpers.course import saves
    from labhelpers.lab import open_lab

    with steps() as report:
        arrival = saves.goto(open_lab(lab), target, progress=report)
    click.echo(arrival.describe())


@click.command()
@lab_option
@click.argument("name", metavar="NAME")
def save(lab: str, name: str) -> None:
    """Keep the lab's present state under a name, and go on."""
    from labhelpers.course import saves
    from labhelpers.lab import open_lab

    with steps() as report:
        arrival = saves.save(open_lab(lab), name, progress=report)
    took, back = duration(arrival.ready_seconds), command(f"goto {name}", lab)
    click.echo(tr(f"Saved as {name!r}, and the lab goes on ({took}). Return to it: {back}",
                  f"Gardé sous {name!r}, et le lab continue ({took}). Retour : {back}"))  # fmt: skip


@click.command()
@lab_option
@click.option("--delete", "deleted", metavar="NAME", shell_complete=_complete, help="Remove a save.")
@click.option("--export", "exported", nargs=2, metavar="NAME FILE", help="Write a save into a file.")
@click.option(
    "--import", "imported", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take a save from a file, such as a trainer's.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON document.")
def saves(
    lab: str, deleted: str | None, exported: tuple[str, str] | None, imported: Path | None, as_json: bool
) -> None:
    """List the saves (names, dates, sizes); or remove, export, import one."""
    from labhelpers.course import archive
    from labhelpers.course import saves as course_saves
    from labhelpers.course.saverecords import read_saves
    from labhelpers.errors import LabAbsent
    from labhelpers.paths import LabPaths

    paths = LabPaths(lab)
    if deleted:
        with steps() as report:
            report(tr("Removing what only this save needs", "Suppression de ce qui ne sert qu'à cette sauvegarde"), {})
            course_saves.delete(lab, deleted)
        click.echo(tr(f"The save {deleted!r} is gone.", f"La sauvegarde {deleted!r} est supprimée."))
    if exported:
        with steps() as report:
            size = archive.export(course_saves.find_in(paths, exported[0]), paths, Path(exported[1]), progress=report)
        click.echo(tr(f"{exported[1]}: the save {exported[0]!r} ({megabytes(size)}).",
                      f"{exported[1]} : la sauvegarde {exported[0]!r} ({megabytes(size)})."))  # fmt: skip
    if imported:
        from labhelpers.lab import open_lab

        with steps() as report:
            taken = archive.take(open_lab(lab), imported, progress=report)
        go = command(f"goto {taken.name}", lab)
        click.echo(tr(f"The save {taken.name!r} is there. Go to it: {go}",
                      f"La sauvegarde {taken.name!r} est là. Pour y aller : {go}"))  # fmt: skip
    if not (deleted or exported or imported):
        found = read_saves(paths)
        if not (found or paths.exists or as_json):
            raise LabAbsent(lab)
        _print(found, course_saves.sizes(paths), as_json)


def _print(found: list[Save], sizes: dict[str, int], as_json: bool) -> None:
    rows = [_row(save, found, sizes) for save in found]
    if as_json:
        click.echo(json.dumps({"saves": rows}, indent=2))
        return
    if not found:
        keep = command(tr("save NAME", "save NOM"))
        click.echo(tr(f"There are no saves yet. Keep the present state: {keep}",
                      f"Il n'y a pas encore de sauvegarde. Pour garder l'état présent : {keep}"))  # fmt: skip
        return
    from rich.console import Console
    from rich.table import Table

    kinds = {
        "named": tr("named", "nommée"),
        "automatic": tr("automatic", "automatique"),
        "state": tr("chapter's state", "état d'un chapitre"),
    }
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in (tr("Name", "Nom"), tr("Kind", "Nature"), tr("Made", "Faite")):
        table.add_column(title)
    table.add_column(tr("Size", "Taille"), justify="right")
    table.add_column(tr("of its own", "en propre"), justify="right")
    for row in rows:
        made = datetime.datetime.fromisoformat(row["created_at"]).strftime("%Y-%m-%d %H:%M:%S")
        size, own = megabytes(row["size_bytes"]), megabytes(row["own_bytes"])
        table.add_row(row["name"], kinds[row["kind"]], made, size, own)
    Console(highlight=False, soft_wrap=True).print(table)


def _row(save: Save, others: list[Save], sizes: dict[str, int]) -> dict[str, Any]:
    """``own_bytes`` are in no other save: what deleting it sets free once the lab stands elsewhere."""
    elsewhere = {layer for other in others if other.id != save.id for layer in other.layers}
    return {
        "name": save.name,
        "kind": save.kind,
        "created_at": save.created_at,
        "size_bytes": sum(sizes.get(layer, 0) for layer in save.layers),
        "own_bytes": sum(sizes.get(layer, 0) for layer in save.layers if layer not in elsewhere),
    }
