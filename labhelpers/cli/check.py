"""``workshop check``: the checks of the chapters, from a terminal."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from labhelpers.cli.options import lab_option, tell_what_was_cut_off
from labhelpers.i18n import tr
from labhelpers.meant import command


def complete_chapters(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The chapters that have checks."""
    from labhelpers.checks import chapters

    return [CompletionItem(number) for number in chapters() if number.startswith(incomplete)]


@click.command()
@lab_option
@click.option("--hint", is_flag=True, help="The next hint too: what to do.")
@click.option("--solution", is_flag=True, help="All hints, and the command that mends it.")
@click.argument("chapter", required=False, shell_complete=complete_chapters)
def check(lab: str, hint: bool, solution: bool, chapter: str | None) -> int:
    """The checks of CHAPTER, with hints; without it, those of all chapters, up to the first that is not done.

    Exit status 1 where something is not as it should be.
    """
    from labhelpers.checks import CheckResult, chapters, checks_of, nothing_to_check, run_check
    from labhelpers.course.chapters import chapter_numbers
    from labhelpers.course.errors import UnknownChapter
    from labhelpers.lab import open_lab
    from labhelpers.magics.checkview import result_text
    from labhelpers.widgets.look import plain_bar

    known = chapters()
    if chapter is not None and f"{chapter:0>2}" not in known:
        numbers = chapter_numbers()
        if f"{chapter:0>2}" not in numbers:
            raise UnknownChapter(chapter, numbers or known)
        click.echo(nothing_to_check(f"{chapter:0>2}"))
        return 0
    level = 3 if solution else 2 if hint else 1
    wanted = [f"{chapter:0>2}"] if chapter else known
    opened = open_lab(lab)
    tell_what_was_cut_off(lab)
    try:
        for number in wanted:
            results: list[CheckResult] = [run_check(opened, each.name) for each in checks_of(number)]
            passed = sum(result.passed for result in results)
            heading = tr(f"Chapter {number}", f"Chapitre {number}")
            click.echo(f"{heading}  {plain_bar(passed, len(results))} {passed}/{len(results)}")
            for result in results:
                if chapter or not result.passed:
                    click.echo("  " + result_text(result, level).replace("\n", "\n  "))
            if passed < len(results):
                if level < 3:
                    more = command(f"check {'--solution' if hint else '--hint'} {number}", lab)
                    click.echo(tr(f"More: {more}", f"Plus : {more}"))
                return 1
    finally:
        opened.close()
    return 0
