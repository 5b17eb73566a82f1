"""/login: asks for the token where the page is served beyond loopback, and keeps it in a cookie that scripts cannot read."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, Response

from earshot.page.http.access import COOKIE, LOGIN, Access
from earshot.page.http.problems import problem
from earshot.page.rendering import render

router = APIRouter()

YEAR_S = 365 * 24 * 3600


class Login(BaseModel):
    """What the form sends."""

    token: Annotated[str, Field(max_length=1000)]


@router.get(LOGIN, response_class=HTMLResponse)
def ask(request: Request) -> HTMLResponse:
    """The form."""
    return render(request, "login.html")


@router.post(LOGIN, response_class=Response)
def login(request: Request, form: Login) -> Response:
    """Set the cookie, if the token is right."""
    access: Access = request.app.state.access
    if not access.accepts(form.token):
        return problem(401, "This is not the token.", "It is the value of EARSHOT_PAGE_TOKEN where the page was started.")
    answer = Response(status_code=204)
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, form.token, max_age=YEAR_S, httponly=True, samesite="strict", secure=secure)
    return answer
