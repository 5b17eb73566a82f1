"""Errors as answers: problem+json (RFC 9457) under /api, a page for everything else.

`title` says what was wrong and with which value, `detail` what to do. An error that Earshot cannot explain is logged by the
server, and answered with 500.
"""

from http import HTTPStatus

import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

from earshot.common.errors import (
    DatabaseUnusable,
    DiskFull,
    EarshotError,
    GpuUnavailable,
    InconsistentVideo,
    InvalidConfig,
    Misconfigured,
    NotTranscribed,
    Unknown,
)
from earshot.page.rendering import render

DATABASE_AWAY = "The database does not answer."
DATABASE_FULL = "The disk of the database is full: nothing was changed."
MEDIA_TYPE = "application/problem+json"

# The first class that fits decides; any other EarshotError is 422.
STATUSES: tuple[tuple[type[EarshotError], int], ...] = (
    (Unknown, 404),
    (NotTranscribed, 404),
    (InconsistentVideo, 409),
    (DatabaseUnusable, 503),
    (DiskFull, 507),
    (GpuUnavailable, 503),
    (InvalidConfig, 422),
    (Misconfigured, 500),
)


class Problem(BaseModel):
    """The body of an answer that is an error."""

    type: str = "about:blank"
    status: int
    title: str
    detail: str = ""


# For the OpenAPI document of every operation.
RESPONSES: dict[int | str, dict[str, object]] = {
    "4XX": {"description": "The request cannot be answered; `title` says why.", "content": {MEDIA_TYPE: {}}, "model": Problem},
    "5XX": {"description": "The server cannot answer now.", "content": {MEDIA_TYPE: {}}, "model": Problem},
}


def problem(status: int, title: str, detail: str = "") -> JSONResponse:
    """An answer with this problem."""
    body = Problem(status=status, title=title, detail=detail)
    return JSONResponse(body.model_dump(), status, media_type=MEDIA_TYPE)


def status_of(error: EarshotError) -> int:
    """The HTTP status of an error."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), 422)


def handle_errors(app: FastAPI) -> None:
    """Answer every error of the application as this module says."""

    @app.exception_handler(EarshotError)
    async def explained(request: Request, error: EarshotError) -> Response:
        return _answer(request, status_of(error), error.message, error.remedy)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = " ".join(str(part) for part in first["loc"])
        return _answer(request, 422, f"{where}: {first['msg']}.", "/api/v1/openapi.json describes every parameter.")

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        answer = _answer(request, error.status_code, str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(psycopg.OperationalError)
    async def disconnected(request: Request, _: psycopg.OperationalError) -> Response:
        """The connection broke during a query."""
        return _answer(request, 503, DATABASE_AWAY, "Try again in a moment; `earshot doctor` says more.")

    @app.exception_handler(psycopg.errors.DiskFull)
    async def full(request: Request, _: psycopg.errors.DiskFull) -> Response:
        return _answer(request, 507, DATABASE_FULL, "Free some space, then try again.")

    @app.exception_handler(Exception)
    async def unexplained(request: Request, _: Exception) -> Response:
        return _answer(request, 500, "Earshot cannot answer this: an error of its own.", "The log of the page says more.")


def _answer(request: Request, status: int, title: str, detail: str = "") -> Response:
    if request.url.path.startswith("/api/"):
        return problem(status, title, detail)
    return render(request, "problem.html", status, title=title, detail=detail, phrase=HTTPStatus(status).phrase)
