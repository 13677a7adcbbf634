"""Whether etcd still has a majority to ask: where it has none, nobody can say who holds the leader key."""

from __future__ import annotations

from collections.abc import Iterable

SILENT_LOOKS = 2
"""A node is silent after so many looks in vain: one alone may be a busy machine."""


class QuorumJudge:
    """Counts the etcd nodes that are there and answer. A node never heard of is believed to be there."""

    def __init__(self, nodes: Iterable[str]) -> None:
        self.nodes = tuple(nodes)
        self._gone: set[str] = set()
        self._silent: dict[str, int] = dict.fromkeys(self.nodes, 0)

    def note(self, node: str, *, gone: bool, answers: bool | None) -> None:
        """``gone``: frozen, stopped or absent, as LXC says. ``answers``: None where it was not asked."""
        if gone:
            self._gone.add(node)
        elif node in self._gone:
            self._gone.discard(node)
            self._silent[node] = SILENT_LOOKS  # back, but believed only when it answers
        if answers is not None:
            self._silent[node] = 0 if answers else self._silent[node] + 1

    @property
    def has_majority(self) -> bool:
        well = [n for n in self.nodes if n not in self._gone and self._silent[n] < SILENT_LOOKS]
        return len(well) > len(self.nodes) // 2
