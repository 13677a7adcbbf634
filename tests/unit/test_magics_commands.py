"""What %%on shows and raises, without nodes."""

from __future__ import annotations

import pytest

from labhelpers.errors import CommandFailed, CommandSucceeded, UsageProblem
from labhelpers.magics.blocks import FEWEST_LINES, FOLD_ABOVE, FOLDED_LINES, KEPT_LINES, Block, lines_each
from labhelpers.magics.commands import conceal, run_on_nodes, secrets_of
from labhelpers.magics.errors import Interrupted
from labhelpers.widgets.look import strip_terminal
from tests.unit.scripted_lab import RecordingCanvas, ScriptedNodes, lab


def test_blocks_are_in_node_order_whoever_answers_first() -> None:
    canvas = RecordingCanvas()
    run_on_nodes(lab({"e1": (0, "one\n", ""), "e2": (0, "two\n", "")}), ["e1", "e2"], "x", canvas)
    assert canvas.plain == "e1 one\ne2 two"


def test_a_failure_on_one_node_shows_the_others_and_then_raises() -> None:
    canvas = RecordingCanvas()
    with pytest.raises(CommandFailed) as failure:
        run_on_nodes(lab({"e1": (0, "fine\n", ""), "e2": (3, "", "no such key\n")}), ["e1", "e2"], "x", canvas)
    assert "fine" in canvas.plain
    assert "exit status 3" in canvas.plain
    assert [result.node for result in failure.value.failed] == ["e2"]


def test_an_expected_failure_is_shown_and_not_raised() -> None:
    canvas = RecordingCanvas()
    run_on_nodes(lab({"e1": (2, "", "gone\n")}), ["e1"], "x", canvas, failure_expected=True)
    assert "failed, as expected: exit status 2" in canvas.plain


def test_a_success_where_a_failure_was_the_lesson_raises() -> None:
    with pytest.raises(CommandSucceeded) as error:
        run_on_nodes(
            lab({"e1": (2, "", ""), "e2": (0, "", "")}),
            ["e1", "e2"],
            "x",
            RecordingCanvas(),
            failure_expected=True,
        )
    assert error.value.nodes == ("e2",)


def test_a_silent_node_is_named_with_the_reason() -> None:
    canvas = RecordingCanvas()
    with pytest.raises(CommandFailed):
        run_on_nodes(lab({"e1": (None, "", "")}), ["e1"], "x", canvas)
    assert "no answer within 5 s" in canvas.plain


def test_the_last_line_needs_no_line_feed() -> None:
    canvas = RecordingCanvas()
    run_on_nodes(lab({"e1": (0, "a\nb", "")}), ["e1"], "x", canvas)
    assert canvas.plain == "e1 a\n   b"


def test_quiet_shows_one_line_and_failures_in_full() -> None:
    canvas = RecordingCanvas()
    run_on_nodes(lab({"e1": (0, "chatter\n", "")}), ["e1", "e2"], "x", canvas, quiet=True)
    assert canvas.plain.startswith("✓ e1 e2")
    with pytest.raises(CommandFailed):
        run_on_nodes(lab({"e1": (1, "chatter\n", "why\n")}), ["e1", "e2"], "x", canvas, quiet=True)
    assert "why" in canvas.plain


def test_a_secret_is_given_to_the_script_and_never_shown() -> None:
    canvas, here = RecordingCanvas(), lab({"e1": (0, "it is hunter2\n", "hunter2")})
    run_on_nodes(here, ["e1"], "x", canvas, secrets={"PW": "hunter2"})
    assert here.nodes.asked[0]["env"] == {"PW": "hunter2"}
    assert "hunter2" not in "".join(html + plain for html, plain in canvas.drawn)


@pytest.mark.parametrize("word", ["app", "=app", "1x=app", "PW="])
def test_a_malformed_secret_is_told(word: str) -> None:
    with pytest.raises(UsageProblem, match="--secret"):
        secrets_of([word], None)


def test_nothing_to_conceal_changes_nothing() -> None:
    assert conceal("a b", [""]) == "a b"


def test_an_interrupt_ends_the_command_and_says_where() -> None:
    here = lab({})
    nodes: ScriptedNodes = here.nodes
    nodes.interrupt_at = 1
    canvas = RecordingCanvas()
    with pytest.raises(Interrupted) as error:
        run_on_nodes(here, ["e1", "e2"], "sleep 100", canvas)
    assert error.value.nodes == ("e1", "e2")
    assert "interrupted" in canvas.plain
    assert "kill -TERM" in nodes.asked[1]["command"]


def test_a_long_output_is_folded_to_its_last_lines() -> None:
    block = Block("e1", "red")
    for number in range(FOLD_ABOVE + 1):
        block.add(str(number))
    block.finish(0, None, 0.1)
    text = block.as_text(2).splitlines()
    assert len(text) == FOLDED_LINES + 1
    assert text[-1].split() == [str(FOLD_ABOVE)]
    assert "<details>" in block.as_html()


def test_an_output_that_fits_is_not_folded() -> None:
    block = Block("e1", "red")
    for number in range(FOLD_ABOVE):
        block.add(str(number))
    block.finish(0, None, 0.1)
    assert "<details>" not in block.as_html()


def test_the_blocks_of_several_nodes_fit_a_screen_together() -> None:
    canvas = RecordingCanvas()
    long = "".join(f"{number}\n" for number in range(FOLD_ABOVE))
    run_on_nodes(
        lab({"e1": (0, "one\ntwo\n", ""), "e2": (0, long, ""), "e3": (0, long, "")}), ["e1", "e2", "e3"], "x", canvas
    )
    assert len(canvas.plain.splitlines()) <= FOLD_ABOVE
    assert canvas.html.count("<details>") == 2
    assert canvas.plain.startswith("e1 one\n   two\ne2 …")


def test_a_fold_that_hides_a_line_or_two_is_not_made() -> None:
    canvas = RecordingCanvas()
    fourteen = "".join(f"{number}\n" for number in range(14))
    run_on_nodes(lab(dict.fromkeys(("e1", "e2", "e3"), (0, fourteen, ""))), ["e1", "e2", "e3"], "x", canvas)
    assert "<details>" not in canvas.html


def test_short_blocks_show_all_and_long_ones_share_what_is_left() -> None:
    assert lines_each([]) == lines_each([FOLD_ABOVE]) == lines_each([FOLD_ABOVE + 1]) == FOLD_ABOVE
    assert lines_each([60, 2, 30]) == (FOLD_ABOVE - 2) // 2
    assert lines_each([100] * 20) == FEWEST_LINES


def test_an_endless_output_keeps_its_end_and_counts_what_went() -> None:
    block = Block("e1", "red")
    for number in range(3 * KEPT_LINES):
        block.add(str(number))
    block.finish(0, None, 0.1)
    assert len(block.lines) <= KEPT_LINES
    assert block.dropped + len(block.lines) == 3 * KEPT_LINES
    assert block.lines[-1][0] == str(3 * KEPT_LINES - 1)


def test_output_is_text_not_markup() -> None:
    block = Block("e1", "red")
    block.add("<script>alert(1)</script>")
    assert "<script>" not in block.as_html()


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("10%\r50%\r100%", "100%"),
        ("plain\r\n", "plain"),
        ("\x1b]0;title\x07x", "x"),
    ],
)
def test_terminal_codes_do_not_show(line: str, seen: str) -> None:
    assert strip_terminal(line) == seen
