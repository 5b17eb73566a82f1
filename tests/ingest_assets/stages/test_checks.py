"""The three checks of a stage, the history they are held against, and what is kept of both."""

import pytest
from dagster import AssetCheckSeverity, FloatMetadataValue, TextMetadataValue

from earshot.common.errors import Misconfigured
from earshot.models.registry import COMMUNITY_1, MINILM, Floor
from earshot.storage.database import Database
from earshot.timings.baseline import SPREAD_WINDOW, Level
from earshot.timings.history import RECENT, History, Past, accept_speed, read_history
from earshot.timings.judgement import CHECKS, CheckOutcome, Evaluation, evaluate
from earshot.timings.timing import Timing
from ingest_assets.jobs import video_assets
from ingest_assets.stages.checks import check_result, check_specs
from tests.support.timing_rows import keep, usual

ASSET = "text_embeddings"


def history(*timings: Timing) -> History:
    return History(tuple(Past(timing, Level.OK) for timing in timings))


HEALTHY = history(*[usual()] * 20)


def examined(now: Timing, past: History = HEALTHY, floors: tuple[Floor, ...] = ()) -> dict[str, CheckOutcome]:
    examination = evaluate(ASSET, now, past, floors)
    assert isinstance(examination, Evaluation)
    return {finding.check: finding for finding in examination.findings}


def test_healthy_stage_passes_all_checks_and_names_its_baseline() -> None:
    found = examined(usual())
    assert list(found) == list(CHECKS)
    assert not any(finding.level.flagged for finding in found.values())
    assert "1.0 times the 10.5 s expected from the median of 20 videos" in found["regression"].message


# --- device ---------------------------------------------------------------------------------------------------------------


def test_a_stage_that_ran_elsewhere_is_an_error_at_whatever_speed() -> None:
    found = examined(usual(device="cpu", device_name="a processor", wall_s=0.1, compute_s=0.1))["device"]
    assert (found.level, found.cause) == (Level.ERROR, "device")
    assert found.message == "text_embeddings was asked to run on cuda and ran on cpu (a processor)."


# --- floor ----------------------------------------------------------------------------------------------------------------


def test_known_regression_is_below_floor_on_first_video() -> None:
    """64.5 texts a second of 379 texts, nothing known from before."""
    now = usual(items=379.0, inputs=379.0, compute_s=379 / 64.5, wall_s=6.0)
    found = examined(now, History(()), MINILM.floors)["floor"]
    assert found.level is Level.ERROR
    assert "64.5 items/s" in found.message
    assert "the floor is 300" in found.message
    assert found.ratio == pytest.approx(300 / 64.5)


def test_stage_on_cpu_is_judged_by_floor_of_requested_device() -> None:
    now = usual(device="cpu", device_name="a processor", items=379.0, compute_s=6.0)
    found = examined(now, History(()), MINILM.floors)["floor"]
    assert (found.level, found.cause) == (Level.ERROR, "device")


def test_a_few_texts_are_not_below_the_floor_by_rounding() -> None:
    now = usual(items=3.0, inputs=3.0, compute_s=0.1)
    assert examined(now, History(()), MINILM.floors)["floor"].level is Level.OK


def test_kernels_that_a_gpu_loads_at_first_use_are_not_below_the_floor() -> None:
    """Eight texts in 1.4 s: a process' first on an H200."""
    now = usual(items=8.0, inputs=8.0, compute_s=1.4)
    assert examined(now, History(()), MINILM.floors)["floor"].level is Level.OK


@pytest.mark.parametrize(
    ("now", "floors"),
    [
        (usual(device="cpu", device_asked="cpu"), MINILM.floors),
        (usual(device_name="NVIDIA GeForce RTX 3060"), COMMUNITY_1.floors),
        (usual(), ()),
        (usual(inputs=0.0), MINILM.floors),
    ],
)
def test_where_no_floor_is_known_none_is_claimed(now: Timing, floors: tuple[Floor, ...]) -> None:
    found = examined(now, History(()), floors)["floor"]
    assert found.level is Level.NOT_EVALUATED
    assert "No floor is known" in found.message


def test_a_floor_in_real_time_is_held_against_the_audio() -> None:
    now = usual(device_name="NVIDIA H100 80GB", audio_s=3600.0, compute_s=200.0)
    found = examined(now, History(()), COMMUNITY_1.floors)["floor"]
    assert found.level is Level.ERROR
    assert "18.0 x real time" in found.message
    assert (
        examined(usual(device_name="NVIDIA H100", audio_s=3600.0, compute_s=40.0), History(()), COMMUNITY_1.floors)[
            "floor"
        ].level
        is Level.OK
    )


# --- regression -----------------------------------------------------------------------------------------------------------


def test_slow_stage_message_has_ratio_baseline_and_cause() -> None:
    found = examined(usual(wall_s=52.5, compute_s=52.0, batch_mean=1.0))["regression"]
    assert (found.level, found.cause) == (Level.ERROR, "batch_size")
    assert "text_embeddings took 52.5 s for 300 inputs, 5.0 times the 10.5 s expected" in found.message
    assert "batch_size - 1.0 inputs per model call" in found.message


