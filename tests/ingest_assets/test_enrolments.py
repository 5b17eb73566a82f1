"""Asset `enrolments`: real models on a real recording, measured and in pool `gpu` like the stages of a video."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import soundfile
from dagster import DagsterInstance, ExecuteInProcessResult, materialize

from bench.corpora.episodes import clip_samples
from earshot.common.audio import SAMPLE_RATE
from earshot.common.errors import EarshotError, GpuUnavailable, Misconfigured
from earshot.config.settings import PROJECT_ROOT
from earshot.models import cache
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from ingest_assets.assets.enrolments import enrolments
from ingest_assets.graph import RESOURCES
from ingest_assets.partitions import videos
from ingest_assets.presentation.nameless import without_names
from resources.instance.home import open_instance
from tests.earshot.speakers.test_samples import BECKETT
from tests.support.earshot_up import EARSHOT, wait

POOL = "gpu"
TIMINGS = "SELECT * FROM asset_timings WHERE asset IN ('speaker_turns', 'enrolments') ORDER BY timing_id"

DIARIZES = """
import sys
from dagster import AssetKey
from ingest_assets import graph
from ingest_assets.operations.run_failures import QUIET
from ingest_assets.stages.progress import watching
from resources.instance.home import open_instance

seen = []
def watcher(stage, share):
    if stage == "speaker_turns" and share > 0 and not seen:
        seen.append(share)
        print("diarizing", flush=True)
        sys.stdin.readline()
with watching(watcher):
    graph.definitions.resolve_job_def("ingest_video").execute_in_process(
        instance=open_instance(), partition_key=sys.argv[1], run_config=QUIET,
        asset_selection=[AssetKey("audio"), AssetKey("speaker_turns")])
"""

# The only modules that may load a model: assets and what they call, which measure; `earshot doctor`, which tries each model
# once; and search, which embeds one question.
MEASURED = {"ingest_assets/assets", "ingest_assets/stages"}
UNMEASURED = {"earshot/cli/operation/doctor.py", "earshot/transcripts/search/query.py"}
LOADERS = {"transcriber", "diarizer", "voice_encoder", "text_encoder", "passage_encoder"}


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Beckett's line as a file, and an empty people.yaml beside it."""
    monkeypatch.setenv("EARSHOT_PEOPLE", str(tmp_path / "people.yaml"))
    soundfile.write(tmp_path / "line.wav", clip_samples(BECKETT), SAMPLE_RATE)
    return tmp_path / "line.wav"


def run() -> ExecuteInProcessResult:
    with DagsterInstance.ephemeral() as instance:
        return materialize([enrolments], resources=RESOURCES, instance=instance, raise_on_error=False)


@contextmanager
def diarizing(video_id: str) -> Iterator[subprocess.Popen[str]]:
    """A process in the midst of a video's diarization; it goes on once its stdin has a line."""
    command = [sys.executable, "-c", DIARIZES, video_id]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "diarizing\n"
            yield process
        finally:
            process.kill()


@pytest.mark.slow
def test_enrolling_waits_for_a_video_that_is_diarized(library: Database, recording: Path) -> None:
    instance = open_instance()
    register(library, [Video("v-1", str(recording), str(recording), "Beckett")])
    instance.add_dynamic_partitions(str(videos.name), ["v-1"])
    command = [EARSHOT, "people", "enrol", "Sam", "--file", str(recording), "--json"]
    with diarizing("v-1") as run_of_video, subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as enrolling:
        wait(lambda: _steps(instance)[1], 600, "the enrolment asked for no slot")
        assert _steps(instance) == (["speaker_turns"], ["enrolments"])
        assert library.query(TIMINGS) == []
        run_of_video.communicate("go on\n", timeout=600)
        enrolling.communicate(timeout=600)
    assert (run_of_video.returncode, enrolling.returncode) == (0, 0)
    of_video, of_person = library.query(TIMINGS)
    assert (of_video["asset"], of_person["asset"]) == ("speaker_turns", "enrolments")
    for row in (of_video, of_person):
        assert (row["device_asked"], row["device"]) == ("cpu", "cpu")
        assert min(row["inputs"], row["items"], row["compute_s"], row["load_s"]) > 0.0
        assert row["audio_s"] == pytest.approx(soundfile.info(recording).duration, abs=0.01)
    assert " + " in of_person["model"]
    assert _steps(instance) == ([], [])


def _steps(instance: DagsterInstance) -> tuple[list[str], list[str]]:
    """The steps that hold a slot of the pool, and those that wait for one."""
    pool = instance.event_log_storage.get_concurrency_info(POOL)
    waiting = [step.step_key for step in pool.pending_steps if step.assigned_timestamp is None]
    return [slot.step_key for slot in pool.claimed_slots], waiting


@pytest.mark.usefixtures("recording")
def test_nothing_to_judge_loads_no_model(library: Database) -> None:
    loads, ran = cache.loads(), run()
    assert ran.success
    assert cache.loads() == loads
    assert {str(check.metadata["verdict"].value) for check in ran.get_asset_check_evaluations()} == {"unjudged"}
    assert library.query("SELECT 1 FROM asset_timings WHERE run_id = %s", [ran.run_id]) == []


def test_error_in_people_file_names_no_one(library: Database, recording: Path) -> None:
    assert library
    recording.with_name("people.yaml").write_text("people:\n- name: Ana Sauer\n  smaples: []\n")
    ran = run()
    assert not ran.success
    assert "Ana" not in "".join(str(event) for event in ran.all_events)


@pytest.mark.parametrize(
    ("error", "kept"),
    [(GpuUnavailable("No CUDA device.", "Check it."), True), (Misconfigured("Ana is wrong.", "Mend."), False)],
)
def test_only_errors_without_names_are_shown(error: EarshotError, kept: bool) -> None:
    assert (without_names(error) == str(error)) is kept


def test_models_are_loaded_by_measured_stages_only() -> None:
    loading = {
        str(path.relative_to(PROJECT_ROOT))
        for package in ("earshot", "ingest_assets", "resources", "sensors")
        for path in (PROJECT_ROOT / package).rglob("*.py")
        if path.parent.name != "models" and _uses_loader(path)
    }
    outside = {path for path in loading if not any(path.startswith(folder) for folder in MEASURED)}
    assert outside == UNMEASURED
    assert "ingest_assets/assets/transcript.py" in loading


def _uses_loader(path: Path) -> bool:
    """Whether the module reads an attribute of `Models` that loads a model."""
    return any(isinstance(node, ast.Attribute) and node.attr in LOADERS for node in ast.walk(ast.parse(path.read_text())))
