"""`python -m bench.scale.backfills [VIDEOS]`: the cost of a small fix over many videos, and Earshot's latency meanwhile.

The videos are synthetic: a transcript of two sentences and its turns, as stages store them. The text embeddings of all are
stale. Embedding two sentences costs next to nothing, so the benchmark measures a video's overhead.

Every LOOK_S it makes a search and requests the UI's usual pages over GraphQL, before and during the backfill. Settings are
Earshot's: `EARSHOT_WORKERS`, and `EARSHOT_BROKER=none` for runs in their own processes.

Prints the figures and the machine's description as JSON, and writes nothing.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

from bench.harness.figures import measured_on, own_home
from bench.harness.per_size import timed
from bench.harness.server import free_port
from bench.scale.stale import leave
from earshot.config.settings import read_settings
from earshot.models.cache import Models
from earshot.models.device import cpu_name, require_device
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.video_filter import VideoFilter
from earshot.storage.database import Database, open_database
from earshot.transcripts.search.query import search, searching_encoder
from ingest_assets.operations.backfill import choose
from ingest_assets.operations.forecast import forecast, stages_at_once
from ingest_assets.partitions import videos
from ingest_assets.stages.staleness import find_stale
from resources.instance.home import open_instance

VIDEOS = 1_000
EARLY, LATER = 5, 50  # videos per worker at which its memory is compared
LOOK_S = 2.0
LOOKS_BEFORE = 10
EARSHOT = str(Path(sys.executable).parent / "earshot")
SENTENCES = " The ship left the harbour at seven in the morning. Nobody on board knew how far it was."

PAGES = {
    "runs": "{ runsOrError(limit: 25) { ... on Runs { results { runId status startTime tags { key value } } } } }",
    "asset": '{ assetNodeOrError(assetKey: {path: ["text_embeddings"]}) { ... on AssetNode { partitionStats '
    "{ numMaterialized numFailed numMaterializing } assetMaterializations(limit: 25) { timestamp partition } } } }",
    "backfills": "{ partitionBackfillsOrError(limit: 10) { ... on PartitionBackfills { results { id status } } } }",
}


@dataclass(frozen=True)
class Latency:
    """Response times in milliseconds."""

    asked: int
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True)
class Figures:
    """`wall_s` is from the backfill's start to the end of its last run, `work_s` the sum of its stages' seconds.

    `forecast_s` is what `earshot backfill` would now predict for the same backfill.
    """

    videos: int
    workers: int
    broker: bool
    wall_s: float
    first_run_s: float
    work_s: float
    beside_work_s_per_video: float
    run_s: float
    forecast_s: float
    worker_mb: dict[str, int]
    cpu_s: dict[str, float]
    before: dict[str, Latency]
    during: dict[str, Latency]


def measure(count: int) -> Figures:
    """All figures for this number of videos."""
    with own_home() as home:
        database = open_database()
        make_up(database, [f"video-{index:06d}" for index in range(count)])
        with up(home) as (process, url):
            asked = questions(database, url)
            before = [ask(asked) for _ in range(LOOKS_BEFORE)]
            mark_stale(database)
            started = time.time()
            watched = subprocess.Popen([EARSHOT, "backfill", "--stale"], stdout=subprocess.DEVNULL)
            during, memory = [], {}
            while watched.poll() is None:
                during.append(ask(asked))
                note_memory(memory, process, database)
                time.sleep(LOOK_S)
            if watched.returncode:
                raise RuntimeError(f"the backfill failed; {home} had its logs")
            assert find_stale(database) == []
            return figures(count, started, database, memory, cpu_seconds(process), before, during)


def make_up(database: Database, keys: list[str]) -> None:
    """Add videos with a transcript and one speaker's turn, with every stage done."""
    leave(database, keys)
    words = [f" {word}" for word in SENTENCES.split()]
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO transcripts (video_id, language, language_probability, model, model_revision) "
            "SELECT key, 'en', 1, 'made up', '' FROM unnest(%s::text[]) AS key",
            [keys],
        )
        connection.execute(
            "INSERT INTO words (video_id, word_index, segment_index, start_s, end_s, text, probability) "
            "SELECT key, n - 1, 0, n - 1, n, word, 1 FROM unnest(%s::text[]) AS key, "
            "unnest(%s::text[]) WITH ORDINALITY AS w (word, n)",
            [keys, words],
        )
        connection.execute(
            "INSERT INTO turns (video_id, turn_index, start_s, end_s, local_speaker, overlap) "
            "SELECT key, 0, 0, %s, 'SPEAKER_00', false FROM unnest(%s::text[]) AS key",
            [len(words), keys],
        )
        connection.execute(
            "INSERT INTO exclusive_turns (video_id, turn_index, start_s, end_s, local_speaker) "
            "SELECT video_id, turn_index, start_s, end_s, local_speaker FROM turns"
        )
    open_instance().add_dynamic_partitions(str(videos.name), keys)


def mark_stale(database: Database) -> None:
    """Pretend that older code made the text embeddings."""
    database.query("UPDATE stage_outputs SET code_version = 'older' WHERE asset = 'text_embeddings'")


