"""What the databases of a library hold: connections, rows and sizes of tables, and how long ticks took."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from bench.chaos.invariants import querying
from bench.chaos.world import World

MIB = 1 << 20
DATABASES = ("earshot", "earshot_dagster")
PACED = "dead_runs"  # the sensor with the shortest interval: the time between its ticks is that of the daemon's iterations

_CONNECTIONS = """
    SELECT datname, count(*) AS connections FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND datname = ANY(%s) AND pid <> pg_backend_pid() GROUP BY datname
"""
_TABLES = "SELECT relname, n_live_tup AS rows, pg_total_relation_size(relid) AS size FROM pg_stat_user_tables"
# A tick is written when it starts, and again when it ends, with others between.
_TICKS = "SELECT id, tick_body FROM job_ticks WHERE id > %s AND status <> 'STARTED' ORDER BY id"
OVERLAP = 100


def measure(world: World) -> dict[str, float]:
    """Connections by database; rows and MiB of each table that has any."""
    values = {f"connections {row['datname']}": row["connections"] for row in querying(world)(_CONNECTIONS, [list(DATABASES)])}
    for database in DATABASES:
        for row in querying(world, database)(_TABLES):
            if row["rows"]:
                values[f"rows {database}.{row['relname']}"] = row["rows"]
                values[f"table {database}.{row['relname']}"] = row["size"] / MIB
    return {name: float(value) for name, value in values.items()}


@dataclass
class Ticks:
    """Reads the ticks that ended since the last reading. `speed` is that of the clock they are timed by."""

    world: World
    speed: int = 1
    seen: set[int] = field(default_factory=set)
    last_start_s: float | None = None

    def measure(self) -> dict[str, float]:
        """Real seconds: the median of each sensor's new ticks, and of the time between two of PACED; how many ticks ended."""
        rows = querying(self.world, "earshot_dagster")(_TICKS, [max(self.seen, default=0) - OVERLAP])
        ended = [json.loads(row["tick_body"]) for row in rows if row["id"] not in self.seen]
        self.seen |= {row["id"] for row in rows}
        lengths: dict[str, list[float]] = defaultdict(list)
        for tick in ended:
            lengths[f"tick {tick['job_name']}"].append((tick["end_timestamp"] - tick["timestamp"]) / self.speed)
        lengths["iteration"] = self._between([tick["timestamp"] for tick in ended if tick["job_name"] == PACED])
        values = {name: median(seconds) for name, seconds in lengths.items() if seconds}
        return {**values, "ticks": float(len(self.seen))}

    def _between(self, starts: list[float]) -> list[float]:
        known = ([] if self.last_start_s is None else [self.last_start_s]) + starts
        self.last_start_s = known[-1] if known else None
        return [(later - earlier) / self.speed for earlier, later in pairwise(known)]