def test_more_to_do_per_second_of_audio_is_a_warning_and_no_slowness() -> None:
    now = usual(wall_s=42.0, compute_s=41.5, inputs=1200.0, items=1200.0, cpu_s=44.0, io_s=0.8)
    examination = evaluate(ASSET, now, HEALTHY, ())
    found = examination.findings[-1]
    assert (found.level, found.cause) == (Level.WARN, "more_items")
    assert "4.0 times as much to do per second of audio" in found.message
    assert examination.speed is Level.OK


def test_what_was_all_there_already_is_not_judged() -> None:
    found = examined(usual(inputs=0.0, wall_s=500.0))["regression"]
    assert found.level is Level.NOT_EVALUATED
    assert "nothing to compute" in found.message


# --- history --------------------------------------------------------------------------------------------------------------


def test_the_history_holds_what_is_comparable_oldest_first(database: Database) -> None:
    for wall_s in (1.0, 2.0, 3.0):
        keep(database, ASSET, usual(wall_s=wall_s))
    keep(database, "transcript", usual(wall_s=9.0))
    keep(database, ASSET, usual(wall_s=9.0, inputs=0.0))
    for key in ("model", "model_revision", "device", "device_name", "compute_type"):
        keep(database, ASSET, usual(wall_s=9.0, **{key: "other"}))
    found = read_history(database, ASSET, usual())
    assert [past.timing.wall_s for past in found.comparable] == [1.0, 2.0, 3.0]
    assert found.changed == ""


def test_another_batch_size_is_held_against_the_same_history(database: Database) -> None:
    keep(database, ASSET, usual())
    assert len(read_history(database, ASSET, usual(batch_size=1.0)).comparable) == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [("model", "bge-m3"), ("device_name", "NVIDIA H200"), ("compute_type", "float16"), ("model_revision", "x")],
)
def test_a_changed_model_or_device_begins_a_new_baseline_and_says_so(database: Database, key: str, value: str) -> None:
    for _ in range(20):
        keep(database, ASSET, usual())
    now = usual(wall_s=99.0, **{key: value})
    found = evaluate(ASSET, now, read_history(database, ASSET, now), ()).findings[-1]
    assert found.level is Level.NOT_EVALUATED
    assert f"A new baseline began: {key} was {getattr(usual(), key)}, is {value}." in found.message


def test_a_slowness_that_lasts_never_becomes_the_baseline(database: Database) -> None:
    for _ in range(10):
        keep(database, ASSET, usual(), speed="ok")
    for _ in range(SPREAD_WINDOW + 10):
        keep(database, ASSET, usual(wall_s=50.0), speed="error")
    found = read_history(database, ASSET, usual())
    assert len(found.comparable) == 10 + RECENT
    finding = evaluate(ASSET, usual(wall_s=50.0), found, ()).findings[-1]
    assert finding.level is Level.ERROR
    assert finding.expected_s == pytest.approx(10.5)


def test_an_accepted_speed_is_the_new_normal(database: Database) -> None:
    for _ in range(10):
        keep(database, ASSET, usual(), speed="ok")
    keep(database, "transcript", usual())
    assert accept_speed(database, ASSET) == 10
    found = read_history(database, ASSET, usual(wall_s=50.0))
    assert found.comparable == ()
    assert "accepted as the new normal" in found.changed
    assert len(read_history(database, "transcript", usual()).comparable) == 1
    keep(database, ASSET, usual(wall_s=50.0))
    assert len(read_history(database, ASSET, usual()).comparable) == 1


def test_to_accept_a_stage_without_timings_is_refused(database: Database) -> None:
    with pytest.raises(Misconfigured, match="'nonsense' has no timings"):
        accept_speed(database, "nonsense")


# --- as Dagster sees them -------------------------------------------------------------------------------------------------


def test_every_asset_declares_the_three_checks_without_partitions() -> None:
    for asset in video_assets:
        specs = list(asset.check_specs)
        assert [spec.name for spec in specs] == ["device", "floor", "regression"]
        assert all(spec.partitions_def is None for spec in specs)  # in preview, and unbearable with many videos
        assert not any(spec.blocking for spec in specs)  # a slow stage's results are good
    assert [spec.name for spec in check_specs("audio")] == list(CHECKS)


@pytest.mark.parametrize(
    ("level", "passed", "severity"),
    [
        (Level.OK, True, AssetCheckSeverity.ERROR),
        (Level.NOT_EVALUATED, True, AssetCheckSeverity.ERROR),
        (Level.WARN, False, AssetCheckSeverity.WARN),
        (Level.ERROR, False, AssetCheckSeverity.ERROR),
    ],
)
def test_a_finding_becomes_a_check_result(level: Level, passed: bool, severity: AssetCheckSeverity) -> None:
    told = check_result(CheckOutcome("regression", level, "said", "device", 2.0, 1.0, 20), "v1")
    assert (told.passed, told.severity, told.description, told.check_name) == (passed, severity, "said", "regression")
    assert told.metadata["video_id"].value == "v1"


def test_check_metadata_always_has_same_keys_and_types() -> None:
    for finding in (
        CheckOutcome("floor", Level.NOT_EVALUATED, "said"),
        CheckOutcome("floor", Level.ERROR, "said", "device", 2.0, 1.0, 20),
    ):
        metadata = check_result(finding, "v1").metadata
        assert {key: type(value) for key, value in metadata.items()} == {
            "video_id": TextMetadataValue,
            "verdict": TextMetadataValue,
            "cause": TextMetadataValue,
            "ratio": FloatMetadataValue,
            "expected_s": FloatMetadataValue,
            "videos": FloatMetadataValue,
        }
