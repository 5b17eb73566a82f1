"""Retention: removes the videos and the stored audio that the watched sources no longer keep.

`find_expired()` reads what would go; `remove_expired()` removes it as `earshot remove` does. Videos that a run works on stay
until the next time. A killed process has removed some, and the next one goes on.
"""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from earshot.storage.catalog.removals import Traces, count_traces
from earshot.storage.catalog.retention import Expired, expired_audio, expired_videos
from earshot.storage.catalog.watched_sources import watched_sources
from earshot.storage.database import Database
from earshot.storage.locks import release, try_acquire, video_lock
from earshot.storage.media_store import location_of
from earshot.storage.stored_audio import record_deletion
from ingest_assets.operations.removal import busy, remove

AT_ONCE = 100  # videos in one transaction, during which no speakers are identified


@dataclass(frozen=True)
class Expiry:
    """What is to be removed, or was: `videos` with everything made from them, of others only the `audio`.

    `protected` videos stay because they were corrected by hand. `traces`: what goes with the videos.
    """

    videos: tuple[Expired, ...]
    audio: tuple[Expired, ...]
    protected: tuple[Expired, ...]
    traces: Traces


def find_expired(database: Database) -> Expiry:
    """What the sources of sources.yaml no longer keep. Raises Misconfigured if the file is invalid."""
    sources = watched_sources()
    found = expired_videos(database, sources)
    videos = tuple(one for one in found if not one.protected)
    gone = {one.video_id for one in videos}
    audio = tuple(one for one in expired_audio(database, sources) if one.video_id not in gone)
    return Expiry(videos, audio, tuple(one for one in found if one.protected), count_traces(database, sorted(gone)))


def remove_expired(database: Database) -> Expiry:
    """Remove what the sources no longer keep; returns what was removed. Raises Misconfigured if sources.yaml is invalid."""
    expiry = find_expired(database)
    at_work = set(busy(database, [one.video_id for one in expiry.videos]))
    videos = tuple(one for one in expiry.videos if one.video_id not in at_work)
    traces = count_traces(database, [one.video_id for one in videos])
    by_reason: defaultdict[str, list[str]] = defaultdict(list)
    for one in videos:
        by_reason[one.reason].append(one.video_id)
    for reason, keys in by_reason.items():
        for start in range(0, len(keys), AT_ONCE):
            remove(database, keys[start : start + AT_ONCE], exclude=True, reason=f"because {reason}")
    return Expiry(videos, _delete_audio(database, expiry.audio), expiry.protected, traces)


def _delete_audio(database: Database, expired: Sequence[Expired]) -> tuple[Expired, ...]:
    """Delete the files, then note it: in a process killed in between, the next one notes it."""
    uris = database.query("SELECT video_id, uri FROM audio WHERE video_id = ANY(%s)", [[one.video_id for one in expired]])
    uri_of = {row["video_id"]: row["uri"] for row in uris}
    deleted = []
    for one in expired:
        name = video_lock(one.video_id)
        if one.video_id in uri_of and try_acquire(database.url, name):
            try:
                with suppress(FileNotFoundError):
                    location_of(uri_of[one.video_id]).unlink()
                record_deletion(database, one.video_id)
            finally:
                release(database.url, name)
            deleted.append(one)
    return tuple(deleted)
