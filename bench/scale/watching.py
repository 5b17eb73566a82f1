"""`python -m bench.scale.watching`: what watching sources costs on this machine.

In its own home, with the real Postgres and Dagster instance, feeds over HTTP on loopback, and yt-dlp:

1. Ticks of the sensors in a growing library (bench/scale/watched_library.py). Its videos come from one feed that is really
   served, and from further watched feeds of 500 that were just polled. Then ticks that poll a large feed or folder.
2. The first fill: a feed of 20,000 entries is listed, saved, decided and requested, 50 runs per tick.
3. Downloads per hour from one source, by two workers that take turns like asset `audio`, with its usual pause and without.

Prints tables, and writes them with the machine, the commit and the date to bench/results/watching-<commit>.json. A tick that
requests an unexpected number of runs, or cannot poll, ends the benchmark. Not measured: how long Dagster takes to submit a run,
and its daemon's call of the process that runs the sensors.
"""

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from statistics import median
from time import monotonic
from typing import Any

from dagster import SensorDefinition

from bench.corpora.episodes import TELEPHONE, Clip, clip_samples, write_mp3
from bench.harness.figures import measured_on, own_home, processor_times, steal_share, write
from bench.harness.per_size import timed
from bench.harness.server import serving
from bench.scale.watched_library import WatchedLibrary
from earshot.cli.output import print_table
from earshot.config.sources_file import Kind, Source
from earshot.models.device import cpu_name
from earshot.sources.listing import list_all, poll
from earshot.sources.listings import save_listing
from earshot.sources.media import fetching
from earshot.sources.media.download_slots import download_slot
from earshot.sources.media.downloads import download_folder
from earshot.sources.polling import decide_pending, list_fully
from earshot.sources.selection import in_order
from earshot.storage.catalog.entries import Validators
from earshot.storage.catalog.source_states import states_of
from earshot.storage.catalog.videos import Video
from earshot.storage.catalog.watched_sources import watched_sources
from earshot.storage.database import Database, open_database
from resources.instance.home import open_instance
from sensors.new_uploads import new_uploads
from sensors.retries import retries

WORKERS = 2
PREFIX = "watching-"  # of the result file

Row = dict[str, Any]


@dataclass(frozen=True)
class Sizes:
    """How much is measured. `libraries` are in videos; those of the smallest all come from the feed that is served."""

    libraries: tuple[int, ...] = (100, 10_000, 100_000)
    of_a_source: int = 500
    times: int = 12
    entries: int = 20_000  # of the large feed
    files: int = 10_000  # of the folder
    downloads: int = 20
    pauses_s: tuple[float, ...] = (2.0, 0.0)


@dataclass(frozen=True)
class Figure:
    """The seconds of a repeated action, with this many videos known and sources watched."""

    what: str
    videos: int
    sources: int
    times: int
    median_s: float
    max_s: float


def main() -> None:
    """Run the benchmark, print its tables and write its figures."""
    before, load = processor_times(), os.getloadavg()[0]
    with own_home() as home:
        os.environ["EARSHOT_SOURCES"] = str(home / "sources.yaml")
        served = home / "served"
        served.mkdir()
        with serving(served) as url:
            figures = measure(WatchedLibrary(served, url, open_database(), open_instance()), Sizes())
    report(figures)
    print(f"Written to {write(document(figures, load, steal_share(before, processor_times())), PREFIX)}")


def measure(library: WatchedLibrary, sizes: Sizes) -> Row:
    """All figures. The library must be empty."""
    ticks = [figure for known in sizes.libraries for figure in measure_library(library, known, sizes)]
    filled = fill(library, sizes.entries)
    ticks += [measure_large_feed(library, sizes), measure_folder(library, sizes)]
    downloads = [measure_downloads(library, pause_s, sizes.downloads) for pause_s in sizes.pauses_s]
    return {"ticks": [asdict(figure) for figure in ticks], "first_fill": filled, "downloads": downloads}


