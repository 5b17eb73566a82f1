"""Backfills: what is chosen, how Dagster is asked, progress, and when one is stopped. No model is loaded."""

import json
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from dagster import AssetKey, AssetRecordsFilter, DagsterInstance, job

from earshot.cli.operation.backfill import backfill_command
from earshot.common.errors import EarshotError, InvalidMedia, Removed
from earshot.storage.catalog.previous_rows import KEEP_TAG
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.video_filter import VideoFilter
from earshot.storage.catalog.videos import Video, mark_ready_if_complete, record_failure, register
from earshot.storage.database import Database
from ingest_assets.definitions import defs
from ingest_assets.operations.backfill import cancel, choose, launch, read_progress, with_below
from ingest_assets.operations.run_failures import QUIET
from ingest_assets.stages import staleness
from ingest_assets.stages.freshness import Version
from ingest_assets.stages.stage import FORCE_TAG
from ingest_assets.stages.versions import expected_versions
from resources.instance.dagster_internals import BACKFILL_ID_TAG, BulkActionStatus, PartitionBackfill, make_new_backfill_id
from sensors import failing_backfills
from sensors.failing_backfills import FIRST, OUTCOME_TAG, stop_if_failing, tell_outcome
from tests.dagster_contract.internals import MAX_RETRIES_TAG
from tests.support.library import run_stage, stored_video

DAYS = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
KEYS = ["c", "a", "b"]  # by their days, oldest first


@pytest.fixture
def ingested(database: Database) -> Database:
    """Three videos of two sources, all current."""
    for key, day in zip(KEYS, DAYS, strict=True):
        source = "https://x/one.xml" if key != "b" else "https://x/two.xml"
        register(database, [Video(key, f"https://x/{key}", source, key.upper(), published_at=day)])
        for stage in STAGES:
            run_stage(database, key, stage, expected_versions()[stage], f"{stage} of {key}")
        mark_ready_if_complete(database, key)
    return database


