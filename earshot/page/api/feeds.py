"""Feeds: a source as a podcast with transcripts, and the chapters of a video."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from earshot.library.exporting.feeds import PER_PAGE, as_chapters
from earshot.page.http.dependencies import LibraryOf

router = APIRouter(tags=["feeds"])


@router.get("/feed", response_class=Response, responses={200: {"content": {"application/rss+xml": {}}}})
def feed(
    library: LibraryOf,
    request: Request,
    source: Annotated[str, Query(max_length=2000, description="A source's name or address.")],
    after: Annotated[str | None, Query(max_length=500, description="As in the address of the next page.")] = None,
    limit: Annotated[int, Query(ge=1, le=PER_PAGE)] = PER_PAGE,
) -> Response:
    """The ready videos of a source as a podcast, newest first, with transcripts, chapters and people (podcasting 2.0)."""
    rss = library.feed(source, str(request.base_url).rstrip("/"), after=after, limit=limit)
    return Response(rss, media_type="application/rss+xml; charset=utf-8")


@router.get("/videos/{video_id}/chapters", response_class=Response, responses={200: {"content": {"application/json": {}}}})
def chapters(library: LibraryOf, video_id: str) -> Response:
    """Where the video turns to another subject (JSON chapters 1.2); an empty list if it is short, or stays with one."""
    return Response(as_chapters(library.chapters(video_id)), media_type="application/json+chapters; charset=utf-8")
