"""The watch on the leader key, against scripted etcd nodes on this machine."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from labhelpers.observe.records import KeyEvent
from labhelpers.observe.watch import KeyWatch, parse_message


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def put(holder: str, revision: int) -> str:
    event = {"kv": {"key": b64("k"), "value": b64(holder), "mod_revision": str(revision)}}
    return json.dumps({"result": {"header": {"revision": str(revision)}, "events": [event]}})


def delete(revision: int) -> str:
    event = {"type": "DELETE", "kv": {"key": b64("k"), "mod_revision": str(revision)}}
    return json.dumps({"result": {"header": {"revision": str(revision)}, "events": [event]}})


def test_put_is_read_as_its_holder() -> None:
    message = parse_message(put("pg-2", 12))
    assert message is not None
    assert message.changes == ((12, "pg-2"),)


def test_expiry_is_read_as_nobody() -> None:
    message = parse_message(delete(13))
    assert message is not None
    assert message.changes == ((13, None),)


def test_line_that_is_no_message_is_nothing() -> None:
    assert parse_message("") is None
    assert parse_message('{"error": {"message": "no leader"}}') is None


class ScriptedEtcd:
    """Answers one range request and streams what ``say`` is given; ``deaf`` accepts and never answers."""

    def __init__(self, holder: str | None, revision: int, *, deaf: bool = False) -> None:
        self.holder, self.revision, self.deaf = holder, revision, deaf
        self.streams: list[asyncio.StreamWriter] = []
        self.asked: list[dict[str, object]] = []
        self.server: asyncio.Server | None = None

    async def start(self) -> str:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError, ValueError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(int(li.split(":")[1]) for li in head.splitlines() if li.lower().startswith("content-length"))
            body = json.loads(await reader.readexactly(length))
            self.asked.append(body)
            if self.deaf:
                await asyncio.sleep(60)
            if "/v3/kv/range" in head:
                kvs = [{"value": b64(self.holder)}] if self.holder else []
                answer = json.dumps({"header": {"revision": str(self.revision)}, "kvs": kvs}).encode()
                writer.write(
                    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer
                )
                await writer.drain()
                writer.close()
                return
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            self.streams.append(writer)
            self.say(json.dumps({"result": {"header": {"revision": str(self.revision)}, "created": True}}), writer)
            await asyncio.sleep(60)

    def say(self, line: str, *only: asyncio.StreamWriter) -> None:
        data = line.encode() + b"\n"
        for writer in only or self.streams:
            writer.write(b"%x\r\n%s\r\n" % (len(data), data))

    def hang_up(self) -> None:
        for writer in self.streams:
            writer.close()
        self.streams.clear()


@asynccontextmanager
async def watching(*nodes: ScriptedEtcd) -> AsyncIterator[tuple[list[KeyEvent], KeyWatch]]:
    told: list[KeyEvent] = []
    urls = {f"e{number}": await node.start() for number, node in enumerate(nodes, 1)}
    watch = KeyWatch(urls, "17-main", told.append)
    task = asyncio.create_task(watch.run())
    try:
        yield told, watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for node in nodes:
            assert node.server is not None
            node.hang_up()
            node.server.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def test_change_heard_from_three_nodes_is_told_once() -> None:
    async def scene() -> None:
        nodes = [ScriptedEtcd("pg-1", 10) for _ in range(3)]
        async with watching(*nodes) as (told, watch):
            await until(lambda: len(watch.live) == 3)
            for node in nodes:
                node.say(delete(11))
                node.say(put("pg-2", 12))
            await until(lambda: len(told) >= 3)
            await asyncio.sleep(0.1)
            assert [(event.state, event.holder) for event in told] == [
                ("held", "pg-1"), ("absent", None), ("held", "pg-2")
            ]  # fmt: skip
            assert [event.exact for event in told] == [False, True, True]

    asyncio.run(scene())


def test_watch_goes_on_while_a_node_is_deaf() -> None:
    async def scene() -> None:
        deaf, well = ScriptedEtcd(None, 10, deaf=True), ScriptedEtcd("pg-1", 10)
        async with watching(deaf, well) as (told, watch):
            await until(lambda: "e2" in watch.live)
            well.say(delete(11))
            await until(lambda: len(told) == 2)
            assert told[1].via == "e2"

    asyncio.run(scene())


def test_broken_stream_is_opened_again_from_the_next_revision() -> None:
    async def scene() -> None:
        node = ScriptedEtcd("pg-1", 10)
        async with watching(node) as (told, watch):
            await until(lambda: watch.live)
            node.revision = 11
            node.hang_up()
            await until(lambda: len([a for a in node.asked if "create_request" in a]) >= 2 and node.streams)
            assert node.asked[-1]["create_request"]["start_revision"] == "11"  # type: ignore[index]
            node.say(delete(11))
            await until(lambda: len(told) == 2)
            assert told[1].exact is False, "it had happened before the stream was open"

    asyncio.run(scene())


def test_same_holder_again_is_no_change() -> None:
    async def scene() -> None:
        node = ScriptedEtcd("pg-1", 10)
        async with watching(node) as (told, watch):
            await until(lambda: watch.live)
            node.say(put("pg-1", 11))
            node.say(delete(12))
            await until(lambda: len(told) >= 2)
            assert [event.state for event in told] == ["held", "absent"]

    asyncio.run(scene())
