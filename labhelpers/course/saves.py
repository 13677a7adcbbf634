"""Keep the lab as it is, and put it back, in seconds: disks, DCS and data together.

    saves.save(lab, "before-my-idea")         # an ordered stop, the disks become layers, and on it goes
    saves.goto(lab, "before-my-idea")         # back; what was there is an automatic save
    saves.goto(lab, "07")                     # the state that chapter 07 starts from

Nothing is copied, whatever the data's size (:mod:`labhelpers.course.disks`). Interrupted at any moment, the lab is the
old state or the new one; :func:`resume`, which every verb begins with, says which and goes on.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from labhelpers.course import placing, standing
from labhelpers.course.chapters import chapter_numbers
from labhelpers.course.disks import call
from labhelpers.course.disks.intent import Intent, await_idle, read_intent, write_intent
from labhelpers.course.disks.plan import plan_file
from labhelpers.course.placing import LONGEST_CHAIN, FreeBytes, free_bytes, keeping
from labhelpers.course.saveerrors import UnknownSave
from labhelpers.course.saverecords import (
    FRESH,
    NOTHING_EXPECTED,
    Kind,
    Save,
    checked_name,
    read_saves,
    record_path,
)
from labhelpers.course.settling import settle
from labhelpers.course.standing import read_standing
from labhelpers.errors import LabError
from labhelpers.host import bridge_is_up
from labhelpers.i18n import in_seconds, tr
from labhelpers.lifecycle import Report, is_held, locked, say_waiting, silent
from labhelpers.meant import command, program
from labhelpers.paths import LabPaths

if TYPE_CHECKING:
    from labhelpers.lab import Lab


@dataclass(frozen=True, slots=True)
class Arrival:
    """What :func:`goto` and :func:`save` did."""

    save: Save | None
    """Where the lab is now; None: where it was, as the chapter starts from any state."""
    automatic: Save | None
    """What was there before, kept; None: it was unchanged."""
    ready_seconds: float
    """From the call to a lab that is as well as the save was."""
    parts: dict[str, float]
    """Seconds of its parts: look, stop, switch, start, leader, others, etcd, streaming, listed."""

    def __str__(self) -> str:
        return self.describe()

    def describe(self) -> str:
        """For a person: where the lab is, and how to return."""
        if self.save is None:
            return tr("This chapter starts from any state: the lab stays as it is.",
                      "Ce chapitre part de n'importe quel état : le lab reste tel quel.")  # fmt: skip
        took = in_seconds(self.ready_seconds)
        said = tr(f"The lab is at {self.save.name!r} ({took}).", f"Le lab est à {self.save.name!r} ({took}).")
        if self.automatic is None:
            return said
        return f"{said} {_kept_text(self.automatic)}"


def _kept_text(kept: Save, lab: str | None = None) -> str:
    back = command(f"goto {kept.name}", lab)
    return tr(f"What was there is kept as {kept.name!r}; return to it: {back}",
              f"Ce qui y était est gardé sous {kept.name!r} ; pour y revenir : {back}")  # fmt: skip


def tell(sentence: str) -> None:
    """What must not be overwritten by the next step of the progress: on stderr, where it stays."""
    print(sentence, file=sys.stderr, flush=True)


@contextmanager
def kept_is_told(paths: LabPaths, kept: Save | None) -> Iterator[None]:
    """Whatever ends a ``goto`` early, Ctrl-C too: where what was there is kept by then, its name is told."""
    try:
        yield
    except BaseException:
        if kept and (record_path(paths, kept).exists() or plan_file(paths.root).exists()):
            tell(_kept_text(kept, paths.lab))
        raise


# --- verbs ------------------------------------------------------------------------------------------------------------


def goto(
    lab: Lab, target: str, *, progress: Report = silent, free: FreeBytes = free_bytes, keep: bool = True
) -> Arrival:
    """Put the lab into the state that a chapter starts from, or into a save's.

    What was there becomes an automatic save first, unless it is unchanged (``keep=False``: never). The automatic saves
    before the last five go. Raises :class:`UnknownSave`, :class:`SaveUnusable`, :class:`DiskNearlyFull`,
    :class:`StateFailed`, and :class:`WaitTimeout` where the nodes do not come up well.
    """
    from labhelpers.course import states

    number = states.chapter_number(target)
    if number is not None:
        return states.goto_start(lab, number, progress=progress, free=free, keep=keep)
    return go(lab, find(lab, target), progress=progress, free=free, keep=keep)


def go(
    lab: Lab, target: Save, *, progress: Report = silent, free: FreeBytes = free_bytes, keep: bool = True
) -> Arrival:
    """The same, to a save that is at hand."""
    began = time.monotonic()
    with locked(lab.name, say_waiting):
        resume(lab, progress)
        placing.require_usable(lab, target)
        placing.require_room(lab, free)
        progress(tr("Looking at the present state", "Examen de l'état présent"), lab.containers.states())
        kept = keeping(placing.automatic(lab, target)) if keep and not is_kept(lab) else None
        automatic = kept.record if kept else None
        looked = time.monotonic() - began
        step = tr(f"Going to {target.name}", f"Retour à {target.name}")
        with kept_is_told(lab.paths, automatic):
            parts = placing.carry_out(lab, placing.plan(lab, "goto", target, kept), step, progress)
            settled = settle(lab, progress)
        if automatic:
            placing.prune(lab)
        placing.collect(lab)
    return Arrival(target, automatic, settled.at - began, {"look": round(looked, 3), **parts, **settled.parts})


def save(
    lab: Lab,
    name: str,
    *,
    progress: Report = silent,
    free: FreeBytes = free_bytes,
    longest_chain: int = LONGEST_CHAIN,
) -> Arrival:
    """Keep the present state under a name, and go on. An incident that runs is over afterwards.

    Raises :class:`BadSaveName`, :class:`SaveExists`, :class:`DiskNearlyFull`.
    """
    checked_name(name, read_saves(lab.paths))
    return keep_present(lab, name, "named", progress=progress, free=free, longest_chain=longest_chain)


def keep_present(
    lab: Lab,
    name: str,
    kind: Kind,
    *,
    state: str | None = None,
    progress: Report = silent,
    free: FreeBytes = free_bytes,
    longest_chain: int = LONGEST_CHAIN,
) -> Arrival:
    """Save after an ordered stop (replicas, leader, then etcd, so that the leader key is given back), then go on."""
    began = time.monotonic()
    with locked(lab.name, say_waiting):
        resume(lab, progress)
        placing.require_room(lab, free)
        record = placing.record(lab, name, kind, standing.expectations(lab), state=state)
        kept = keeping(record, longest_chain)
        step = tr(f"Saving {name}", f"Sauvegarde de {name}")
        parts = placing.carry_out(lab, placing.plan(lab, "save", kept.record, kept), step, progress)
        settled = settle(lab, progress)
        placing.collect(lab)
    return Arrival(kept.record, None, settled.at - began, parts | settled.parts)


def delete(lab_name: str, name: str) -> Save:
    """Remove a save, and the layers that nothing else needs. Raises :class:`UnknownSave`."""
    paths = LabPaths(lab_name)
    found = find_in(paths, name)
    with locked(lab_name, say_waiting):
        record_path(paths, found).unlink(missing_ok=True)
        call(paths, "collect", {})
    return found


def resume(lab: Lab, progress: Report = silent) -> str | None:
    """Finish what an interrupted command left, and tell so; the sentence, or None where nothing was left.

    The caller holds the lab's lock.
    """
    withdraw(lab.paths)
    lab.nodes.close()
    left = unfinished(lab.paths)
    where = read_standing(lab.paths)
    networked = bridge_is_up(lab.topology)
    if left:
        name = left.name
        said = (
            tr(f"An interrupted save of {name!r} is finished.", f"La sauvegarde interrompue {name!r} est terminée.")
            if left.action == "save" else
            tr(f"A goto was interrupted: the lab is at {name!r} now.",
               f"Un goto avait été interrompu : le lab est maintenant à {name!r}.")
        )  # fmt: skip
        tell(said)
        call(lab.paths, "finish", {"start": networked})
    elif where is not None and not where.settled:
        said = tr(f"The lab had been put at {where.name!r} and was not ready yet.",
                  f"Le lab venait d'être mis à {where.name!r} et n'était pas encore prêt.")  # fmt: skip
        tell(said)
    else:
        return None
    if not networked:  # after a reboot: the nodes start with their network
        return said
    # A state that can't come up well must not keep anybody from leaving it.
    with suppress(LabError):
        settle(lab, progress)
    return said


def withdraw(paths: LabPaths) -> None:
    """Whatever a killed command left running either has begun, and is waited for, or will find that nobody wants it.

    Killed, a command leaves the program that it had started as root. Were it to begin after we looked, the nodes would
    be stopped under whoever comes next. The caller holds the lab's lock.
    """
    intent = read_intent(paths)
    if intent is None:
        return
    if intent.plan:
        write_intent(paths, replace(intent, plan=""))
    await_idle(paths)


def unfinished(paths: LabPaths) -> Intent | None:
    """What a command meant to do and has not carried out yet; the plan itself is root's."""
    if not plan_file(paths.root).exists():
        return None
    return read_intent(paths) or Intent("", "goto", "?")


