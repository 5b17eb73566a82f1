"""A real `earshot up`: webserver and daemon over GraphQL, their pages in a browser, and a worker that is killed.

Two short videos are registered, not ingested; a backfill over both, launched as the UI launches it, makes them ready. The
worker loads its models for the first one only. Later its run, its broker, its database and the worker itself are killed.
"""

import json
import os
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np
import psutil
import pytest
from dagster import AssetKey, DagsterRunStatus, RunsFilter
from PIL import Image

from bench.corpora.episodes import TELEPHONE, Clip, clip_samples, write_mp3
from bench.harness.pictures import browsing, pictures_of, take
from bench.harness.server import free_port, serving
from earshot.config.sources_file import source_named
from earshot.sources.listing import list_all
from earshot.sources.listings import video_of
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.videos import register
from earshot.storage.database import Database
from earshot.timings.timing import KEYS
from ingest_assets.partitions import videos
from resources.instance.home import open_instance
from resources.instance.worker_slots import count_workers
from tests.support.earshot_up import (
    EARSHOT,
    backfill_status,
    cancel,
    ended,
    execute,
    launch,
    launch_backfill,
    process_of,
    query,
    run_status,
    running_up,
    wait,
)  # fmt: skip
from tests.support.library import stored_video
from tests.support.timing_rows import TYPES, about

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Served:
    """A running `earshot up`, its URL, the keys of two registered videos, and the folder and URL of a watched feed."""

    url: str
    pid: int
    partitions: list[str]
    podcast: Path
    feed: str
    page_url: str


def _publish(podcast: Path, items: str) -> None:
    """Put a feed of these items in its place at once."""
    document = f'<?xml version="1.0"?><rss version="2.0"><channel><title>A podcast</title>{items}</channel></rss>'
    (podcast / ".feed.xml").write_text(document)
    (podcast / ".feed.xml").replace(podcast / "feed.xml")


@pytest.fixture(scope="module")
def served(library: Database, home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("clips")
    telephone = Clip(TELEPHONE.package, TELEPHONE.path, start_s=6.5, end_s=14.5)
    write_mp3(folder / "telephone.mp3", clip_samples(telephone))
    write_mp3(folder / "beckett.mp3", clip_samples(Clip("moonshine_voice", "assets/beckett.wav")))
    source = source_named(str(folder))
    listed = [video_of(entry, source) for entry in list_all(source).entries]
    register(library, listed)
    open_instance().add_dynamic_partitions(str(videos.name), [video.video_id for video in listed])
    podcast = tmp_path_factory.mktemp("podcast")
    _publish(podcast, "")
    with serving(podcast) as feed:
        sources = podcast / "sources.yaml"
        sources.write_text(f"sources:\n  - feed: {feed}/feed.xml\n    name: A podcast\n    every: 10s\n")
        with running_up(home, {"EARSHOT_SOURCES": str(sources), "EARSHOT_WORKERS": "1"}) as up:
            yield Served(up.url, up.pid, [video.video_id for video in listed], podcast, feed, up.page_url)


def _evaluated(url: str, sensor: str) -> bool:
    """Whether the webserver gets this sensor evaluated, which the code server does."""
    entry = """query { workspaceLocationEntryOrError(name: "earshot") {
      ... on WorkspaceLocationEntry { locationOrLoadError { __typename } } } }"""
    location = (query(url, entry, {})["workspaceLocationEntryOrError"] or {}).get("locationOrLoadError") or {}
    if location.get("__typename") != "RepositoryLocation":
        return False
    mutation = """mutation ($sensor: SensorSelector!) { sensorDryRun(selectorData: $sensor, cursor: null) {
      ... on DryRunInstigationTick { evaluationResult { error { message } } } } }"""
    selector = {"repositoryLocationName": "earshot", "repositoryName": "__repository__", "sensorName": sensor}
    tick = query(url, mutation, {"sensor": selector})["sensorDryRun"]
    return bool(tick) and tick["evaluationResult"]["error"] is None


def test_everything_listens_on_loopback(served: Served) -> None:
    family = [psutil.Process(served.pid), *psutil.Process(served.pid).children(recursive=True)]
    listening = [c.laddr.ip for p in family for c in p.net_connections(kind="inet") if c.status == psutil.CONN_LISTEN]
    assert listening
    assert set(listening) <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://other.example"}])
def test_another_site_cannot_send_dagster_a_mutation(served: Served, headers: dict[str, str]) -> None:
    """Dagster itself takes one from the query string of a GET, as an image of that site would send it."""
    mutation = 'mutation { deletePipelineRun(runId: "none") { __typename } }'
    address = f"{served.url}/graphql?{urlencode({'query': mutation})}"
    with urllib.request.urlopen(address, timeout=60) as answer:
        assert json.load(answer)["data"]["deletePipelineRun"]["__typename"] == "RunNotFoundError"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=60)


