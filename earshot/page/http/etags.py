"""ETags of JSON: an answer that has not changed is sent as 304, without a body.

ASGI middleware for GET under /api. Sound has its own ETag (earshot/page/api/audio.py); events have none.
"""

import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class ETags:
    """Buffers JSON answers of status 200 to compute their ETag."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope).get("if-none-match", "")
        start: Message | None = None
        body = bytearray()

        async def send_tagged(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_json(message):
                start = message
                return
            if start is None:
                await send(message)
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body"):
                for part in _tagged(start, bytes(body), asked):
                    await send(part)

        await self._app(scope, receive, send_tagged)


def _is_json(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    return start["status"] == 200 and headers.get("content-type", "").startswith("application/json")


def _tagged(start: Message, body: bytes, asked: str) -> tuple[Message, Message]:
    """The two messages of the answer, with its ETag; without a body if the client has it."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = MutableHeaders(raw=list(start["headers"]))
    headers["ETag"] = etag
    headers["Cache-Control"] = "no-cache"
    if etag in (tag.strip().removeprefix("W/") for tag in asked.split(",")):
        del headers["content-length"], headers["content-type"]
        return {**start, "status": 304, "headers": headers.raw}, {"type": "http.response.body", "body": b""}
    return {**start, "headers": headers.raw}, {"type": "http.response.body", "body": body}