def is_cut_off(paths: LabPaths) -> bool:
    """Something is left for :func:`resume`: a plan, or nodes that nobody has waited for."""
    where = read_standing(paths)
    return unfinished(paths) is not None or (where is not None and not where.settled)


def unfinished_text(lab: str) -> str | None:
    """For a person: the ``goto`` or ``save`` that is under way or was cut off, and what to do; None: there is none."""
    paths = LabPaths(lab)
    if not is_cut_off(paths):
        return None
    left, where = unfinished(paths), read_standing(paths)
    name = left.name if left else where.name if where else ""
    what = f"{program()} {left.action if left else 'goto'} {name}"
    if is_held(lab):
        return tr(f"Under way: {what}.", f"En cours : {what}.")
    up = command("up", lab)
    if left is None:
        return tr(
            f"The lab was put at {name!r}, and nobody waited until it was well. Wait for it: {up}",
            f"Le lab a été mis à {name!r}, sans attendre qu'il soit prêt. Pour l'attendre : {up}",
        )
    return tr(
        f"Cut off: {what}. The nodes are as it left them. Finish it: {up}",
        f"Interrompu : {what}. Les nœuds sont restés tels quels. Pour terminer : {up}",
    )


# --- what there is ----------------------------------------------------------------------------------------------------


