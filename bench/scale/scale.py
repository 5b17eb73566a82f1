"""`python -m bench.scale`: what is waited for in a library of 100,000 videos and 1,000,000 passages.

In a home of its own, with the real Postgres: one short recording is ingested, copied as often as asked
(bench/scale/big_library.py), and another one ingested into what it has become. Then, one after the other:

1. a tick of every sensor, as Dagster evaluates it, in a library at rest;
2. commands that read the whole library, each a process of its own, with its peak memory and the size of what it prints;
3. pages of the UI in a real browser (bench/harness/pages.py), with `earshot up` running;
4. a backfill of BACKFILLED videos by Dagster's own daemon, until all its runs are queued; then it is cancelled.

Prints tables, and writes them with the machine and the commit to bench/results/scale/<commit>.json. Not measured: search
(bench/search/search.py), sources that are due (bench/scale/watching.py), a backfill to its end (bench/scale/backfills.py),
who is speaking (bench/people/identities.py). The machine's other work is in all figures.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter, SensorDefinition, build_sensor_context

from bench.corpora.composed import FIRST, write_first
from bench.corpora.episodes import Clip, clip_samples, write_mp3
from bench.harness.figures import measured_on, own_home, write
from bench.harness.median_range import Spread
from bench.harness.pages import Load, Shown, load, slowest
from bench.harness.per_size import apart, timed
from bench.harness.pictures import browsing
from bench.pipeline.ingesting import measure as ingest
from bench.scale.backfills import EARSHOT, up
from bench.scale.big_library import copy_video
from earshot.cli.output import print_table
from earshot.config.settings import PROJECT_ROOT, read_settings
from earshot.models.device import cpu_name
from earshot.models.registry import model_set
from earshot.storage.catalog.video_filter import VideoFilter
from earshot.storage.database import Database, open_database
from earshot.storage.server import stop_embedded
from ingest_assets.assets.search_index import plan
from ingest_assets.definitions import defs
from ingest_assets.operations.backfill import cancel, choose, launch, read_progress
from resources.instance.dagster_internals import BACKFILL_ID_TAG
from resources.instance.home import open_instance
from sensors.new_voices import NEW_VOICES, state_of
from sensors.search_upkeep import SEARCH_UPKEEP

VIDEOS, PASSAGES = 100_000, 1_000_000
TICKS, CALLS, LOADS = 10, 3, 3
BACKFILLED = 1_000
PATIENCE_S = 600.0
LOOK_S = 0.5
QUEUE_PAGE = 100  # runs that Dagster's daemon reads at once

Row = dict[str, Any]

COMMANDS = (
    "timings",
    "timings --since 7",
    "timings --video {video}",
    "timings --json",
    "timings --compare 1 2",
    "timings --plot {home}/plot.png",
    "stale",
    "videos",
    "videos --json",
    "sources",
    "people list",
    "backfill --stale --dry-run",
    "backfill text_embeddings --dry-run",
    "export {video} --format srt",
)
PAGES = (
    Shown("assets", "/assets", "enrolments"),  # on the first screen, with 200 sources below
    Shown("asset graph", "/locations/earshot/asset-groups/video", "text_embeddings"),
    Shown("asset: overview", "/assets/transcript?view=overview", "x_realtime"),
    Shown("asset: partitions", "/assets/transcript?view=partitions", "copy-"),
    Shown("asset: one partition", "/assets/transcript?view=partitions&partition={video}", "x_realtime"),
    Shown("asset: events", "/assets/transcript?view=events", "copy-"),
    Shown("asset: checks", "/assets/transcript?view=checks", "regression"),
    Shown("runs", "/runs", "ingest_video"),
    Shown("job", "/locations/earshot/jobs/ingest_video", "ingest_video"),
    Shown("automation", "/automation", "new_uploads"),
    Shown("sensor", "/locations/earshot/sensors/new_uploads", "new_uploads"),
)
OF_BACKFILL = Shown("its backfill", "/runs/b/{backfill}", "text_embeddings")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=VIDEOS, help="default: %(default)s")
    parser.add_argument("--passages", type=int, default=PASSAGES, help="of all of them; default: %(default)s")
    arguments = parser.parse_args()
    os.environ["EARSHOT_DEVICE"] = "cpu"  # no figure here measures a model
    with own_home() as home:
        os.environ["EARSHOT_SOURCES"] = str(home / "sources.yaml")
        library = make(home, arguments.videos, arguments.passages)
        figures = {**measured_on(cpu_name()), "load_before": os.getloadavg()[0], **library, **measure(home)}
    report(figures)
    print(f"Kept in {write(figures, 'scale/')}.")


def make(home: Path, videos: int, passages: int) -> Row:
    """Make the library, and measure that; `ingested` is the last video, which is really ingested."""
    apart(ingest_beside, write_first(home))
    stop_embedded(home)  # its memory setting takes effect at the next start
    _, copied_s = timed(lambda: copy_video(videos - 2, passages))
    last = home / "last.mp3"
    write_mp3(last, clip_samples(Clip(FIRST.package, FIRST.path, 10.0, 18.0)))
    stages_s, around_s = apart(ingest_beside, last)
    counted = open_database().query(
        "SELECT (SELECT count(*) FROM videos) AS videos, (SELECT count(*) FROM passages) AS passages, "
        "(SELECT count(*) FROM words) AS words, (SELECT count(*) FROM asset_timings) AS timings"
    )
    return {"library": counted[0] | {"copied_s": copied_s}, "ingested": {"stages_s": stages_s, "around_s": around_s}}


def ingest_beside(recording: Path) -> tuple[float, float]:
    """Ingest a recording; returns the seconds of its stages, and those around them."""
    ingested = ingest(recording)
    return ingested.stages_s, ingested.around_s


def measure(home: Path) -> Row:
    """All figures of this home's library."""
    database, instance = open_database(), open_instance()
    [middle] = database.query("SELECT 'copy-' || lpad((count(*) / 2)::text, 7, '0') AS video FROM videos")
    words = {"home": str(home), **middle}
    ticks = {sensor.name: ticks_of(sensor, instance) for sensor in defs.get_repository_def().sensor_defs}
    commands = {command: calls_of(command.format(**words).split(), home / "told") for command in COMMANDS}
    at_rest(database)
    with up(home) as (_, url):
        loads = {page.name: loads_of(page, url, words) for page in PAGES}
        backfill = measure_backfill(database, instance)
        loads[OF_BACKFILL.name] = loads_of(OF_BACKFILL, url, words | {"backfill": backfill.pop("id")})
    return {"ticks": ticks, "commands": commands, "pages": loads, "backfill": backfill}


