"""Feeds: the transcribed videos of a source as a podcast, to serve or to write into a folder."""

import mimetypes
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

import numpy as np

from earshot.common.redaction import without_secrets
from earshot.common.times import browsable
from earshot.library.lookup import known_video
from earshot.storage.catalog.videos import Video, VideoList, page_of_videos, ready_videos
from earshot.storage.catalog.watched_sources import address_of, name_of
from earshot.storage.database import Database
from earshot.transcripts.formats.exports import FORMATS
from earshot.transcripts.formats.files import to_file
from earshot.transcripts.publishing.chapters import MIN_CHAPTER_S, Chapter, find_chapters
from earshot.transcripts.publishing.podcast_feed import TRANSCRIPTS, Enclosure, Episode, FeedPage, as_chapters, as_feed
from earshot.transcripts.recordings import ExportCounts, Recording, read_recordings
from earshot.transcripts.search.text_models import searched_model

PER_PAGE = 100
SOUND = "audio/flac"  # what the media store has

_PEOPLE = """
    SELECT i.video_id, array_agg(DISTINCT p.name ORDER BY p.name) AS names
    FROM current_identities i JOIN people p USING (person_id)
    WHERE i.video_id = ANY(%s) GROUP BY 1
"""
_LANGUAGES = "SELECT video_id, language FROM transcripts WHERE video_id = ANY(%s)"
_PASSAGES = """
    SELECT start_s, text, embedding FROM passages WHERE video_id = %(video)s AND model = %(model)s
        AND model_revision = %(model_revision)s ORDER BY passage_index
"""


def read_chapters(database: Database, video: str) -> list[Chapter]:
    """The chapters of the video with this key or title; none if it is short, or stays with one subject."""
    found, model = known_video(database, video), searched_model(database)
    rows = [] if model is None else database.query(_PASSAGES, {"video": found.video_id, **model.columns})
    if not rows:
        return []
    vectors = np.array([row["embedding"].to_numpy() for row in rows])
    duration_s = found.duration_s or rows[-1]["start_s"]
    return find_chapters([row["start_s"] for row in rows], [row["text"] for row in rows], vectors, duration_s)


@dataclass(frozen=True)
class Addresses:
    """Where the parts of a feed are: on a server under `base`, or as files beside the feed under it."""

    base: str
    files: bool = False

    def transcript(self, video: Video, name: str) -> str:
        if self.files:
            return f"{self.base}/{_file(video, FORMATS[name].suffix)}"
        return f"{self.base}/api/v1/videos/{quote(video.video_id)}/export?format={name}"

    def chapters(self, video: Video) -> str:
        return f"{self.base}/{_file(video, '.chapters.json')}" if self.files else f"{self._api(video)}/chapters"

    def enclosure(self, video: Video) -> Enclosure | None:
        """The stored sound, if a server has it; else the recording itself, if its address is one of sound or video."""
        if not self.files:
            return Enclosure(f"{self._api(video)}/audio", SOUND, 0)
        media_type, _ = mimetypes.guess_type(urlsplit(video.url).path)
        is_media = video.url.startswith(("http://", "https://")) and (media_type or "").startswith(("audio/", "video/"))
        return Enclosure(without_secrets(video.url), media_type or SOUND, 0) if is_media else None

    def link(self, video: Video) -> str:
        return without_secrets(browsable(video.url)) if self.files else f"{self.base}/videos/{quote(video.video_id)}"

    def _api(self, video: Video) -> str:
        return f"{self.base}/api/v1/videos/{quote(video.video_id)}"


def _file(video: Video, suffix: str) -> str:
    return f"transcripts/{video.video_id}{suffix}"


def served_feed(database: Database, source: str, base: str, after: str | None, limit: int) -> str:
    """A page of the feed of the source with this name or address, newest first, as the server at `base` serves it.

    Raises SourceUnusable if no video has such a source, EarshotError if `after` is not the cursor of a page.
    """
    address = address_of(database, source)
    page = page_of_videos(database, VideoList("ready", source=address), after, limit)
    here = f"{base}/api/v1/feed?{urlencode({'source': source})}"
    feed = FeedPage(
        title=name_of(address),
        link=without_secrets(browsable(address)),
        address=here + (f"&{urlencode({'after': after})}" if after else ""),
        next=f"{here}&{urlencode({'after': page.next})}" if page.next else None,
    )
    return as_feed(feed, _episodes(database, page.videos, Addresses(base)))


def write_feed(database: Database, source: str, folder: Path, base: str) -> int:
    """Write `feed.xml` and the transcripts and chapters that it names, for a web server at `base`; returns how many videos.

    Leaves out a video that has no transcript, or is being ingested again. Raises SourceUnusable if no video has such a source.
    """
    address, addresses = address_of(database, source), Addresses(base.rstrip("/"), files=True)
    keys = (video.video_id for video in ready_videos(database, address))
    videos = []
    for recording in read_recordings(database, keys, ExportCounts(), lambda _why: None):
        _write_transcripts(database, recording, folder)
        videos.append(recording.video)
    feed = FeedPage(name_of(address), without_secrets(browsable(address)), f"{addresses.base}/feed.xml")
    to_file([as_feed(feed, _episodes(database, videos, addresses)).encode()], folder / "feed.xml")
    return len(videos)


def _episodes(database: Database, videos: Sequence[Video], addresses: Addresses) -> Iterable[Episode]:
    keys = [video.video_id for video in videos]
    people = {row["video_id"]: tuple(row["names"]) for row in database.query(_PEOPLE, [keys])}
    languages = {row["video_id"]: row["language"] for row in database.query(_LANGUAGES, [keys])}
    for video in videos:
        yield Episode(
            video,
            link=addresses.link(video),
            language=languages.get(video.video_id),
            enclosure=addresses.enclosure(video),
            transcripts={name: addresses.transcript(video, name) for name in TRANSCRIPTS},
            chapters=addresses.chapters(video) if (video.duration_s or 0.0) >= 2 * MIN_CHAPTER_S else None,
            people=people.get(video.video_id, ()),
        )


def _write_transcripts(database: Database, recording: Recording, folder: Path) -> None:
    """Write a video's transcripts and chapters."""
    video = recording.video
    for name in TRANSCRIPTS:
        to_file([FORMATS[name].content(recording)], folder / _file(video, FORMATS[name].suffix))
    to_file([as_chapters(read_chapters(database, video.video_id)).encode()], folder / _file(video, ".chapters.json"))
