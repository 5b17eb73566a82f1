"""Sources: which of the videos that a source lists are wanted. Pure functions over listings.

Listing itself is resources/media_source.py.
"""

from collections.abc import Sequence

from resources.catalogue import Video


def choose(listed: Sequence[Video], limit: int | None = None, newest_first: bool = False) -> list[Video]:
    """The videos to ingest: each once, in the source's own order or newest first, at most `limit`.

    Newest first, a video without a date comes after those with one, in the source's order (which for YouTube is newest
    first already): a date is never invented.
    """
    unique = list({video.video_id: video for video in listed}.values())
    if newest_first:
        unique.sort(key=lambda video: -video.published_at.timestamp() if video.published_at else float("inf"))
    return unique[:limit]
