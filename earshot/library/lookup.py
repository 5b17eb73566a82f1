"""Lookup: videos, sources, languages and stages as a user names them, found in the library or refused with what there is."""

from collections.abc import Sequence
from datetime import date

from earshot.common.errors import EarshotError
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.video_filter import VideoFilter
from earshot.storage.catalog.videos import Video, get_video
from earshot.storage.catalog.watched_sources import address_of
from earshot.storage.database import Database

MAX_SUGGESTIONS = 5  # videos that a message lists

Names = str | Sequence[str]  # one name, or several


def find_filter(
    database: Database, sources: Names, videos: Names, languages: Names, since: date | None, until: date | None
) -> VideoFilter:
    """The filter that these names mean; raises EarshotError for the first that means nothing."""
    return VideoFilter(
        sources=tuple(address_of(database, source) for source in several(sources)),
        videos=tuple(known_video(database, video).video_id for video in several(videos)),
        languages=tuple(known_language(database, language) for language in several(languages)),
        since=since,
        until=until,
    )


def several(names: Names) -> tuple[str, ...]:
    """The names; a text alone is one of them, not its characters."""
    return (names,) if isinstance(names, str) else tuple(names)


def known_stages(names: Names) -> tuple[str, ...]:
    """These stages; raises EarshotError where one is none."""
    for name in several(names):
        if name not in STAGES:
            raise EarshotError(f"There is no stage {name!r}.", f"Stages: {', '.join(STAGES)}.")
    return several(names)


def known_video(database: Database, text: str) -> Video:
    """The video of this key, or the one that is called so, in any capitals; raises EarshotError with those that are near."""
    video = get_video(database, text)
    if video is not None:
        return video
    near = _titled(database, text) if text.strip() else []
    called = [video for video in near if video.title.lower() == text.lower()]
    if len(called) == 1:
        return called[0]
    if called:
        raise EarshotError(f"Several videos are called {text!r}.", f"Name one by its key: {_keys(called)}.")
    remedy = f"It is part of these titles: {_keys(near)}." if near else "`earshot videos` lists them."
    raise EarshotError(f"There is no video {text!r}.", remedy)


def _titled(database: Database, text: str) -> list[Video]:
    """Some of the videos in whose titles the text stands, those first that are called so."""
    rows = database.query(
        "SELECT video_id FROM videos WHERE strpos(lower(title), lower(%(text)s)) > 0 "
        "ORDER BY lower(title) <> lower(%(text)s), video_id LIMIT %(most)s",
        {"text": text, "most": MAX_SUGGESTIONS + 1},
    )
    return [video for row in rows if (video := get_video(database, row["video_id"]))]


def _keys(videos: Sequence[Video]) -> str:
    told = [f"{video.video_id} ({video.title})" for video in videos[:MAX_SUGGESTIONS]]
    return ", ".join(told) + (", and others" if videos[MAX_SUGGESTIONS:] else "")


def known_language(database: Database, code: str) -> str:
    """The code as whisper writes it; raises EarshotError, with those that are spoken, where no video is in this language."""
    spoken = [
        row["language"] for row in database.query("SELECT DISTINCT language FROM transcripts ORDER BY 1") if row["language"]
    ]
    if code.lower() not in spoken:
        raise EarshotError(f"No video is in {code!r}.", f"Languages of this library: {', '.join(spoken) or 'none yet'}.")
    return code.lower()
