"""Events: what is at work, as server-sent events. One poll of the database a second serves all clients.

Without listeners nothing is polled. There is no queue for a client: it gets the latest state when it is ready for it, so a
slow one costs nothing, and one that is gone is noticed by the server. More than LISTENERS clients are refused.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Any

import anyio.to_thread
import psycopg
from fastapi import APIRouter, HTTPException, Request
from starlette.responses import StreamingResponse

from earshot.common.errors import EarshotError
from earshot.library.library import Library
from earshot.library.upkeep.at_work import AtWork
from earshot.page.http.dependencies import LibraryOf
from earshot.page.http.problems import DATABASE_AWAY

router = APIRouter(tags=["events"])

POLL_S = 1.0
HEARTBEAT_S = 15.0
LISTENERS = 300
RETRY_MS = 3000  # until a browser whose connection broke asks again
RETRY_AFTER_S = 30
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Broadcast:
    """The latest state, for any number of listeners."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._listeners = 0
        self._poller: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()
        self._latest = ""

    @property
    def is_full(self) -> bool:
        """Whether there are as many listeners as are served."""
        return self._listeners >= LISTENERS

    async def listen(self) -> AsyncGenerator[str, None]:
        """Each new state as an event, and heartbeats, until the client is gone."""
        self._listeners += 1
        if self._poller is None or self._poller.done():
            self._latest = ""
            self._poller = asyncio.create_task(self._poll())
        try:
            yield f"retry: {RETRY_MS}\n\n"
            sent = ""
            while True:
                latest = await self._next(sent)
                yield f"data: {latest}\n\n" if latest != sent else ": still here\n\n"
                sent = latest
        finally:
            self._listeners -= 1

    async def _next(self, sent: str) -> str:
        """The latest state once it differs from the one sent last; that one again after HEARTBEAT_S."""
        try:
            async with asyncio.timeout(HEARTBEAT_S), self._changed:
                await self._changed.wait_for(lambda: self._latest not in ("", sent))
        except TimeoutError:
            return self._latest if self._latest else sent
        return self._latest

    async def _poll(self) -> None:
        while self._listeners:
            state = json.dumps(await anyio.to_thread.run_sync(self._read), ensure_ascii=False)
            async with self._changed:
                self._latest = state
                self._changed.notify_all()
            await asyncio.sleep(POLL_S)

    def _read(self) -> dict[str, Any]:
        try:
            return asdict(self._library.at_work())
        except (EarshotError, psycopg.OperationalError) as error:  # the next poll may work again
            return {"problem": str(error) if isinstance(error, EarshotError) else DATABASE_AWAY}


@router.get("/at-work")
def at_work(library: LibraryOf) -> AtWork:
    """What is running now, and what comes next."""
    return library.at_work()


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def events(request: Request) -> StreamingResponse:
    """The same as `at-work` as server-sent events: now, and whenever it changes. `problem` says why it cannot be read."""
    broadcast: Broadcast = request.app.state.broadcast
    if broadcast.is_full:
        raise HTTPException(503, f"{LISTENERS} clients listen already.", headers={"Retry-After": str(RETRY_AFTER_S)})
    return StreamingResponse(broadcast.listen(), media_type="text/event-stream", headers=HEADERS)