def test_second_up_on_same_home_is_refused(served: Served) -> None:
    second = subprocess.run([EARSHOT, "up", "--port", str(free_port())], capture_output=True, text=True, check=False)
    assert second.returncode == 2
    assert f"is already running for {os.environ['EARSHOT_HOME']}, at {served.url}" in second.stderr


def test_killed_code_server_is_restarted_for_its_clients(served: Served) -> None:
    """Of webserver and daemon; the tests below need both."""

    def code_servers() -> list[psutil.Process]:
        return [process for process in psutil.Process(served.pid).children(recursive=True) if _serves_code(process)]

    [killed] = code_servers()
    killed.kill()
    wait(lambda: code_servers() not in ([], [killed]), 300, "no code server came")
    wait(lambda: _evaluated(served.url, "alerts"), 300, "the webserver did not find the code server again")


def test_backfill_makes_every_video_ready(served: Served, library: Database) -> None:
    backfill_id = launch_backfill(served.url, STAGES, served.partitions)
    wait(lambda: backfill_status(served.url, backfill_id).startswith("COMPLETED"), 1500, "backfill still runs")
    assert backfill_status(served.url, backfill_id) == "COMPLETED_SUCCESS"
    for partition in served.partitions:
        assert stored_video(library, partition).state == "ready"
        assert library.frame("passages", partition, "passage_index").shape[0] > 0
    assert _metadata_of(served.url, served.partitions[0]).keys() >= set(KEYS)
    for stage in set(STAGES) - {"audio"}:  # the worker loads each model once
        rows = library.query("SELECT load_s FROM asset_timings WHERE asset = %s ORDER BY timing_id", [stage])
        assert [row["load_s"] > 0.0 for row in rows] == [True, False], stage


def test_page_answers_a_search_on_the_command_line(served: Served, library: Database) -> None:
    [said] = library.query("SELECT text FROM passages WHERE video_id = %s LIMIT 1", [served.partitions[0]])
    with urllib.request.urlopen(f"{served.page_url}/api/v1/search?q={quote(said['text'])}", timeout=60) as answer:
        [hit, *_] = json.load(answer)["hits"]
    assert (hit["video_id"], hit["text"]) == (served.partitions[0], said["text"])
    environment = {**os.environ, "EARSHOT_DEVICE": "cuda"}  # refused in a process of its own
    command = [EARSHOT, "search", said["text"], "--json"]
    printed = subprocess.run(command, capture_output=True, check=True, env=environment).stdout
    assert json.loads(printed)["hits"][0] == hit


def test_metadata_in_the_ui_equals_stored_timings(served: Served, library: Database) -> None:
    partition = served.partitions[0]
    shown = _metadata_of(served.url, partition)
    kept = library.query(
        "SELECT * FROM asset_timings WHERE video_id = %s AND asset = 'transcript' ORDER BY timing_id DESC LIMIT 1", [partition]
    )[0]
    assert {key: shown[key] for key in KEYS} == {key: about(kept[key]) for key in KEYS}