@contextmanager
def up(home: Path) -> Iterator[tuple[psutil.Process, str]]:
    """Run `earshot up` for the block; yields its process and the UI's URL."""
    port, page_port = free_port(), free_port()
    output = home / "up.log"
    with output.open("wb") as log:
        process = subprocess.Popen([EARSHOT, "up", "--port", str(port), "--page-port", str(page_port)], stdout=log, stderr=log)
    try:
        while f":{port} (" not in output.read_text():
            if process.poll() is not None:
                raise RuntimeError(output.read_text())
            time.sleep(0.5)
        yield psutil.Process(process.pid), f"http://127.0.0.1:{port}"
    finally:
        subprocess.run([EARSHOT, "down"], check=True, stdout=subprocess.DEVNULL)
        process.wait()


def questions(database: Database, url: str) -> dict[str, Callable[[], object]]:
    """A user's requests, by name: a search and pages of the UI."""
    settings = read_settings()
    encoder = searching_encoder(database, Models(), require_device(settings.device))
    asked: dict[str, Callable[[], object]] = {"search": lambda: search(database, encoder, "how far is the harbour")}
    return asked | {f"page: {page}": lambda text=text: graphql(url, text) for page, text in PAGES.items()}


def graphql(url: str, text: str) -> None:
    request = urllib.request.Request(
        f"{url}/graphql", data=json.dumps({"query": text}).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        document = json.load(answer)
    if "errors" in document:
        raise RuntimeError(f"{text}: {document['errors']}")


def ask(asked: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Make each request; returns the seconds it took."""
    return {name: timed(question)[1] for name, question in asked.items()}


def latencies(looks: list[dict[str, float]]) -> dict[str, Latency]:
    by_name = {}
    for name in looks[0]:
        p50, p95 = np.percentile([1000 * look[name] for look in looks], [50, 95])
        by_name[name] = Latency(len(looks), round(p50), round(p95))
    return by_name


def note_memory(memory: dict[str, int], process: psutil.Process, database: Database) -> None:
    """Record the largest worker's memory after about EARLY and LATER videos per worker, and at the end."""
    [row] = database.query(
        "SELECT count(*) AS done FROM stage_outputs WHERE asset = 'text_embeddings' AND code_version <> 'older'"
    )
    sizes = [child.memory_info().rss for worker in celery(process) for child in worker.children()]
    if not sizes:
        return
    done = row["done"] / len(sizes)
    for name, least in ((f"after {EARLY}", EARLY), (f"after {LATER}", LATER)):
        if done >= least:
            memory.setdefault(name, max(sizes) // 2**20)
    memory["at the end"] = max(sizes) // 2**20


def celery(process: psutil.Process) -> list[psutil.Process]:
    """The worker processes of `earshot up`."""
    return [child for child in process.children() if "ingest_assets.worker_app" in command_line(child)]


def command_line(process: psutil.Process) -> str:
    """The process's command line; "" if it has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def cpu_seconds(process: psutil.Process) -> dict[str, float]:
    """CPU seconds of each of Earshot's processes, with its descendants, since its start."""
    used_s: dict[str, float] = {}
    for child in process.children():
        name = next((name for name in ("webserver", "daemon", "worker_app", "valkey") if name in command_line(child)), "other")
        used = [descendant.cpu_times() for descendant in (child, *child.children(recursive=True))]
        used_s[name] = round(used_s.get(name, 0.0) + sum(times.user + times.system for times in used), 1)
    return used_s


def figures(
    count: int,
    started: float,
    database: Database,
    memory: dict[str, int],
    cpu_s: dict[str, float],
    before: list[dict[str, float]],
    during: list[dict[str, float]],
) -> Figures:
    instance, settings = open_instance(), read_settings()
    records = instance.get_run_records(RunsFilter(statuses=[DagsterRunStatus.SUCCESS]))
    [row] = database.query("SELECT sum(wall_s) AS work_s FROM asset_timings WHERE run_id = ANY(%s)",
                           [[record.dagster_run.run_id for record in records]])  # fmt: skip
    starts = [record.start_time or 0.0 for record in records]
    ends = [record.end_time or 0.0 for record in records]
    runs_s = max(ends) - min(starts)
    return Figures(
        videos=count,
        workers=settings.workers,
        broker=os.environ.get("EARSHOT_BROKER") != "none",
        wall_s=round(max(ends) - started, 1),
        first_run_s=round(min(starts) - started, 1),
        work_s=round(row["work_s"], 1),
        beside_work_s_per_video=round((runs_s - row["work_s"]) / count, 2),
        run_s=round(float(np.median([end - start for start, end in zip(starts, ends, strict=True)])), 2),
        forecast_s=once_more_s(database, instance),
        worker_mb=memory,
        cpu_s=cpu_s,
        before=latencies(before),
        during=latencies(during),
    )


def once_more_s(database: Database, instance: DagsterInstance) -> float:
    mark_stale(database)
    expected = forecast(database, choose(database, STAGES, True, VideoFilter()), stages_at_once(instance))
    return round(expected.spread_s + (expected.around_s or 0.0), 1)


def main() -> None:
    os.environ.setdefault("EARSHOT_DEVICE", "cpu")
    measured = measure(int(sys.argv[1]) if sys.argv[1:] else VIDEOS)
    print(json.dumps({**measured_on(cpu_name()), "figures": asdict(measured)}, indent=2))


if __name__ == "__main__":
    main()
