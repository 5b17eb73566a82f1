"""Removal: takes videos out of the library: their rows, then their files and partitions.

Past runs and events stay, as Dagster keeps all. A process killed in between leaves notes, and the next removal finishes its
work (earshot/storage/catalog/removals.py).
"""

import shutil
from collections.abc import Sequence
from contextlib import suppress

from dagster import DagsterRunStatus, RunsFilter

from earshot.common.errors import EarshotError
from earshot.common.text import join_first
from earshot.config.settings import read_settings
from earshot.storage.catalog.removals import BY_USER, Unfinished, finish_removal, remove_rows, unfinished_removals
from earshot.storage.database import Database
from earshot.storage.locks import PARTITION_TAG, PEOPLE_LOCK, held, lock, video_lock
from earshot.storage.media_store import location_of
from ingest_assets.partitions import videos
from resources.instance.home import open_instance

AT_ONCE = 500  # videos in one query
MOST_BUSY = 3  # that a message names


def remove(database: Database, video_ids: Sequence[str], exclude: bool, reason: str = BY_USER) -> None:
    """Delete these videos with everything made from them; with `exclude`, listings leave them out for this reason.

    Raises EarshotError if a run works on one of them.
    """
    with lock(database.url, PEOPLE_LOCK):
        refuse_busy(database, video_ids)
        remove_rows(database, video_ids, exclude, reason)
    _finish(database)


def busy(database: Database, video_ids: Sequence[str]) -> list[str]:
    """Those of these videos that a run works on: it would write rows again."""
    locks = {video_lock(video_id): video_id for video_id in video_ids}
    return [locks[name] for name in held(database.url, list(locks))]


def refuse_busy(database: Database, video_ids: Sequence[str]) -> None:
    """Raise EarshotError if a run works on one of these videos."""
    if at_work := busy(database, video_ids):
        message = f"Nothing was removed: a run works on {join_first(at_work, MOST_BUSY)}."
        raise EarshotError(message, "Try again when it has ended, or cancel it.")


def _finish(database: Database) -> None:
    """Delete the files and partitions of removed videos, also of those whose removal was interrupted."""
    unfinished = unfinished_removals(database)
    _remove_partitions([removed.video_id for removed in unfinished])
    for removed in unfinished:
        _delete_files(removed)
        finish_removal(database, removed.video_id)


def _delete_files(removed: Unfinished) -> None:
    """Delete the audio and unfinished downloads. A file of the user's that was ingested is not among them."""
    if removed.uri is not None:
        with suppress(FileNotFoundError):
            location_of(removed.uri).unlink()
    shutil.rmtree(read_settings().home / "downloads" / removed.video_id, ignore_errors=True)


def _remove_partitions(video_ids: Sequence[str]) -> None:
    """Delete the partitions of these videos, and cancel their queued runs."""
    instance = open_instance()
    for start in range(0, len(video_ids), AT_ONCE):
        some = list(video_ids[start : start + AT_ONCE])
        queued = RunsFilter(tags={PARTITION_TAG: some}, statuses=[DagsterRunStatus.QUEUED, DagsterRunStatus.NOT_STARTED])
        for run in instance.get_runs(queued):
            instance.report_run_canceled(run, message="Its video was removed.")
        for video_id in some:
            instance.delete_dynamic_partition(str(videos.name), video_id)
