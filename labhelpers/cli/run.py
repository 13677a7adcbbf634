"""``workshop run``: the course as a batch, with a report."""

from __future__ import annotations

import datetime
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labhelpers.cli.options import lab_option
from labhelpers.i18n import LANGUAGES, Language, duration, language, tr
from labhelpers.meant import meaning, program

if TYPE_CHECKING:
    from labhelpers.course.order import Order
    from labhelpers.course.records import RunRecord

LAST = "\0last"
"""``--resume`` alone."""


@click.command()
@lab_option
@click.argument("chapters", nargs=-1, metavar="[CHAPTER]...")
@click.option("--language", "spoken", type=click.Choice(LANGUAGES), help="Default: the locale's, else English.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the executed notebooks and the report go. Default: runs/DATE in the clone.",
)
@click.option(
    "-p",
    "parameters",
    nargs=2,
    multiple=True,
    metavar="NAME VALUE",
    help="A parameter of the notebooks: ttl, pace (06, 07), target (06). May be repeated.",
)
@click.option("--repeat", type=click.IntRange(min=1), default=1, metavar="N", help="N runs, and a summary over them.")
@click.option(
    "--resume",
    is_flag=False,
    flag_value=LAST,
    metavar="[DIR]",
    help="Go on with the run in DIR, or the last one that was cut off: what passed is not run again.",
)
@click.pass_context
def run(
    context: click.Context,
    lab: str,
    chapters: tuple[str, ...],
    spoken: Language | None,
    output: Path | None,
    parameters: tuple[tuple[str, str], ...],
    repeat: int,
    resume: str | None,
) -> None:
    """Execute chapters with papermill, in order, and write a report.

    CHAPTER is a number (05); without one, the whole course. The lab is put where each chapter starts from, and what
    was there is kept as an automatic save. A chapter that builds upon one that failed starts from a checkpoint; where
    there is none it is skipped. The exit status is 0 only if every chapter passed.
    """
    from labhelpers.course.chapters import chapter_files, choose
    from labhelpers.course.order import Order, begin, held, is_unfinished
    from labhelpers.course.parameters import require_known, typed

    if resume is not None:
        _refuse_beside_resume(context)
        order, directory = _order_to_resume(resume)
    else:
        files = choose(chapters, chapter_files())
        names = tuple(file.name for file in files)
        order = Order(lab, spoken or language(), names, typed(parameters), repeat)
        require_known(order.parameters, [file.notebook(order.language) for file in files])
        directory = fresh_directory(output)
    os.environ["WORKSHOP_LANGUAGE"] = order.language
    with held(directory), meaning(order.lab):
        if resume is None:
            begin(order, directory)
        records = _carry_out(order, directory, again=resume is not None)
    if any(record.interrupted for record in records) and is_unfinished(order, directory):
        resumed = f"{program()} run --resume {directory}"  # the lab is in the order
        click.echo(tr(f"Go on with it: {resumed}", f"Pour reprendre : {resumed}"))
        sys.exit(130)
    sys.exit(0 if all(record.passed for record in records) else 1)


def _refuse_beside_resume(context: click.Context) -> None:
    """What was asked for then is gone on with as it was."""
    given = [
        parameter
        for parameter in context.command.params
        if parameter.name != "resume"
        and context.get_parameter_source(str(parameter.name)) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        names = ", ".join(
            parameter.opts[0] if isinstance(parameter, click.Option) else "CHAPTER" for parameter in given
        )
        raise click.UsageError(
            tr(f"--resume goes on with what was asked for then; leave out {names}.",
               f"--resume reprend ce qui avait été demandé ; retirez {names}.")
        )  # fmt: skip


def _order_to_resume(named: str) -> tuple[Order, Path]:
    from labhelpers.course.chapters import clone_root
    from labhelpers.course.order import last_cut_off, read_order, require_something_to_do

    directory = last_cut_off(clone_root() / "runs") if named == LAST else Path(named).resolve()
    order = read_order(directory)
    require_something_to_do(order, directory)
    return order, directory


def _carry_out(order: Order, directory: Path, *, again: bool) -> list[RunRecord]:
    """The runs of an order, one after the other; those that passed before the order was resumed are left alone."""
    from labhelpers.cli.lab import ensure_up
    from labhelpers.course import batch
    from labhelpers.course.chapters import chapter_files, choose, foundations, read_course
    from labhelpers.course.order import is_cut_off, read_record
    from labhelpers.course.places import LabPlaces
    from labhelpers.course.progress import watcher
    from labhelpers.course.report import write_report, write_summary
    from labhelpers.course.soak import summarise
    from labhelpers.host import require_root_without_terminal

    require_root_without_terminal()
    course = read_course()
    by_name = {chapter.name: chapter for chapter in course}
    chosen = [(file, by_name[file.name]) for file in choose(order.chapters, chapter_files())]
    ensure_up(order.lab)
    records: list[RunRecord] = []
    places = LabPlaces(order.lab)
    for output in order.directories(directory):
        earlier = read_record(output) if again else None
        if earlier and earlier.passed and not is_cut_off(order, earlier):
            records.append(earlier)
            continue

        def after_each(so_far: RunRecord, output: Path = output) -> None:
            write_report(so_far, output)

        with watcher() as shown:
            record = batch.run_batch(
                chosen,
                foundations=foundations(course),
                lab=order.lab,
                language=order.language,
                output=output,
                parameters=order.parameters,
                watcher=shown,
                places=places,
                after_each=after_each,
                earlier=earlier,
            )
        records.append(record)
        _print_summary(record, output)
        if order.repeat > 1:
            write_summary(summarise(records, order.repeat), order, directory)
        if record.interrupted:
            break
    if order.repeat > 1:
        click.echo(f"{tr('Summary', 'Bilan')}: {directory}/summary.html")
    return records


def fresh_directory(wanted: Path | None) -> Path:
    """The directory that was asked for, or a new ``runs/DATE`` in the clone. It exists afterwards."""
    from labhelpers.course.chapters import clone_root
    from labhelpers.errors import LabError

    if wanted is None:
        wanted = clone_root() / "runs" / datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    try:
        wanted.mkdir(parents=True, exist_ok=True)
        (wanted / ".writable").touch()
        (wanted / ".writable").unlink()
    except OSError as error:
        raise LabError(
            tr(
                f"{wanted} can't be written ({error.strerror}). Name another directory: --output DIR",
                f"{wanted} est interdit en écriture ({error.strerror}). Autre répertoire : --output DIR",
            )
        ) from None
    return wanted.resolve()


def _print_summary(record: RunRecord, directory: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from labhelpers.course.report import counts
    from labhelpers.course.reportwords import OUTCOMES, WORDS

    words = WORDS[record.language]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(words["chapter"])
    table.add_column(words["outcome"])
    table.add_column(words["cells"], justify="right")
    table.add_column(words["duration"], justify="right")
    for chapter in record.chapters:
        passed = sum(cell.outcome == "passed" for cell in chapter.cells)
        table.add_row(
            f"{chapter.number} {chapter.title}",
            OUTCOMES[record.language][chapter.outcome],
            f"{passed}/{len(chapter.cells)}" if chapter.cells else "",
            duration(chapter.seconds, record.language) if chapter.started_at else "",
        )
    console = Console(highlight=False, soft_wrap=True)
    console.print()
    console.print(table)
    console.print(
        f"\n{counts(record)}, {duration(record.seconds, record.language)}. {words['report']}: {directory}/report.html"
    )
