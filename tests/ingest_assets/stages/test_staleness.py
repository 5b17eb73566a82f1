"""What is stale in a library, and why: over the real asset graph, after changes of code and models."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from earshot.cli.library.stale import stale_command
from earshot.common.errors import Misconfigured
from earshot.config.hints import Hints
from earshot.storage.catalog.stages import STAGES, UPSTREAM
from earshot.storage.catalog.video_hints import hints_for, keep_hints
from earshot.storage.catalog.videos import Video, mark_ready_if_complete, register
from earshot.storage.database import Database
from ingest_assets.stages import staleness
from ingest_assets.stages.freshness import Version, reasons_to_run
from ingest_assets.stages.outputs import find_stale_videos, invalidate_output, read_outputs
from ingest_assets.stages.staleness import StaleReason, find_stale, summarize_stale
from ingest_assets.stages.versions import expected_versions
from tests.support.library import leave_outputs, run_stage
from tests.support.timing_rows import usual

VIDEOS = [f"file-{number}" for number in range(1000)]
BELOW_TURNS = ["speaker_turns", "voice_embeddings", "text_embeddings"]


def ingest(database: Database, keys: Sequence[str]) -> None:
    """Ready videos with today's outputs."""
    register(database, [Video(key, f"https://x/{key}", "https://x", key.title()) for key in keys])
    timings = [timing_of(stage) for stage in STAGES]
    with database.connect() as connection:
        leave_outputs(connection, keys, timings)
    for key in keys:
        mark_ready_if_complete(database, key)


def timing_of(stage: str) -> dict[str, object]:
    version = expected_versions()[stage]
    timing = usual(model=version.model, model_revision=version.model_revision, wall_s=4.0, load_s=1.0)
    return {"asset": stage, "run_id": "run-1", "code_version": version.code_version, **asdict(timing)}


def change(monkeypatch: pytest.MonkeyPatch, stage: str, **changed: str) -> None:
    """Make the current version of this stage another."""
    expected = expected_versions()
    changed_versions = expected | {stage: replace(expected[stage], **changed)}
    monkeypatch.setattr(staleness, "expected_versions", lambda: changed_versions)


def test_new_library_is_not_stale(database: Database) -> None:
    ingest(database, VIDEOS[:3])
    assert find_stale(database) == []
    assert CliRunner().invoke(stale_command, []).output == "Nothing is out of date.\n"


def test_new_code_version_makes_stages_stale(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staleness, "AT_ONCE", 300)
    ingest(database, VIDEOS)
    before = expected_versions()["speaker_turns"].code_version
    change(monkeypatch, "speaker_turns", code_version="99")
    stale = find_stale(database)
    assert [(found.video_id, found.stage) for found in stale] == [(key, s) for key in sorted(VIDEOS) for s in BELOW_TURNS]
    above = "made from speaker_turns, which is out of date"
    assert summarize_stale(stale) == [
        StaleReason("speaker_turns", f"code version {before} -> 99", 1000, 3000.0, "file-0"),
        StaleReason("voice_embeddings", above, 1000, 3000.0, "file-0"),
        StaleReason("text_embeddings", above, 1000, 3000.0, "file-0"),
    ]


def test_rerun_stage_is_current(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest(database, VIDEOS[:3])
    change(monkeypatch, "text_embeddings", code_version="99")
    assert [stale.video_id for stale in find_stale(database)] == VIDEOS[:3]
    for key in VIDEOS[:2]:
        run_stage(database, key, "text_embeddings", staleness.expected_versions()["text_embeddings"], "")
    assert [stale.video_id for stale in find_stale(database)] == [VIDEOS[2]]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"model": "another"}, "model whisper-base -> another"),
        ({"model_revision": "r9"}, "whisper-base {revision} -> r9"),
        ({"code_version": "7", "model": "another"}, "code version {code} -> 7"),
    ],
)
def test_reason_names_old_and_new_version(
    database: Database, monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], reason: str
) -> None:
    ingest(database, ["v"])
    before = expected_versions()["transcript"]
    change(monkeypatch, "transcript", **changed)
    reasons = [stale.reason for stale in find_stale(database, ["transcript"])]
    assert reasons == [reason.format(revision=before.model_revision, code=before.code_version)]


def test_stage_made_from_earlier_content_is_stale(database: Database) -> None:
    ingest(database, ["v", "w"])
    run_stage(database, "v", "transcript", expected_versions()["transcript"], "other words")
    run_stage(database, "w", "transcript", expected_versions()["transcript"], "same")
    assert [(stale.video_id, stale.stage, stale.reason) for stale in find_stale(database)] == [
        ("v", "text_embeddings", "made from an earlier transcript")
    ]


def test_unfinished_video_is_not_stale(database: Database) -> None:
    register(database, [Video("new", "https://x/new", "https://x", "New")])
    register(database, [Video("half", "https://x/half", "https://x", "Half")])
    run_stage(database, "half", "audio", Version("0"), "")
    assert find_stale(database) == []