def spread(work: Callable[[], object], times: int) -> Row:
    """The spread of the seconds of `times` calls, after one that does not count."""
    work()
    return asdict(Spread.over([timed(work)[1] for _ in range(times)]))


# --- sensors -------------------------------------------------------------------------------------------------------------


def ticks_of(sensor: SensorDefinition, instance: DagsterInstance) -> Row:
    """Ticks of a sensor, each with the cursor of the one before. Requested runs are not submitted."""
    cursors: list[str | None] = [None]

    def tick() -> None:
        repository, ref = defs.get_repository_def(), instance.get_ref()
        context = build_sensor_context(None, cursors[-1], repository_def=repository, instance_ref=ref, sensor_name=sensor.name)
        with context:
            cursors.append(sensor.evaluate_tick(context).cursor or cursors[-1])

    return spread(tick, TICKS)


def at_rest(database: Database) -> None:
    """Set these sensors' cursors to the library's current state, so that they do not start runs over all the copies."""
    settings = read_settings()
    cursors = {
        NEW_VOICES: state_of(database, settings),
        SEARCH_UPKEEP: plan(database, model_set(settings).text).description or "nothing",
    }
    dagster = str(Path(sys.executable).parent / "dagster")
    for name, cursor in cursors.items():
        command = [dagster, "sensor", "cursor", name, "--set", cursor, "-w", str(PROJECT_ROOT / "workspace.yaml")]
        subprocess.run(command, check=True, capture_output=True, cwd=PROJECT_ROOT)


# --- commands ------------------------------------------------------------------------------------------------------------


def calls_of(arguments: Sequence[str], output: Path) -> Row:
    """A command's seconds, peak memory and size of its output. Raises RuntimeError if it fails."""
    calls = [call_of(arguments, output) for _ in range(CALLS)]
    peak_mb, printed_mb = max(call["peak_mb"] for call in calls), output.stat().st_size / 1e6
    return asdict(Spread.over([call["seconds"] for call in calls])) | {"peak_mb": peak_mb, "printed_mb": printed_mb}


def call_of(arguments: Sequence[str], output: Path) -> Row:
    """Seconds and peak memory of one call of a command. Raises RuntimeError if it fails."""
    command = [sys.executable, "-m", "bench.harness.run_measured", str(output), EARSHOT, *arguments]
    call = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    if call["exit_code"]:
        raise RuntimeError(f"earshot {' '.join(arguments)}: {output.read_text()[-2000:]}")
    return call


