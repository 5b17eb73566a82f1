"""History: the earlier timings that a new one is compared with, from table `asset_timings`.

Timings are comparable if stage, model, revision, device and compute type are the same; a change of any of these begins a new
baseline. The batch size is not among them: it is a cause of slowness, which a new baseline would hide. Flagged timings stay
out of the medians (earshot/timings/baseline.py) until `accept_speed()` declares the current speed normal.
"""

from dataclasses import asdict, dataclass

from earshot.common.errors import Misconfigured
from earshot.storage.database import Database
from earshot.timings.baseline import SPREAD_WINDOW, Level
from earshot.timings.timing import Timing

BASELINE_KEY = ("model", "model_revision", "device", "device_name", "compute_type")
RECENT = 2  # read even if flagged: the rule also judges the last three videos together


@dataclass(frozen=True)
class Past:
    """One earlier timing, and the verdict on its speed when it was recorded."""

    timing: Timing
    speed: Level


@dataclass(frozen=True)
class History:
    """Comparable timings, oldest first. `changed` says what began a new baseline, "" if nothing did."""

    comparable: tuple[Past, ...]
    changed: str = ""


def read_history(database: Database, asset: str, now: Timing) -> History:
    """The timings with which to compare `now`, which is not stored yet."""
    same = " AND ".join(f"{key} = %({key})s" for key in BASELINE_KEY)
    rows = database.query(
        f"""
        WITH comparable AS (
            SELECT * FROM asset_timings WHERE asset = %(asset)s AND inputs > 0 AND {same}
            AND timing_id > coalesce((SELECT max(timing_id) FROM accepted_speeds WHERE asset = %(asset)s), 0))
        SELECT * FROM (
            (SELECT * FROM comparable WHERE speed NOT IN ('warn', 'error') ORDER BY timing_id DESC LIMIT %(unflagged)s)
            UNION
            (SELECT * FROM comparable ORDER BY timing_id DESC LIMIT %(recent)s)) AS chosen
        ORDER BY timing_id
        """,  # noqa: S608
        {"asset": asset, "unflagged": SPREAD_WINDOW + RECENT, "recent": RECENT, **asdict(now)},
    )
    past = tuple(Past(Timing.of_row(row), Level(row["speed"])) for row in rows)
    return History(past, "" if past else _change(database, asset, now))


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
