"""Removal of videos and sources: rows first, in one transaction, then what lies outside the database.

A process killed in between leaves notes, and the next removal finishes its work (earshot/storage/catalog/removals.py).
"""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from earshot.common.errors import EarshotError, Unknown
from earshot.common.text import join_first, pluralize
from earshot.common.times import format_hms
from earshot.config.settings import read_settings
from earshot.library.lookup import known_video
from earshot.storage.catalog.removals import (
    ExcludedVideo,
    Traces,
    Unfinished,
    count_traces,
    excluded_videos,
    finish_removal,
    readmit,
    remove_rows,
    remove_source_rows,
    unfinished_removals,
)
from earshot.storage.catalog.videos import stream_keys
from earshot.storage.catalog.watched_sources import address_of, watched_sources
from earshot.storage.database import Database
from earshot.storage.locks import PEOPLE_LOCK, held, lock, video_lock
from earshot.storage.media_store import location_of

__all__ = ["ExcludedVideo", "excluded_videos"]

MOST_BUSY = 3  # that a message names


@dataclass(frozen=True, kw_only=True)
class Removal(Traces):
    """What the removal of a video or a source deletes. `what` is the video's key, or the source's name or address."""

    what: str
    title: str

    def __str__(self) -> str:
        """What goes, in words."""
        parts = [
            pluralize(self.videos, "video"),
            f"{format_hms(self.audio_s)} of audio",
            pluralize(self.words, "word"),
            pluralize(self.passages, "passage"),
            *([pluralize(self.corrections, "correction")] * bool(self.corrections)),
        ]
        stays = f" ({pluralize(self.enrolments, 'recording')} of people from there stay enrolled)" if self.enrolments else ""
        return f"{', '.join(parts)}{stays}"


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
    removal = video_traces(database, name)
    _remove(database, [removal.what], exclude=True)
    return removal


def remove_source(database: Database, name: str) -> Removal:
    """Delete the videos of this source and what is known of it, and take it out of sources.yaml."""
    from earshot.library.sources.editing import forget_source

    address, _ = _source(database, name)
    removal = source_traces(database, name)
    _refuse_busy(database, list(stream_keys(database, address)))
    if address in {source.address for source in watched_sources()}:
        forget_source(address)  # first: a poll must not list it again
    _remove(database, list(stream_keys(database, address)), exclude=False)
    remove_source_rows(database, address)
    return removal


def readmit_video(database: Database, video_id: str) -> None:
    """Let listings bring a removed video back. Raises Unknown if the user has not removed it."""
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


def _remove(database: Database, video_ids: Sequence[str], exclude: bool) -> None:
    with lock(database.url, PEOPLE_LOCK):
        _refuse_busy(database, video_ids)
        remove_rows(database, video_ids, exclude)
    _finish(database)


def _refuse_busy(database: Database, video_ids: Sequence[str]) -> None:
    """Raise EarshotError if a run works on one of these videos: it would write rows again."""
    locks = {video_lock(video_id): video_id for video_id in video_ids}
    busy = [locks[name] for name in held(database.url, list(locks))]
    if busy:
        videos = join_first(busy, MOST_BUSY)
        raise EarshotError(f"Nothing was removed: a run works on {videos}.", "Try again when it has ended, or cancel it.")


def _finish(database: Database) -> None:
    """Delete the files and partitions of removed videos, also of those whose removal was interrupted."""
    from ingest_assets.operations.removal import remove_partitions  # loads Dagster

    unfinished = unfinished_removals(database)
    remove_partitions([removed.video_id for removed in unfinished])
    for removed in unfinished:
        _delete_files(removed)
        finish_removal(database, removed.video_id)


def _delete_files(removed: Unfinished) -> None:
    """Delete the audio and unfinished downloads. A file of the user's that was ingested is not among them."""
    if removed.uri is not None:
        with suppress(FileNotFoundError):
            location_of(removed.uri).unlink()
    shutil.rmtree(read_settings().home / "downloads" / removed.video_id, ignore_errors=True)
