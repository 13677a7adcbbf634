"""``workshop test``: everything that CI runs, side by side where it can be, with one summary."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labhelpers.i18n import tr

if TYPE_CHECKING:
    from labhelpers.course.testrun import Part
    from labhelpers.i18n import Language

CELL_TIMEOUT_SECONDS = 1200
KEEP_LABS = "WORKSHOP_KEEP_LABS"
"""Set for a part, its labs stay when it ends (tests/notebooks/labs.py)."""
PARTS = ("unit", "papermill", "nbval", "lab", "live", "browser", "fresh_machine", "mutations", "trials", "tour")
GROUPS = {"notebooks": ("papermill", "nbval")}
LONG_ONLY = ("tour",)
SIDE_BY_SIDE = ("-n", "2", "--dist", "worksteal")
"""The unit tests run last, and need a processor where all others need a lab."""
TWO_AT_ONCE = "2"
"""What else runs on the machine may double what a lab takes: the factor for waits (``WORKSHOP_SLOWNESS``) that are
not told another one. A wait for what comes takes no longer by it."""


@click.command()
@click.argument("what", nargs=-1, metavar="[WHAT]...", type=click.Choice([*PARTS, *GROUPS]))
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Also what takes long: the tour, every mutation, papermill and nbval each in both languages.",
)
@click.option("-k", "expression", help="Only the tests that match, as pytest's -k.")
def test(what: tuple[str, ...], everything: bool, expression: str | None) -> None:
    """Run the tests.

    WHAT is a part: unit, lab, live, papermill (the English course), nbval (the French one), notebooks (these two),
    browser, fresh_machine, mutations, trials or tour; without one, all but the tour. Labs whose names begin with `test`
    are made and removed; no other lab is touched. The exit status is 0 only if something ran and all of it passed.
    """
    from labhelpers.course.chapters import clone_root
    from labhelpers.course.kernels import ensure_kernels
    from labhelpers.course.testrun import Counts, Runner

    # A shell that starts this in the background has SIGINT ignored, and all tests of Ctrl-C with it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    root = clone_root()
    ensure_kernels()
    _require_sources(root)
    chosen = _chosen(what, everything)
    _require_root(chosen)
    begun = time.monotonic()
    labs_before = _test_labs()
    interrupted = False
    with tempfile.TemporaryDirectory(prefix="workshop-test-") as reports:
        runner = Runner(root, Path(reports))
        try:
            runner.run(_lanes(chosen, everything, expression, root))
        except KeyboardInterrupt:
            interrupted = True
        results, total = dict(runner.results), runner.total()
    if not os.environ.get(KEEP_LABS):
        total += Counts(broken=_remove_labs(_test_labs() - labs_before))
    seconds = time.monotonic() - begun
    click.echo()
    for failure in total.failures:
        click.echo(f"{failure}\n")
    for name, counts in results.items():
        click.echo(f"{name:>20}  {counts.line(counts.seconds).strip('= ')}")
    if total.broken:
        listed = ", ".join(total.broken)
        click.echo(tr(f"did not end in order: {listed}", f"fin anormale : {listed}"), err=True)
    if interrupted:
        click.echo(tr("interrupted", "interrompu"), err=True)
        total += Counts(broken=("interrupted",))
    click.echo(total.line(seconds))
    sys.exit(130 if interrupted else 0 if total.ok else 1)


def _test_labs() -> set[str]:
    from labhelpers.paths import STATE

    return {path.name for path in (STATE / "labs").glob("test-*")}


def _remove_labs(names: set[str]) -> tuple[str, ...]:
    """The labs that the tests made: parts share some, so none of the parts takes them down. What stayed there."""
    from labhelpers.errors import LabError
    from labhelpers.lifecycle import destroy

    left = []
    for name in sorted(names):
        try:
            destroy(name)
        except LabError as problem:
            left.append(f"down --lab {name} ({problem})")
    return tuple(left)


def _require_sources(root: Path) -> None:
    from labhelpers.errors import LabError

    if not (root / "tests").is_dir():
        raise LabError(
            tr(
                f"{root} has no tests. They run from the course's clone: ./workshop test",
                f"{root} n'a pas de tests. Ils s'exécutent depuis le clone du cours : ./workshop test",
            )
        )


def _require_root(chosen: tuple[str, ...]) -> None:
    """Live tests make interfaces, rules and whole machines beside the lab's own, to see that those stay untouched."""
    from labhelpers.errors import LabError

    if os.geteuid() != 0 and set(chosen) != {"unit"}:
        raise LabError(
            tr(
                "the tests make networks and machines of their own, and run as root: sudo ./workshop test"
                " (./workshop test unit runs as anybody)",
                "les tests créent leurs propres réseaux et machines, et s'exécutent en tant que root :"
                " sudo ./workshop test (./workshop test unit fonctionne pour tout le monde)",
            )
        )


def _chosen(what: tuple[str, ...], everything: bool) -> tuple[str, ...]:
    if not what:
        return tuple(part for part in PARTS if everything or part not in LONG_ONLY)
    return tuple(name for asked in what for name in GROUPS.get(asked, (asked,)))


def _lanes(chosen: tuple[str, ...], everything: bool, expression: str | None, root: Path) -> list[list[Part]]:
    """The lanes, the longest first, so that those side by side end at much the same time.

    Parts that use the same lab are in one lane.
    """

    def of(name: str, language: Language = "en") -> list[Part]:
        if name not in chosen:
            return []
        parts = _part(name, language, expression, everything, root)
        if name == "papermill" and language == "en" and "mutations" in chosen:
            parts = [dataclasses.replace(part, environment={**part.environment, KEEP_LABS: "1"}) for part in parts]
        return parts

    def other(name: str, language: Language) -> list[Part]:
        return of(name, language) if everything else []

    return [
        of("tour"),
        [*of("nbval", "fr"), *other("papermill", "fr")],
        # The mutations take over the lab that the English course has just built, before it is made anew.
        [*of("papermill"), *of("mutations"), *other("nbval", "en")],
        [*of("live"), *of("browser"), *of("trials")],
        of("lab"),
        of("fresh_machine"),
        of("unit"),
    ]


def _part(name: str, language: Language, expression: str | None, everything: bool, root: Path) -> list[Part]:
    from labhelpers.course.testrun import Part

    selection = ["-k", expression] if expression else []
    if not everything:
        selection += ["-m", "not long"]
    environment = {} if name == "unit" else {"WORKSHOP_SLOWNESS": os.environ.get("WORKSHOP_SLOWNESS") or TWO_AT_ONCE}
    if name == "papermill":
        arguments = ["tests/notebooks/test_papermill.py"]
        environment["WORKSHOP_TEST_PAPERMILL"] = language
        name = f"papermill-{language}"
    elif name == "nbval":
        arguments = [
            "--nbval-lax", "--nbval-current-env", f"--nbval-cell-timeout={CELL_TIMEOUT_SECONDS}",
            f"notebooks/{language}", "tests/notebooks/test_nbval_ran_everything.py",
        ]  # fmt: skip
        name = f"nbval-{language}"
    elif not list((root / "tests" / name).glob("test_*.py")):
        return []
    else:
        arguments = [f"tests/{name}", *(SIDE_BY_SIDE if name == "unit" else ())]
    return [Part(name, (*arguments, *selection), environment, may_be_empty=bool(expression))]
