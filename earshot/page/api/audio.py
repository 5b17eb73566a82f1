"""Sound: a video's stored audio by ranges of bytes (RFC 9110, 14), from a folder or a remote store.

One range is answered; several at once are answered with the whole file, as the RFC allows.
"""

import re
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Header
from starlette.responses import Response, StreamingResponse

from earshot.library.reading.sound import Sound
from earshot.page.http.dependencies import LibraryOf
from earshot.page.http.problems import problem

router = APIRouter(tags=["videos"])

CHUNK_BYTES = 256 * 1024
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@router.get("/videos/{video_id}/audio", response_class=StreamingResponse)
@router.head("/videos/{video_id}/audio", include_in_schema=False)
def audio(
    library: LibraryOf,
    video_id: str,
    range: Annotated[str, Header(pattern=r"^[ -~]*$")] = "",
    if_range: Annotated[str, Header()] = "",
    if_none_match: Annotated[str, Header()] = "",
) -> Response:
    """The audio as FLAC, 16 kHz mono; with a Range header, these bytes."""
    sound = library.sound(video_id)
    etag = f'"{sound.content}"'
    headers = {"Accept-Ranges": "bytes", "ETag": etag, "Cache-Control": "private, no-cache"}
    if etag in if_none_match:
        return Response(status_code=304, headers=headers)
    asked = _asked(range, sound.size) if if_range in ("", etag) else None
    if asked is None:
        return _stream(sound, 0, sound.size, 200, headers)
    first, end = asked
    if first >= end:
        refused = problem(416, f"The audio has {sound.size} bytes.", f"Ask for a range within them, not {range!r}.")
        refused.headers["Content-Range"] = f"bytes */{sound.size}"
        return refused
    return _stream(sound, first, end, 206, {**headers, "Content-Range": f"bytes {first}-{end - 1}/{sound.size}"})


def _asked(text: str, size: int) -> tuple[int, int] | None:
    """The first byte and the end of the one range asked for, empty if it cannot be satisfied; None without such a range."""
    match = _RANGE.fullmatch(text.strip().replace(" ", ""))
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(int(last) + 1, size) if last else size


def _stream(sound: Sound, first: int, end: int, status: int, headers: dict[str, str]) -> Response:
    length = {"Content-Length": str(end - first)}
    return StreamingResponse(_chunks(sound, first, end), status, {**headers, **length}, media_type="audio/flac")


def _chunks(sound: Sound, first: int, end: int) -> Iterator[bytes]:
    """These bytes, a chunk at a time: a slow client holds no thread and little memory."""
    while first < end and (chunk := sound.read(first, min(first + CHUNK_BYTES, end))):
        first += len(chunk)
        yield chunk
