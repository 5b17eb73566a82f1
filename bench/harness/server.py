"""HTTP on loopback: serves a folder, so that yt-dlp really downloads, or answers with a given handler."""

import functools
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None: ...


class _Patient(ThreadingHTTPServer):
    """Ignores clients that close a connection early, as yt-dlp does once it knows the type of a file."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serving(folder: Path, port: int = 0) -> Iterator[str]:
    """Serve the folder on 127.0.0.1 for the block; yields its URL. Port 0 is any free port."""
    with answering(functools.partial(_Quiet, directory=str(folder)), port) as url:
        yield url


@contextmanager
def answering(handler: Callable[..., BaseHTTPRequestHandler], port: int = 0) -> Iterator[str]:
    """Answer requests to 127.0.0.1 with this handler for the block; yields the URL."""
    server = _Patient(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answering_from(state: object, handler: type[BaseHTTPRequestHandler]) -> AbstractContextManager[str]:
    """`answering()` with this handler, whose `state` is the given one."""
    return answering(type(handler.__name__, (handler,), {"state": state}))


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
