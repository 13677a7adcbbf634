"""Asks one PostgreSQL directly, for the time when Patroni is silent and PostgreSQL may not be.

Patroni killed or frozen leaves a PostgreSQL that goes on writable without it; whoever asks Patroni alone
would draw one leader where there are two.
"""

from __future__ import annotations

import asyncio
import time

import psycopg

from labhelpers.observe.records import MemberSample, NodeState, Role

QUERY = """
select pg_is_in_recovery(),
       case when pg_is_in_recovery() then null else (pg_current_wal_lsn() - '0/0')::bigint end,
       (pg_last_wal_replay_lsn() - '0/0')::bigint,
       case when pg_is_in_recovery() then pg_is_wal_replay_paused() end,
       case when pg_is_in_recovery()
            then coalesce((select received_tli from pg_stat_wal_receiver),
            (pg_control_checkpoint()).timeline_id) else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()),
            1, 8))::bit(32)::int end
"""
TIMEOUT_SECONDS = 0.8


class PostgresProbe:
    """One kept-open connection to one node. ``look`` returns None where PostgreSQL does not answer either."""

    def __init__(self, member: str, conninfo: str) -> None:
        self.member = member
        self._conninfo = conninfo
        self._connection: psycopg.AsyncConnection[tuple[object, ...]] | None = None

    async def look(self, node_state: NodeState | None) -> MemberSample | None:
        begin = time.monotonic()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                if self._connection is None:
                    self._connection = await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True)
                row = await (await self._connection.execute(QUERY)).fetchone()
        except (TimeoutError, psycopg.Error, OSError):
            self.forget()
            return None
        if row is None:
            return None
        in_recovery, location, replayed, paused, timeline = row
        role: Role = "replica" if in_recovery else "leader"
        return MemberSample(
            at=time.monotonic(),
            member=self.member,
            node_state=node_state,
            answered=True,
            source="postgres",
            role=role,
            state="running",
            timeline=_integer(timeline),
            in_recovery=bool(in_recovery),
            location=_integer(location),
            replayed=_integer(replayed),
            replay_paused=None if paused is None else bool(paused),
            took_seconds=time.monotonic() - begin,
        )

    def forget(self) -> None:
        """Drop the connection at once, without a word to a server that may be frozen."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.pgconn.finish()


def _integer(value: object) -> int | None:
    return int(value) if isinstance(value, int) else None
