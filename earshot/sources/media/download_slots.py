"""Download slots: limits how many downloads a source serves at a time, across all processes.

Each download runs in a `download_slot()`. A source has `at_once` slots, held in Postgres (earshot/storage/locks.py), so a dead
process frees its slot. `pause_s` separates the end of one download from the start of the next. While a source is paused because
its site refused this machine, downloads fail with Blocked, including those that already wait for a slot.

earshot/storage/catalog/source_states.py pauses sources. Listings need no slot; they run at intervals.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from earshot.common.errors import Blocked
from earshot.common.times import seconds_left
from earshot.config.sources_file import Source
from earshot.storage.catalog.entries import is_url
from earshot.storage.catalog.source_states import record_served
from earshot.storage.database import Database
from earshot.storage.locks import semaphore


@contextmanager
def download_slot(database: Database, source: Source) -> Iterator[None]:
    """Wait for a slot and hold it during the block. Raises Blocked, without a request, if the source is paused.

    Local files need no slot.
    """
    if not is_url(source.address):
        yield
        return
    _refuse_paused(database, source)

    def wait() -> None:
        time.sleep(_pause_left_s(database, source))
        _refuse_paused(database, source)  # the download before this one may have paused it

    with semaphore(database.url, f"downloads of {source.address}", source.at_once, before=wait):
        try:
            yield
        finally:
            _record_end(database, source)
        record_served(database, source.address)  # the site serves this machine: resets its count of blocks


def _refuse_paused(database: Database, source: Source) -> None:
    rows = database.query(
        "SELECT extract(epoch FROM paused_until - now())::float8 AS left_s FROM sources "
        "WHERE source = %s AND paused_until > now()",
        [source.address],
    )
    if rows:
        left_s = rows[0]["left_s"]
        raise Blocked(
            f"{source.name} is paused for another {math.ceil(left_s / 60)} min: its site refused this machine.",
            "Its videos are retried automatically after that.",
            pause_s=left_s,
        )


def _pause_left_s(database: Database, source: Source) -> float:
    """Seconds until the next download may start."""
    rows = database.query(
        "SELECT extract(epoch FROM now() - fetched_at)::float8 AS ago_s FROM sources "
        "WHERE source = %s AND fetched_at IS NOT NULL",
        [source.address],
    )
    return seconds_left(source.pause_s, rows[0]["ago_s"]) if rows else 0.0


def _record_end(database: Database, source: Source) -> None:
    database.query(
        "INSERT INTO sources (source, fetched_at) VALUES (%s, now()) ON CONFLICT (source) DO UPDATE SET fetched_at = now()",
        [source.address],
    )
