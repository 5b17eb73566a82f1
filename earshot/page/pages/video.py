"""The page of one video: its player and its transcript, which a script loads and keeps in step."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from earshot.library.exporting.exports import FORMATS
from earshot.page.http.dependencies import LibraryOf
from earshot.page.rendering import render

router = APIRouter()


@router.get("/videos/{video_id}", response_class=HTMLResponse)
def video(request: Request, library: LibraryOf, video_id: str) -> HTMLResponse:
    """The frame of the page; its script reads `?t=SECONDS`."""
    shown = library.video(video_id)
    return render(
        request,
        "video.html",
        video=shown,
        formats=list(FORMATS),
        audio_deleted=library.why_audio_deleted(shown.video_id),
    )