# --- ticks ---------------------------------------------------------------------------------------------------------------


def measure_library(library: WatchedLibrary, known: int, sizes: Sizes) -> list[Figure]:
    """Ticks of both sensors, and adding a partition to Dagster, with this many videos known."""
    feed, times = f"{library.url}/small.xml", sizes.times
    if feed not in library.episodes:
        library.publish(feed, sizes.libraries[0])
        list_fully(library.watch(Kind.FEED, feed), library.database)
    library.watch(Kind.FEED, feed, *library.grow(known, sizes.of_a_source))
    library.work_off()
    partitions = iter([f"partition-{known}-{index}" for index in range(times + 1)])
    return [
        measure_ticks(library, "nothing due", times),
        measure_ticks(library, "one feed due: 304", times, lambda: library.make_due(feed)),
        measure_ticks(library, "one feed due: one new", times, lambda: library.publish(feed), runs=1),
        measure_ticks(library, "retries: nothing due", times, sensor=retries),
        repeat(library, "Dagster: a partition added, found", times, lambda: library.add_one(next(partitions))),
    ]


def measure_large_feed(library: WatchedLibrary, sizes: Sizes) -> Figure:
    """Ticks that find one new episode in the feed of `fill()`."""
    feed = f"{library.url}/large.xml"
    what = f"a feed of {sizes.entries:,} due: one new"
    return measure_ticks(library, what, sizes.times, lambda: library.publish(feed), runs=1)


def measure_folder(library: WatchedLibrary, sizes: Sizes) -> Figure:
    """Ticks that poll an unchanged folder."""
    folder = library.folder / "recordings"
    folder.mkdir()
    for number in range(sizes.files):
        (folder / f"{number}.mp3").write_text(f"recording {number}")
    source = library.watch(Kind.FOLDER, str(folder))
    listing = list_all(source)  # directly, because a poll would wait until the files have settled
    save_listing(library.database, source, listing, listing.entries)
    decide_pending(source, library.database)
    library.work_off()
    what = f"a folder of {sizes.files:,} due: nothing new"
    return measure_ticks(library, what, sizes.times, lambda: library.make_due(source.address))


def measure_ticks(
    library: WatchedLibrary,
    what: str,
    times: int,
    before: Callable[[], None] = lambda: None,
    sensor: SensorDefinition = new_uploads,
    runs: int = 0,
) -> Figure:
    """Evaluate a sensor `times` times, each after `before`. Raises RuntimeError if a tick does not do what it should."""
    requested: list[str] = []

    def tick() -> None:
        keys = library.tick(sensor)
        if len(keys) != runs:
            raise RuntimeError(f"{what}: a tick of {sensor.name} asked for {len(keys)} runs instead of {runs}")
        requested.extend(keys)

    figure = repeat(library, what, times, tick, before)
    if failures := library.failures():
        raise RuntimeError(f"{what}: {failures}")
    library.add_partitions(requested)
    return figure


def repeat(
    library: WatchedLibrary, what: str, times: int, work: Callable[[], None], before: Callable[[], None] = lambda: None
) -> Figure:
    """Time `work` `times` times, after once that does not count; `before` is not timed."""
    known, sources, taken = library.count(), len(watched_sources()), []
    for _ in range(times + 1):
        before()
        taken.append(timed(work)[1])
    return Figure(what, known, sources, times, median(taken[1:]), max(taken[1:]))


# --- the first fill ------------------------------------------------------------------------------------------------------


