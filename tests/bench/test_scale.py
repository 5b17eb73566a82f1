"""The library that bench.scale.scale measures: to Dagster and to Earshot, copies of a real video look like videos that ran."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from dagster import (
    AssetCheckKey,
    AssetKey,
    AssetMaterialization,
    AssetRecordsFilter,
    DagsterInstance,
    DagsterRunStatus,
    RunsFilter,
)

from bench.corpora.composed import write_first
from bench.harness.pages import Load, Question, slowest
from bench.pipeline.ingesting import measure
from bench.scale import scale
from bench.scale.big_library import copy_video
from bench.scale.scale import calls_of
from earshot.storage.catalog.stages import STAGES
from earshot.storage.database import Database
from earshot.storage.locks import PARTITION_TAG
from ingest_assets.partitions import videos
from ingest_assets.stages.staleness import find_stale
from resources.instance.home import open_instance
from sensors.new_uploads import new_uploads
from tests.support.sensor_daemon import Daemon

COPIES = 50


@dataclass(frozen=True)
class Copied:
    """A library of one real video and its copies; the real one's run."""

    database: Database
    instance: DagsterInstance
    run_id: str


@pytest.fixture(scope="module")
def copied(library: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copied]:
    folder = tmp_path_factory.mktemp("copied")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EARSHOT_SOURCES", str(folder / "sources.yaml"))
        rows = measure(write_first(folder)).rows
        copy_video(COPIES, passages=500)
        yield Copied(library, open_instance(), rows[0]["run_id"])


def run_of(copied: Copied, video_id: str) -> str:
    [run] = copied.instance.get_runs(RunsFilter(tags={PARTITION_TAG: video_id}))
    assert run.status == DagsterRunStatus.SUCCESS
    return run.run_id


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_dagster_counts_every_copy_as_materialized(copied: Copied, stage: str) -> None:
    done = copied.instance.get_materialized_partitions(AssetKey(stage))
    copies = {partition for partition in copied.instance.get_dynamic_partitions(str(videos.name)) if partition in done}
    assert {f"copy-{n:07d}" for n in range(1, COPIES + 1)} <= copies
    assert len(copies) == COPIES + 1


@pytest.mark.slow
def test_run_of_a_copy_has_the_events_of_the_real_run(copied: Copied) -> None:
    run_id = run_of(copied, "copy-0000007")
    copy, real = copied.instance.all_logs(run_id), copied.instance.all_logs(copied.run_id)
    assert [(e.step_key, e.dagster_event_type) for e in copy] == [(e.step_key, e.dagster_event_type) for e in real]
    assert {e.run_id for e in copy} == {run_id}
    assert {e.dagster_event.partition for e in copy if e.dagster_event and e.dagster_event.partition} == {"copy-0000007"}
    shifts = {round(copied_event.timestamp - event.timestamp, 3) for copied_event, event in zip(copy, real, strict=True)}
    assert shifts == {-60.0 * (COPIES - 7)}


@pytest.mark.slow
def test_checks_of_a_copy_target_its_own_materialization(copied: Copied) -> None:
    log = copied.instance.event_log_storage
    key = AssetKey("transcript")
    of_copy = AssetRecordsFilter(key, asset_partitions=["copy-0000007"])
    [materialization] = copied.instance.fetch_materializations(of_copy, limit=2).records
    [check] = [
        record
        for record in log.get_asset_check_execution_history(AssetCheckKey(key, "floor"), limit=1000)
        if record.run_id == run_of(copied, "copy-0000007")
    ]
    assert check.event is not None
    assert check.event.dagster_event is not None
    target = check.event.dagster_event.asset_check_evaluation_data.target_materialization_data
    assert target is not None
    assert (target.storage_id, target.run_id) == (materialization.storage_id, materialization.run_id)
    assert target.timestamp == pytest.approx(materialization.timestamp, abs=1e-3)


@pytest.mark.slow
def test_copies_are_current_and_distinct(copied: Copied) -> None:
    assert find_stale(copied.database) == []
    [counted] = copied.database.query(
        "SELECT count(DISTINCT video_id) AS videos, count(*) AS passages, count(DISTINCT embedding) AS vectors FROM passages"
    )
    assert counted["videos"] == COPIES + 1
    assert counted["passages"] == counted["vectors"] == 501
    [left] = copied.database.query("SELECT count(DISTINCT content) AS contents, count(*) AS stages FROM stage_outputs")
    assert left["contents"] == left["stages"] == 5 * (COPIES + 1)


@pytest.mark.slow
def test_sources_have_nothing_new(copied: Copied) -> None:
    assert Daemon(new_uploads, copied.instance, copied.database).tick() == []
    listed = copied.database.query("SELECT count(*) AS videos FROM source_videos WHERE decision = 'wanted'")
    assert listed == [{"videos": COPIES}]


@pytest.mark.slow
def test_new_events_are_numbered_after_the_copies(copied: Copied) -> None:
    copied.instance.report_runless_asset_event(AssetMaterialization("transcript", partition="copy-0000001"))
    newest = copied.instance.fetch_materializations(AssetKey("transcript"), limit=1).records[0]
    assert newest.partition_key == "copy-0000001"
    assert newest.run_id == ""


def test_command_is_measured_with_memory_and_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "EARSHOT", "/bin/echo")
    calls = calls_of(["ten bytes"], tmp_path / "output")
    assert (calls["of"], calls["printed_mb"]) == (3, 1e-5)
    assert 0 < calls["peak_mb"] < 100
    monkeypatch.setattr(scale, "EARSHOT", "/bin/false")
    with pytest.raises(RuntimeError, match="earshot nothing"):
        calls_of(["nothing"], tmp_path / "output")


def test_slowest_of_each_question_is_shown() -> None:
    loads = [
        Load(1.0, (Question("A", 0.5, 10), Question("B", 0.2, 10))),
        Load(1.0, (Question("A", 0.7, 20), Question("C", 0.6, 10))),
    ]
    assert slowest(loads, 2) == [Question("A", 0.7, 20), Question("C", 0.6, 10)]
