"""A client that writes as an application does, in a process of its own: ``python -m
labhelpers.observe.client``.

Why a process: its own interpreter lock, so that a busy notebook does not disturb its pace; it can run in the
client's own network namespace; and it can be killed without harm.

It reads its orders as one line of JSON from its standard input (so that the password is on no command line),
writes a line of JSON for each attempt to its standard output, and ends when its standard input is closed: it
never outlives the process that started it.

Two kinds. The ordinary one gives libpq all hosts and ``target_session_attrs=read-write`` and gives up an
attempt on a silent server after a time-out, as applications are told to. The pinned one stays with one node,
on one connection, without any time-out: after a freeze it is still there, and what the thawed server
acknowledges, it believes.

An attempt is *refused* only where it is certain that nothing was committed; it is then tried again under the
same number. Where the statement was sent and no answer came, the attempt is *unknown*, and the next commit
gets a new number.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg import pq

from labhelpers.observe.records import Attempt, to_json

GRACE_SECONDS = 2.5
"""How long the attempt under way may take to end after the order to stop."""
IN_DOUBT = frozenset({"57P01", "57P02", "40003", "08006", "08007"})
"""The server closed the connection: it may have committed before
(https://www.postgresql.org/docs/17/errcodes-appendix.html).
"""
UNDEFINED_TABLE = "42P01"


@dataclass(frozen=True, slots=True)
class Orders:
    """What a client is told to do. ``statement_timeout_seconds`` None: wait for ever (the pinned kind)."""

    client: str
    conninfo: str
    nodes: Mapping[str, str]  # address -> name
    table: str
    pinned_to: str | None = None
    rate: float | None = 20.0
    statement_timeout_seconds: float | None = 1.5
    retry_pause_seconds: float = 0.1

    def to_line(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Orders:
        return cls(**json.loads(line))


class Silence(Exception):
    """The server did not answer in time, or the order to stop came first."""


class Refused(Exception):
    """The server said no, for certain."""

    def __init__(self, message: str, sqlstate: str | None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class InDoubt(Exception):
    """The server's answer does not tell whether it has committed."""

    def __init__(self, message: str, sqlstate: str | None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


def one_line(error: BaseException | str, longest: int = 160) -> str:
    """The last line that says something, short."""
    lines = [line.strip(" -\t") for line in str(error).splitlines() if line.strip(" -\t")]
    return (lines[-1] if lines else type(error).__name__)[:longest]


def classify(sqlstate: str | None, message: str) -> Exception:
    """What an error that the server sent means for the commit."""
    if sqlstate is None or sqlstate in IN_DOUBT:
        return InDoubt(message, sqlstate)
    return Refused(message, sqlstate)


class Pace:
    """When the next commit is due. A client that was held up does not make up for it by a burst."""

    def __init__(self, rate: float | None) -> None:
        self._period = 1 / rate if rate else 0.0
        self._due = time.monotonic()

    def wait_seconds(self) -> float:
        now = time.monotonic()
        wait = self._due - now
        if wait < -self._period:
            self._due, wait = now, 0.0
        self._due += self._period
        return max(wait, 0.0)


class Writer:
    """Commits rows, one after the other, until ``stopping`` is set."""

    def __init__(self, orders: Orders, say: Callable[[Attempt], None], stopping: threading.Event) -> None:
        self.orders = orders
        self._say = say
        self._stopping = stopping
        self._connection: psycopg.Connection[Any] | None = None
        self._insert = (
            f"insert into {orders.table} (client, sequence) values ($1, $2) "
            "returning host(inet_server_addr()), pg_walfile_name(pg_current_wal_lsn())"
        ).encode()

    def run(self) -> None:
        pace = Pace(self.orders.rate)
        sequence, attempt = 1, 1
        while not self._stopping.wait(pace.wait_seconds()):
            done = self._attempt(sequence, attempt)
            if done is None:
                break
            self._say(done)
            if done.outcome == "refused":
                attempt += 1
                self._stopping.wait(self.orders.retry_pause_seconds)
            else:
                sequence, attempt = sequence + 1, 1
        self._drop()

    def _attempt(self, sequence: int, attempt: int) -> Attempt | None:
        """One attempt; None where the order to stop came before anything was sent."""
        begin = time.monotonic()

        def ended(outcome: Any, **more: Any) -> Attempt:
            return Attempt(begin, time.monotonic(), self.orders.client, sequence, attempt, outcome, **more)

        node = self.orders.pinned_to
        try:
            connection = self._connected()
        except psycopg.Error as error:
            self._drop()
            if self._stopping.is_set():
                return None
            return ended("refused", node=node, error=one_line(error), sqlstate=error.sqlstate)
        try:
            try:
                address, walfile = self._commit(connection, sequence)
            except Refused as refused:
                if refused.sqlstate != UNDEFINED_TABLE:
                    raise
                connection.execute(create_table(self.orders.table))
                address, walfile = self._commit(connection, sequence)
        except Refused as refused:
            if self.orders.pinned_to is None:
                self._drop()  # another host may accept it
            return ended("refused", node=node, error=str(refused), sqlstate=refused.sqlstate)
        except InDoubt as doubt:
            self._drop()
            return ended("unknown", node=node, error=str(doubt), sqlstate=doubt.sqlstate)
        except Silence:
            self._drop()
            return ended("unknown", node=node, error="no answer in time")
        except psycopg.Error as error:
            self._drop()
            return ended("unknown", node=node, error=one_line(error), sqlstate=error.sqlstate)
        name = self.orders.nodes.get(address, address)
        return ended("acknowledged", node=name, timeline=int(walfile[:8], 16))

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            self._connection = psycopg.connect(self.orders.conninfo, autocommit=True)
        return self._connection

    def _drop(self) -> None:
        """Let the connection go at once, without a word to a server that may be frozen."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.pgconn.finish()

    def _commit(self, connection: psycopg.Connection[Any], sequence: int) -> tuple[str, str]:
        """One row, one transaction. Returns once the server has said that it is committed (ReadyForQuery)."""
        link = connection.pgconn
        timeout = self.orders.statement_timeout_seconds
        deadline = None if timeout is None else time.monotonic() + timeout
        link.send_query_params(self._insert, [self.orders.client.encode(), str(sequence).encode()])
        while link.flush():
            self._wait(link, deadline, for_writing=True)
        answer: tuple[str, str] | None = None
        problem: Exception | None = None
        while True:
            while link.is_busy():
                self._wait(link, deadline)
                link.consume_input()
            result = link.get_result()
            if result is None:
                break
            if result.status == pq.ExecStatus.TUPLES_OK:
                answer = ((result.get_value(0, 0) or b"").decode(), (result.get_value(0, 1) or b"").decode())
            else:
                state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode() or None
                primary = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b""
                problem = classify(state, primary.decode("utf-8", "replace") or one_line(result.get_error_message()))
        if problem is not None:
            raise problem
        if answer is None or link.status != pq.ConnStatus.OK:
            raise InDoubt("the connection broke before the answer", None)
        return answer

    def _wait(self, link: pq.abc.PGconn, deadline: float | None, *, for_writing: bool = False) -> None:
        socket = link.socket
        while not self._stopping.is_set():
            left = 0.2 if deadline is None else min(0.2, deadline - time.monotonic())
            if left <= 0:
                break
            reading, writing = ([], [socket]) if for_writing else ([socket], [])
            if any(select.select(reading, writing, [], left)):
                return
        raise Silence


def create_table(table: str) -> str:
    """The journal: who wrote what, and when the server thought it was. It is made where it is missing."""
    return (
        f"create table if not exists {table} (client text not null, sequence bigint not null, "
        "at timestamptz not null default clock_timestamp(), primary key (client, sequence))"
    )


def _watch_parent(stopping: threading.Event) -> None:
    """Standard input closed means: stop. What does not end by itself then is ended."""
    while os.read(0, 4096):
        pass
    stopping.set()
    time.sleep(GRACE_SECONDS)
    os._exit(0)


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for the notebook
    orders = Orders.from_line(_first_line())
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    threading.Thread(target=_watch_parent, args=(stopping,), daemon=True).start()

    def say(attempt: Attempt) -> None:
        os.write(1, (to_json(attempt) + "\n").encode())

    Writer(orders, say, stopping).run()
    return 0


def _first_line() -> str:
    """The orders, read without a buffer: what follows belongs to ``_watch_parent``."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            break
        line += byte
    return line.decode()


if __name__ == "__main__":
    sys.exit(main())