def outdate(monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    changed = expected_versions() | {stage: Version("99")}
    monkeypatch.setattr(staleness, "expected_versions", lambda: changed)


def chosen(database: Database, stages: Sequence[str], *, stale: bool = False, limit: int | None = None, **filters: Any) -> list:
    plan = choose(database, stages, stale, VideoFilter(**filters), limit)
    return [(stale.video_id, stale.stage) for stale in plan]


# --- choosing ------------------------------------------------------------------------------------------------------------


def test_stages_below_are_included() -> None:
    assert with_below(["transcript"]) == ["transcript", "text_embeddings"]
    assert with_below(["voice_embeddings"]) == ["voice_embeddings"]
    assert with_below(["audio"]) == list(STAGES)


def test_named_stages_of_every_video_newest_first(ingested: Database) -> None:
    below = ["transcript", "text_embeddings"]
    assert chosen(ingested, ["transcript"]) == [(key, stage) for key in ("b", "a", "c") for stage in below]
    plan = choose(ingested, ["transcript"], False, VideoFilter(videos=("a",)))
    assert [stale.took_s for stale in plan] == [10.5, 10.5]


def test_choose_only_stale_stages(ingested: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(ingested, STAGES, stale=True) == []
    outdate(monkeypatch, "voice_embeddings")
    assert chosen(ingested, STAGES, stale=True) == [(key, "voice_embeddings") for key in ("b", "a", "c")]
    assert chosen(ingested, ["transcript"], stale=True) == []


def test_unfinished_stage_is_included(ingested: Database) -> None:
    ingested.query("DELETE FROM stage_outputs WHERE video_id = 'a' AND asset = 'voice_embeddings'")
    assert chosen(ingested, ["voice_embeddings"]) == [(key, "voice_embeddings") for key in ("b", "a", "c")]


@pytest.mark.parametrize(
    ("filters", "keys"),
    [
        ({"sources": ("https://x/one.xml",)}, ["a", "c"]),
        ({"videos": ("b", "c")}, ["b", "c"]),
        ({"languages": ("de",)}, ["a"]),
        ({"since": date(2026, 1, 2)}, ["b", "a"]),
        ({"until": date(2026, 1, 2)}, ["a", "c"]),
        ({"since": date(2026, 1, 2), "until": date(2026, 1, 2)}, ["a"]),
        ({"limit": 2}, ["b", "a"]),
    ],
)
def test_filters_choose_videos(ingested: Database, filters: dict[str, Any], keys: list[str]) -> None:
    ingested.query(
        "INSERT INTO transcripts (video_id, language, language_probability, model, model_revision) "
        "VALUES ('a', 'de', 1, '', '')"
    )
    assert [key for key, _ in chosen(ingested, ["voice_embeddings"], **filters)] == keys


def test_unready_videos_are_left_to_retries(ingested: Database) -> None:
    ingested.query("UPDATE videos SET state = 'failed' WHERE video_id = 'a'")
    assert [key for key, _ in chosen(ingested, ["voice_embeddings"])] == ["b", "c"]


# --- Dagster -------------------------------------------------------------------------------------------------------------


def started(database: Database, instance: DagsterInstance, *stages: str, forced: Sequence[str] = ()) -> str:
    return launch(choose(database, stages, False, VideoFilter()), forced, "a title", database, instance)


def test_backfill_targets_exactly_the_chosen_stages(instance: DagsterInstance, ingested: Database) -> None:
    plan = choose(ingested, ["transcript"], False, VideoFilter())
    plan = [stale for stale in plan if (stale.video_id, stale.stage) != ("a", "transcript")]
    backfill = instance.get_backfill(launch(plan, ["transcript"], "a title", ingested, instance))
    assert backfill is not None
    data = backfill.get_asset_backfill_data(defs.resolve_asset_graph())
    wanted = {
        key.to_user_string(): set(data.target_subset.get_partitions_subset(key).get_partition_keys())
        for key in data.target_subset.asset_keys
    }
    assert wanted == {"transcript": {"b", "c"}, "text_embeddings": {"a", "b", "c"}}
    assert backfill.tags == {"dagster/priority": "-10", FORCE_TAG: "transcript"}
    assert (backfill.title, backfill.status) == ("a title", BulkActionStatus.REQUESTED)


@pytest.mark.usefixtures("ingested")
def test_keep_previous_tags_the_backfill(instance: DagsterInstance) -> None:
    run("transcript", "--keep-previous", "--limit", "1", "--detach")
    [backfill] = instance.get_backfills(limit=1)
    assert backfill.tags[KEEP_TAG] == "true"


def test_content_before_is_kept_for_comparison(instance: DagsterInstance, ingested: Database) -> None:
    backfill_id = started(ingested, instance, "voice_embeddings")
    kept = ingested.query("SELECT video_id, content FROM backfill_before WHERE backfill_id = %s ORDER BY 1", [backfill_id])
    assert [tuple(row.values()) for row in kept] == [(key, f"voice_embeddings of {key}") for key in sorted(KEYS)]


def test_old_backfills_are_deleted_at_next_start(instance: DagsterInstance, ingested: Database) -> None:
    first = started(ingested, instance, "voice_embeddings")
    ingested.query("UPDATE backfills SET started_at = now() - interval '91 days'")
    second = started(ingested, instance, "voice_embeddings")
    assert [row["backfill_id"] for row in ingested.query("SELECT backfill_id FROM backfills")] == [second]
    assert ingested.query("SELECT 1 FROM backfill_before WHERE backfill_id = %s", [first]) == []


def test_unknown_backfill_is_refused(instance: DagsterInstance, ingested: Database) -> None:
    with pytest.raises(EarshotError, match="There is no backfill 'nothing'"):
        read_progress(ingested, instance, "nothing")


def launch_from_ui(instance: DagsterInstance, **selection: Any) -> str:
    """A backfill of assets as the UI launches it; returns its id."""
    backfill = PartitionBackfill.from_asset_partitions(
        backfill_id=make_new_backfill_id(),
        asset_graph=defs.resolve_asset_graph(),
        backfill_timestamp=time.time(),
        tags={},
        dynamic_partitions_store=instance,
        title=None,
        description=None,
        run_config=None,
        **selection,
    )
    instance.add_backfill(backfill)
    return backfill.backfill_id


@pytest.mark.parametrize(
    ("selection", "videos"),
    [({"all_partitions": True, "partition_names": None}, 3), ({"all_partitions": False, "partition_names": ["b"]}, 1)],
)
def test_backfill_from_ui_can_be_watched(
    instance: DagsterInstance, ingested: Database, selection: dict[str, Any], videos: int
) -> None:
    instance.add_dynamic_partitions("videos", KEYS)
    backfill_id = launch_from_ui(instance, asset_selection=[AssetKey("transcript"), AssetKey("text_embeddings")], **selection)
    assert read_progress(ingested, instance, backfill_id).videos == videos
    for _ in range(videos):
        success(instance, backfill_id)
    end(instance, backfill_id, BulkActionStatus.COMPLETED_SUCCESS)
    assert run("--watch", backfill_id).endswith(f"\n{videos} done, 0 failed, in 0:01:00.\n")


def test_backfill_of_a_job_can_be_watched(instance: DagsterInstance, ingested: Database) -> None:
    backfill = PartitionBackfill(
        make_new_backfill_id(), BulkActionStatus.REQUESTED, False, {}, time.time(), partition_names=["a", "b"]
    )
    instance.add_backfill(backfill)
    assert read_progress(ingested, instance, backfill.backfill_id).videos == 2


def test_backfill_without_videos_is_refused(instance: DagsterInstance, ingested: Database) -> None:
    backfill_id = launch_from_ui(instance, asset_selection=[AssetKey("people")], all_partitions=True, partition_names=None)
    with pytest.raises(EarshotError, match="not one over videos"):
        read_progress(ingested, instance, backfill_id)


def test_retried_run_is_not_counted_as_failed(instance: DagsterInstance, ingested: Database) -> None:
    backfill_id = started(ingested, instance, "audio")
    for tags in ({}, {MAX_RETRIES_TAG: "0"}):  # the first is tried once more, the second is not
        instance.report_run_failed(instance.create_run_for_job(succeeds, tags={BACKFILL_ID_TAG: backfill_id, **tags}))
    success(instance, backfill_id)
    progress = read_progress(ingested, instance, backfill_id)
    assert (progress.done, progress.failed, progress.working, progress.videos) == (1, 1, 0, 3)
    assert progress.remaining_s == pytest.approx(progress.since_s / 2)


def test_backfill_is_cancelled_once(instance: DagsterInstance, ingested: Database) -> None:
    backfill_id = started(ingested, instance, "audio")
    cancel(instance, backfill_id)
    assert read_progress(ingested, instance, backfill_id).status == "CANCELING"
    backfill = instance.get_backfill(backfill_id)
    assert backfill is not None
    instance.update_backfill(backfill.with_status(BulkActionStatus.CANCELED))
    with pytest.raises(EarshotError, match="canceled"):
        cancel(instance, backfill_id)


# --- stopping ------------------------------------------------------------------------------------------------------------


@job
def succeeds() -> None: ...


def failed_run(instance: DagsterInstance, backfill_id: str, video: Video, stage: str = "audio") -> str:
    """A real run of this backfill that fails, as `audio` of a missing file does; returns its message."""
    ended = defs.resolve_job_def("ingest_video").execute_in_process(
        instance=instance,
        partition_key=video.video_id,
        asset_selection=[AssetKey(stage)],
        run_config=QUIET,
        tags={BACKFILL_ID_TAG: backfill_id},
        raise_on_error=False,
    )
    [failed] = [event for event in ended.all_events if event.is_step_failure]
    assert failed.step_failure_data.user_failure_data is not None
    return str(failed.step_failure_data.user_failure_data.description)


def success(instance: DagsterInstance, backfill_id: str) -> None:
    assert succeeds.execute_in_process(instance=instance, tags={BACKFILL_ID_TAG: backfill_id}).success


def missing_video(database: Database, instance: DagsterInstance, tmp_path: Path) -> Video:
    video = Video("gone", str(tmp_path / "gone.wav"), str(tmp_path), "Gone")
    register(database, [video])
    instance.add_dynamic_partitions("videos", ["gone"])
    return video


def test_failed_backfill_says_what_failed(instance: DagsterInstance, ingested: Database, tmp_path: Path) -> None:
    backfill_id = started(ingested, instance, "audio")
    success(instance, backfill_id)
    reason = failed_run(instance, backfill_id, missing_video(ingested, instance, tmp_path))
    end(instance, backfill_id, BulkActionStatus.COMPLETED_FAILED)
    backfill = instance.get_backfill(backfill_id)
    assert backfill is not None
    assert tell_outcome(instance, ingested, backfill) == f"{backfill_id}: 1 of 2 videos failed (1 removed)."
    told = instance.get_backfill(backfill_id)
    assert told is not None
    assert told.error is not None
    assert told.error.message == f"1 of 2 videos failed (1 removed); 1 done. See `earshot videos`.\n\ngone: {reason}"
    assert told.tags[OUTCOME_TAG] == "1 of 2 videos failed (1 removed)"
    assert tell_outcome(instance, ingested, told) == ""
    assert read_progress(ingested, instance, backfill_id).error == ""  # it was not stopped


def test_failed_partition_shows_its_reason(instance: DagsterInstance, ingested: Database, tmp_path: Path) -> None:
    message = failed_run(instance, started(ingested, instance, "audio"), missing_video(ingested, instance, tmp_path))
    [record] = instance.fetch_observations(AssetRecordsFilter(AssetKey("audio"), asset_partitions=["gone"]), limit=1).records
    assert record.asset_observation is not None
    assert record.asset_observation.metadata["failed"].value == message


def stopped(instance: DagsterInstance, backfill_id: str) -> bool:
    backfill = instance.get_backfill(backfill_id)
    assert backfill is not None
    return stop_if_failing(instance, backfill)


def test_backfill_stops_when_first_videos_fail_for_one_reason(
    instance: DagsterInstance, ingested: Database, tmp_path: Path
) -> None:
    backfill_id, video = started(ingested, instance, "audio"), missing_video(ingested, instance, tmp_path)
    for _ in range(FIRST - 1):
        failed_run(instance, backfill_id, video)
    assert not stopped(instance, backfill_id)
    failed_run(instance, backfill_id, video)
    assert stopped(instance, backfill_id)
    progress = read_progress(ingested, instance, backfill_id)
    assert (progress.status, progress.failed, progress.ended) == ("FAILING", FIRST, False)
    assert "at audio" in progress.error
    assert "gone.wav" in progress.error


def test_backfill_with_successes_stops_later(
    instance: DagsterInstance, ingested: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failing_backfills, "LATER", FIRST + 2)
    backfill_id, video = started(ingested, instance, "audio"), missing_video(ingested, instance, tmp_path)
    success(instance, backfill_id)
    for _ in range(FIRST + 1):
        failed_run(instance, backfill_id, video)
    assert not stopped(instance, backfill_id)
    failed_run(instance, backfill_id, video)
    assert stopped(instance, backfill_id)


def test_failures_for_several_reasons_do_not_stop(instance: DagsterInstance, ingested: Database, tmp_path: Path) -> None:
    backfill_id, video = started(ingested, instance, "audio"), missing_video(ingested, instance, tmp_path)
    for _ in range(FIRST - 1):
        failed_run(instance, backfill_id, video)
    instance.report_run_failed(instance.create_run_for_job(succeeds, tags={BACKFILL_ID_TAG: backfill_id}))
    assert not stopped(instance, backfill_id)


@pytest.mark.parametrize(
    ("error", "state"), [(Removed("Its site says that it is gone."), "removed"), (InvalidMedia("It is cut off."), "failed")]
)
def test_run_without_audio_keeps_known_state(
    instance: DagsterInstance, ingested: Database, tmp_path: Path, error: EarshotError, state: str
) -> None:
    video = missing_video(ingested, instance, tmp_path)
    record_failure(ingested, video.video_id, error)
    known = stored_video(ingested, video.video_id)
    assert (known.state, known.retry_at) == (state, None)
    message = failed_run(instance, "from the UI", video, "transcript")
    assert str(error) in message
    assert message.endswith("earshot retry gone")
    assert stored_video(ingested, video.video_id) == known


def test_run_without_audio_leaves_new_video_new(instance: DagsterInstance, ingested: Database, tmp_path: Path) -> None:
    video = missing_video(ingested, instance, tmp_path)
    assert "Materialize audio first" in failed_run(instance, "from the UI", video, "transcript")
    assert stored_video(ingested, video.video_id) == video


def test_videos_without_audio_do_not_stop_backfill(instance: DagsterInstance, ingested: Database, tmp_path: Path) -> None:
    backfill_id, video = started(ingested, instance, "audio"), missing_video(ingested, instance, tmp_path)
    for _ in range(FIRST):
        failed_run(instance, backfill_id, video, "transcript")
    assert not stopped(instance, backfill_id)


# --- the command ---------------------------------------------------------------------------------------------------------


def run(*arguments: str) -> str:
    result = CliRunner().invoke(backfill_command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.usefixtures("ingested")
def test_dry_run_prints_forecast_and_starts_nothing(instance: DagsterInstance) -> None:
    before = len(instance.get_backfills())
    _, transcript, passages, total, *_ = run("transcript", "--dry-run").splitlines()
    assert transcript.split()[:3] == ["transcript", "3", "0:00:31"]
    assert passages.split()[:3] == ["text_embeddings", "3", "0:00:31"]
    assert total.startswith("3 videos: 0:01:03 of work")
    assert len(instance.get_backfills()) == before
    assert run("--stale") == "Nothing to do.\n"


@pytest.mark.parametrize(
    ("arguments", "left_out"),
    [
        (["--since", "2026-01-02"], ["2 videos."]),
        (["--until", "2026-01-02", "--video", "c", "--video", "a"], ["1 video."]),
        (["--since", "2026-01-02", "--video", "a"], []),
        ([], []),
    ],
)
@pytest.mark.usefixtures("instance")
def test_undated_videos_left_out_are_counted(ingested: Database, arguments: list[str], left_out: list[str]) -> None:
    ingested.query("UPDATE videos SET published_at = NULL WHERE video_id IN ('b', 'c')")
    lines = run("audio", "--dry-run", *arguments).splitlines()
    assert [line.partition(": ")[2] for line in lines if "date is not known" in line] == left_out


@pytest.mark.usefixtures("instance")
def test_json_plan_reports_undated_videos_on_stderr(ingested: Database) -> None:
    ingested.query("UPDATE videos SET published_at = NULL WHERE video_id = 'b'")
    ended = CliRunner().invoke(backfill_command, ["audio", "--since", "2026-01-02", "--dry-run", "--json"])
    assert {row["video_id"] for row in json.loads(ended.stdout)} == {"a"}
    assert "1 video." in ended.stderr


def test_backfill_without_daemon_waits_for_up(instance: DagsterInstance, ingested: Database) -> None:
    instance.wipe_daemon_heartbeats()
    assert "once `earshot up` is running" in run("audio", "--limit", "1", "--detach")
    assert [backfill.title for backfill in instance.get_backfills(limit=1)] == ["audio"]
    assert ingested.query("SELECT videos FROM backfills") == [{"videos": 1}]


def test_cancelled_backfill_reports_no_failure(instance: DagsterInstance, ingested: Database) -> None:
    backfill_id = started(ingested, instance, "audio")
    success(instance, backfill_id)
    end(instance, backfill_id, BulkActionStatus.CANCELED)
    with pytest.raises(EarshotError, match=r"^2 videos not done: 0 failed") as caught:
        run("--watch", backfill_id)
    assert caught.value.remedy.endswith("earshot backfill --stale")


def test_failed_backfill_reports_number_of_failures(instance: DagsterInstance, ingested: Database, tmp_path: Path) -> None:
    backfill_id, video = started(ingested, instance, "audio"), missing_video(ingested, instance, tmp_path)
    for _ in range(2):
        success(instance, backfill_id)
    failed_run(instance, backfill_id, video)
    end(instance, backfill_id, BulkActionStatus.COMPLETED_FAILED)
    with pytest.raises(EarshotError, match=r"^1 video not done"):
        run("--watch", backfill_id)


def end(instance: DagsterInstance, backfill_id: str, status: BulkActionStatus) -> None:
    backfill = instance.get_backfill(backfill_id)
    assert backfill is not None
    instance.update_backfill(backfill.with_status(status).with_end_timestamp(backfill.backfill_timestamp + 60.0))


@pytest.mark.parametrize("arguments", [[], ["--limit", "3"], ["audio", "--watch", "x"], ["--watch", "x", "--cancel", "x"]])
@pytest.mark.usefixtures("home")
def test_wrong_arguments_are_usage_errors(arguments: list[str]) -> None:
    result = CliRunner().invoke(backfill_command, arguments)
    assert result.exit_code == 2
    assert "Name STAGEs or --stale" in result.output
