"""`python -m bench.scale.stale [VIDEOS...]`: the cost of finding stale stages, and of launching their backfill.

The videos are synthetic, but every stage of each has its rows in the real tables. For each number of videos, in a process and a
home of its own, with the real Postgres, it times `find_stale()` if nothing is stale, if one stage of every video is (with its
downstream stages), and if everything is; and launching the backfill of one stage, as `earshot backfill --stale` does, without
workers.

Prints the figures and the machine's description as JSON, and writes nothing.
"""

import sys
from dataclasses import dataclass, replace
from time import monotonic
from unittest import mock

from bench.harness.figures import own_home
from bench.harness.per_size import peak_mb, print_sizes, timed
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.video_filter import VideoFilter
from earshot.storage.database import Database, open_database
from ingest_assets.operations.backfill import choose, launch
from ingest_assets.partitions import videos
from ingest_assets.stages import staleness
from ingest_assets.stages.staleness import find_stale
from ingest_assets.stages.versions import expected_versions
from resources.instance.home import open_instance

SIZES = (1_000, 100_000)
PARTITIONS_AT_ONCE = 10_000


@dataclass(frozen=True)
class Figures:
    """One number of videos: seconds, the number of stale stages found, and the process's peak memory."""

    videos: int
    nothing_s: float
    one_stage_s: float
    one_stage_stages: int
    everything_s: float
    everything_stages: int
    launch_s: float
    peak_mb: float


def measure(count: int) -> Figures:
    """All figures for this number of videos."""
    with own_home():
        database, instance = open_database(), open_instance()
        keys = [f"video-{index:06d}" for index in range(count)]
        leave(database, keys)
        for first in range(0, count, PARTITIONS_AT_ONCE):
            instance.add_dynamic_partitions(str(videos.name), keys[first : first + PARTITIONS_AT_ONCE])
        nothing, nothing_s = timed(lambda: find_stale(database))
        assert not nothing
        with changed(*STAGES):
            everything, everything_s = timed(lambda: find_stale(database))
        with changed("speaker_turns"):
            one, one_s = timed(lambda: find_stale(database))
            started = monotonic()
            launch(choose(database, STAGES, True, VideoFilter()), (), "bench", database, instance)
            launch_s = monotonic() - started
        return Figures(count, nothing_s, one_s, len(one), everything_s, len(everything), launch_s, peak_mb())


def changed(*stages: str) -> "mock._patch[mock.Mock]":
    """A patch that raises the code versions of these stages, so that their results are stale."""
    expected = expected_versions()
    newer = expected | {stage: replace(expected[stage], code_version="newer") for stage in stages}
    return mock.patch.object(staleness, "expected_versions", return_value=newer)


def leave(database: Database, keys: list[str]) -> None:
    """Add these videos, with the rows that the current stages would store."""
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO videos (video_id, url, source, title, state, duration_s) "
            "SELECT key, 'https://x/' || key, 'https://x', key, 'ready', 600 FROM unnest(%s::text[]) AS key",
            [keys],
        )
        for stage, version in expected_versions().items():
            connection.execute(
                """
                INSERT INTO asset_timings (video_id, asset, run_id, code_version, audio_s, wall_s, compute_s, load_s, io_s,
                    rtf, x_realtime, items, items_per_s, device, device_name, model, model_revision, compute_type, batch_size,
                    cpu_s, cache_hits, cache_misses)
                SELECT key, %s, 'run of ' || key, %s, 600, 60, 50, 0, 1, 0.1, 10, 100, 2, 'cpu', '', %s, %s, 'int8', 8, 60, 0, 0
                FROM unnest(%s::text[]) AS key
                """,
                [stage, version.code_version, version.model, version.model_revision, keys],
            )
        connection.execute(
            """
            INSERT INTO stage_outputs (video_id, asset, timing_id, code_version, model, model_revision, content, made_from)
            SELECT video_id, asset, timing_id, code_version, model, model_revision,
                encode(sha256(convert_to(video_id || asset, 'UTF8')), 'hex'),
                (SELECT jsonb_object_agg(stage, encode(sha256(convert_to(video_id || stage, 'UTF8')), 'hex'))
                FROM unnest(%s::text[]) AS stage)
            FROM asset_timings
            """,
            [list(STAGES)],
        )
    with database.connect() as connection:
        connection.execute("ANALYZE")


if __name__ == "__main__":
    print_sizes(measure, tuple(map(int, sys.argv[1:])) or SIZES)
