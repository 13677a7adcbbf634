"""``workshop notebooks``: the notebooks from their sources."""

from __future__ import annotations

import click

from labhelpers.i18n import tr


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail with the names of the notebooks that differ.")
def notebooks(check: bool) -> None:
    """Generate notebooks/en and notebooks/fr from notebooks/src."""
    from labhelpers.course.chapters import clone_root, notebooks_directory, read_course
    from labhelpers.course.errors import NotebooksDiffer
    from labhelpers.course.generate import differences, generate

    directory = notebooks_directory()
    course = read_course(directory)
    root = clone_root()
    if check:
        differing = differences(course, directory)
        if differing:
            raise NotebooksDiffer(path.relative_to(root) for path in differing)
        click.echo(
            tr(
                f"The notebooks of {len(course)} chapters agree with their sources.",
                f"Les notebooks de {len(course)} chapitres correspondent à leurs sources.",
            )
        )
        return
    changed = generate(course, directory)
    for path in changed:
        click.echo(path.relative_to(root))
    click.echo(
        tr(
            f"{len(changed)} notebooks written, of {2 * len(course)}.",
            f"{len(changed)} notebooks écrits, sur {2 * len(course)}.",
        )
    )
