"""The guard of Dagster's UI, which itself answers anyone who reaches its port.

Dagster takes a GraphQL mutation from the query string of a plain GET or POST, which a browser sends for any site without
asking, and its websocket does not check the origin. So every request for /graphql counts as a change.
Dagster's own pages, GraphiQL among them, keep their headers. There is no form for the token: the page's cookie, which the
browser sends to every port of a host, opens Dagster's UI as well.
"""

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from earshot.page.http.access import READING, Access, refusal
from earshot.page.http.problems import problem

GRAPHQL = "/graphql"
OPEN_PATHS = ("/server_info",)  # versions; `earshot up` waits until it answers


class DagsterGuard:
    """ASGI middleware: refuses HTTP requests and websockets that Access does not allow."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or (refused := self._refusal(scope)) is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: the client gets status 403
        else:
            await refused(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers, path = Headers(scope=scope), scope["path"]
        changes = scope["type"] == "websocket" or path.startswith(GRAPHQL) or scope["method"] not in READING
        if refused := refusal(self._access, headers, changes):
            return refused
        if self._access.admits(headers) or path in OPEN_PATHS:
            return None
        return problem(401, "The token is missing or wrong.", "Log in on Earshot's page at this host, then load this again.")
