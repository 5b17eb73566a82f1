"""The application: one library behind routes, with access, errors and ETags around them.

`create_app()` starts nothing and loads no model; earshot/page/serving.py does.
"""

from importlib.metadata import version

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from earshot.integrations.mcp.http import McpEndpoint
from earshot.library.library import Library
from earshot.page.api import audio as audio_api
from earshot.page.api import corrections as corrections_api
from earshot.page.api import events as events_api
from earshot.page.api import feeds as feeds_api
from earshot.page.api import people as people_api
from earshot.page.api import search as search_api
from earshot.page.api import timings as timings_api
from earshot.page.api import transcripts as transcripts_api
from earshot.page.api import word_corrections as word_corrections_api
from earshot.page.api.events import Broadcast
from earshot.page.http.access import Access, Guard
from earshot.page.http.etags import ETags
from earshot.page.http.problems import RESPONSES, handle_errors
from earshot.page.pages import login, metrics, people, performance, search, sources, video, videos
from earshot.page.rendering import STATIC
from earshot.page.upkeep import backfills as backfills_api
from earshot.page.upkeep import hints as hints_api
from earshot.page.upkeep import sources as sources_api
from earshot.page.upkeep import videos as videos_api

API = "/api/v1"
APIS = (
    search_api, transcripts_api, word_corrections_api, audio_api, people_api, corrections_api, videos_api, sources_api,
    hints_api, backfills_api, timings_api, events_api, feeds_api,
)  # fmt: skip
PAGES = (search, videos, video, people, sources, performance, metrics, login)


def create_app(library: Library, access: Access, mcp_corrections: bool = False) -> FastAPI:
    """The page and the API of this library, for those whom `access` allows.

    `mcp_corrections`: clients of /mcp may name voices and correct words and speakers.
    """
    app = FastAPI(
        title="Earshot",
        version=version("earshot"),
        summary="Everything said on a channel: by meaning, by word and by speaker.",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation,
    )
    app.state.library, app.state.access = library, access
    app.state.broadcast = Broadcast(library)
    for api in APIS:
        app.include_router(api.router, prefix=API, responses=RESPONSES)
    for page in PAGES:
        app.include_router(page.router, include_in_schema=False)
    app.router.routes.append(Route("/mcp", McpEndpoint(library, mcp_corrections), methods=["POST"]))
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    handle_errors(app)
    # The last one added is the outermost.
    app.add_middleware(ETags)
    app.add_middleware(Compression)
    app.add_middleware(Guard, access=access)
    return app


class Compression:
    """ASGI middleware: compresses answers, except sound, of which a client asks for ranges of bytes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app, self._compressing = app, GZipMiddleware(app, minimum_size=2000, compresslevel=1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app if scope.get("path", "").endswith("/audio") else self._compressing
        await app(scope, receive, send)


def _operation(route: APIRoute) -> str:
    """The operation's id in the OpenAPI document: the name of its function."""
    return route.name