def test_upload_becomes_searchable_by_itself(served: Served, library: Database) -> None:
    write_mp3(served.podcast / "fail-better.mp3", clip_samples(Clip("moonshine_voice", "assets/beckett.wav", start_s=0.5)))
    _publish(
        served.podcast,
        '<item><guid isPermaLink="false">fail-better</guid><title>Fail better</title>'
        "<pubDate>Sun, 22 Nov 2026 09:00:00 GMT</pubDate>"
        f'<enclosure url="{served.feed}/fail-better.mp3" type="audio/mpeg" length="1"/></item>',
    )
    uploaded = (
        "SELECT v.state, count(p.*) AS passages FROM videos v LEFT JOIN passages p USING (video_id) WHERE title = %s GROUP BY 1"
    )
    wait(lambda: library.query(uploaded, ["Fail better"]), 300, "the upload was never noticed")
    wait(lambda: library.query(uploaded, ["Fail better"])[0]["state"] == "ready", 900, "the upload was never searchable")
    command = [EARSHOT, "search", "--json", "try again, without fear of failure"]
    hits = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["hits"]
    assert "Fail better" in [hit["title"] for hit in hits]
    runs = open_instance().get_runs(RunsFilter(tags={"earshot/source": "A podcast"}))
    assert [run.status for run in runs] == [DagsterRunStatus.SUCCESS]
    assert runs[0].tags["dagster/sensor_name"] == "new_uploads"


def test_report_is_materialized_from_the_ui(served: Served) -> None:
    run_id = execute(served.url, {"jobName": "__ASSET_JOB", "assetSelection": [{"path": ["performance"]}]})
    status = wait(lambda: ended(served.url, run_id), 300, "the report was never made")
    assert status == "SUCCESS"


def test_pages_show_graph_figures_checks_and_report(served: Served, tmp_path: Path) -> None:
    texts = {}
    with browsing(served.url) as page:
        for picture in pictures_of(served.partitions[0]):
            taken = take(page, picture, tmp_path)
            texts[picture.name] = text = page.inner_text("body")
            assert picture.text in text
            assert "Join the Dagster community" not in text
            pixels = np.asarray(Image.open(taken).convert("L"))
            assert len(np.unique(pixels)) > 50, f"{taken} is blank"
    assert {"device", "rtf", "items_per_s"} <= set(texts["partition"].split())
    page = texts["partition"]
    assert page.index("recording") < page.index("excerpt") < page.index("real time;") < page.index("device_name")
    assert "[Show Markdown]" not in page
    assert "Nothing to compare text_embeddings with yet" in texts["checks"]
    assert "~30 sec" in texts["new-uploads"]


def test_stale_backfill_runs_only_stale_stages(served: Served, library: Database) -> None:
    library.query("UPDATE stage_outputs SET code_version = '0' WHERE asset = 'text_embeddings'")
    library.query("UPDATE passages SET text = 'Something else.' WHERE video_id = %s", [served.partitions[0]])
    library.query(
        "UPDATE stage_outputs SET content = 'other' WHERE asset = 'text_embeddings' AND video_id = %s", served.partitions[:1]
    )
    newest = library.query("SELECT max(timing_id) AS last FROM asset_timings")[0]["last"]
    ended = subprocess.run([EARSHOT, "backfill", "--stale", "--json"], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout)
    assert (result["status"], result["videos"], result["done"], result["failed"]) == ("completed_success", 3, 3, 0)
    [stage] = result["stages"]
    assert (stage["stage"], stage["redone"], stage["reused"], stage["changed"]) == ("text_embeddings", 3, 0, 1)
    assert [example["was"] for example in result["examples"]] == ["Something else."]
    ran = library.query("SELECT DISTINCT asset FROM asset_timings WHERE timing_id > %s", [newest])
    assert [row["asset"] for row in ran] == ["text_embeddings"]
    left = subprocess.run([EARSHOT, "backfill", "--stale"], capture_output=True, text=True, check=True)
    assert left.stdout == "Nothing to do.\n"


# --- the worker, which is killed, with its broker and its database --------------------------------------------------------


