"""Queries: reads timings and failed checks for the report. Sums and judges nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import sql

from earshot.storage.database import Database
from earshot.timings.causes.remedies import remedy_of
from earshot.timings.causes.waiting import WAITS
from earshot.timings.report import Row
from earshot.timings.timing import KEYS

RECENT_DAYS = 7.0
# A report covers at most this many of the newest timings: ten thousand videos, which fit into 300 MB.
MAX_TIMINGS = 50_000
# The columns of `asset_timings` that are shown to programs, in this order.
ROW_KEYS = ("video_id", "asset", "recorded_at", "run_id", "code_version", "git_commit", "speed", "waiting", "cause", *KEYS)


@dataclass(frozen=True)
class OpenFailure:
    """The recent failures of one stage for one cause: the newest of the most severe, and how many there were."""

    asset: str
    check_name: str
    severity: str
    cause: str
    message: str
    video_id: str
    recorded_at: datetime
    times: int
    remedy: str

    def __str__(self) -> str:
        often = f"{self.times} times in {RECENT_DAYS:.0f} days, the worst" if self.times > 1 else "once,"
        when = f"{often} {self.recorded_at:%Y-%m-%d %H:%M}, {self.video_id}"
        return f"{self.severity.upper()} {self.asset} ({when}): {self.message}"


_TIMINGS = (
    "asset_timings WHERE (%(video)s::text IS NULL OR video_id = %(video)s) "
    "AND (%(days)s::float IS NULL OR recorded_at > now() - %(days)s::float * interval '1 day')"
)


def read_timings(
    database: Database, video_id: str | None = None, days: float | None = None, most: int = MAX_TIMINGS
) -> list[Row]:
    """The newest `most` rows of `asset_timings`, oldest first; optionally only of one video or of the last `days`."""
    rows = database.query(
        f"SELECT * FROM {_TIMINGS} ORDER BY timing_id DESC LIMIT %(most)s",  # noqa: S608
        {"video": video_id, "days": days, "most": most},
    )
    return rows[::-1]


def latest_timings(database: Database, asset: str | None, video_id: str | None, before: int | None, most: int) -> list[Row]:
    """The newest rows of `asset_timings` before this one, newest first; of one stage, of one video (key), or all."""
    conditions = {"asset = %(asset)s": asset, "video_id = %(video)s": video_id, "timing_id < %(before)s": before}
    chosen = " AND ".join(condition for condition, value in conditions.items() if value is not None)
    return database.query(
        f"SELECT * FROM asset_timings WHERE {chosen or 'true'} ORDER BY timing_id DESC LIMIT %(most)s",  # noqa: S608
        {"asset": asset, "video": video_id, "before": before, "most": most},
    )


def stream_timings(
    database: Database, keys: Sequence[str], video_id: str | None = None, days: float | None = None
) -> Iterator[Row]:
    """These columns of all rows, filtered like `read_timings()`, streamed one by one in constant memory."""
    columns = sql.SQL(", ").join(map(sql.Identifier, keys))
    statement = sql.SQL("SELECT {} FROM {} ORDER BY timing_id").format(columns, sql.SQL(_TIMINGS))
    return database.stream(statement.as_string(), {"video": video_id, "days": days})


def read_open_failures(database: Database, video_id: str | None = None) -> list[OpenFailure]:
    """The worst failure per stage and cause within RECENT_DAYS, newest first; without slowdowns accepted since.

    A baseline that followed a slower machine replaces the slowdowns before it, of computing or of waiting, and is listed until
    it is accepted.
    """
    rows = database.query(
        "SELECT DISTINCT ON (asset, cause) asset, check_name, severity, cause, message, video_id, recorded_at, "
        "count(*) OVER (PARTITION BY asset, cause) AS times FROM check_failures AS failure "
        "WHERE (%(video)s::text IS NULL OR video_id = %(video)s) "
        "AND (cause = 'baseline_followed' OR recorded_at > now() - %(days)s::float * interval '1 day') "
        "AND (check_name <> 'regression' OR NOT EXISTS (SELECT FROM accepted_speeds AS accepted "
        "WHERE accepted.asset = failure.asset AND accepted.accepted_at > failure.recorded_at "
        "AND (verdict IS NULL OR cause <> 'baseline_followed' AND (verdict = 'waiting') = (cause = ANY(%(waits)s))))) "
        "ORDER BY asset, cause, severity = 'error' DESC, failure_id DESC",
        {"video": video_id, "days": RECENT_DAYS, "waits": list(WAITS)},
    )
    failures = [OpenFailure(**row, remedy=remedy_of(row["cause"])) for row in rows]
    return sorted(failures, key=lambda failing: failing.recorded_at, reverse=True)
