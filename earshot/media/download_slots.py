"""Politeness: a source is asked for few videos at a time, with pauses between, by all processes together.

`download_slot()` is around each download. A source has `at_once` places, kept in Postgres (earshot/storage/locks.py), so that
a process that dies gives its own back; between the end of one download and the start of the next lie `pause_s`. A
source that is paused (its site refused us) is not asked at all: whoever would, and whoever has waited so long, is told so.

Who pauses a source, and for how long, is earshot/storage/catalog/source_states.py. Listing takes no turn: it is asked for at
intervals.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from earshot.common.errors import Blocked
from earshot.config.sources_file import Source
from earshot.storage.catalog.entries import is_url
from earshot.storage.catalog.source_states import record_served
from earshot.storage.database import Database
from earshot.storage.locks import semaphore


@contextmanager
def download_slot(database: Database, source: Source) -> Iterator[None]:
    """Wait for a download's turn and hold it for the block. Raises Blocked, with nothing asked, where the source is paused.

    Local files are fetched from nobody, and wait for nobody.
    """
    if not is_url(source.address):
        yield
        return
    _refuse_paused(database, source)

    def wait() -> None:
        time.sleep(_pause_left_s(database, source))
        _refuse_paused(database, source)  # it may have been since, by the very download that was waited for

    with semaphore(database.url, f"downloads of {source.address}", source.at_once, before=wait):
        try:
            yield
        finally:
            _record_end(database, source)
        record_served(database, source.address)  # it serves us, so that whoever waits for that may go on


def _refuse_paused(database: Database, source: Source) -> None:
    rows = database.query(
        "SELECT extract(epoch FROM paused_until - now())::float8 AS left_s FROM sources "
        "WHERE source = %s AND paused_until > now()",
        [source.address],
    )
    if rows:
        left_s = rows[0]["left_s"]
        raise Blocked(
            f"{source.name} is left alone for another {math.ceil(left_s / 60)} min: its site had refused us.",
            "Its videos are tried again by themselves after that.",
            pause_s=left_s,
        )


def _pause_left_s(database: Database, source: Source) -> float:
    """Seconds until the source may be asked for the next video. Never more than its pause, whatever a clock did since."""
    rows = database.query(
        "SELECT extract(epoch FROM now() - fetched_at)::float8 AS ago_s FROM sources "
        "WHERE source = %s AND fetched_at IS NOT NULL",
        [source.address],
    )
    return min(max(source.pause_s - rows[0]["ago_s"], 0.0), source.pause_s) if rows else 0.0


def _record_end(database: Database, source: Source) -> None:
    database.query(
        "INSERT INTO sources (source, fetched_at) VALUES (%s, now()) ON CONFLICT (source) DO UPDATE SET fetched_at = now()",
        [source.address],
    )
