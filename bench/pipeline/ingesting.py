"""Ingesting as `earshot ingest` does, in this process, with the clock around it.

`measure()` is a source, `one_by_one()` the same video by video; `again()` a source once more, every stage done anew. What a
stage took is in its row of `asset_timings`; what Earshot took for a whole video beside its stages (Dagster, locks, the
catalogue) is what is left of the clock, and nowhere else to be found.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from bench.harness.figures import Row
from earshot.config.sources_file import source_named
from earshot.models.measurement import clock
from earshot.storage.database import open_database
from ingest_assets.operations.ingest import IngestChoice, Outcome, ingest
from resources.instance.home import open_instance


@dataclass(frozen=True)
class Ingested:
    """One video or several: the rows of `asset_timings`, and the seconds that went by, those of every CPU too."""

    rows: list[Row]
    wall_s: float
    cpu_s: float

    @property
    def stages_s(self) -> float:
        """What the stages took, loading models included."""
        return sum(row["wall_s"] for row in self.rows)

    @property
    def load_s(self) -> float:
        return sum(row["load_s"] for row in self.rows)

    @property
    def around_s(self) -> float:
        """What is not a stage's."""
        return self.wall_s - self.stages_s

    @property
    def audio_s(self) -> float:
        """Each video once."""
        return sum({row["video_id"]: row["audio_s"] for row in self.rows}.values())


def one_by_one(source: Path, choice: IngestChoice | None = None) -> list[Ingested]:
    """Ingest a source; each video's rows, and the seconds since the one before. Raises RuntimeError where one failed."""
    database, found = open_database(), []
    started, cpu_started = clock(), time.process_time()
    for step in ingest([source_named(str(source))], choice or IngestChoice(), database, open_instance()):
        if not isinstance(step, Outcome):
            continue
        if step.result != "done":
            raise RuntimeError(f"the benchmark could not ingest {source}: {step}")
        ended, cpu_ended = clock(), time.process_time()
        rows = database.query("SELECT * FROM asset_timings WHERE run_id = %s ORDER BY timing_id", [step.run_id])
        found.append(Ingested(rows, ended - started, cpu_ended - cpu_started))
        started, cpu_started = clock(), time.process_time()  # what was asked here is not Earshot's
    return found


def measure(source: Path, choice: IngestChoice | None = None) -> Ingested:
    """Ingest a source, all its videos together."""
    videos = one_by_one(source, choice)
    rows = [row for video in videos for row in video.rows]
    return Ingested(rows, sum(video.wall_s for video in videos), sum(video.cpu_s for video in videos))


def again(source: Path) -> Ingested:
    """As `measure()`, of what may have been ingested before: no stage, and no voice's vector, is taken from then."""
    with open_database().connect() as connection:
        connection.execute("DELETE FROM voice_embeddings")
    return measure(source, IngestChoice(force=True))
