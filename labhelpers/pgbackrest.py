"""What the repository on the backup node holds, as pgBackRest itself tells it.

``pgbackrest info --output=json`` (https://pgbackrest.org/command.html#command-info) is run on the backup node as
``postgres``, which owns the repository.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from labhelpers.errors import CommandFailed, LabError
from labhelpers.i18n import tr
from labhelpers.nodes import Nodes
from labhelpers.topology import Topology

USER = "postgres"
STANZA = "main"
TIMEOUT = 30.0
"""Seconds for ``info``: it reads a few files of the repository."""

OK = 0
"""The status code of a stanza whose archive and backups are usable."""


class InfoUnreadable(LabError):
    """pgBackRest did not answer with what it holds."""

    def __init__(self, node: str, why: str) -> None:
        self.node, self.why = node, why
        super().__init__(
            tr(f"pgBackRest on {node} does not say what it holds ({why}). Ask it: pgbackrest info",
               f"pgBackRest, sur {node}, ne dit pas ce qu'il garde ({why}). Demandez-lui : pgbackrest info")
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup: ``kind`` is ``full``, ``diff`` or ``incr``; ``prior`` is the label that an ``incr`` builds on."""

    label: str
    kind: str
    started_at: datetime
    stopped_at: datetime
    wal_stop: str
    prior: str | None
    failed: bool
    """pgBackRest found a page whose checksum is wrong."""

    @property
    def timeline(self) -> int:
        """The timeline that it was taken on: the first eight hexadecimal digits of its WAL segments' names."""
        return int(self.wal_stop[:8], 16)


@dataclass(frozen=True, slots=True)
class Stanza:
    """All that the repository holds of one cluster. Without backups ``status_code`` is 2, without stanza 1."""

    name: str
    status_code: int
    status: str
    system_id: int | None
    backups: tuple[Backup, ...]

    @property
    def is_ok(self) -> bool:
        return self.status_code == OK

    @property
    def last(self) -> Backup | None:
        return self.backups[-1] if self.backups else None

    def of_kind(self, kind: str) -> tuple[Backup, ...]:
        return tuple(backup for backup in self.backups if backup.kind == kind)


class PgBackRest:
    """pgBackRest of a lab.

    >>> lab.pgbackrest.stanza().last.kind
    'full'
    """

    def __init__(self, topology: Topology, nodes: Nodes) -> None:
        self._topology = topology
        self._nodes = nodes

    def info(self) -> tuple[Stanza, ...]:
        """Every stanza in the repository, none where there is none. Raises :class:`InfoUnreadable`."""
        node = self._topology.backup[0]
        try:
            said = self._nodes[node].run(
                "pgbackrest info --output=json --log-level-console=off", user=USER, timeout=TIMEOUT
            )
        except CommandFailed as error:
            (result,) = error.results
            words = (result.stderr or result.stdout).strip().splitlines()
            raise InfoUnreadable(node, result.error or (words[-1] if words else str(result.exited))) from error
        return parse_info(said.stdout, node)

    def stanza(self, name: str = STANZA) -> Stanza | None:
        """The stanza of that name, ``None`` where the repository has none. Raises :class:`InfoUnreadable`."""
        return next((stanza for stanza in self.info() if stanza.name == name and stanza.status_code != 1), None)


def parse_info(text: str, node: str = "backup") -> tuple[Stanza, ...]:
    """The stanzas in what ``info --output=json`` printed. Raises :class:`InfoUnreadable`."""
    try:
        return tuple(_stanza(written) for written in json.loads(text))
    except (ValueError, KeyError, TypeError) as error:
        raise InfoUnreadable(node, f"{type(error).__name__}: {error}") from error


def _stanza(written: dict[str, Any]) -> Stanza:
    databases = written.get("db") or []
    return Stanza(
        name=written["name"], status_code=written["status"]["code"], status=written["status"]["message"],
        system_id=databases[-1].get("system-id") if databases else None,
        backups=tuple(_backup(each) for each in written.get("backup") or ()),
    )  # fmt: skip


def _backup(written: dict[str, Any]) -> Backup:
    times = written["timestamp"]
    return Backup(
        label=written["label"], kind=written["type"],
        started_at=datetime.fromtimestamp(times["start"], UTC), stopped_at=datetime.fromtimestamp(times["stop"], UTC),
        wal_stop=written["archive"]["stop"], prior=written.get("prior"), failed=bool(written.get("error")),
    )  # fmt: skip
