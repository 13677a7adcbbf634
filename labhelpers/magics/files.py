"""``%%file``: write the cell to a file on nodes, rendered for each, and show what changed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from IPython.core import magic_arguments
from IPython.core.magic import cell_magic, magics_class, no_var_expand

from labhelpers.errors import CommandFailed, LabError, UsageProblem
from labhelpers.i18n import plural, tr
from labhelpers.magics.arguments import interpolate, nodes_of, parse
from labhelpers.magics.base import WorkshopMagics
from labhelpers.magics.blocks import FOLD_ABOVE
from labhelpers.magics.errors import Interrupted
from labhelpers.widgets.look import BAD, GOOD, MONO, MUTED, NotebookCanvas, colour_of, escape

_FIELD = re.compile(r"\{\{\s*([A-Za-z_][\w.-]*)\s*\}\}")


class WriteFailed(LabError):
    """A file could not be written on at least one node; the other nodes have it."""

    def __init__(self, path: str, reasons: Mapping[str, str]) -> None:
        self.path, self.reasons = path, dict(reasons)
        details = "; ".join(f"{node}: {reason}" for node, reason in self.reasons.items())
        super().__init__(tr(f"{path} could not be written. {details}", f"{path} n'a pas pu être écrit. {details}"))


def fields_of(topology: Any, node: str) -> dict[str, str]:
    """What a file may say for each node: its name and address, all addresses, and the cluster's names."""
    fields = {f"addresses.{spec.name}": spec.address for spec in topology.nodes}
    fields.update(
        node=node,
        address=topology.node(node).address,
        network=topology.network,
        subnet=str(topology.subnet),
        gateway=topology.gateway,
        scope=topology.scope,
        version=topology.postgres_version,
        lab=topology.lab,
        client=topology.client_address,
    )
    return fields


def render(body: str, fields: Mapping[str, str]) -> str:
    """The body with each ``{{ field }}`` replaced, ending with one line feed. Nothing else has a meaning in it.

    Raises :class:`UsageProblem` for a field that there is not.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in fields:
            listed = ", ".join(sorted(fields))
            raise UsageProblem(
                tr(
                    f"There is no {{{{ {match[1]} }}}} to fill in. There are: {listed}.",
                    f"Il n'y a pas de {{{{ {match[1]} }}}}. Il y a : {listed}.",
                )
            )
        return fields[match[1]]

    return _FIELD.sub(value, body).rstrip("\n") + "\n"


def appended(present: str, addition: str) -> str:
    """``present`` with ``addition`` at its end, once: what is there already is not added again."""
    lines = addition.strip("\n")
    if f"\n{lines}\n" in f"\n{present}\n":
        return present
    if present and not present.endswith("\n"):
        present += "\n"
    return present + addition


def merged(diffs: Mapping[str, str]) -> list[tuple[list[str], str]]:
    """Nodes with the same change together: ``(nodes, change)`` in node order. The change has no file headers."""
    groups: dict[str, list[str]] = {}
    for node, diff in diffs.items():
        change = "\n".join(line for line in diff.splitlines()[2:] if not line.startswith("@@"))
        groups.setdefault(change, []).append(node)
    return [(nodes, change) for change, nodes in groups.items()]


def diff_html(nodes: Sequence[str], change: str, path: str, colour: str, *, folded: bool = False) -> str:
    """The nodes, and what changed on them; ``folded``: only how many lines, until it is opened."""
    head = f"{MUTED};font-size:0.9em"
    lines = []
    for line in change.splitlines():
        look = {"+": f"color:{GOOD}", "-": f"color:{BAD}"}.get(line[:1], MUTED)
        lines.append(f'<span style="{look}">{escape(line)}</span>')
    body = (
        f'<pre style="margin:0;padding:0;background-color:transparent;white-space:pre;{MONO};line-height:1.35">'
        + "\n".join(lines)
        + "</pre>"
        if lines
        else f'<div style="{head}">{tr("already so", "déjà ainsi")}</div>'
    )
    if folded and lines:
        count = tr(plural(len(lines), "changed line", "changed lines"),
                   plural(len(lines), "ligne modifiée", "lignes modifiées"))  # fmt: skip
        summary = f'<summary style="{head};cursor:pointer">{escape(path)} · {count}</summary>'
        told = f"<details>{summary}{body}</details>"
    else:
        told = f'<div style="{head}">{escape(path)}</div>{body}'
    return (
        f'<div style="display:flex;border-left:3px solid {colour};margin:0 0 5px 0">'
        f'<div style="min-width:4.6em;padding:1px 10px;font-weight:600;{MONO};font-size:0.95em">'
        f"{'<br>'.join(escape(node) for node in nodes)}</div>"
        f'<div style="flex:1 1 auto;min-width:0px;overflow-x:auto">{told}</div></div>'
    )


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a file on several nodes, in their order: the change made ("" where it was so already), or why
    it could not be written."""

    changes: Mapping[str, str]
    reasons: Mapping[str, str]


