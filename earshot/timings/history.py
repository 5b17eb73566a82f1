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
from earshot.timings.causes.computing import MACHINE_BUSY
from earshot.timings.timing import Timing

SPEED, WAITING = "speed", "waiting"  # the verdicts on a timing, as its row names them

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
    """A baseline that follows a slower machine: it begins after timing `after`, with those up to `until`, flagged or not.

    `verdict` is what it is a baseline of: `speed` or `waiting`.
    """

    verdict: str
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
        """The history with the new baseline."""
        return replace(self, comparable=tuple(_counted(past, follow) for past in self.comparable))


def _counted(past: Past, follow: Follow) -> Past:
    """As in the new baseline: timings before it are left out of it like flagged ones, and those that it begins with are not."""
    if past.timing_id > follow.until:
        return past
    return replace(past, **{follow.verdict: Level.OK if past.timing_id > follow.after else Level.WARN})


def read_history(database: Database, asset: str, now: Timing) -> History:
    """The timings with which to compare `now`, which is not stored yet."""
    same = " AND ".join(f"{key} = %({key})s" for key in BASELINE_KEY)
    follows = _follows(database, asset)
    followed = next((begin for begin in follows if begin.verdict == SPEED), Follow(SPEED, 0, 0))
    rows = database.query(
        f"""
        WITH comparable AS (
            SELECT * FROM asset_timings WHERE asset = %(asset)s AND inputs > 0 AND {same} AND timing_id > (
                SELECT coalesce(max(timing_id), 0) FROM accepted_speeds WHERE asset = %(asset)s AND verdict IS NULL))
        SELECT * FROM (
            (SELECT * FROM comparable
             WHERE speed NOT IN ('warn', 'error') OR timing_id > %(after)s AND timing_id <= %(until)s
             ORDER BY timing_id DESC LIMIT %(unflagged)s)
            UNION
            (SELECT * FROM comparable ORDER BY timing_id DESC LIMIT %(recent)s)) AS chosen
        ORDER BY timing_id
        """,  # noqa: S608
        {"asset": asset, "unflagged": SPREAD_WINDOW + RECENT, "recent": RECENT, **asdict(followed), **asdict(now)},
    )
    past = tuple(map(_past, rows))
    history = History(past, "" if past else _change(database, asset, now), _is_busy_reported(database, asset))
    for begin in follows:
        history = history.following(begin)
    return history


def _follows(database: Database, asset: str) -> list[Follow]:
    """Where the stage's baselines last followed a slower machine."""
    rows = database.query(
        "SELECT DISTINCT ON (verdict) verdict, timing_id AS after, followed_until AS until FROM accepted_speeds "
        "WHERE asset = %s AND verdict IS NOT NULL ORDER BY verdict, accepted_at DESC",
        [asset],
    )
    return [Follow(**row) for row in rows]


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
        "INSERT INTO accepted_speeds (asset, verdict, timing_id, followed_until) VALUES (%s, %s, %s, %s)",
        [asset, begin.verdict, begin.after, begin.until],
    )