def test_cancelled_run_leaves_models_loaded(served: Served, library: Database) -> None:
    before = stored_video(library, served.partitions[0]).state
    run_id = launch(served.url, served.partitions[0])
    process = _at_work(served, library, run_id)
    cancel(served.url, run_id)
    wait(lambda: run_status(served.url, run_id) == "CANCELED", 60, "the cancelled run still runs")
    assert stored_video(library, served.partitions[0]).state == before
    run_id = launch(served.url, served.partitions[1])
    assert wait(lambda: ended(served.url, run_id), 300, "nothing is done after a cancelled run") == "SUCCESS"
    assert process_of(run_id) == process
    _assert_nothing_leaked()
    loaded = library.query("SELECT asset FROM asset_timings WHERE run_id = %s AND load_s > 0", [run_id])
    assert loaded == [{"asset": "audio"}]  # it starts a decoder for each file


def test_video_of_killed_worker_is_restarted(served: Served, library: Database) -> None:
    [longest] = library.query("SELECT video_id FROM passages GROUP BY video_id ORDER BY count(*) DESC LIMIT 1")
    video = longest["video_id"]
    before = _found(served, video)
    assert before
    with _searching(served, video) as answers:
        run_id = launch(served.url, video)
        process = _at_work(served, library, run_id)
        _parent_worker(process).kill()  # the parent that watches the process, then the process
        process.kill()
        again = RunsFilter(
            tags={"dagster/parent_run_id": run_id}, statuses=[DagsterRunStatus.STARTED, DagsterRunStatus.SUCCESS]
        )
        [second] = wait(lambda: open_instance().get_run_ids(again), 300, "the killed worker's video was not restarted")
        assert run_status(served.url, run_id) == "FAILURE"
        assert wait(lambda: ended(served.url, second), 300, "the second try never ended") == "SUCCESS"
    assert answers
    assert [
        answer for answer in answers if answer not in (before, _found(served, video))
    ] == []  # the page showed no half of it
    for table, order in (("passages", "passage_index"), ("turns", "turn_index")):
        rows = library.frame(table, video, order)[order].tolist()
        assert rows == list(range(len(rows)))
        assert rows
    _assert_nothing_leaked()


def test_killed_broker_is_restarted(served: Served, home: Path) -> None:
    broker = next(p for p in psutil.Process(served.pid).children() if "valkey" in p.name())
    broker.kill()
    wait(lambda: "The broker exited" in (home / "up.log").read_text(), 30, "it was not noticed")
    run_id = launch(served.url, served.partitions[1], "text_embeddings")
    assert wait(lambda: ended(served.url, run_id), 300, "nothing is done after the broker was killed") == "SUCCESS"


def test_killed_database_is_started_again(served: Served, library: Database, home: Path) -> None:
    run_id = launch(served.url, served.partitions[0])
    _at_work(served, library, run_id)
    psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().split()[0])).kill()
    wait(lambda: _status(run_id) in ("SUCCESS", "FAILURE"), 180, "the run has no end")
    family = RunsFilter(tags={"dagster/root_run_id": run_id})
    wait(lambda: _status(run_id) == "SUCCESS" or any(run.is_success for run in open_instance().get_runs(family)), 300,
         "the video was not done again")  # fmt: skip
    assert stored_video(library, served.partitions[0]).state == "ready"
    _assert_nothing_leaked()
    wait(lambda: count_workers(library.url) == 1, 30, "the worker does not have its place again")
    assert _found(served, served.partitions[0])


