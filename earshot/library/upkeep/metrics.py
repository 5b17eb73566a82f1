"""Metrics: a library's figures for a monitoring system, cheap enough to be read every few seconds.

What is not known is None or absent, never zero. No figure names a video, a source or a person.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version

from earshot.common.errors import Misconfigured
from earshot.config.sources_file import Source
from earshot.library.upkeep.at_work import AtWork, read_at_work
from earshot.library.upkeep.stage_metrics import StageMetrics, StageTotals
from earshot.models.nvml import GpuState, gpu_states
from earshot.storage.catalog.source_states import SourceState, states_of
from earshot.storage.catalog.videos import STATES
from earshot.storage.catalog.watched_sources import watched_sources
from earshot.storage.database import Database
from earshot.timings.queries import read_open_failures
from resources.instance.worker_slots import count_workers

__all__ = ["GpuState", "LibraryMetrics", "StageTotals", "read_metrics"]

SOURCE_STATES = ("ok", "new", "failing", "blocked", "paused")


@dataclass(frozen=True)
class CheckMetrics:
    """How many failures of a check of a stage, of one severity, are kept; and how many of them are recent and open."""

    stage: str
    check: str
    severity: str
    failures: int
    recent: int


@dataclass(frozen=True)
class LibraryMetrics:
    """A library now: its videos by state; its watched sources by SOURCE_STATES, None while sources.yaml is invalid; when a
    source was last polled, a video last became searchable, and the library was last backed up, None if that never happened; and
    the GPUs of this machine."""

    version: str
    stages: tuple[StageMetrics, ...]
    videos: Mapping[str, int]
    at_work: AtWork
    workers: int
    sources: Mapping[str, int] | None
    last_poll: datetime | None
    last_ingest: datetime | None
    last_backup: datetime | None
    checks: tuple[CheckMetrics, ...]
    gpus: tuple[GpuState, ...]


_LAST = """
    SELECT (SELECT max(looked_at) FROM sources) AS polled, (SELECT max(made_at) FROM backups) AS backed_up,
        (SELECT recorded_at FROM asset_timings WHERE asset = 'text_embeddings' ORDER BY timing_id DESC LIMIT 1) AS ingested
"""


def read_metrics(database: Database, totals: StageTotals) -> LibraryMetrics:
    """The metrics of the library and of this machine. `totals` are the timings read so far, if the same are given each time."""
    with database.snapshot() as snapshot:
        [last] = snapshot.query(_LAST)
        return LibraryMetrics(
            version=version("earshot"),
            stages=totals.read(snapshot),
            videos=_videos(snapshot),
            at_work=read_at_work(snapshot),
            workers=count_workers(database.url),
            sources=_sources(snapshot),
            last_poll=last["polled"],
            last_ingest=last["ingested"],
            last_backup=last["backed_up"],
            checks=_checks(snapshot),
            gpus=tuple(gpu_states()),
        )


def _videos(database: Database) -> dict[str, int]:
    """The number of videos in each state, also in those that none is in."""
    rows = database.query("SELECT state, count(*) AS videos FROM videos GROUP BY state")
    return {**dict.fromkeys(STATES, 0), **{row["state"]: row["videos"] for row in rows}}


def _sources(database: Database) -> dict[str, int] | None:
    try:
        watched = watched_sources()
    except Misconfigured:
        return None
    states = states_of(database, [source.address for source in watched])
    counts = Counter(map(source_state, watched, states))
    return {state: counts[state] for state in SOURCE_STATES}


def source_state(source: Source, state: SourceState) -> str:
    """One of SOURCE_STATES: `blocked` by its site for now, `paused` by the user, `new` until its first poll."""
    if source.paused:
        return "paused"
    if state.paused:
        return "blocked"
    if state.last_error:
        return "failing"
    return "ok" if state.looked_at else "new"


def _checks(database: Database) -> tuple[CheckMetrics, ...]:
    recent: Counter[tuple[str, str, str]] = Counter()
    for failure in read_open_failures(database):
        recent[failure.asset, failure.check_name, failure.severity] += failure.times
    rows = database.query(
        "SELECT asset, check_name, severity, count(*) AS failures FROM check_failures GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
    keys = [(row["asset"], row["check_name"], row["severity"]) for row in rows]
    return tuple(CheckMetrics(*key, row["failures"], recent[key]) for key, row in zip(keys, rows, strict=True))
