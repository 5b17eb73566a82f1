"""/performance: what each stage takes, which checks fail and why. A script loads the figures."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from earshot.page.rendering import render

router = APIRouter()


@router.get("/performance", response_class=HTMLResponse)
def performance(request: Request) -> HTMLResponse:
    """The frame of the page."""
    return render(request, "performance.html")
