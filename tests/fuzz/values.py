"""What nobody should type, and somebody does."""

from __future__ import annotations

from hypothesis import strategies as st

LAB = "fuzz"
"""The stage's lab: described on the disk, and nothing of it runs."""
A_FILE = "a-file"
"""A plain file of the stage: nothing can be made below it, whatever follows its name."""

AWKWARD = (
    "", " ", "\t", "\n", "pg-1\n", " pg-1", "PG-1", "pg-1;reboot", "pg-1 pg-2", "all,", "host", "localhost",
    "127.0.0.1",
    "-", "--", "---", "-x", "--lab", "--bogus", "--bogus=1", "..", "../../etc/passwd", "/", "/dev/null", "~", "*", "?",
    "$(touch /tmp/x)", "`id`", "; rm -rf /", "| cat", "&& true", "'", '"', "\\", "\\n", "${HOME}", "$nothing",
    "{nothing}",
    "%s%n", "{0}", "{{ node }}", "{{ nothing }}", "<b>x</b>", "\x1b[31mred\x1b[0m", "\x07", "\x7f", "\u202e", "\ufeff",
    "é", "日本語", "🐘" * 40, "a\u0301", "x" * 5000, "0", "-1", "nan", "inf", "-inf", "1e999", "0x10", "9" * 400, "1_0",
    "None", "true", "'; drop table journal; --", "01", "07 ", "7.5", "fresh ", "Main", "a--", "-a", "99", "100",
)  # fmt: skip
NUMBERS = (0.0, -0.0, -1.0, -1e9, 1e-300, 1e300, float("nan"), float("inf"), float("-inf"))

_CHARACTERS = st.characters(exclude_characters="\0", codec="utf-8")

words = st.one_of(st.sampled_from(AWKWARD), st.text(_CHARACTERS, max_size=40))
"""Whatever can stand in an argument: a process's arguments hold no NUL."""

raw_words = st.one_of(words, st.just("\0"), st.just("a\0b"), st.text(max_size=20))
"""The same for a call in Python, where everything can stand."""

numbers = st.one_of(st.sampled_from(NUMBERS), st.floats(max_value=0.0), st.floats(min_value=1e18))
"""Seconds or minutes that make no sense."""

broken_lab_names = words.filter(lambda word: bool(word) and not _is_lab_name(word))
unknown_options = st.sampled_from(
    ("--bogus", "--bogus=1", "-Z", "--lab-", "--purge-all", "--jsonx", "--no-such\x1b[31m")
)


def is_save_name(word: str) -> bool:
    from labhelpers.course.saverecords import checked_name
    from labhelpers.errors import LabError

    try:
        checked_name(word, [])
    except LabError:
        return False
    return True


def _is_lab_name(word: str) -> bool:
    from labhelpers.errors import InvalidLabName
    from labhelpers.paths import validate_lab_name

    try:
        validate_lab_name(word)
    except InvalidLabName:
        return False
    return True
