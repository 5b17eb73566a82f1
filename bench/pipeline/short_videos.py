"""Short videos: many of them in one process, and what each costs outside its stages.

Time outside stages is orchestration: the catalogue, locks, Dagster's run, events and checks. It does not depend on a video's
length, so short videos show it best. The figures are its spread over the videos, and its medians over the first and the last
tenth, between which neither time nor memory must grow. Work done once for all videos (identification, the search index) is
reported separately. bench/scale/backfills.py measures the same with the workers of `earshot up`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.harness.figures import own_home
from bench.harness.median_range import Spread
from bench.harness.per_size import peak_mb, timed
from bench.pipeline.ingesting import Ingested, measure, one_by_one
from earshot.cli.output import print_table
from earshot.storage.database import open_database
from ingest_assets.operations.ingest import identify_speakers, keep_search_index
from resources.instance.home import open_instance


@dataclass(frozen=True)
class ShortVideos:
    """Seconds per video with warm models, and once for all of them (`after_s`); peak memory before and after them."""

    videos: int
    audio_s: float
    video_s: Spread
    stages_s: Spread
    around_s: Spread
    around_first_s: float
    around_last_s: float
    after_s: float
    warm_mb: float
    peak_mb: float


def measure_folder(first: Path, folder: Path) -> ShortVideos:
    """Measure all recordings in a folder. Call it in its own process."""
    with own_home():
        measure(first)
        warm_mb = peak_mb()
        videos = one_by_one(folder)
        most_mb = peak_mb()
        _, after_s = timed(lambda: (keep_search_index(open_database(), open_instance()), identify_speakers(open_instance())))
        return summarize(videos, after_s, warm_mb, most_mb)


def summarize(videos: Sequence[Ingested], after_s: float, warm_mb: float, most_mb: float) -> ShortVideos:
    """The figures of these videos, in order of processing."""
    around = [video.around_s for video in videos]
    tenth = max(1, len(videos) // 10)
    return ShortVideos(
        videos=len(videos),
        audio_s=sum(video.audio_s for video in videos),
        video_s=Spread.over([video.wall_s for video in videos]),
        stages_s=Spread.over([video.stages_s for video in videos]),
        around_s=Spread.over(around),
        around_first_s=median(around[:tenth]),
        around_last_s=median(around[-tenth:]),
        after_s=after_s,
        warm_mb=warm_mb,
        peak_mb=most_mb,
    )


def print_short_videos(found: ShortVideos) -> None:
    """Print one line, and one sentence."""
    headings = [
        ("videos", "right"), ("audio s", "right"), ("a video s", "right"), ("stages s", "right"), ("around s", "right"),
        ("first tenth", "right"), ("last tenth", "right"), ("warm MB", "right"), ("peak MB", "right"),
    ]  # fmt: skip
    spreads = [spread.text() for spread in (found.video_s, found.stages_s, found.around_s)]
    tenths = [f"{found.around_first_s:.2f}", f"{found.around_last_s:.2f}"]
    memory = [f"{found.warm_mb:.0f}", f"{found.peak_mb:.0f}"]
    print_table(headings, [(str(found.videos), f"{found.audio_s:.0f}", *spreads, *tenths, *memory)])
    print(f"Once, after all of them: {found.after_s:.1f} s.")
