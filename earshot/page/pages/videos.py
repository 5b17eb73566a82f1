"""/videos: what runs now, and the list of videos with their states. The address holds the filters."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from earshot.common.errors import EarshotError
from earshot.library.videos import VIDEO_STATES, ListedPage
from earshot.page.http.dependencies import LibraryOf
from earshot.page.http.problems import status_of
from earshot.page.rendering import render
from earshot.page.upkeep.videos import VideosQuery, videos

router = APIRouter()

MOST_REMOVED = 50


@router.get("/videos", response_class=HTMLResponse)
def list_videos(request: Request, library: LibraryOf, asked: Annotated[VideosQuery, Query()]) -> HTMLResponse:
    """One page of the list. A filter that names nothing is said above an empty list."""
    page, problem, status = ListedPage((), None), None, 200
    try:
        page = videos(library, asked)
    except EarshotError as error:
        problem, status = error, status_of(error)
        if status >= 500:
            raise
    return render(
        request,
        "videos.html",
        status,
        asked=asked,
        address=asked.model_dump(exclude_defaults=True),
        page=page,
        problem=problem,
        states=VIDEO_STATES,
        sources=library.source_names(),
        removed=library.removed_videos(MOST_REMOVED),
    )
