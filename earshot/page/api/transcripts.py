"""One video as JSON: its facts, its transcript to read, and every export as a download."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.responses import Response

from earshot.library.reading.reader import ReadableTranscript
from earshot.library.work.timings import OpenFailure, StageTiming
from earshot.page.http.dependencies import LibraryOf

router = APIRouter(tags=["videos"])


class VideoTimings(BaseModel):
    """The stages of one video in their order, and its failing checks."""

    stages: list[StageTiming]
    failing: list[OpenFailure]


DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
# Of the formats that are not text/plain in UTF-8. The types of `podcast:transcript` are those of its specification.
MEDIA_TYPES = {
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
    "docx": DOCX,
    "csv": "text/csv; charset=utf-8",
    "json": "application/json; charset=utf-8",
    "podcast": "application/json; charset=utf-8",
}


@router.get("/videos/{video_id}/transcript")
def transcript(library: LibraryOf, video_id: str) -> ReadableTranscript:
    """The transcript by paragraphs of one speaker, with the time of every word."""
    return library.readable_transcript(video_id)


@router.get("/videos/{video_id}/timings")
def video_timings(library: LibraryOf, video_id: str) -> VideoTimings:
    """What each stage took when it last ran, and which of its checks fail now."""
    video = library.video(video_id)
    return VideoTimings(stages=library.stage_timings(video.video_id), failing=library.failing_checks(video.video_id))


@router.get("/videos/{video_id}/export", response_class=Response)
def export(
    library: LibraryOf,
    video_id: str,
    format: Annotated[str, Query(description="srt, vtt, txt, md, docx, csv, json, podcast, rttm or seglst")] = "txt",
    speaker: Annotated[str | None, Query(description="Only what this person or voice says.")] = None,
) -> Response:
    """The transcript as a file."""
    read = library.transcript(video_id, speaker)
    content = read.content(format)
    disposition = f'attachment; filename="{read.video.video_id}{read.suffix(format)}"'
    media_type = MEDIA_TYPES.get(format, "text/plain; charset=utf-8")
    return Response(content, media_type=media_type, headers={"Content-Disposition": disposition})