def fill(library: WatchedLibrary, entries: int) -> Row:
    """Seconds of each step of the first poll of a feed of this many entries, and of the ticks that request its runs."""
    source, database = library.watch(Kind.FEED, f"{library.url}/large.xml"), library.database
    states_of(database, [source.address])
    library.publish(source.address, entries)
    listing, list_s = timed(lambda: poll(source, Validators(), {}))
    assert listing is not None  # no validators were given
    ordered = in_order(listing.entries, source.newest_first)
    new, keep_s = timed(lambda: save_listing(database, source, listing, ordered))
    requested, decide_s = timed(lambda: decide_pending(source, database))
    taken = emit(library)
    run = sum(runs for runs, _ in taken)
    if {new, requested, run} != {entries}:
        raise RuntimeError(f"of {entries} entries {new} were new, {requested} were asked for, and {run} run")
    library.work_off()
    seconds = [tick_s for _, tick_s in taken]
    spent = {"list_s": list_s, "keep_s": keep_s, "decide_s": decide_s}
    return {"entries": entries, **spent, "ticks": len(taken), "tick_median_s": median(seconds), "tick_max_s": max(seconds)}


def emit(library: WatchedLibrary) -> list[tuple[int, float]]:
    """Tick until no request is left; returns the runs and seconds of each tick."""
    taken: list[tuple[int, float]] = []
    while True:
        keys, tick_s = timed(lambda: library.tick(new_uploads))
        if not keys:
            return taken
        library.add_partitions(keys)
        taken.append((len(keys), tick_s))


# --- downloads -----------------------------------------------------------------------------------------------------------


def measure_downloads(library: WatchedLibrary, pause_s: float, count: int) -> Row:
    """Downloads per hour, from the end of the WORKERSth download to the end of the last."""
    source = Source(Kind.FEED, f"{library.url}/podcast.xml", "podcast", pause_s=pause_s)
    videos = [Video(f"media-{number}", f"{library.url}/media-{number}.mp3", source.address, "") for number in range(count)]
    first, *others = [library.folder / f"{video.video_id}.mp3" for video in videos]
    write_mp3(first, clip_samples(Clip(TELEPHONE.package, TELEPHONE.path, 6.5, 14.5)))
    for other in others:
        shutil.copyfile(first, other)
    with ThreadPoolExecutor(WORKERS) as workers:
        ends = sorted(workers.map(lambda video: fetch(library.database, video, source), videos))[WORKERS - 1 :]
    an_hour = 3600.0 * (len(ends) - 1) / (ends[-1] - ends[0])
    return {"pause_s": pause_s, "downloads": count, "bytes_each": first.stat().st_size, "an_hour": an_hour}


def fetch(database: Database, video: Video, source: Source) -> float:
    """Fetch a video as asset `audio` does; returns when it was complete."""
    with download_folder(video) as folder, download_slot(database, source):
        fetching.fetch(video, folder, source)
        return monotonic()


# --- the report ----------------------------------------------------------------------------------------------------------


def report(figures: Row) -> None:
    """Print the tables."""
    headings = [("tick", "left"), ("videos", "right"), ("sources", "right"), ("median ms", "right"), ("max ms", "right")]
    rows = [
        (f["what"], f"{f['videos']:,}", str(f["sources"]), f"{f['median_s'] * 1e3:.0f}", f"{f['max_s'] * 1e3:.0f}")
        for f in figures["ticks"]
    ]
    print_table(headings, rows)
    filled = figures["first_fill"]
    print(
        f"\nFirst fill of {filled['entries']:,} entries: {filled['list_s']:.1f} s to list, {filled['keep_s']:.1f} s to keep, "
        f"{filled['decide_s']:.1f} s to decide and ask for; then {filled['ticks']} ticks of "
        f"{filled['tick_median_s'] * 1e3:.0f} ms (at most {filled['tick_max_s'] * 1e3:.0f})."
    )
    for row in figures["downloads"]:
        print(f"Downloads of {row['bytes_each'] // 1024} KiB, pause {row['pause_s']:g} s: {row['an_hour']:.0f} an hour.")


def document(figures: Row, load_before: float, stolen: float | None) -> Row:
    """The figures with the machine's description; `load_before` is its load average at the start."""
    return {
        **measured_on(cpu_name()),
        "load_before": load_before,
        "steal_share": stolen,
        **figures,
    }


if __name__ == "__main__":
    main()
