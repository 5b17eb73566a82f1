"""Asset `enrolments`: real models on a real recording, measured and in pool `gpu` like the stages of a video."""

import ast
import subprocess
from pathlib import Path

import pytest
import soundfile
from dagster import DagsterInstance, ExecuteInProcessResult, materialize

from bench.corpora.episodes import clip_samples
from earshot.common.audio import SAMPLE_RATE
from earshot.common.errors import EarshotError, GpuUnavailable, Misconfigured
from earshot.config.settings import PROJECT_ROOT
from earshot.models import cache
from earshot.storage.database import Database
from ingest_assets.assets.enrolments import enrolments
from ingest_assets.graph import RESOURCES
from ingest_assets.presentation.nameless import without_names
from resources.instance.home import open_instance
from tests.earshot.speakers.test_samples import BECKETT
from tests.support.earshot_up import EARSHOT, wait

POOL = "gpu"
TIMINGS = "SELECT * FROM asset_timings WHERE asset = 'enrolments'"

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


@pytest.mark.slow
def test_enrolling_waits_for_a_slot_and_leaves_a_timing(library: Database, recording: Path) -> None:
    instance = open_instance()
    slots = instance.event_log_storage
    if POOL not in slots.get_concurrency_keys():
        slots.initialize_concurrency_limit_to_default(POOL)
    assert slots.claim_concurrency_slot(POOL, "a video's run", "transcript").is_claimed
    command = [EARSHOT, "people", "enrol", "Sam", "--file", str(recording), "--json"]
    enrolling = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        wait(lambda: slots.get_concurrency_info(POOL).pending_step_count, 300, "the enrolment asked for no slot")
        assert library.query(TIMINGS) == []
    finally:
        slots.free_concurrency_slots_for_run("a video's run")
        enrolling.communicate(timeout=300)
    assert enrolling.returncode == 0
    [row] = library.query(TIMINGS)
    assert (row["device_asked"], row["device"]) == ("cpu", "cpu")
    assert min(row["inputs"], row["items"], row["compute_s"], row["load_s"]) > 0.0
    assert row["audio_s"] == pytest.approx(soundfile.info(recording).duration, abs=0.01)
    assert " + " in row["model"]
    assert not slots.get_concurrency_info(POOL).claimed_slots


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
