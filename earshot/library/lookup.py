"""Lookup: finds videos, sources and languages by the names a user gives; errors list what there is."""

from collections.abc import Sequence
from datetime import date

from earshot.common.errors import EarshotError, Unknown
from earshot.storage.catalog.video_filter import VideoFilter
from earshot.storage.catalog.videos import Video, get_video
from earshot.storage.catalog.watched_sources import address_of
from earshot.storage.database import Database

MAX_SUGGESTIONS = 5  # videos listed in a message

Names = str | Sequence[str]  # one name, or several


def find_filter(
    database: Database, sources: Names, videos: Names, languages: Names, since: date | None, until: date | None
) -> VideoFilter:
    """The filter with these names resolved; raises Unknown for the first unknown one."""
    return VideoFilter(
        sources=tuple(address_of(database, source) for source in several(sources)),
        videos=tuple(known_video(database, video).video_id for video in several(videos)),
        languages=tuple(known_language(database, language) for language in several(languages)),
        since=since,
        until=until,
    )


def several(names: Names) -> tuple[str, ...]:
    """The names as a tuple; a single string is one name."""
    return (names,) if isinstance(names, str) else tuple(names)


def known_video(database: Database, text: str) -> Video:
    """The video with this key or title; letter case is ignored. Raises Unknown with the titles that contain the text,
    EarshotError if several have this one."""
    video = get_video(database, text)
    if video is not None:
        return video
    containing = _title_contains(database, text) if text.strip() else []
    titled = [video for video in containing if video.title.lower() == text.lower()]
    if len(titled) == 1:
        return titled[0]
    if titled:
        raise EarshotError(f"Several videos are called {text!r}.", f"Name one by its key: {_keys(titled)}.")
    remedy = f"These titles contain it: {_keys(containing)}." if containing else "`earshot videos` lists the videos."
    raise Unknown(f"There is no video {text!r}.", remedy)


def _title_contains(database: Database, text: str) -> list[Video]:
    """Some of the videos whose titles contain the text, exact titles first."""
    rows = database.query(
        "SELECT video_id FROM videos WHERE strpos(lower(title), lower(%(text)s)) > 0 "
        "ORDER BY lower(title) <> lower(%(text)s), video_id LIMIT %(most)s",
        {"text": text, "most": MAX_SUGGESTIONS + 1},
    )
    return [video for row in rows if (video := get_video(database, row["video_id"]))]


def _keys(videos: Sequence[Video]) -> str:
    keys = [f"{video.video_id} ({video.title})" for video in videos[:MAX_SUGGESTIONS]]
    return ", ".join(keys) + (", and others" if videos[MAX_SUGGESTIONS:] else "")


def known_language(database: Database, code: str) -> str:
    """The code as whisper writes it. Raises Unknown, with the library's languages, if no video is in this one."""
    rows = database.query("SELECT language FROM transcripts UNION SELECT language FROM captions ORDER BY 1")
    languages = [row["language"] for row in rows if row["language"]]
    if code.lower() not in languages:
        raise Unknown(f"No video is in {code!r}.", f"Languages of this library: {', '.join(languages) or 'none yet'}.")
    return code.lower()
