"""History: the earlier timings that a new one is compared with, from table `asset_timings`.

Timings are comparable if stage, model, revision, device and compute type are the same; a change of any of these begins a new
baseline. The batch size is not among them: it is a cause of slowness, which a new baseline would hide. Flagged timings stay
out of the medians (earshot/timings/baseline.py) until `accept_speed()` declares the current speed normal, or the baseline
follows them (earshot/timings/judgement.py, `follow()`).
"""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Self

from earshot.common.errors import Misconfigured
from earshot.storage.database import Connection, Database
from earshot.timings.baseline import NEW_LEVEL_VIDEOS, SPREAD_WINDOW, Level
from earshot.timings.causes import MACHINE_BUSY
from earshot.timings.timing import Timing

BASELINE_KEY = ("model", "model_revision", "device", "device_name", "compute_type")
RECENT = NEW_LEVEL_VIDEOS  # read even if flagged: the rule also judges the last videos together
CODE = ("code_version", "git_commit", "libraries", "driver")
REPORT_AGAIN_HOURS = 24.0


@dataclass(frozen=True)
class Past:
    """One earlier timing, the verdicts on its computing (`speed`) and `waiting` when it was recorded, and the cause.

    `code` identifies the code that ran.
    """

    timing: Timing
    speed: Level
    waiting: Level = Level.NOT_EVALUATED
    cause: str = ""
    code: tuple[str | None, ...] = ()
    timing_id: int = 0
    recorded_at: datetime = datetime.min


@dataclass(frozen=True)
class Follow:
    """A baseline that follows a slower machine: it begins after timing `after`, with those up to `until`, flagged or not."""

    after: int
    until: int


@dataclass(frozen=True)
class History:
    """Comparable timings, oldest first. `changed` says what began a new baseline, "" if nothing did.

    `busy_reported`: the stage was flagged for `machine_busy` within REPORT_AGAIN_HOURS.
    """

    comparable: tuple[Past, ...]
    changed: str = ""
    busy_reported: bool = False

    def following(self, follow: Follow) -> Self:
        """The history of the new baseline."""
        kept = tuple(_counted(past, follow.until) for past in self.comparable if past.timing_id > follow.after)
        return replace(self, comparable=kept)


def _counted(past: Past, until: int) -> Past:
    return replace(past, speed=Level.OK) if past.timing_id <= until else past


def read_history(database: Database, asset: str, now: Timing) -> History:
    """The timings with which to compare `now`, which is not stored yet."""
    same = " AND ".join(f"{key} = %({key})s" for key in BASELINE_KEY)
    begin = _begin(database, asset)
    rows = database.query(
        f"""
        WITH comparable AS (
            SELECT * FROM asset_timings WHERE asset = %(asset)s AND inputs > 0 AND {same} AND timing_id > %(after)s)
        SELECT * FROM (
            (SELECT * FROM comparable WHERE speed NOT IN ('warn', 'error') OR timing_id <= %(until)s
             ORDER BY timing_id DESC LIMIT %(unflagged)s)
            UNION
            (SELECT * FROM comparable ORDER BY timing_id DESC LIMIT %(recent)s)) AS chosen
        ORDER BY timing_id
        """,  # noqa: S608
        {"asset": asset, "unflagged": SPREAD_WINDOW + RECENT, "recent": RECENT, **asdict(begin), **asdict(now)},
    )
    past = tuple(_counted(_past(row), begin.until) for row in rows)
    return History(past, "" if past else _change(database, asset, now), _is_busy_reported(database, asset))


def _begin(database: Database, asset: str) -> Follow:
    """Where the stage's baseline begins."""
    rows = database.query(
        "SELECT timing_id AS after, coalesce(followed_until, 0) AS until FROM accepted_speeds WHERE asset = %s "
        "ORDER BY accepted_at DESC LIMIT 1",
        [asset],
    )
    return Follow(**rows[0]) if rows else Follow(0, 0)


def _past(row: dict[str, Any]) -> Past:
    return Past(
        Timing.of_row(row),
        Level(row["speed"]),
        Level(row["waiting"]),
        row["cause"],
        tuple(row[key] for key in CODE),
        row["timing_id"],
        row["recorded_at"],
    )


def _is_busy_reported(database: Database, asset: str) -> bool:
    return bool(
        database.query(
            "SELECT 1 AS found FROM check_failures WHERE asset = %s AND cause = %s "
            "AND recorded_at > now() - %s * interval '1 hour' LIMIT 1",
            [asset, MACHINE_BUSY, REPORT_AGAIN_HOURS],
        )
    )


def _change(database: Database, asset: str, now: Timing) -> str:
    """What differs from the stage's last timing, or that its speed was accepted."""
    rows = database.query(
        f"SELECT {', '.join(BASELINE_KEY)} FROM asset_timings WHERE asset = %s ORDER BY timing_id DESC LIMIT 1",  # noqa: S608
        [asset],
    )
    if not rows:
        return ""
    differing = [
        f"{key} was {rows[0][key]}, is {getattr(now, key)}" for key in BASELINE_KEY if rows[0][key] != getattr(now, key)
    ]
    return "; ".join(differing) or "the stage's speed was accepted as the new normal"


def accept_speed(database: Database, asset: str) -> int:
    """Start a new baseline with the stage's next timing; returns how many timings no longer count."""
    rows = database.query(
        "INSERT INTO accepted_speeds (asset, timing_id) "
        "SELECT asset, max(timing_id) FROM asset_timings WHERE asset = %s GROUP BY asset RETURNING timing_id",
        [asset],
    )
    if not rows:
        raise Misconfigured(f"Stage {asset!r} has no timings.", "`earshot timings` lists the stages that have.")
    counted = database.query(
        "SELECT count(*) AS timings FROM asset_timings WHERE asset = %s AND timing_id <= %s", [asset, rows[0]["timing_id"]]
    )
    return int(counted[0]["timings"])


def follow(connection: Connection, asset: str, begin: Follow) -> None:
    """Begin the baseline there, in the transaction that records the finding."""
    connection.execute(
        "INSERT INTO accepted_speeds (asset, timing_id, followed_until) VALUES (%s, %s, %s)", [asset, begin.after, begin.until]
    )
