"""``%chapter``, ``%check``, ``%hint`` and ``%goto``: where the trainee is, whether it is right, and the way on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

from IPython.core import magic_arguments
from IPython.core.magic import line_magic, magics_class, no_var_expand

from labhelpers.checks import Check, CheckFailed, CheckResult, checks_of, find_check, nothing_to_check, run_check
from labhelpers.checks.starts import ALREADY_DONE, STARTS, start_results
from labhelpers.course import saves
from labhelpers.course.chapters import chapter_numbers
from labhelpers.course.errors import UnknownChapter
from labhelpers.errors import WaitTimeout
from labhelpers.i18n import tr
from labhelpers.incidents import watchman
from labhelpers.magics import checkview
from labhelpers.magics.arguments import parse
from labhelpers.magics.base import WorkshopMagics
from labhelpers.magics.errors import NoChapter, WrongState
from labhelpers.waiting import wait_until
from labhelpers.widgets.look import GOOD, MUTED, WARN, NotebookCanvas, card, escape

SETTLE_SECONDS = 20.0
"""What a cluster that has just been started may take to be whole, before a chapter says that it is not."""


def start_state(lab: Any, chapter: str) -> list[CheckResult]:
    """The checks of the state that the chapter starts from, after a cluster that still starts was waited for.

    A lab that is plainly elsewhere (a node down, the chapter done already) is told at once.
    """
    results = start_results(lab, chapter)

    def settling() -> bool:
        return bool(results) and results[-1].check.name == "start.healthy" and not results[-1].passed

    def settled() -> bool:
        nonlocal results
        results = start_results(lab, chapter)
        return not settling()

    if settling():
        with contextlib.suppress(WaitTimeout):
            wait_until(settled, what=results[-1].check.title(), within=SETTLE_SECONDS, every=1.0)
    return results


def wrong_state(chapter: str, results: Sequence[CheckResult]) -> WrongState | None:
    """The error that says what is not as the chapter needs it, and the way there; None where all is."""
    findings = [finding for result in results for finding in result.findings]
    if not findings:
        return None
    first = findings[0]
    if first.key == ALREADY_DONE:
        return WrongState(
            tr(
                f"This chapter's work is already done: {first.found}. To do it again: %goto {chapter}. "
                "To go on where you were, just run the cell you had come to.",
                f"Le travail de ce chapitre est déjà fait : {first.found}. Pour le refaire : %goto "
                f"{chapter}. "
                "Pour continuer là où vous étiez, exécutez simplement la cellule où vous en étiez.",
            )
        )
    if first.key.startswith("node-") and first.command:
        return WrongState(
            tr(
                f"Chapter {chapter} needs all its nodes. {first.node}: {first.found}. Bring it back, then run this "
                f"cell again: {first.command}",
                f"Le chapitre {chapter} a besoin de tous ses nœuds. {first.node} : {first.found}. Ramenez-le, puis "
                f"relancez cette cellule : {first.command}",
            )
        )
    return WrongState(
        tr(
            f"The lab is not in the state that chapter {chapter} starts from. {first.node}: "
            f"{first.found}. "
            f"To get there: %goto {chapter}, or do the chapters before it.",
            f"Le lab n'est pas dans l'état d'où part le chapitre {chapter}. {first.node} : "
            f"{first.found}. "
            f"Pour y arriver : %goto {chapter}, ou faites les chapitres précédents.",
        )
    )


@magics_class
class CourseMagics(WorkshopMagics):
    """The course's thread."""

    @no_var_expand
    @magic_arguments.magic_arguments()
    @magic_arguments.argument("number", metavar="NN", help="the chapter's number, such as 05")
    @line_magic
    def chapter(self, line: str) -> None:
        """Open the lab for a chapter (it is then the variable lab) and say whether it can start from here.

        Where it can't, the cell fails after the lab is open, so that "run all" stops before it does harm while a
        trainee who resumes in the middle can go on with the cell he or she had come to.
        """
        named = parse(self.chapter, line).number
        number = f"{named:0>2}" if named else named
        known = chapter_numbers()
        if known and number not in known:
            raise UnknownChapter(number, known)
        lab = self.session.lab()
        self.session.chapter = number
        self.names["lab"] = lab
        watchman.ensure(lab, os.getpid())
        cut_off = saves.unfinished_text(lab.name)
        if cut_off:
            print(cut_off)
        results = start_state(lab, number)
        error = wrong_state(number, results)
        states = list(lab.containers.states().values())
        running = states.count("running")
        name = tr(f"Chapter {number}", f"Chapitre {number}")
        nodes = tr(
            f"lab {lab.topology.lab}, {running} of {len(states)} nodes running",
            f"lab {lab.topology.lab}, {running} nœuds sur {len(states)} tournent",
        )
        start = start_text(number, results, wrong=error is not None)
        colour = WARN if error or running < len(states) else GOOD
        html = card(f'<b>{escape(name)}</b> <span style="{MUTED}">· {escape(nodes)}</span> · {escape(start)}', colour)
        NotebookCanvas().draw(html, f"{name} · {nodes} · {start}")
        if error:
            raise error

    @no_var_expand
    @magic_arguments.magic_arguments()
    @magic_arguments.argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="a check such as 03.cluster, or a chapter; without it all checks of the open chapter",
    )
    @line_magic
    def check(self, line: str) -> None:
        """Look at the nodes: is the step done? If not, what is wrong, where, and a first hint."""
        wanted = self._checks(parse(self.check, line).name)
        if not wanted:
            return
        lab = self.session.lab()
        results = []
        html, plain = "", []
        canvas = NotebookCanvas()
        for each in wanted:
            result = run_check(lab, each.name)
            results.append(result)
            done, total = self._progress(result)
            first_failure = not result.passed and not any(not before.passed for before in results[:-1])
            if result.passed:
                html += checkview.passed_html(result, done, total)
            elif first_failure:
                html += checkview.failed_html(result, done, total, hints=1)
            else:  # most often a consequence: mend the first, then look again
                html += checkview.not_yet_html(result)
            plain.append(
                checkview.result_text(result, 1, done=done, total=total, brief=not (result.passed or first_failure))
            )
            report = [checkview.report_of(each) for each in results]
            canvas.draw_bundle({"text/html": html, "text/plain": "\n".join(plain)}, report=report)
        if any(not result.passed for result in results):
            raise CheckFailed(results)

    @no_var_expand
    @magic_arguments.magic_arguments()
    @magic_arguments.argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="the check that failed; without it, the first of the open chapter that does",
    )
    @line_magic
    def hint(self, line: str) -> None:
        """The next hint for a check that fails: first where to look, then what to do, then the command."""
        wanted = self._checks(parse(self.hint, line).name)
        if not wanted:
            return
        lab = self.session.lab()
        failing = None
        for each in wanted:
            result = run_check(lab, each.name)
            if not result.passed:
                failing = result
                break
        if failing is None:
            said = tr("Nothing to hint at: the check passes.", "Pas besoin d'indice : la vérification passe.")
            NotebookCanvas().draw(card(f'<span style="color:{GOOD}">✓</span> {escape(said)}', GOOD), said)
            return
        name = failing.check.name
        level = min(self.session.hints_given.get(name, 1) + 1, 3)
        self.session.hints_given[name] = level
        html = checkview.hints_html(failing.findings, level)
        NotebookCanvas().draw(html, checkview.result_text(failing, level))

    @no_var_expand
    @magic_arguments.magic_arguments()
    @magic_arguments.argument("target", metavar="CHAPTER|SAVE", help="a chapter's number, or the name of a save")
    @line_magic
    def goto(self, line: str) -> None:
        """Put the lab in the state that a chapter starts from, or back to a save. The present state is kept first."""
        target = parse(self.goto, line).target
        canvas = NotebookCanvas()

        def progress(step: str, nodes: Mapping[str, str]) -> None:
            canvas.draw(card(escape(step)), step)

        lab = self.session.lab()
        text = str(saves.goto(lab, target, progress=progress))
        lab.nodes.close()  # the nodes of these connections are gone
        canvas.draw(card(f'<span style="color:{GOOD}">✓</span> {escape(text)}', GOOD), f"✓ {text}")
        self.session.passed.clear()

    def _checks(self, name: str | None) -> list[Check]:
        """The checks meant by a check's name, a chapter's number, or nothing (the open chapter's).

        Empty where the chapter has none, and that is said. Raises :class:`UnknownCheck` and :class:`NoChapter`.
        """
        if name and "." in name:
            return [find_check(name)]
        chapter = f"{name:0>2}" if name else self.session.chapter
        if chapter is None:
            raise NoChapter
        found = checks_of(chapter)
        if not found and chapter not in chapter_numbers():
            return [find_check(f"{chapter}.")]
        if not found:
            said = nothing_to_check(chapter)
            NotebookCanvas().draw(card(escape(said)), said)
        return found

    def _progress(self, result: CheckResult) -> tuple[int, int]:
        """How many of the chapter's steps have passed in this notebook so far, and how many there are."""
        passed = self.session.passed.setdefault(result.check.chapter, set())
        (passed.add if result.passed else passed.discard)(result.check.name)
        return len(passed), len(checks_of(result.check.chapter))


def start_text(chapter: str, results: Sequence[CheckResult], *, wrong: bool) -> str:
    """What the chapter starts from, in a few words."""
    if not STARTS.get(chapter):
        return tr("starts from any state", "part de n'importe quel état")
    titles = ", ".join(result.check.title() for result in results[1:] or results)
    if wrong:
        return tr("not the state it starts from", "pas l'état d'où il part")
    return tr(f"starts from: {titles} ✓", f"part de : {titles} ✓")