def write_on_nodes(
    lab: Any, names: Sequence[str], path: str, body: str, *, owner: str, mode: str, append: bool
) -> Written:
    """Write the file on the nodes side by side: one that is silent costs its own time-out and delays no other.

    Everything is rendered before anything is written. Raises :class:`Interrupted` where a person stopped it.
    """
    texts = {name: render(body, fields_of(lab.topology, name)) for name in names}

    def change(name: str) -> str | LabError:
        node = lab.nodes[name]
        try:
            wanted = appended(present(node, path), texts[name]) if append else texts[name]
            return str(node.write(path, wanted, owner=owner, mode=mode))
        except LabError as error:
            return error

    pool = ThreadPoolExecutor(len(names))
    try:
        done = dict(zip(names, pool.map(change, names), strict=True))
    except KeyboardInterrupt:
        for name in names:  # an interrupt reaches only the thread that waits
            lab.nodes[name].close()
        raise Interrupted(names) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return Written(
        {name: said for name, said in done.items() if isinstance(said, str)},
        {name: str(said) for name, said in done.items() if isinstance(said, LabError)},
    )


def present(node: Any, path: str) -> str:
    """The file's text, "" where there is none. Raises :class:`CommandFailed` where that can't be known: what is not
    read would be lost when the file is written whole."""
    there = node.try_run(f"test -e {shlex.quote(path)}")
    if there.exited == 1:
        return ""
    if not there.ok:
        raise CommandFailed([there])
    return str(node.read(path))


@magics_class
class FileMagics(WorkshopMagics):
    """Files on nodes."""

    @no_var_expand
    @magic_arguments.magic_arguments()
    @magic_arguments.argument("path", metavar="PATH", help="where, from the root")
    @magic_arguments.argument("nodes", nargs="+", metavar="NODE", help="nodes or groups")
    @magic_arguments.argument("--owner", default="root:root", help="user:group (default: root:root)")
    @magic_arguments.argument("--mode", default="644", help="in octal (default: 644)")
    @magic_arguments.argument("--append", action="store_true", help="add to the file's end what is not in it yet")
    @cell_magic
    def file(self, line: str, cell: str) -> None:
        """Write the cell to a file on nodes. {{ node }}, {{ address }}, {{ addresses.e1 }}, {{ scope }},
        {{ network }} and their like are filled in for each node; the change is shown."""
        args = parse(self.file, line)
        if not args.path.startswith("/"):
            raise UsageProblem(
                tr(
                    f"{args.path}: write the whole path, from the root.",
                    f"{args.path} : donnez le chemin depuis la racine.",
                )
            )
        if not re.fullmatch(r"[0-7]{3,4}", args.mode):
            raise UsageProblem(tr(f"--mode {args.mode}: such as 644.", f"--mode {args.mode} : par exemple 644."))
        lab = self.session.lab()
        names = nodes_of(lab, interpolate(args.nodes, self.names))
        written = write_on_nodes(lab, names, args.path, cell, owner=args.owner, mode=args.mode, append=args.append)
        html, plain = "", []
        changes = merged(written.changes)
        is_long = sum(len(change.splitlines()) + 1 for _, change in changes) > FOLD_ABOVE
        for place, (nodes, change) in enumerate(changes):
            colour = colour_of(nodes[0], lab.topology)
            html += diff_html(nodes, change, args.path, colour, folded=is_long and place > 0)
            plain.append(f"{' '.join(nodes)}  {args.path}\n{change or tr('already so', 'déjà ainsi')}")
        if html:
            NotebookCanvas().draw(html, "\n".join(plain))
        if written.reasons:
            raise WriteFailed(args.path, written.reasons)