# --- pages ---------------------------------------------------------------------------------------------------------------


def loads_of(page: Shown, url: str, words: Row) -> Row:
    """Loads of a page by one browser, once to warm up and then LOADS times, with the slowest requests."""
    shown = Shown(page.name, page.path.format(**words), page.text)
    with browsing(url) as browser:
        load(browser, shown)
        loads: list[Load] = [load(browser, shown) for _ in range(LOADS)]
    sizes = [sum(question.size for question in each.questions) for each in loads]
    questions = [asdict(question) for question in slowest(loads, 4)]
    return asdict(Spread.over([each.seconds for each in loads])) | {"answers_kb": max(sizes) / 1e3, "slowest": questions}


# --- a backfill ----------------------------------------------------------------------------------------------------------


def measure_backfill(database: Database, instance: DagsterInstance) -> Row:
    """Seconds from launching a backfill until its first run is queued, until it starts, and until all runs are queued."""
    stages = ["text_embeddings"]
    count = min(BACKFILLED, database.query("SELECT count(*) AS videos FROM videos")[0]["videos"])
    chosen, choose_s = timed(lambda: choose(database, stages, False, VideoFilter(), count))
    backfill_id, launch_s = timed(lambda: launch(chosen, stages, "bench", database, instance))
    of_backfill, started = {BACKFILL_ID_TAG: backfill_id}, time.monotonic()
    begun = [DagsterRunStatus.STARTED, DagsterRunStatus.SUCCESS]

    def wait(least: int, statuses: Sequence[DagsterRunStatus] = ()) -> float:
        while instance.get_runs_count(RunsFilter(tags=of_backfill, statuses=statuses)) < least:
            if time.monotonic() - started > PATIENCE_S:
                raise RuntimeError(f"backfill {backfill_id} is not at {least} runs after {PATIENCE_S:.0f} s")
            time.sleep(LOOK_S)
        return time.monotonic() - started

    waited = {"first_queued_s": wait(1), "first_begun_s": wait(1, begun), "all_queued_s": wait(count)}
    progress = spread(lambda: read_progress(database, instance, backfill_id), CALLS)
    queue = spread(lambda: read_queue(instance), CALLS)
    cancel(instance, backfill_id)
    seconds = {"choose_s": choose_s, "launch_s": launch_s, **waited}
    return {"id": backfill_id, "videos": count, **seconds, "progress": progress, "queue": queue}


def read_queue(instance: DagsterInstance) -> None:
    """Read all queued runs, page by page, as Dagster's daemon does before it starts one."""
    queued, cursor = RunsFilter(statuses=[DagsterRunStatus.QUEUED]), None
    while page := instance.get_runs(queued, cursor, limit=QUEUE_PAGE, ascending=True):
        cursor = page[-1].run_id


# --- the report ----------------------------------------------------------------------------------------------------------


def report(figures: Row) -> None:
    """Print the tables."""
    library, ingested, backfill = figures["library"], figures["ingested"], figures["backfill"]
    print(", ".join(f"{key}: {value:,.0f}" for key, value in library.items()))
    print(f"One more video: {ingested['stages_s']:.1f} s of stages, {ingested['around_s']:.2f} s beside them.\n")
    seconds = ("seconds", "right")
    print_table([("tick", "left"), seconds], [(name, text(each)) for name, each in figures["ticks"].items()])
    commands = figures["commands"].items()
    rows = [(name, text(each), f"{each['peak_mb']:.0f}", f"{each['printed_mb']:.2f}") for name, each in commands]
    print_table([("earshot", "left"), seconds, ("peak MB", "right"), ("printed MB", "right")], rows)
    rows = [(name, text(each), f"{each['answers_kb']:,.0f}", asked(each)) for name, each in figures["pages"].items()]
    print_table([("page", "left"), seconds, ("answers kB", "right"), ("slowest questions, s", "left")], rows)
    numbers = {key: value for key, value in backfill.items() if isinstance(value, int | float)}
    print("Backfill: " + ", ".join(f"{key} {value:,.1f}" for key, value in numbers.items()), end="")
    print(f", progress {text(backfill['progress'])} s, the queue read once {text(backfill['queue'])} s")


def asked(page: Row) -> str:
    return ", ".join(f"{question['operation']} {question['seconds']:.2f}" for question in page["slowest"][:2])


def text(each: Row) -> str:
    return Spread(each["median"], each["lowest"], each["highest"], each["of"]).text()
