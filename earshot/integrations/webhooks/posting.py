"""Posts one body to an endpoint, signed as Standard Webhooks 1.0 says (https://www.standardwebhooks.com).

Only an answer of 2xx within TIMEOUT_S is a success. Redirects are not followed, so that an endpoint cannot send an event
elsewhere; connections are restricted as for a source (earshot/sources/net/ssrf_guard.py): to public addresses and to the host
that the user named. Nothing of the answer is kept but its status: an endpoint could repeat the signature in it.

The limit is one of connecting and of each wait for bytes, not of the whole answer.
"""

import base64
import hashlib
import hmac
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit

from earshot.config.sources_file import Kind, Source
from earshot.integrations.webhooks.endpoints import Endpoint
from earshot.sources.net.ssrf_guard import find_refusal, restrict_connections

TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Answer:
    """An endpoint's answer. `status` is None if there was none; `error` says why it is no success, None if it is."""

    status: int | None
    error: str | None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: Any) -> None:
        """Follows none, so that urllib raises the redirect as an HTTPError."""


def post(endpoint: Endpoint, webhook_id: str, body: str) -> Answer:
    """Post the body, and wait for the answer's status. Raises nothing that an endpoint could cause."""
    address, authorization = _without_user(endpoint.url)
    content = body.encode()
    request = urllib.request.Request(
        address,
        data=content,
        headers={
            "Content-Type": "application/json",
            "User-Agent": "Earshot",
            **authorization,
            **_signed(endpoint.secret, webhook_id, int(time.time()), content),
        },
        method="POST",
    )
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        with restrict_connections(Source(Kind.URL, endpoint.url, endpoint.name)), opener.open(request, timeout=TIMEOUT_S) as ok:
            return Answer(ok.status, None)
    except HTTPError as error:
        with error:
            return Answer(error.code, _refusal(error.code))
    except (OSError, HTTPException, ValueError) as error:  # URLError and TimeoutError are OSErrors
        return Answer(None, _failure(error))


def sign(secret: bytes, webhook_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: version and base64 of the HMAC-SHA256 of id, time (Unix seconds) and body."""
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()}"


def _signed(secret: bytes | None, webhook_id: str, timestamp: int, body: bytes) -> Mapping[str, str]:
    headers = {"webhook-id": webhook_id, "webhook-timestamp": str(timestamp)}
    return headers if secret is None else {**headers, "webhook-signature": sign(secret, webhook_id, timestamp, body)}


def _without_user(url: str) -> tuple[str, Mapping[str, str]]:
    """The address without user and password, and the header that has them: urllib would take them for part of the host."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    encoded = base64.b64encode(unquote(user).encode()).decode()
    return parts._replace(netloc=host).geturl(), {"Authorization": f"Basic {encoded}"}


def _refusal(status: int) -> str:
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else ""
    redirect = "; redirects are not followed" if 300 <= status < 400 else ""
    return f"it answered {status} {phrase}".rstrip() + redirect


def _failure(error: Exception) -> str:
    """Why there was no answer. Only errors of the system are quoted: others may repeat what was sent or received."""
    if target := find_refusal(error):
        return f"it leads to {target}, which is not public"
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, TimeoutError):
        return f"no answer within {TIMEOUT_S:g} s"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return f"no answer in HTTP ({type(reason).__name__})"
