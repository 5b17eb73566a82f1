"""Killed in any stage and run again; two at once on one home: everything ends finished, once, with nothing leaked.

Each kill is a real SIGKILL of a real process at a known moment: the child below ingests, and kills itself when the stage it
was told reports that it begins (its lock held, its pool slot claimed) or ends (rows written, Dagster not yet told).
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile
from dagster import AssetKey, AssetRecordsFilter, DagsterRunStatus, RunsFilter

from bench.corpora.episodes import TELEPHONE, Clip, clip_samples
from earshot.common.audio import SAMPLE_RATE
from earshot.config.settings import read_settings
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.videos import get_video, list_videos
from earshot.storage.database import Database
from earshot.storage.locks import is_held_elsewhere, video_lock
from resources.instance.home import open_instance

pytestmark = pytest.mark.slow
EARSHOT = str(Path(sys.executable).parent / "earshot")

DIES_AT = """
import os, signal, sys
from ingest_assets.operations.ingest import IngestChoice, ingest
from resources.instance.home import open_instance
from ingest_assets.stages.progress import watching
from earshot.storage.database import open_database
from earshot.config.sources_file import source_named

source, stage, share = sys.argv[1], sys.argv[2], float(sys.argv[3])
def watcher(at, done):
    if (at, done) == (stage, share):
        os.kill(os.getpid(), signal.SIGKILL)
with watching(watcher):
    list(ingest([source_named(source)], IngestChoice(force=True), open_database(), open_instance()))
"""


def test_killed_in_every_stage_and_run_again_it_finishes_with_nothing_twice_and_nothing_leaked(
    library: Database, tmp_path: Path
) -> None:
    clip = tmp_path / "killed.wav"
    soundfile.write(clip, clip_samples(Clip(TELEPHONE.package, TELEPHONE.path, 6.5, 15.0)), SAMPLE_RATE)
    for stage, share in [*((stage, 0.0) for stage in STAGES), ("text_embeddings", 1.0)]:
        child = subprocess.run([sys.executable, "-c", DIES_AT, str(clip), stage, str(share)], check=False)
        assert child.returncode == -signal.SIGKILL, f"it was not killed in {stage}"
    finished = subprocess.run([EARSHOT, "ingest", str(clip)], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    [video] = [v for v in list_videos(library) if v.url == str(clip)]
    assert (video.state, video.last_error) == ("ready", None)
    _assert_nothing_leaked(library, video.video_id)
    for stage in STAGES:
        wanted = AssetRecordsFilter(asset_key=AssetKey(stage), asset_partitions=[video.video_id])
        assert open_instance().fetch_materializations(wanted, limit=1).records, f"Dagster was never told of {stage}"
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


def test_two_at_once_on_one_home_both_end_well_and_the_work_is_done_once(library: Database, tmp_path: Path) -> None:
    clip = tmp_path / "twice.wav"
    soundfile.write(clip, clip_samples(Clip(TELEPHONE.package, TELEPHONE.path, 7.0, 15.0)), SAMPLE_RATE)
    command = [EARSHOT, "ingest", str(clip)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    ends = [(*process.communicate(timeout=1200), process.returncode) for process in both]
    assert [returncode for _, _, returncode in ends] == [0, 0], ends
    assert sorted(out.splitlines()[-1] for out, _, _ in ends) == ["1 ingested.", "1 up to date."]
    [video] = [v for v in list_videos(library) if v.url == str(clip)]
    timings = library.frame("asset_timings", video.video_id, "timing_id").asset.tolist()
    assert sorted(timings) == sorted(STAGES)
    found = get_video(library, video.video_id)
    assert found is not None
    assert found.state == "ready"
    assert os.environ["EARSHOT_HOME"] == str(read_settings().home)


def test_interrupted_it_says_so_stops_and_blames_no_video(library: Database, tmp_path: Path) -> None:
    clip = tmp_path / "interrupted.wav"
    soundfile.write(clip, clip_samples(Clip(TELEPHONE.package, TELEPHONE.path, 8.0, 15.0)), SAMPLE_RATE)
    other = str(tmp_path / "never reached.wav")
    process = subprocess.Popen([EARSHOT, "ingest", str(clip), other], stderr=subprocess.PIPE, text=True)
    _wait_for_stage(library, str(clip))
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=600)
    assert process.returncode == 130, said
    assert "Interrupted; what was finished is kept" in said
    assert "never reached" not in said
    [video] = [v for v in list_videos(library) if v.url == str(clip)]
    assert (video.state, video.last_error) == ("new", None)
    _assert_nothing_leaked(library, video.video_id)


def _wait_for_stage(library: Database, url: str) -> None:
    """Wait until the first stage of the video of this URL is done, and so the second is at work."""
    asked = "SELECT 1 FROM asset_timings JOIN videos USING (video_id) WHERE url = %s"
    deadline = time.monotonic() + 300
    while not library.query(asked, [url]):
        assert time.monotonic() < deadline, "no stage was ever done"
        time.sleep(0.1)