def find(lab: Lab, name: str) -> Save:
    """The save of that name or id; ``fresh`` is always there. Raises :class:`UnknownSave`."""
    from labhelpers.course import states

    found = states.find_state(lab, ()) if name == FRESH else None
    return found or find_in(lab.paths, name)


def find_in(paths: LabPaths, name: str) -> Save:
    """The same, for a lab that may be down. Raises :class:`UnknownSave`."""
    found = read_saves(paths)
    for save in found:
        if name in (save.name, save.id):
            return save
    raise UnknownSave(name, chapter_numbers(), [save.name for save in found])


def fresh(lab: Lab) -> Save:
    """Nodes as they are first started. It needs no layer, so it is always there."""
    return replace(placing.record(lab, FRESH, "state", NOTHING_EXPECTED, layers=()), id=FRESH)


def is_unchanged(lab: Lab) -> bool:
    """The lab stands where it was put (or is as it was built), and nobody has changed it since."""
    where = read_standing(lab.paths)
    if where is None:
        return set(lab.containers.states().values()) == {"running"} and standing.is_fresh(lab)
    return where.settled and where.fingerprint is not None and standing.look(lab) == where.fingerprint


def is_kept(lab: Lab) -> bool:
    """The present state is there to come back to: unchanged, and the save at which the lab stands still exists."""
    where = read_standing(lab.paths)
    return (
        where is None or where.save == FRESH or any(save.id == where.save for save in read_saves(lab.paths))
    ) and is_unchanged(lab)


def sizes(paths: LabPaths) -> dict[str, int]:
    """Bytes of each layer."""
    return {layer: int(size) for layer, size in call(paths, "sizes", {}).items()} if paths.root.is_dir() else {}
