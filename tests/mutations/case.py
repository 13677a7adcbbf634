"""A wrong state, how it is made and undone, and what a check must say of it.

A :class:`Case` is declared, never written as a test: the runner makes it, waits for the check to say the expected
thing, undoes it, and waits for the check to pass again. The undoing is done whatever happened.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labhelpers.lab import Lab
from labhelpers.waiting import wait_until

KEPT = "before-mutation"
"""What the name of a file that was put aside ends with."""


@dataclass(frozen=True, slots=True)
class Step:
    """A change to the lab, and its inverse."""

    do: Callable[[Lab], object]
    undo: Callable[[Lab], object]


@dataclass(frozen=True, slots=True)
class Case:
    """A wrong state. ``key`` is the kind of finding that ``check`` must report, on ``node`` where it names one.

    ``key`` is None for a right state reached another way: the check must pass.
    """

    name: str
    check: str
    key: str | None
    node: str | None
    steps: tuple[Step, ...]
    fast: bool = False
    before: tuple[Step, ...] = ()
    """What the check needs in order to pass at all, where the lab has not got it."""

    @property
    def is_right(self) -> bool:
        return self.key is None

    def given(self, *steps: Step) -> Case:
        """The same case, with steps that come first."""
        return replace(self, before=steps)


def wrong(name: str, check: str, key: str, node: str | None, *steps: Step, fast: bool = False) -> Case:
    return Case(name, check, key, node, steps, fast)


def right(name: str, check: str, *steps: Step, fast: bool = False) -> Case:
    return Case(name, check, None, None, steps, fast)


def on(nodes: str, do: str, undo: str, *, user: str | None = None) -> Step:
    """Scripts for nodes: names and groups with blanks between them, or ``leader``."""

    def run(script: str) -> Callable[[Lab], object]:
        return lambda lab: lab.nodes.run(_names(lab, nodes), script, user=user, timeout=120)

    return Step(run(do), run(undo))


def _names(lab: Lab, nodes: str) -> list[str]:
    if nodes == "leader":
        leader = lab.patroni.leader()
        assert leader, "nobody leads"
        return [leader]
    return nodes.split()


def edited(path: str, nodes: str, script: str) -> Step:
    """A file changed by a script that finds its path in ``$f``; the undoing puts the file back as it was."""
    kept = f"{path}.{KEPT}"
    return on(
        nodes,
        f"set -e\nf={shlex.quote(path)}\ncp -a $f {shlex.quote(kept)}\n{script}\n! cmp -s $f {shlex.quote(kept)}",
        f"if [ -e {shlex.quote(kept)} ]; then mv {shlex.quote(kept)} {shlex.quote(path)}; fi",
    )


def written(path: str, nodes: str, text: str) -> Step:
    """A file with another content, and its owner and mode as they were."""
    return edited(path, nodes, f"printf %s {shlex.quote(text)} >$f")


def put_aside(path: str, nodes: str) -> Step:
    """A file or directory that is not there."""
    kept, path = shlex.quote(f"{path}.{KEPT}"), shlex.quote(path)
    return on(nodes, f"mv {path} {kept}", f"if [ -e {kept} ]; then rm -rf {path}; mv {kept} {path}; fi")


def psql(statement: str, back: str, *, database: str = "postgres") -> Step:
    """SQL on the leader as ``postgres``."""
    command = f"psql -X -v ON_ERROR_STOP=1 -d {database} -c "
    return on("leader", command + shlex.quote(statement), command + shlex.quote(back), user="postgres")


def stored(do: dict[str, Any], undo: dict[str, Any]) -> Step:
    """A change of the dynamic configuration."""
    return Step(lambda lab: lab.patroni.patch_config(do), lambda lab: lab.patroni.patch_config(undo))


def parameter(name: str, value: Any, back: Any) -> Step:
    """A parameter of PostgreSQL in the dynamic configuration."""

    def patch(to: Any) -> dict[str, Any]:
        return {"postgresql": {"parameters": {name: to}}}

    return stored(patch(value), patch(back))


def restarted(role: str = "any") -> Callable[[Lab], object]:
    """PostgreSQL started again on the members of a role once they all wait for it, and the cluster whole afterwards."""

    def flagged(lab: Lab) -> bool:
        members = [m for m in lab.patroni.cluster().members if role == "any" or m.is_leader == (role == "primary")]
        return all(member.pending_restart for member in members)

    def restart(lab: Lab) -> None:
        lab.patroni.wait_for_healthy(within=90)
        wait_until(lambda: flagged(lab), what="pending restarts", within=60, every=1.0)
        command = f"patronictl restart {lab.topology.scope} --role {role} --force"
        lab.nodes.run(_names(lab, "leader"), command, user="postgres", timeout=180)
        lab.patroni.wait_for_healthy(within=90)

    return restart


def without_hba(fragment: str) -> Step:
    """The entries of ``pg_hba`` with this text in them taken away."""
    taken: list[str] = []

    def do(lab: Lab) -> None:
        taken[:] = lab.patroni.config()["postgresql"]["pg_hba"]
        kept = [entry for entry in taken if fragment not in entry]
        assert len(kept) < len(taken), f"no entry with {fragment}"
        lab.patroni.patch_config({"postgresql": {"pg_hba": kept}})

    return Step(do, lambda lab: lab.patroni.patch_config({"postgresql": {"pg_hba": taken}}) if taken else None)


def container(verb: str, back: str, node: str) -> Step:
    """LXC's own verbs: ``freeze``/``unfreeze``, ``stop``/``start``."""
    return Step(
        lambda lab: getattr(lab.containers, verb)(node), lambda lab: getattr(lab.containers, back)(node)
    )  # fmt: skip


def chosen(cases: Sequence[Case], only: Sequence[str], *, fast: bool) -> list[Case]:
    """The cases whose name or check has one of these texts in it; all where none is given."""
    return [
        case
        for case in cases
        if (not fast or case.fast) and (not only or any(text in case.name or text in case.check for text in only))
    ]
