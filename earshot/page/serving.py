"""The server process of the page: listens, and loads the text model in the background so that the first search is fast.

While it runs, EARSHOT_HOME/page.json has its address, by which `earshot search` asks it.
"""

import json
import logging
import os
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread
import uvicorn
from fastapi import FastAPI

from earshot.common.atomic_files import atomic_file
from earshot.common.errors import EarshotError
from earshot.config.home import make_home, page_file
from earshot.config.settings import Settings
from earshot.library.library import Library
from earshot.page.app import create_app
from earshot.page.http.access import Access

# Requests that work at once. Each may hold a connection to Postgres, of which a process has 22 (earshot/storage/pool.py).
THREADS = 16
# Open connections, most of them idle; more are refused with 503.
CONNECTIONS = 1000
IDLE_S = 15  # until an idle connection is closed
SHUTDOWN_S = 3

log = logging.getLogger(__name__)


def serve(library: Library, access: Access, host: str, port: int, settings: Settings, mcp_corrections: bool = False) -> None:
    """Serve until SIGINT or SIGTERM. `mcp_corrections` as for `create_app()`."""
    app = create_app(library, access, mcp_corrections)
    file, url = page_file(make_home(settings.home)), f"http://{_in_url(host)}:{port}"
    app.router.lifespan_context = partial(_lifespan, library, file, url)
    uvicorn.run(app, host=host, port=port, **server_options(settings.page_proxies))


def server_options(proxies: Sequence[str]) -> dict[str, Any]:
    """The options of the server. Only these proxies are believed to say that browsers use https (X-Forwarded-Proto)."""
    return {
        "log_level": "warning",
        "server_header": False,
        "proxy_headers": True,
        "forwarded_allow_ips": list(proxies),
        "limit_concurrency": CONNECTIONS,
        "timeout_keep_alive": IDLE_S,
        "timeout_graceful_shutdown": SHUTDOWN_S,
    }


@asynccontextmanager
async def _lifespan(library: Library, file: Path, url: str, _: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    threading.Thread(target=_warm_up, args=[library], daemon=True).start()
    with atomic_file(file) as opened:
        json.dump({"pid": os.getpid(), "url": url}, opened)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _warm_up(library: Library) -> None:
    """Load what the first search needs. Its errors are those that the first search will show."""
    try:
        library.search("warm-up", limit=1)  # not measured: the meter leaves out the first question
    except EarshotError as error:
        log.warning("The page cannot search yet: %s", error)


def _in_url(host: str) -> str:
    """The host as a URL has it; loopback for a server that listens everywhere."""
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
