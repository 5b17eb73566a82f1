"""Ingests as `earshot ingest` does, in this process, and measures the time.

`measure()` ingests a source, `one_by_one()` measures each of its videos, and `again()` repeats every stage of a source. A row
of `asset_timings` has a stage's time; the rest of the clock is Earshot's time around the stages: Dagster, locks, the catalogue.
"""

from dataclasses import dataclass
from pathlib import Path

from bench.harness.figures import Row
from earshot.config.sources_file import source_named
from earshot.models.measurement import clock, cpu_clock
from earshot.storage.database import open_database
from ingest_assets.operations.ingest import IngestChoice, Outcome, ingest
from resources.instance.home import open_instance


@dataclass(frozen=True)
class Ingested:
    """One or several videos: their rows of `asset_timings`, and the wall and CPU seconds."""

    rows: list[Row]
    wall_s: float
    cpu_s: float

    @property
    def stages_s(self) -> float:
        """Seconds in stages, including loading models."""
        return sum(row["wall_s"] for row in self.rows)

    @property
    def load_s(self) -> float:
        return sum(row["load_s"] for row in self.rows)

    @property
    def around_s(self) -> float:
        """Seconds outside stages."""
        return self.wall_s - self.stages_s

    @property
    def audio_s(self) -> float:
        """Seconds of audio; each video counts once."""
        return sum({row["video_id"]: row["audio_s"] for row in self.rows}.values())


def one_by_one(source: Path, choice: IngestChoice | None = None) -> list[Ingested]:
    """Ingest a source; returns each video's rows and seconds. Raises RuntimeError if a video fails."""
    database, ingested = open_database(), []
    started, cpu_started = clock(), cpu_clock()
    for step in ingest([source_named(str(source))], choice or IngestChoice(), database, open_instance()):
        if not isinstance(step, Outcome):
            continue
        if step.result != "done":
            raise RuntimeError(f"the benchmark could not ingest {source}: {step}")
        ended, cpu_ended = clock(), cpu_clock()
        rows = database.query("SELECT * FROM asset_timings WHERE run_id = %s ORDER BY timing_id", [step.run_id])
        ingested.append(Ingested(rows, ended - started, cpu_ended - cpu_started))
        started, cpu_started = clock(), cpu_clock()  # the benchmark's own query does not count
    return ingested


def measure(source: Path, choice: IngestChoice | None = None) -> Ingested:
    """Ingest a source; the figures are of all its videos together."""
    videos = one_by_one(source, choice)
    rows = [row for video in videos for row in video.rows]
    return Ingested(rows, sum(video.wall_s for video in videos), sum(video.cpu_s for video in videos))


def again(source: Path) -> Ingested:
    """Like `measure()`, but repeats every stage of videos ingested before, without cached voice vectors."""
    with open_database().connect() as connection:
        connection.execute("DELETE FROM voice_embeddings")
    return measure(source, IngestChoice(force=True))
