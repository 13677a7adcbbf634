"""How the result of checks looks: one line when all is well, a card for each thing that is not."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from labhelpers.checks import CheckResult, Finding
from labhelpers.i18n import tr
from labhelpers.widgets.look import BAD, GOOD, MONO, MUTED, bar, card, escape, plain_bar

_NODE_IN_COMMAND = re.compile(r"(?<=^%%)(on|file \S+) (\S+)")
SHOWN_FINDINGS = 4
"""Findings shown of one check: mending the first often mends the rest."""


def merged(findings: Sequence[Finding]) -> list[Finding]:
    """The same thing wrong on several nodes as one finding that names them all, in its command too."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.key, finding.found, finding.expected), []).append(finding)
    shown = []
    for group in groups.values():
        nodes = " ".join(dict.fromkeys(finding.node for finding in group))
        first = group[0]
        command = first.command
        match = _NODE_IN_COMMAND.search(command)
        if match and match[2] == first.node:
            command = command[: match.start(2)] + nodes + command[match.end(2) :]
        shown.append(dataclasses.replace(first, node=nodes, command=command))
    return shown


def so_far(done: int, total: int) -> str:
    """The progress in words. It is the notebook's, not the lab's: nobody has looked at the other steps."""
    return tr(f"{done}/{total} passed in this notebook", f"{done}/{total} réussies dans ce notebook")


def passed_html(result: CheckResult, done: int, total: int) -> str:
    return card(
        f'<span style="color:{GOOD};font-weight:600">✓</span> {escape(result.check.title())}'
        f' <span style="{MUTED};{MONO};font-size:0.9em">{escape(result.check.name)}</span>'
        f'<span style="float:right">{bar(done, total)} <span style="{MUTED}">{so_far(done, total)}</span></span>',
        GOOD,
    )


def failed_html(result: CheckResult, done: int, total: int, hints: int) -> str:
    """``hints``: how many of each finding's hints are shown, the command being the last."""
    head = (
        f'<div style="margin:0 0 4px 0"><span style="color:{BAD};font-weight:600">✗</span> '
        f"<b>{escape(result.check.title())}</b>"
        f' <span style="{MUTED};{MONO};font-size:0.9em">{escape(result.check.name)}</span>'
        f'<span style="float:right">{bar(done, total)} <span style="{MUTED}">{so_far(done, total)}</span></span></div>'
    )
    shown = "".join(finding_html(finding, hints) for finding in merged(result.findings)[:SHOWN_FINDINGS])
    return card(head + shown + more_html(result), BAD)


def not_yet_html(result: CheckResult) -> str:
    """A check that fails after another one did, in one line."""
    return card(
        f'<span style="{MUTED}">✗ {escape(result.check.title())}'
        f' <span style="{MONO};font-size:0.9em">{escape(result.check.name)}</span></span>',
    )


def more_html(result: CheckResult) -> str:
    more = len(merged(result.findings)) - SHOWN_FINDINGS
    if more <= 0:
        return ""
    text = tr(
        f"… and {more} more; begin with the first.",
        f"… et {more} de plus ; commencez par le premier.",
    )
    return f'<div style="{MUTED}">{text}</div>'


def finding_html(finding: Finding, hints: int) -> str:
    """One finding: where, what was found, what was expected, and as many hints as were asked for."""
    label = f"{MUTED};font-size:0.9em"
    rows = (
        f'<div><b style="{MONO}">{escape(finding.node)}</b> {escape(finding.found)}</div>'
        f'<div style="{label}">{tr("expected:", "attendu :")} {escape(finding.expected)}</div>'
    )
    if finding.hint and hints >= 1:
        rows += f'<div style="margin-top:2px">→ {escape(finding.hint)}</div>'
    if finding.second and hints >= 2:
        rows += f"<div>→ {escape(finding.second)}</div>"
    if finding.command and hints >= 3:
        rows += (
            f'<pre style="margin:3px 0 0 0;padding:4px 8px;{MONO};background-color:rgba(128,128,128,0.12)">'
            f"{escape(finding.command.rstrip())}</pre>"
        )
    return f'<div style="padding:3px 0 5px 18px">{rows}</div>'


def result_text(
    result: CheckResult,
    hints: int,
    *,
    done: int | None = None,
    total: int | None = None,
    brief: bool = False,
) -> str:
    """The same in plain text, for terminals and for readers without HTML."""
    progress = f"  {plain_bar(done, total)} {so_far(done, total)}" if done is not None and total is not None else ""
    mark = "✓" if result.passed else "✗"
    lines = [f"{mark} {result.check.name}  {result.check.title()}{progress}"]
    if brief:
        return lines[0]
    for finding in merged(result.findings)[:SHOWN_FINDINGS]:
        lines.append(f"    {finding.node}: {finding.found}")
        lines.append(f"        {tr('expected:', 'attendu :')} {finding.expected}")
        shown = [finding.hint, finding.second][: min(hints, 2)]
        lines += [f"        → {hint}" for hint in shown if hint]
        if finding.command and hints >= 3:
            lines += [f"          {line}" for line in finding.command.rstrip().splitlines()]
    more = len(merged(result.findings)) - SHOWN_FINDINGS
    if more > 0:
        lines.append(tr(f"    … and {more} more", f"    … et {more} de plus"))
    return "\n".join(lines)


def report_of(result: CheckResult) -> dict[str, object]:
    """What a batch's report keeps of a check."""
    return {
        "kind": "check",
        "name": result.check.name,
        "passed": result.passed,
        "title": result.check.title(),
        "findings": [f"{finding.node}: {finding.found}" for finding in result.findings],
    }


def hints_html(findings: Sequence[Finding], level: int) -> str:
    """What ``%hint`` shows: the findings again with the hints up to ``level``."""
    return card("".join(finding_html(finding, level) for finding in merged(findings)[:SHOWN_FINDINGS]))
