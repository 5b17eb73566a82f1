"""Access: which requests are answered, and the headers of every answer.

- The Host header must name this server. Otherwise a site whose name is made to resolve to this machine (DNS rebinding) could
  read the library from its visitors' browsers.
- A request that changes something must come from this server's own pages (Origin, Sec-Fetch-Site) or from no browser at all.
- Beyond loopback, every request needs the token: as a bearer token, or as the cookie that /login sets.
- The content security policy lets a page load scripts, styles, sound and data from this server only.

Does not encrypt: put a reverse proxy with TLS in front, and name its host with `--name`.
"""

import hmac
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from socket import gethostname
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from earshot.config.home import LOOPBACK
from earshot.page.http.problems import problem

COOKIE = "earshot_token"
LOGIN = "/login"
# Needed by the page that asks for the token.
OPEN_PATHS = ("/static/", LOGIN)
# Requested by programs, which get 401 without the token; browsers are redirected to the page that asks for it.
PROGRAMS = ("/api/", "/mcp", "/metrics")
READING = frozenset(("GET", "HEAD", "OPTIONS"))

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Access:
    """The host names by which this server may be called, lower case and without a port; and the token, if one is needed."""

    hosts: frozenset[str] = LOOPBACK
    token: str | None = None

    def knows(self, host: str) -> bool:
        """Whether a Host header names this server. Beyond loopback, any address does: only names can be rebound."""
        name = host_name(host)
        return name in self.hosts or (self.token is not None and _is_address(name))

    def admits(self, headers: Headers) -> bool:
        """Whether the request has the token, compared in constant time."""
        if self.token is None:
            return True
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        given = bearer if scheme.lower() == "bearer" else cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        return self.accepts(given)

    def accepts(self, token: str) -> bool:
        """Whether this is the token, compared in constant time."""
        return self.token is not None and hmac.compare_digest(token.encode(), self.token.encode())


def access_to(host: str, names: Iterable[str], token: str | None) -> Access:
    """The access of a server that listens on `host` and is called by these names and this machine's, too."""
    return Access(LOOPBACK | {name.lower() for name in (host, gethostname(), *names)}, token)


def host_name(host: str) -> str:
    """The name in a Host header, without a port; "" if there is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    with suppress(ValueError):
        return bool(ip_address(name))
    return False


def refusal(access: Access, headers: Headers, changes: bool) -> Response | None:
    """The answer to a request that names another server, or `changes` something for another site; None if it may go on."""
    host = headers.get("host", "")
    if not access.knows(host):
        return problem(
            421,
            f"This server is not called {host_name(host)!r}.",
            "Use the address that `earshot up` printed, or start it with --name and this name.",
        )
    if changes and not _own(headers, host):
        return problem(403, "Another site may not change this library.", "Use Earshot's own page, or no browser.")
    return None


class Guard:
    """ASGI middleware: refuses what Access does not allow, and adds HEADERS to every answer."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await (self._refusal(scope) or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers, path, changes = Headers(scope=scope), scope["path"], scope["method"] not in READING
        if refused := refusal(self._access, headers, changes):
            return refused
        if "\0" in path or b"%00" in scope["query_string"]:
            return problem(400, "The address has a NUL character.", "Leave it out: no text of the library has one.")
        if self._access.admits(headers) or path.startswith(OPEN_PATHS):
            return None
        if path.startswith(PROGRAMS) or changes:
            return problem(401, "The token is missing or wrong.", "Send it as a header: Authorization: Bearer TOKEN")
        asked = path + (f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else "")
        return RedirectResponse(f"{LOGIN}?next={quote(asked, safe='')}", 303)


def _own(headers: Headers, host: str) -> bool:
    """Whether a request comes from this server's own pages, or from a program, which sends neither header."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == host.lower()
