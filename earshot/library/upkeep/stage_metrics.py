"""Metrics of the stages: histograms of all their timings, added up by Postgres. They only grow.

Rows of `asset_timings` outlive the removal of their videos, and their figures never change: each is read once, and again while
it is so new that one with a smaller number may not be committed yet. Seconds are added up as integers: sums of floats differ
with the order of the rows, and a counter that is less by a rounding error looks as if it had started again.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import add
from typing import Any

from psycopg import sql

from earshot.storage.database import Database

SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0)
FACTORS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
SETTLED_MINUTES = 10  # after which no stage is still writing its rows


@dataclass(frozen=True)
class Histogram:
    """How many values are at most each bound, how many there are, and their sum."""

    bounds: tuple[float, ...]
    at_most: tuple[int, ...]
    count: int
    total: float


@dataclass(frozen=True)
class StageMetrics:
    """All timings of a stage on a device, `cuda` or `cpu`.

    `seconds` are those by the clock, `factors` compute seconds per second of audio, for the timings that have audio.
    """

    stage: str
    device: str
    seconds: Histogram
    factors: Histogram
    audio_s: float


Sums = Mapping[tuple[str, str], Sequence[int]]  # by stage and device: the columns of _SUMS


class StageTotals:
    """The sums of a library's timings, as far as they have been read. May be read by several threads."""

    def __init__(self) -> None:
        self._settled: Sums = {}
        self._last = 0  # the number of the last settled timing
        self._lock = threading.Lock()

    def read(self, database: Database) -> tuple[StageMetrics, ...]:
        """The metrics of every stage that has run, by name. The first call reads all timings."""
        with self._lock, database.snapshot() as snapshot:
            rows = snapshot.query(_SETTLED, [SETTLED_MINUTES])
            last = rows[0]["timing_id"] if rows else 0
            if last > self._last:
                self._settled = _added(self._settled, _sums(snapshot, self._last, last))
                self._last = last
            every = _added(self._settled, _sums(snapshot, self._last, None))
        return tuple(_metrics(*key, list(values)) for key, values in sorted(every.items()))


_SETTLED = """
    SELECT timing_id FROM asset_timings WHERE recorded_at < now() - make_interval(mins => %s) ORDER BY timing_id DESC LIMIT 1
"""
_SUMS = sql.SQL(
    """
    SELECT asset, device, ARRAY[{columns}] AS sums FROM asset_timings
    WHERE timing_id > %(after)s AND (%(last)s::bigint IS NULL OR timing_id <= %(last)s) GROUP BY asset, device
    """
).format(
    columns=sql.SQL(", ").join(
        [
            *(sql.SQL("count(*) FILTER (WHERE wall_s <= {})").format(bound) for bound in SECONDS),
            *(sql.SQL("count(*) FILTER (WHERE rtf <= {} AND audio_s > 0)").format(bound) for bound in FACTORS),
            sql.SQL("count(*)"),
            sql.SQL("coalesce(sum((wall_s * 1e3)::bigint), 0)::bigint"),
            sql.SQL("count(*) FILTER (WHERE audio_s > 0)"),
            sql.SQL("coalesce(sum((rtf * 1e6)::bigint) FILTER (WHERE audio_s > 0), 0)::bigint"),
            sql.SQL("coalesce(sum((audio_s * 1e3)::bigint), 0)::bigint"),
        ]
    )
)


def _sums(database: Database, after: int, last: int | None) -> Sums:
    """The sums of the timings with larger numbers than `after`, up to `last`."""
    rows = database.query(_SUMS, {"after": after, "last": last})
    return {(row["asset"], row["device"]): row["sums"] for row in rows}


def _added(some: Sums, others: Sums) -> Sums:
    both = {key: list(map(add, some[key], others[key])) for key in some.keys() & others.keys()}
    return {**some, **others, **both}


def _metrics(stage: str, device: str, sums: list[Any]) -> StageMetrics:
    seconds, factors = sums[: len(SECONDS)], sums[len(SECONDS) : -5]
    timings, milliseconds, with_audio, millionths, audio_ms = sums[-5:]
    return StageMetrics(
        stage,
        device,
        Histogram(SECONDS, tuple(seconds), timings, milliseconds / 1e3),
        Histogram(FACTORS, tuple(factors), with_audio, millionths / 1e6),
        audio_ms / 1e3,
    )
