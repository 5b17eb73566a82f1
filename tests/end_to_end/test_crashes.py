"""Kills in each stage, and two ingests at once: everything is done once, and nothing leaks.

Each kill is a real SIGKILL at a known moment: the child below ingests, and kills itself when the next stage reports that it
begins (its lock held, its pool slot claimed), or the last one that it ends (rows written, no event in Dagster yet).
"""

import multiprocessing
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import pytest
import soundfile
from dagster import AssetKey, AssetRecordsFilter, DagsterRunStatus, RunsFilter

from bench.corpora.episodes import TELEPHONE, Clip, clip_samples
from earshot.common.audio import SAMPLE_RATE
from earshot.config.settings import read_settings
from earshot.config.sources_file import source_named
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.videos import list_videos
from earshot.storage.database import Database, open_database
from earshot.storage.locks import is_held_elsewhere, video_lock
from ingest_assets.operations.ingest import IngestChoice, ingest
from ingest_assets.stages.progress import watching
from resources.instance.home import open_instance
from tests.support.earshot_up import EARSHOT
from tests.support.library import stored_video

pytestmark = pytest.mark.slow

# Each child is forked from a process that has imported this and done nothing.
FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload([__name__, "dagster_postgres", "earshot.models.speech.transcriber"])


def ingest_until_killed(url: str, share: float, killed: Sequence[str], stage: Connection) -> None:
    """Ingest, and die when a stage outside `killed` reports this share as done, whose name `stage` receives."""

    def watcher(at: str, done: float) -> None:
        if done == share and at not in killed:
            stage.send(at)
            os.kill(os.getpid(), signal.SIGKILL)

    with watching(watcher):
        list(ingest([source_named(url)], IngestChoice(), open_database(), open_instance()))


def write_clip(path: Path, start_s: float) -> Path:
    soundfile.write(path, clip_samples(Clip(TELEPHONE.package, TELEPHONE.path, start_s, 15.0)), SAMPLE_RATE)
    return path


def test_ingest_finishes_after_kills_in_every_stage(library: Database, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "killed.wav", 6.5)
    killed: list[str] = []
    for share in [0.0] * len(STAGES) + [1.0]:
        receives, sends = FORKED.Pipe(duplex=False)
        child = FORKED.Process(
            target=ingest_until_killed, args=(str(clip), share, killed if share == 0.0 else killed[:-1], sends)
        )
        child.start()
        child.join()
        assert child.exitcode == -signal.SIGKILL, f"it was not killed after {killed}"
        killed.append(receives.recv())
    assert set(killed) == set(STAGES)
    finished = subprocess.run([EARSHOT, "ingest", str(clip)], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    [video] = [v for v in list_videos(library) if v.url == str(clip)]
    assert (video.state, video.last_error) == ("ready", None)
    _assert_nothing_leaked(library, video.video_id)
    for stage in STAGES:
        wanted = AssetRecordsFilter(asset_key=AssetKey(stage), asset_partitions=[video.video_id])
        assert open_instance().fetch_materializations(wanted, limit=1).records, f"Dagster has no event of {stage}"
    words = library.frame("words", video.video_id, "word_index").word_index.tolist()
    assert words == list(range(len(words)))
    assert words


def _assert_nothing_leaked(library: Database, video_id: str) -> None:
    instance = open_instance()
    unfinished = RunsFilter(statuses=[DagsterRunStatus.STARTED], tags={"dagster/partition": video_id})
    assert instance.get_runs(unfinished) == []
    assert instance.event_log_storage.get_concurrency_info("gpu").claimed_slots == []
    assert not is_held_elsewhere(library.url, video_lock(video_id))
    assert not (read_settings().home / "downloads" / video_id).exists()
    assert not list(Path(read_settings().media).glob(".*"))


def test_two_ingests_at_once_do_the_work_once(library: Database, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "twice.wav", 7.0)
    command = [EARSHOT, "ingest", str(clip)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    ends = [(*process.communicate(timeout=1200), process.returncode) for process in both]
    assert [returncode for _, _, returncode in ends] == [0, 0], ends
    assert sorted(out.splitlines()[-1] for out, _, _ in ends) == ["1 ingested.", "1 up to date."]
    [video] = [v for v in list_videos(library) if v.url == str(clip)]
    timings = library.frame("asset_timings", video.video_id, "timing_id").asset.tolist()
    assert sorted(timings) == sorted(STAGES)
    assert stored_video(library, video.video_id).state == "ready"


def test_interrupted_ingest_leaves_video_new(library: Database, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "interrupted.wav", 8.0)
    second = str(tmp_path / "never reached.wav")
    process = subprocess.Popen([EARSHOT, "ingest", str(clip), second], stderr=subprocess.PIPE, text=True)
    _wait_for_stage(library, str(clip))
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate(timeout=600)
    assert process.returncode == 130, printed
    assert "Interrupted" in printed
    assert "never reached" not in printed
    [video] = [v for v in list_videos(library) if v.url == str(clip)]
    assert (video.state, video.last_error) == ("new", None)
    _assert_nothing_leaked(library, video.video_id)


def test_ingest_goes_on_after_its_postgres_is_killed(library: Database, home: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "no postgres.wav", 9.0)
    process = subprocess.Popen([EARSHOT, "ingest", str(clip)], stderr=subprocess.PIPE, text=True)
    _wait_for_stage(library, str(clip))
    _postgres(home).kill()
    _, printed = process.communicate(timeout=600)
    assert process.returncode == 0, printed
    assert printed.count("The embedded Postgres had stopped, and was started again.") <= 1  # here, or by the test
    [video] = [v for v in list_videos(library) if v.url == str(clip)]
    assert (video.state, video.last_error) == ("ready", None)
    _assert_nothing_leaked(library, video.video_id)


def test_ingest_whose_postgres_is_gone_ends_with_one_line(library: Database, home: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "postgres gone.wav", 10.0)
    process = subprocess.Popen([EARSHOT, "ingest", str(clip)], stderr=subprocess.PIPE, text=True)
    _wait_for_stage(library, str(clip))
    server, data, away = _postgres(home), home / "postgres", home / "taken away"
    data.rename(away)
    try:
        server.kill()
        _, printed = process.communicate(timeout=600)
    finally:
        away.rename(data)
    assert process.returncode == 2, printed
    assert [line for line in printed.splitlines() if line.startswith("Error: ")] == printed.strip().splitlines()[-1:]
    assert f"its files are gone from {data}" in printed
    assert "Traceback" not in printed
    assert library.query("SELECT 1 AS one") == [{"one": 1}]


def _postgres(home: Path) -> psutil.Process:
    return psutil.Process(int((home / "postgres" / "postmaster.pid").read_text().split()[0]))


def _wait_for_stage(library: Database, url: str) -> None:
    """Wait until the first stage of the video is done, and the second at work."""
    done = "SELECT 1 FROM asset_timings JOIN videos USING (video_id) WHERE url = %s"
    deadline = time.monotonic() + 300
    while not library.query(done, [url]):
        assert time.monotonic() < deadline, "no stage was ever done"
        time.sleep(0.1)
