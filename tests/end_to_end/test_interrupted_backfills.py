"""A backfill that is cancelled, and one that is killed with the machine and cut off from its database: the rest gets done.

Real videos, a real `earshot up` with workers. The backfills diarize again, a few seconds a video.
"""

import subprocess
from collections.abc import Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from dagster import DagsterRunStatus, RunsFilter

from bench.corpora.episodes import TELEPHONE, Clip, clip_samples, write_mp3
from bench.harness.server import free_port
from earshot.config.sources_file import source_named
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.video_filter import VideoFilter
from earshot.storage.database import Database, open_database
from earshot.storage.locks import lock, video_lock
from earshot.storage.server import stop_embedded
from ingest_assets.operations.backfill import Progress, cancel, choose, launch, read_progress
from ingest_assets.operations.ingest import IngestChoice, Outcome, ingest
from ingest_assets.stages.staleness import find_stale
from resources.instance.dagster_internals import BACKFILL_ID_TAG
from resources.instance.home import open_instance
from resources.instance.processes import MARK
from tests.support.earshot_up import EARSHOT, running_up, wait

pytestmark = pytest.mark.slow

VIDEOS = 3
STAGE = "speaker_turns"


@dataclass(frozen=True)
class Stale:
    """Ingested videos whose turns are stale; `last` is the last timing from before."""

    database: Database
    home: Path
    last: int

    def redo(self) -> str:
        """Start a backfill of everything stale; returns its id."""
        chosen = choose(self.database, STAGES, True, VideoFilter())
        return launch(chosen, (), "stale", self.database, open_instance())

    def progress(self, backfill_id: str) -> Progress:
        return read_progress(self.database, open_instance(), backfill_id)

    def wait_for_end(self, backfill_id: str) -> Progress:
        wait(lambda: self.progress(backfill_id).ended, 300, "the backfill has no end")
        return self.progress(backfill_id)

    def wait_for_the_first(self) -> None:
        wait(self.times_done, 180, "no video is done")

    def wait_for_a_run(self, backfill_id: str, before: Set[str] = frozenset()) -> Set[str]:
        """Wait until a run of the backfill is at work that was not before; returns all that are."""
        runs = RunsFilter(statuses=[DagsterRunStatus.STARTED], tags={BACKFILL_ID_TAG: backfill_id})
        wait(lambda: set(open_instance().get_run_ids(runs)) - before, 180, "no run started")
        return set(open_instance().get_run_ids(runs))

    def times_done(self) -> list[int]:
        """For each video that was diarized again, how often."""
        rows = self.database.query(
            "SELECT count(*) AS times FROM asset_timings WHERE asset = %s AND timing_id > %s GROUP BY video_id",
            [STAGE, self.last],
        )
        return [row["times"] for row in rows]

    def assert_complete(self) -> None:
        """Everything is there once, nothing is stale, and no slot is claimed."""
        assert find_stale(self.database) == []
        assert self.times_done() == [1] * VIDEOS
        videos = self.database.query("SELECT video_id, state FROM videos")
        assert [video["state"] for video in videos] == ["ready"] * VIDEOS
        for table, order in (("turns", "turn_index"), ("voice_embeddings", "turn_index"), ("passages", "passage_index")):
            for video in videos:
                rows = self.database.frame(table, video["video_id"], order)[order].tolist()
                assert rows == list(range(len(rows)))
                assert rows
        wait(lambda: not open_instance().event_log_storage.get_concurrency_info("gpu").claimed_slots, 30, "a slot leaked")


@pytest.fixture(scope="module")
def ingested(library: Database, tmp_path_factory: pytest.TempPathFactory) -> Database:
    folder = tmp_path_factory.mktemp("backfilled")
    for number in range(VIDEOS):
        clip = Clip(TELEPHONE.package, TELEPHONE.path, 6.5 + number, 13.5 + number)
        write_mp3(folder / f"{number}.mp3", clip_samples(clip))
    steps = ingest([source_named(str(folder))], IngestChoice(), library, open_instance())
    assert [step.result for step in steps if isinstance(step, Outcome)] == ["done"] * VIDEOS
    return library


@pytest.fixture
def stale(ingested: Database, home: Path) -> Stale:
    ingested.query("UPDATE stage_outputs SET code_version = 'older' WHERE asset = %s", [STAGE])
    [row] = ingested.query("SELECT max(timing_id) AS last FROM asset_timings")
    return Stale(ingested, home, row["last"])


def test_next_backfill_does_the_rest_across_deaths_of_machine_and_database(stale: Stale) -> None:
    ports = ["--port", str(free_port()), "--page-port", str(free_port())]
    up = subprocess.Popen([EARSHOT, "up", *ports], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    [held] = stale.database.query("SELECT min(video_id) AS video_id FROM videos")
    with lock(stale.database.url, video_lock(held["video_id"])):  # keeps this video undone until everything is killed
        cancelled = stale.redo()
        stale.wait_for_the_first()
        cancel(open_instance(), cancelled)
        assert stale.wait_for_end(cancelled).status == "CANCELED"
        done = len(stale.times_done())
        assert 0 < done < VIDEOS
        assert len([left for left in find_stale(stale.database) if left.stage == STAGE]) == VIDEOS - done
        rest = stale.redo()
        killed = stale.wait_for_a_run(rest)
        kill_everything(up, stale.home)
    with running_up(stale.home, {"EARSHOT_WORKERS": "1"}):
        stale.wait_for_a_run(rest, before=killed)
        stop_embedded(stale.home)
        open_database()
        ended = stale.wait_for_end(rest)
    assert (ended.status, ended.videos, ended.done, ended.failed) == ("COMPLETED_SUCCESS", VIDEOS - done, VIDEOS - done, 0)
    stale.assert_complete()


def kill_everything(up: subprocess.Popen[bytes], home: Path) -> None:
    """As a power cut: `up`, its children, and Postgres."""
    postmaster = int((home / "postgres" / "postmaster.pid").read_text().split()[0])
    up.kill()
    for process in [psutil.Process(postmaster), *psutil.process_iter()]:
        with suppress(psutil.Error):
            if process.pid == postmaster or process.environ().get(MARK) == str(home):
                process.kill()
    up.wait()
    wait(lambda: not psutil.pid_exists(postmaster), 30, "Postgres is still there")
