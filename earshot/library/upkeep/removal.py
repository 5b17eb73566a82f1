"""Removal of videos and sources by the user; ingest_assets/operations/removal.py does it."""

from dataclasses import dataclass

from earshot.common.errors import Unknown
from earshot.library.lookup import known_video
from earshot.storage.catalog.removals import (
    ExcludedVideo,
    Traces,
    count_traces,
    excluded_videos,
    readmit,
    remove_source_rows,
)
from earshot.storage.catalog.videos import stream_keys
from earshot.storage.catalog.watched_sources import address_of, watched_sources
from earshot.storage.database import Database

__all__ = ["ExcludedVideo", "excluded_videos"]


@dataclass(frozen=True, kw_only=True)
class Removal(Traces):
    """What the removal of a video or a source deletes. `what` is the video's key, or the source's name or address."""

    what: str
    title: str


def video_traces(database: Database, name: str) -> Removal:
    """What `remove_video()` would delete."""
    video = known_video(database, name)
    return _described(video.video_id, video.title, count_traces(database, [video.video_id]))


def source_traces(database: Database, name: str) -> Removal:
    """What `remove_source()` would delete."""
    address, shown = _source(database, name)
    return _described(shown, shown, count_traces(database, list(stream_keys(database, address))))


def remove_video(database: Database, name: str) -> Removal:
    """Delete the video with everything made from it; no listing brings it back. Raises EarshotError while a run has it."""
    from ingest_assets.operations.removal import remove  # loads Dagster

    removal = video_traces(database, name)
    remove(database, [removal.what], exclude=True)
    return removal


def remove_source(database: Database, name: str) -> Removal:
    """Delete the videos of this source and what is known of it, and take it out of sources.yaml."""
    from earshot.library.sources.editing import forget_source
    from ingest_assets.operations.removal import refuse_busy, remove

    address, _ = _source(database, name)
    removal = source_traces(database, name)
    refuse_busy(database, list(stream_keys(database, address)))
    if address in {source.address for source in watched_sources()}:
        forget_source(address)  # first: a poll must not list it again
    remove(database, list(stream_keys(database, address)), exclude=False)
    remove_source_rows(database, address)
    return removal


def readmit_video(database: Database, video_id: str) -> None:
    """Let listings bring a removed video back. Raises Unknown if it was not removed."""
    with database.connect() as connection:
        if not readmit(connection, [video_id]):
            raise Unknown(f"No video {video_id!r} was removed.", "The page of the videos lists those that were.")


def _described(what: str, title: str, traces: Traces) -> Removal:
    return Removal(what=what, title=title, **vars(traces))


def _source(database: Database, name: str) -> tuple[str, str]:
    """Address and name of a source, watched or not, with videos or without."""
    for source in watched_sources():
        if name in (source.name, source.address):
            return source.address, source.name
    address = address_of(database, name)
    return address, name
