"""The leader key, told by etcd itself the moment it changes.

Why a watch: a key that is asked for four times a second is known to a quarter of a second, and an outage's
layers must be known to a tenth. A watch is a question that stays open, and etcd answers when the key is
written, deleted or expires.

The watch must outlive the node that it goes through (that node may be the one which is frozen), so there is one through
*every* etcd node at once; the first to speak gives the time, and the key's revision tells the others' echoes apart. A
stream that breaks is opened again from the revision after the last one seen; what it replays is marked not exact.

Format: https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway/#watch-keys (keys and values are base64; one JSON
a line).
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from labhelpers.etcd import encode, leader_key_path
from labhelpers.observe.records import KeyEvent

CONNECT_TIMEOUT_SECONDS = 1.0
REOPEN_SECONDS = 0.25

KEEPALIVE: list[tuple[int, int, int]] = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 3),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
]
"""A node whose power is cut says nothing: its stream must end by itself. (A frozen node's kernel answers
these.)
"""


@dataclass(frozen=True, slots=True)
class WatchMessage:
    """One line of the stream: the store's revision, and the changes as (revision, holder or None)."""

    revision: int | None
    created: bool
    compacted: bool
    changes: tuple[tuple[int, str | None], ...]


def parse_message(line: str) -> WatchMessage | None:
    """The meaning of one line of the stream; None for one that says nothing (an error, or not JSON)."""
    try:
        result = json.loads(line).get("result")
    except (ValueError, AttributeError):
        return None
    if not isinstance(result, dict):
        return None
    changes = []
    for event in result.get("events", ()):
        kv: Mapping[str, Any] = event.get("kv", {})
        deleted = event.get("type") == "DELETE"
        holder = None if deleted else base64.b64decode(kv.get("value", "")).decode("utf-8", "replace")
        changes.append((int(kv.get("mod_revision", 0)), holder))
    revision = result.get("header", {}).get("revision")
    return WatchMessage(
        int(revision) if revision is not None else None,
        bool(result.get("created")),
        bool(result.get("canceled") or result.get("compact_revision")),
        tuple(changes),
    )


class KeyWatch:
    """Watches the leader key through every etcd node (``urls``); ``tell`` is called once for each change.

    ``run`` ends only by being cancelled. ``known`` is the state as last told, None before the first reading.
    """

    def __init__(self, urls: Mapping[str, str], scope: str, tell: Callable[[KeyEvent], None]) -> None:
        self._urls = dict(urls)
        self._key = encode(leader_key_path(scope))
        self._tell = tell
        self._seen_revision = 0
        self.known: KeyEvent | None = None
        self.live: set[str] = set()  # the nodes through which a stream is open

    async def run(self) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        timeout = httpx.Timeout(CONNECT_TIMEOUT_SECONDS, read=None)
        transport = httpx.AsyncHTTPTransport(verify=False, socket_options=KEEPALIVE, limits=limits)
        http = httpx.AsyncClient(transport=transport, timeout=timeout, trust_env=False)
        async with http, asyncio.TaskGroup() as group:
            for node, url in self._urls.items():
                group.create_task(self._watch_through(http, node, url))

    async def _watch_through(self, http: httpx.AsyncClient, node: str, base: str) -> None:
        while True:
            try:
                await self._read_once(http, node, base)
                await self._follow(http, node, base)
            except (httpx.HTTPError, OSError, ValueError, KeyError):
                pass
            finally:
                self.live.discard(node)
            await asyncio.sleep(REOPEN_SECONDS)

    async def _read_once(self, http: httpx.AsyncClient, node: str, base: str) -> None:
        """Where the key stands now, with the store's revision: from there on the watch tells."""
        if self._seen_revision:
            return
        answer = await http.post(f"{base}/v3/kv/range", json={"key": self._key}, timeout=CONNECT_TIMEOUT_SECONDS)
        body = answer.raise_for_status().json()
        revision = int(body["header"]["revision"])
        if self._seen_revision:
            return  # another stream was first
        self._seen_revision = revision
        values = [base64.b64decode(kv["value"]).decode("utf-8", "replace") for kv in body.get("kvs", ())]
        self._say(values[0] if values else None, revision, node, exact=False)

    async def _follow(self, http: httpx.AsyncClient, node: str, base: str) -> None:
        request = {"create_request": {"key": self._key, "start_revision": str(self._seen_revision + 1)}}
        opened_at_revision: int | None = None
        async with http.stream("POST", f"{base}/v3/watch", json=request) as stream:
            stream.raise_for_status()
            async for line in stream.aiter_lines():
                message = parse_message(line)
                if message is None:
                    continue
                if message.compacted:  # the store forgot the revisions between: read the key again
                    self._seen_revision = 0
                    return
                if message.created:
                    opened_at_revision = message.revision
                    self.live.add(node)
                for revision, holder in message.changes:
                    if revision > self._seen_revision:
                        self._seen_revision = revision
                        happened_before = opened_at_revision is not None and revision <= opened_at_revision
                        self._say(holder, revision, node, exact=not happened_before)

    def _say(self, holder: str | None, revision: int, node: str, *, exact: bool) -> None:
        event = KeyEvent(time.monotonic(), "held" if holder else "absent", holder, revision, via=node, exact=exact)
        before, self.known = self.known, event
        if before is None or (before.state, before.holder) != (event.state, event.holder):
            self._tell(event)
