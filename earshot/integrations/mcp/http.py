"""MCP over streamable HTTP: an ASGI application that answers each POST with one JSON document. It keeps no sessions.

Checks neither host nor token: the page's Guard does (earshot/page/http/access.py). The package `mcp` is loaded by the first
request.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from earshot.library.library import Library

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server


class McpEndpoint:
    """The library over MCP. `corrections`: clients may name voices and correct words and speakers."""

    def __init__(self, library: Library, corrections: bool) -> None:
        self._library, self._corrections = library, corrections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        server = await anyio.to_thread.run_sync(lambda: self._server)
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        manager = StreamableHTTPSessionManager(server, json_response=True, stateless=True)
        async with manager.run():
            await manager.handle_request(scope, receive, send)

    @cached_property
    def _server(self) -> "Server[dict[str, Any]]":
        from earshot.integrations.mcp.server import create_server

        return create_server(self._library, self._library.answer, _page_of, self._corrections)


def _page_of(request: Request | None) -> str | None:
    """The page's address as the client calls it."""
    return None if request is None else str(request.base_url).rstrip("/")
