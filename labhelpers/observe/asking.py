"""One HTTP question, one JSON answer, at a tenth of a full client's cost: fifteen a second must not be felt.

Only for the sampler's own two questions, to servers whose answers are small; everything else uses httpx.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

LARGEST_ANSWER_BYTES = 1 << 20


class NoAnswer(Exception):
    """No connection, no answer in time, or not an answer that can be read."""


async def ask(host: str, port: int, path: str, *, body: str | None = None, within: float) -> dict[str, Any]:
    """The JSON object answered to ``GET`` (``POST`` with a body), whatever its status.

    Raises :class:`NoAnswer`, after ``within`` seconds at the latest.
    """
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(within):
            reader, writer = await asyncio.open_connection(host, port, limit=LARGEST_ANSWER_BYTES)
            if body is None:
                request = f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n"
            else:
                length = f"Content-Length: {len(body)}\r\nContent-Type: application/json"
                request = f"POST {path} HTTP/1.0\r\nHost: {host}\r\n{length}\r\n\r\n{body}"
            writer.write(request.encode())
            answer = await reader.read(-1)
        document = json.loads(answer.partition(b"\r\n\r\n")[2])
    except (OSError, TimeoutError, ValueError) as error:
        raise NoAnswer(str(error)) from error
    finally:
        if writer is not None:
            writer.transport.abort()
    if not isinstance(document, dict):
        raise NoAnswer("not an object")
    return document