def test_stale_command_counts_by_reason(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest(database, VIDEOS[:3])
    change(monkeypatch, "transcript", code_version="99")
    printed = CliRunner().invoke(stale_command, ["transcript"], catch_exceptions=False).output
    assert printed.splitlines()[1].split()[:3] == ["transcript", "3", "0:00:09"]
    rows = json.loads(CliRunner().invoke(stale_command, ["--json"], catch_exceptions=False).output)
    assert [(row["video_id"], row["stage"]) for row in rows] == [
        (key, stage) for key in VIDEOS[:3] for stage in ("transcript", "text_embeddings")
    ]
    assert rows[0]["reason"] == "code version 1 -> 99"
    assert CliRunner().invoke(stale_command, ["people"]).exit_code == 2


def test_every_stage_has_a_version() -> None:
    assert list(expected_versions()) == list(STAGES)
    assert set().union(*UPSTREAM.values()) <= set(STAGES)


def test_new_video_has_no_outputs(database: Database) -> None:
    assert read_outputs(database, ["nothing"])["nothing"] == {}


def hint_sources(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    (folder / "sources.yaml").write_text(text)
    monkeypatch.setenv("EARSHOT_SOURCES", str(folder / "sources.yaml"))


def test_hint_makes_its_stages_of_its_video_stale(database: Database) -> None:
    ingest(database, VIDEOS[:3])
    hints = Hints(speakers="2")
    keep_hints(database, VIDEOS[1], hints)
    stale = find_stale(database)
    assert [(found.video_id, found.stage) for found in stale] == [(VIDEOS[1], stage) for stage in BELOW_TURNS]
    assert stale[0].reason == "made with other hints: speakers"
    run_stage(database, VIDEOS[1], "speaker_turns", expected_versions()["speaker_turns"], "same", hints=hints)
    assert find_stale(database) == []
    keep_hints(database, VIDEOS[1], Hints())
    assert [found.stage for found in find_stale(database)] == list(BELOW_TURNS)


def test_hints_of_source_make_its_videos_stale(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest(database, VIDEOS[:2])
    register(database, [Video("other", "https://y/1", "https://y", "Other")])
    hint_sources(monkeypatch, tmp_path, "sources: [{feed: 'https://x', vocabulary: 'Nagg, Nell', prompt: Talk.}]")
    keep_hints(database, VIDEOS[1], Hints(vocabulary=(), prompt=""))
    stale = find_stale(database)
    assert [(found.video_id, found.stage) for found in stale] == [
        (VIDEOS[0], stage) for stage in ("transcript", "text_embeddings")
    ]
    assert stale[0].reason == "made with other hints: prompt, vocabulary"
    assert hints_for(database, VIDEOS[0], "https://x") == Hints(vocabulary=("Nagg", "Nell"), prompt="Talk.")
    hint_sources(monkeypatch, tmp_path, "sources: [{feed: 'https://x', vocabulary: []}]")
    assert find_stale(database) == []


def test_invalid_sources_file_makes_nothing_stale(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest(database, VIDEOS[:2])
    run_stage(database, VIDEOS[0], "speaker_turns", expected_versions()["speaker_turns"], "same", hints=Hints(speakers="2"))
    hint_sources(monkeypatch, tmp_path, "sources: [{feed: 'https://x', speakers: two}]")
    assert find_stale(database) == []
    with pytest.raises(Misconfigured, match="speakers is 'two'"):
        hints_for(database, VIDEOS[0], "https://x")
    assert hints_for(database, VIDEOS[0], str(tmp_path / "sources.yaml")) == Hints()  # a file is no source of it
    keep_hints(database, VIDEOS[1], Hints(speakers="3"))
    assert {found.video_id for found in find_stale(database)} == {VIDEOS[1]}


HINTS = (Hints(), Hints(), Hints(), Hints(speakers="2"), Hints(speakers=""), Hints(vocabulary=("Nell",), speakers="3"))


@pytest.mark.parametrize("seed", range(3))
def test_find_stale_videos_agrees_with_reasons_to_run(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    hint_sources(monkeypatch, tmp_path, "sources: [{feed: 'https://y', speakers: 2, prompt: Talk.}]")
    random, keys, expected = Random(seed), VIDEOS[:60], expected_versions()
    sources = [random.choice(["https://x", "https://x", "https://x", "https://y"]) for _ in keys]
    register(database, [Video(key, f"https://x/{key}", source, key.title()) for key, source in zip(keys, sources, strict=True)])
    for key, source in zip(keys, sources, strict=True):
        keep_hints(database, key, random.choice(HINTS))
        used = hints_for(database, key, source) if random.random() < 0.9 else random.choice(HINTS)
        stages = [stage for stage in STAGES if random.random() < 0.97] + random.choices(STAGES, k=random.choice([0, 0, 1, 2]))
        for stage in stages:
            version = replace(expected[stage], code_version="0") if random.random() < 0.05 else expected[stage]
            run_stage(database, key, stage, version, random.choice(["same", "same", "other"]), hints=used)
    database.query("UPDATE videos SET state = 'ready' WHERE video_id <> %s", [keys[0]])
    outputs = read_outputs(database, keys)
    reasoned = {key for key in keys[1:] if reasons_to_run(expected, UPSTREAM, outputs[key])}
    assert 5 < len(reasoned) < 55
    assert set(find_stale_videos(database, expected, UPSTREAM)) == reasoned


def test_half_replaced_stage_is_stale(database: Database) -> None:
    ingest(database, ["v"])
    with database.connect() as connection:
        invalidate_output(connection, "v", "transcript")
    assert [(stale.stage, stale.reason) for stale in find_stale(database)] == [
        ("transcript", "never run to its end"),
        ("text_embeddings", "made from transcript, which is out of date"),
    ]
