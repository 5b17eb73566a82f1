"""/sources: the sources of sources.yaml, with their states, and a form to add one."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from earshot.common.errors import InvalidConfig, Misconfigured
from earshot.config.settings import read_settings
from earshot.page.http.dependencies import LibraryOf
from earshot.page.rendering import render
from earshot.page.upkeep.sources import sources

router = APIRouter()


@router.get("/sources", response_class=HTMLResponse)
def list_sources(request: Request, library: LibraryOf) -> HTMLResponse:
    """The sources; if the file is wrong, its mistakes."""
    watched, problem = [], None
    try:
        watched = sources(library)
    except Misconfigured as error:
        if not isinstance(error, InvalidConfig) and read_settings().sources.exists():
            raise
        problem = error if isinstance(error, InvalidConfig) else None
    return render(request, "sources.html", watched=watched, problem=problem, file=read_settings().sources)
