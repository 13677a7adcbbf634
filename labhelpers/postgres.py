"""PostgreSQL as a client of the lab sees it: libpq over the lab's network, as the role ``app`` of chapter 04."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal

from labhelpers.errors import LabError, PostgresUnreachable
from labhelpers.host import bridge_is_up
from labhelpers.i18n import tr
from labhelpers.topology import Topology

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

CLIENT_ROLE = "app"
CLIENT_DATABASE = "app"
CONNECT_TIMEOUT = 2
"""Seconds; libpq knows no shorter bound (https://www.postgresql.org/docs/17/libpq-connect.html)."""

GRACE_SECONDS = 3.0
"""What a server gets, after its own ``statement_timeout`` should have ended a statement, to say so."""

SessionAttributes = Literal["any", "read-write", "read-only", "primary", "standby", "prefer-standby"]


class SqlError(LabError):
    """PostgreSQL refused a statement; ``sqlstate`` is its code."""

    def __init__(self, node: str, message: str, sqlstate: str | None) -> None:
        self.node, self.sqlstate = node, sqlstate
        super().__init__(tr(f"{node}: {message}", f"{node} : {message}"))


class Postgres:
    """The databases of a lab.

    >>> columns, rows = lab.postgres.query("pg-1", "select pg_is_in_recovery()")
    """

    def __init__(self, topology: Topology, secret: Callable[[str], str]) -> None:
        self._topology = topology
        self._secret = secret

    def conninfo(
        self, nodes: Sequence[str] | None = None, *, attributes: SessionAttributes = "any",
        user: str = CLIENT_ROLE, dbname: str = CLIENT_DATABASE, connect_timeout: int = CONNECT_TIMEOUT,
    ) -> str:  # fmt: skip
        """What libpq needs to reach one of ``nodes`` (all database nodes where not said). It holds a password.

        ``connect_timeout`` is in whole seconds, for each node in turn. Raises :class:`UnknownNode`.
        """
        from psycopg.conninfo import make_conninfo

        hosts = [self._topology.node(name) for name in nodes or self._topology.postgres]
        return make_conninfo(
            host=",".join(host.name for host in hosts), hostaddr=",".join(host.address for host in hosts),
            port=5432, user=user, dbname=dbname, password=self._secret(user), connect_timeout=connect_timeout,
            target_session_attrs=attributes, application_name="workshop",
        )  # fmt: skip

    def connect(
        self, *nodes: str, attributes: SessionAttributes = "any", user: str = CLIENT_ROLE,
        dbname: str = CLIENT_DATABASE, autocommit: bool = True,
    ) -> psycopg.Connection[Any]:  # fmt: skip
        """A connection to one of ``nodes``. Raises :class:`PostgresUnreachable`."""
        import psycopg

        asked, lab = ", ".join(nodes or self._topology.postgres), self._topology.lab
        if not bridge_is_up(self._topology):
            raise PostgresUnreachable(asked, tr("the lab's network is down", "le réseau du lab est arrêté"), lab)
        try:
            return psycopg.connect(
                self.conninfo(nodes, attributes=attributes, user=user, dbname=dbname), autocommit=autocommit
            )
        except psycopg.OperationalError as error:
            raise PostgresUnreachable(asked, " ".join(str(error).split()), lab) from error

    def query(
        self, node: str, sql: str, *, user: str = CLIENT_ROLE, dbname: str = CLIENT_DATABASE, timeout: float = 20
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Run statements on one node: the columns and rows of the last one that has any.

        They may take ``timeout`` seconds. Raises :class:`PostgresUnreachable` and :class:`SqlError`.
        """
        import psycopg

        with self.connect(node, user=user, dbname=dbname) as connection:
            try:
                with answer_within(connection, node, timeout):
                    cursor = connection.execute(sql)
                    columns, rows = _rows(cursor)
                    while cursor.nextset():
                        if cursor.description:
                            columns, rows = _rows(cursor)
            except psycopg.Error as error:
                raise SqlError(node, error.diag.message_primary or str(error), error.sqlstate) from error
        return columns, rows

    def is_in_recovery(self, node: str) -> bool:
        """Whether the node's instance is read-only. Raises :class:`PostgresUnreachable`."""
        _, rows = self.query(node, "select pg_is_in_recovery()")
        return bool(rows[0][0])


@contextmanager
def answer_within(connection: psycopg.Connection[Any], node: str, timeout: float) -> Iterator[None]:
    """What is inside gets its answers within ``timeout`` seconds, or :class:`PostgresUnreachable` is raised.

    The server is told its bound, and kept to it from here as well: a node that freezes when its connection stands can't
    end its statement, and its kernel acknowledges for it all that TCP would miss. The socket is shut down under the
    client that waits, which libpq reports as a lost connection.
    """
    import psycopg

    ours = socket.socket(fileno=os.dup(connection.fileno()))
    late = threading.Event()

    def cut() -> None:
        late.set()
        with suppress(OSError):  # the other side was faster
            ours.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(timeout + GRACE_SECONDS, cut)
    timer.daemon = True
    timer.start()
    try:
        connection.execute(f"set statement_timeout = {int(timeout * 1000)}")
        yield
    except psycopg.Error as error:
        if not late.is_set():
            raise
        connection.close()
        seconds = f"{timeout + GRACE_SECONDS:g}"
        raise PostgresUnreachable(
            node, tr(f"no answer within {seconds} s", f"pas de réponse en {seconds} s")
        ) from error
    finally:
        timer.cancel()
        timer.join()
        ours.close()


def _rows(cursor: psycopg.Cursor[Any]) -> tuple[list[str], list[tuple[Any, ...]]]:
    if not cursor.description:
        return [], []
    return [column.name for column in cursor.description], cursor.fetchall()
