"""The states that chapters start from: made once by the chapters before them, then kept as saves.

A state is known by the code of the chapters that lead to it, and as a save by its image: when either changes it is made
again. ``workshop run`` leaves the states on its way (:func:`remember`), so that a later ``goto`` finds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from labhelpers.course import placing, saves, standing
from labhelpers.course.chapters import chapter_files, chapter_numbers, choose
from labhelpers.course.errors import NotebooksMissing, UnknownChapter
from labhelpers.course.outline import Outline, digest, lineage, outlines
from labhelpers.course.placing import FreeBytes, free_bytes
from labhelpers.course.saveerrors import StateFailed, UnknownSave
from labhelpers.course.saverecords import FRESH, NOTHING_EXPECTED, Save, read_saves, record_path
from labhelpers.course.saves import Arrival
from labhelpers.course.standing import Standing, read_standing, write_standing
from labhelpers.i18n import language, tr
from labhelpers.lifecycle import Report, locked, say_waiting, silent

if TYPE_CHECKING:
    from labhelpers.lab import Lab


def chapter_number(target: str) -> str | None:
    """The chapter that is meant by ``7``, ``07`` or ``07_loss_of_the_primary``; None where it is no chapter."""
    with suppress(NotebooksMissing, UnknownChapter):
        return choose([target], chapter_files())[0].number
    return None


def prepare(lab: Lab, chapter: str, *, progress: Report = silent, keep: bool = True) -> Arrival | None:
    """Put the lab into the state that the chapter starts from; None where it is there already.

    It never asks and never loses anything: what was there is an automatic save, which the arrival names. With
    ``keep=False`` it is the caller's own, and none is made. On a new machine the chapters before are executed first.
    Raises what :func:`labhelpers.course.saves.goto` raises.
    """
    with locked(lab.name, say_waiting):
        saves.resume(lab, progress)
        if is_at_start(lab, chapter):
            return None
    return goto_start(lab, _known(chapter).number, progress=progress, keep=keep)


def starts_anywhere(chapter: str) -> bool:
    """The chapter reads the same in any state of the lab. Raises :class:`UnknownSave`."""
    return _known(chapter).needs_nothing


def is_at_start(lab: Lab, chapter: str) -> bool:
    """The lab is just where the chapter starts from, and nobody has changed it since."""
    course = outlines()
    if _known(chapter, course).needs_nothing:
        return True
    chain = lineage(_known(chapter, course).number, course)
    where = read_standing(lab.paths)
    if where is None:
        if chain or not saves.is_unchanged(lab):
            return False
        _stand(lab, FRESH, FRESH, digest(chain))
        return True
    return where.state == digest(chain) and saves.is_unchanged(lab)


def remember(lab: Lab, chapter: str, *, progress: Report = silent) -> Save | None:
    """After a chapter has passed: keep the state that it leaves, if it began from its own start.

    Costs an ordered stop and a start the first time, and nothing when the state is there. None: nothing to keep.
    """
    course = outlines()
    this = _known(chapter, course)
    chain = lineage(this.number, course)
    after = (*chain, this)
    where = read_standing(lab.paths)
    begun_there = where is not None and where.state == digest(chain)
    if not begun_there or _has_incident(lab) or not _is_built_upon(after, course):
        return None
    return _keep(lab, after, progress)


def _is_built_upon(after: tuple[Outline, ...], course: Sequence[Outline]) -> bool:
    return any(lineage(chapter.number, course) == after for chapter in course)


def _keep(lab: Lab, after: tuple[Outline, ...], progress: Report) -> Save:
    """The lab is where these chapters lead: keep that, where it is not kept already."""
    known = find_state(lab, after)
    if known is not None:
        with locked(lab.name, say_waiting):
            _stand(lab, known.id, known.name, digest(after))
        return known
    if standing.expectations(lab).replicas is not None:
        lab.patroni.wait_for_healthy(within=60)
    name = f"after-{after[-1].number}"
    stale = [save for save in read_saves(lab.paths) if save.kind == "state" and save.name == name]
    kept = saves.keep_present(lab, name, "state", state=digest(after), progress=progress).save
    assert kept is not None
    for save in stale:
        record_path(lab.paths, save).unlink(missing_ok=True)
    return kept


def goto_start(
    lab: Lab, chapter: str, *, progress: Report = silent, free: FreeBytes = free_bytes, keep: bool = True
) -> Arrival:
    """Put the lab where the chapter starts, from the nearest state that there is."""
    course = outlines()
    this = _known(chapter, course)
    if this.needs_nothing:
        with locked(lab.name, say_waiting):
            saves.resume(lab, progress)
        return Arrival(None, None, 0.0, {})
    chain = lineage(this.number, course)
    length, nearest = next(
        (length, found) for length in range(len(chain), -1, -1) if (found := find_state(lab, chain[:length]))
    )
    arrival = saves.go(lab, nearest, progress=progress, free=free, keep=keep)
    with saves.kept_is_told(lab.paths, arrival.automatic):
        for position, each in enumerate(chain[length:], start=length + 1):
            _execute(lab, each, chapter, progress)
            arrival = replace(arrival, save=_keep(lab, chain[:position], progress))
    return arrival


def find_state(lab: Lab, chain: Sequence[Outline]) -> Save | None:
    """The save of the state that these chapters leave, if it is there and can be used."""
    wanted = digest(chain)
    if not chain:
        return replace(saves.fresh(lab), state=wanted)
    for save in reversed(read_saves(lab.paths)):
        if save.kind == "state" and save.state == wanted and placing.why_unusable(lab, save) is None:
            return save
    return None


def _known(chapter: str, course: Sequence[Outline] | None = None) -> Outline:
    number = chapter_number(chapter)
    for each in outlines() if course is None else course:
        if each.number == number:
            return each
    raise UnknownSave(chapter, chapter_numbers(), [])


def _stand(lab: Lab, save: str, name: str, state: str) -> None:
    expected = standing.expectations(lab)
    where = Standing(save, name, state, True, None, expected if save != FRESH else NOTHING_EXPECTED)
    write_standing(lab.paths, replace(where, fingerprint=standing.look(lab)))


def _has_incident(lab: Lab) -> bool:
    from labhelpers import incidents

    return bool(incidents.active(lab))


def _execute(lab: Lab, chapter: Outline, wanted: str, progress: Report) -> None:
    """Run a chapter's notebook on the lab, as a batch does. Raises :class:`StateFailed`."""
    from labhelpers.course.execute import CellStarted, execute_notebook
    from labhelpers.course.kernels import ensure_kernels

    ensure_kernels()
    spoken = language()
    notebook = chapter.file.notebook(spoken)
    if not notebook.is_file():
        raise NotebooksMissing(notebook)
    directory = lab.paths.log / "states"

    def on_cell(cell: CellStarted) -> None:
        where = f"{cell.index}/{cell.total}"
        step = tr(
            f"Preparing chapter {wanted}: {chapter.number}, cell {where}",
            f"Préparation du chapitre {wanted} : {chapter.number}, cellule {where}",
        )
        progress(step, lab.containers.states())

    lab.nodes.close()
    done = execute_notebook(
        notebook, directory / f"{chapter.file.name}.ipynb", lab=lab.name, language=spoken,
        number=chapter.number, title=chapter.file.name, on_cell=on_cell,
        log=directory / f"{chapter.file.name}.log",
    )  # fmt: skip
    if done.outcome == "interrupted":
        raise KeyboardInterrupt
    if done.outcome != "passed":
        reason = done.reason or done.outcome
        raise StateFailed(wanted, chapter.number, reason, directory / f"{chapter.file.name}.ipynb")
