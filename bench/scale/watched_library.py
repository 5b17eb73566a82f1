"""A watched library for bench/scale/watching.py: feeds on loopback, known videos, and ticks of the sensors.

`WatchedLibrary` publishes episodes, makes sources due, adds videos as if they had run long ago, and evaluates sensors as
Dagster does, with an instance of the tick's own. `add_partitions()` does what Dagster's daemon does with the result; no run is
submitted.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dagster import DagsterInstance, SensorDefinition, build_sensor_context

from earshot.config.settings import read_settings
from earshot.config.sources_file import Kind, Source
from earshot.sources.polling import options_digest
from earshot.storage.catalog.watched_sources import watched_sources
from earshot.storage.database import Database
from ingest_assets.definitions import defs
from ingest_assets.partitions import videos

NOTES = "Recorded live, with notes on all that was said and links to everything. " * 7  # 500 characters, as in real feeds
FIRST_DAY = datetime(2010, 1, 1, tzinfo=UTC)
BATCH = 10_000  # partitions added to Dagster at a time


@dataclass
class WatchedLibrary:
    """Feeds in `folder`, served at `url`, and a library that watches them. EARSHOT_SOURCES must name a writable file."""

    folder: Path
    url: str
    database: Database
    instance: DagsterInstance
    cursors: dict[str, str | None] = field(default_factory=dict)
    episodes: dict[str, int] = field(default_factory=dict)

    def watch(self, kind: Kind, *addresses: str) -> Source:
        """Write these sources, and no others, to sources.yaml; returns the first."""
        lines = [f"  - {kind}: {address}\n    every: 1d\n" for address in addresses]
        read_settings().sources.write_text("sources:\n" + "".join(lines))
        return watched_sources()[0]

    def make_due(self, address: str) -> None:
        """Pretend that this source was never polled."""
        self.database.query("UPDATE sources SET looked_at = NULL WHERE source = %s", [address])

    def publish(self, feed: str, more: int = 1) -> None:
        """Add episodes to a feed, and make it due. Sets the file's time, by whose whole seconds a server detects changes."""
        count = self.episodes[feed] = self.episodes.get(feed, 0) + more
        path, moment = self.folder / feed.rpartition("/")[2], FIRST_DAY.timestamp() + count
        path.write_text(feed_of(self.url, path.stem, count))
        os.utime(path, (moment, moment))
        self.make_due(feed)

    def grow(self, known: int, of_a_source: int) -> list[str]:
        """Add videos until `known` are known; returns the addresses of their feeds, recorded as just polled."""
        numbers = {"first": self.count(), "last": known - 1, "of_a_source": of_a_source, "url": f"{self.url}/feed-"}
        with self.database.connect() as connection:
            connection.execute(_ADDED, numbers)
            connection.execute(_SOURCES, [options_digest(Source(Kind.FEED, "", ""))])
            connection.execute(_VIDEOS)
            connection.execute(_LISTED)
            feeds = "SELECT source FROM sources WHERE starts_with(source, %(url)s) ORDER BY source"
            return [row["source"] for row in connection.execute(feeds, numbers)]

    def work_off(self) -> None:
        """Pretend that every known video has run, and update the database's statistics."""
        self.database.query("DELETE FROM run_requests")
        self.database.query("UPDATE videos SET state = 'ready' WHERE state <> 'ready'")
        self.add_partitions([row["video_id"] for row in self.database.query("SELECT video_id FROM videos")])
        self.database.query("ANALYZE")

    def count(self) -> int:
        """How many videos are known."""
        return self.database.query("SELECT count(*) AS videos FROM videos")[0]["videos"]

    def failures(self) -> list[str]:
        """The errors of sources that could not be polled."""
        return [row["last_error"] for row in self.database.query("SELECT last_error FROM sources WHERE failures > 0")]

    def tick(self, sensor: SensorDefinition) -> list[str]:
        """Evaluate the sensor; returns the partitions of the runs that it requests."""
        cursor, ref = self.cursors.get(sensor.name), self.instance.get_ref()
        with build_sensor_context(None, cursor, repository_def=defs.get_repository_def(), instance_ref=ref) as context:
            answer = sensor.evaluate_tick(context)
        self.cursors[sensor.name] = answer.cursor
        return [run.partition_key for run in answer.run_requests or () if run.partition_key]

    def add_partitions(self, keys: Sequence[str]) -> None:
        """Add the partitions of requested runs, as the daemon does first."""
        for start in range(0, len(keys), BATCH):
            self.instance.add_dynamic_partitions(str(videos.name), list(keys[start : start + BATCH]))

    def add_one(self, key: str) -> None:
        """Add the partition of one new upload, and look it up, as the daemon does."""
        self.add_partitions([key])
        assert self.instance.has_dynamic_partition(str(videos.name), key)


_ADDED = """
    CREATE TEMPORARY TABLE added ON COMMIT DROP AS
    SELECT n, source, 'generic-known-' || n AS video_id, source || '/' || n AS url, 'Episode ' || n AS title
    FROM generate_series(%(first)s::int, %(last)s::int) AS n,
        LATERAL (SELECT %(url)s::text || n / %(of_a_source)s::int || '.xml' AS source) AS feed
"""
_SOURCES = """
    INSERT INTO sources (source, options, fully_listed, looked_at) SELECT DISTINCT source, %s, true, now() FROM added
    ON CONFLICT (source) DO NOTHING
"""
_VIDEOS = "INSERT INTO videos (video_id, url, source, title) SELECT video_id, url, source, title FROM added"
_LISTED = """
    INSERT INTO source_videos (source, video_id, url, title, backlog, decision)
    SELECT source, video_id, url, title, true, 'wanted' FROM added ORDER BY n
"""


def feed_of(url: str, name: str, count: int) -> str:
    """A podcast's feed of `count` episodes, newest first."""
    items = (
        f'<item><guid isPermaLink="false">{name}-{number}</guid><title>Episode {number}</title>'
        f"<pubDate>{FIRST_DAY + timedelta(hours=number):%a, %d %b %Y %H:%M:%S} GMT</pubDate><description>{NOTES}</description>"
        f'<enclosure url="{url}/{name}-{number}.mp3" type="audio/mpeg" length="1"/></item>'
        for number in range(count, 0, -1)
    )
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>{name}</title>{"".join(items)}</channel></rss>'