def test_second_worker_joins_and_leaves(served: Served, library: Database, home: Path) -> None:
    environments = [process.environ() for process in psutil.Process(served.pid).children()]
    [broker] = {environment["EARSHOT_BROKER"] for environment in environments if "EARSHOT_BROKER" in environment}
    with (home / "worker.log").open("wb") as log:
        second = subprocess.Popen([EARSHOT, "worker"], stdout=log, stderr=log, env={**os.environ, "EARSHOT_BROKER": broker})
    try:
        wait(lambda: count_workers(library.url) == 2, 60, "the second worker has no place")
        backfill_id = launch_backfill(served.url, ["text_embeddings"], served.partitions)
        wait(lambda: backfill_status(served.url, backfill_id) == "COMPLETED_SUCCESS", 300, "backfill still runs")
        second.terminate()
        assert second.wait(timeout=60) == 0, (home / "worker.log").read_text()
    finally:
        second.kill()
    wait(lambda: count_workers(library.url) == 1, 10, "the worker that left still has a place")
    run_id = launch(served.url, served.partitions[1], "text_embeddings")
    assert wait(lambda: ended(served.url, run_id), 300, "nothing is done after a worker left") == "SUCCESS"


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.usefixtures("served")
def test_every_materialization_has_same_keys_and_types(stage: str) -> None:
    """Of the whole session: from the UI, the command line, retried, reused, forced, and reported for a dead process."""
    records = open_instance().fetch_materializations(AssetKey(stage), limit=1000).records
    assert records
    for record in records:
        materialization = record.asset_materialization
        assert materialization is not None
        types = {key: type(materialization.metadata[key]) for key in KEYS}
        assert types == TYPES


def _serves_code(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):  # it ends meanwhile
        return process.status() != psutil.STATUS_ZOMBIE and "--lazy-load-user-code" in process.cmdline()
    return False


def _metadata_of(url: str, partition: str) -> dict[str, Any]:
    answer = query(
        url,
        """query ($partition: [String!]) { assetOrError(assetKey: {path: ["transcript"]}) { ... on Asset {
             assetMaterializations(partitions: $partition, limit: 1) { metadataEntries {
               label __typename ... on FloatMetadataEntry { floatValue } ... on IntMetadataEntry { intValue }
               ... on TextMetadataEntry { text } } } } } }""",
        {"partition": [partition]},
    )
    entries = answer["assetOrError"]["assetMaterializations"][0]["metadataEntries"]
    return {entry["label"]: entry.get("floatValue", entry.get("intValue", entry.get("text"))) for entry in entries}


def _at_work(served: Served, library: Database, run_id: str) -> psutil.Process:
    """The process of a run, once it is in its third stage or so."""
    wait(lambda: run_status(served.url, run_id) == "STARTED", 120, "the run never started")
    wait(lambda: library.query("SELECT 1 FROM asset_timings WHERE run_id = %s", [run_id]), 120, "no stage was ever done")
    process = process_of(run_id)
    assert process is not None
    return process


def _parent_worker(process: psutil.Process) -> psutil.Process:
    parent = process.parent()
    assert parent is not None
    assert "celery" in " ".join(parent.cmdline())
    return parent


def _found(served: Served, video: str) -> list[str]:
    """All passages of the video, as the page's search finds them."""
    asked = urlencode({"q": "hello", "video": video, "limit": 200})
    with urllib.request.urlopen(f"{served.page_url}/api/v1/search?{asked}", timeout=60) as answer:
        return sorted(hit["text"] for hit in json.load(answer)["hits"])


@contextmanager
def _searching(served: Served, video: str) -> Iterator[list[list[str]]]:
    """What the page finds again and again until the block ends."""
    answers, stop = list[list[str]](), threading.Event()

    def search() -> None:
        while not stop.wait(0.3):
            answers.append(_found(served, video))

    with ThreadPoolExecutor(1) as thread:
        searching = thread.submit(search)
        try:
            yield answers
        finally:
            stop.set()
        searching.result()


def _status(run_id: str) -> str:
    run = open_instance().get_run_by_id(run_id)
    return run.status.value if run else ""


def _assert_nothing_leaked() -> None:
    """No run that has ended has a slot. A run at work may: asset `people` follows videos by itself."""
    instance = open_instance()
    claimed = {slot.run_id for slot in instance.event_log_storage.get_concurrency_info("gpu").claimed_slots}
    assert [run_id for run_id in claimed if (run := instance.get_run_by_id(run_id)) is None or run.is_finished] == []
