"""`python -m bench.scale.stale [VIDEOS...]`: what it costs to find out what is out of date, and to start its backfill.

The videos are made up, but every stage of each has left its rows in the real tables, as stages leave them. For each number of
videos, in a process and a home of its own, with the real Postgres: telling what is out of date where nothing is, where one
stage of every video is (and what is below it), and where everything is; and launching the backfill of one stage, as
`earshot backfill --stale` does, without anybody at work on it.

Prints the figures as JSON, with what they were measured on, and writes nothing.
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
from ingest_assets.stages.staleness import read_stale
from ingest_assets.stages.versions import expected_versions
from resources.instance.home import open_instance

SIZES = (1_000, 100_000)
PARTITIONS_AT_ONCE = 10_000


@dataclass(frozen=True)
class Figures:
    """Of one number of videos. Seconds; megabytes of the whole process at most. `stages` are those found out of date."""

    videos: int
    nothing_s: float
    one_stage_s: float
    one_stage_stages: int
    everything_s: float
    everything_stages: int
    launch_s: float
    peak_mb: float


def measure(count: int) -> Figures:
    """All figures of so many videos."""
    with own_home():
        database, instance = open_database(), open_instance()
        keys = [f"video-{index:06d}" for index in range(count)]
        leave(database, keys)
        for first in range(0, count, PARTITIONS_AT_ONCE):
            instance.add_dynamic_partitions(str(videos.name), keys[first : first + PARTITIONS_AT_ONCE])
        nothing, nothing_s = timed(lambda: read_stale(database))
        assert nothing.empty
        with changed(*STAGES):
            everything, everything_s = timed(lambda: read_stale(database))
        with changed("speaker_turns"):
            one, one_s = timed(lambda: read_stale(database))
            started = monotonic()
            launch(choose(database, STAGES, True, VideoFilter()), (), "bench", database, instance)
            launch_s = monotonic() - started
        return Figures(count, nothing_s, one_s, len(one), everything_s, len(everything), launch_s, peak_mb())


def changed(*stages: str) -> "mock._patch[mock.Mock]":
    """As long as it is entered, these stages' code is newer than what is there."""
    expected = expected_versions()
    newer = expected | {stage: replace(expected[stage], code_version="newer") for stage in stages}
    return mock.patch.object(staleness, "expected_versions", return_value=newer)


def leave(database: Database, keys: list[str]) -> None:
    """What today's stages leave of these videos."""
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
