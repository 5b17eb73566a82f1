"""The three checks of a stage, and the history they compare with."""

import pytest
from dagster import AssetCheckSeverity, FloatMetadataValue, IntMetadataValue, TextMetadataValue

from earshot.common.errors import Misconfigured
from earshot.models.registry import COMMUNITY_1, MINILM, Floor
from earshot.storage.database import Database
from earshot.timings.baseline import SPREAD_WINDOW, Level
from earshot.timings.history import RECENT, History, Past, accept_speed, read_history
from earshot.timings.judgement import CHECKS, CheckOutcome, evaluate
from earshot.timings.timing import Timing
from ingest_assets.jobs import video_assets
from ingest_assets.stages.checks import check_result, check_specs
from tests.support.timing_rows import keep, usual

ASSET = "text_embeddings"


def history(*timings: Timing) -> History:
    return History(tuple(Past(timing, Level.OK) for timing in timings))


HEALTHY = history(*[usual()] * 20)


def examined(now: Timing, past: History = HEALTHY, floors: tuple[Floor, ...] = ()) -> dict[str, CheckOutcome]:
    return {finding.check: finding for finding in evaluate(ASSET, now, past, floors).findings}


def test_healthy_stage_passes_all_checks() -> None:
    found = examined(usual())
    assert list(found) == list(CHECKS)
    assert not any(finding.level.flagged for finding in found.values())
    assert (found["regression"].ratio, found["regression"].videos) == (pytest.approx(1.0), 20)


# --- device --------------------------------------------------------------------------------------------------------------


def test_other_device_is_an_error_at_any_speed() -> None:
    found = examined(usual(device="cpu", device_name="a processor", wall_s=0.1, compute_s=0.1))["device"]
    assert (found.level, found.cause) == (Level.ERROR, "device")
    assert "a processor" in found.message


# --- floor ---------------------------------------------------------------------------------------------------------------


def test_known_regression_is_below_floor_on_first_video() -> None:
    """64.5 texts a second of 379 texts, without a history."""
    now = usual(items=379.0, inputs=379.0, compute_s=379 / 64.5, wall_s=6.0)
    found = examined(now, History(()), MINILM.floors)["floor"]
    assert found.level is Level.ERROR
    assert found.ratio == pytest.approx(300 / 64.5)


def test_stage_on_cpu_is_judged_by_floor_of_requested_device() -> None:
    now = usual(device="cpu", device_name="a processor", items=379.0, compute_s=6.0)
    found = examined(now, History(()), MINILM.floors)["floor"]
    assert (found.level, found.cause) == (Level.ERROR, "device")


# Three texts, by rounding; and eight in 1.4 s, the first of a process on an H200, which loads its kernels then.
@pytest.mark.parametrize(("texts", "compute_s"), [(3.0, 0.1), (8.0, 1.4)])
def test_few_texts_are_not_below_floor(texts: float, compute_s: float) -> None:
    now = usual(items=texts, inputs=texts, compute_s=compute_s)
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
def test_unknown_floor_is_not_evaluated(now: Timing, floors: tuple[Floor, ...]) -> None:
    found = examined(now, History(()), floors)["floor"]
    assert found.level is Level.NOT_EVALUATED


def test_floor_in_real_time_is_compared_with_audio() -> None:
    for compute_s, level in ((200.0, Level.ERROR), (40.0, Level.OK)):
        now = usual(device_name="NVIDIA H100 80GB", audio_s=3600.0, compute_s=compute_s)
        assert examined(now, History(()), COMMUNITY_1.floors)["floor"].level is level


# --- regression ----------------------------------------------------------------------------------------------------------


def test_slow_stage_message_has_ratio_baseline_and_cause() -> None:
    found = examined(usual(wall_s=52.5, compute_s=52.0, batch_mean=1.0))["regression"]
    assert (found.level, found.cause) == (Level.ERROR, "batch_size")
    assert "52.5 s for 300 inputs, 5.0 times the 10.5 s expected" in found.message
    assert "batch_size - 1.0 inputs" in found.message


def test_more_items_per_second_is_a_warning_not_slowness() -> None:
    now = usual(wall_s=42.0, compute_s=41.5, inputs=1200.0, items=1200.0, cpu_s=44.0, io_s=0.8)
    evaluation = evaluate(ASSET, now, HEALTHY, ())
    found = evaluation.findings[-1]
    assert (found.level, found.cause) == (Level.WARN, "more_items")
    assert "4.0 times as much" in found.message
    assert evaluation.speed is Level.OK


def test_stage_without_inputs_is_not_evaluated() -> None:
    assert examined(usual(inputs=0.0, wall_s=500.0))["regression"].level is Level.NOT_EVALUATED


# --- history -------------------------------------------------------------------------------------------------------------


def test_history_has_comparable_timings_in_order(database: Database) -> None:
    for wall_s in (1.0, 2.0, 3.0):
        keep(database, ASSET, usual(wall_s=wall_s))
    keep(database, "transcript", usual(wall_s=9.0))
    keep(database, ASSET, usual(wall_s=9.0, inputs=0.0))
    for key in ("model", "model_revision", "device", "device_name", "compute_type"):
        keep(database, ASSET, usual(wall_s=9.0, **{key: "other"}))
    found = read_history(database, ASSET, usual())
    assert [past.timing.wall_s for past in found.comparable] == [1.0, 2.0, 3.0]
    assert found.changed == ""


def test_other_batch_size_has_same_history(database: Database) -> None:
    keep(database, ASSET, usual())
    assert len(read_history(database, ASSET, usual(batch_size=1.0)).comparable) == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [("model", "bge-m3"), ("device_name", "NVIDIA H200"), ("compute_type", "float16"), ("model_revision", "x")],
)
def test_changed_model_or_device_starts_new_baseline(database: Database, key: str, value: str) -> None:
    for _ in range(20):
        keep(database, ASSET, usual())
    now = usual(wall_s=99.0, **{key: value})
    found = evaluate(ASSET, now, read_history(database, ASSET, now), ()).findings[-1]
    assert found.level is Level.NOT_EVALUATED
    assert f"{key} was {getattr(usual(), key)}, is {value}" in found.message


def test_lasting_slowness_never_becomes_baseline(database: Database) -> None:
    for _ in range(10):
        keep(database, ASSET, usual(), speed="ok")
    for _ in range(SPREAD_WINDOW + 10):
        keep(database, ASSET, usual(wall_s=50.0), speed="error")
    found = read_history(database, ASSET, usual())
    assert len(found.comparable) == 10 + RECENT
    finding = evaluate(ASSET, usual(wall_s=50.0), found, ()).findings[-1]
    assert finding.level is Level.ERROR
    assert finding.expected_s == pytest.approx(10.5)


def test_accepted_speed_starts_new_baseline(database: Database) -> None:
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


def test_accepting_stage_without_timings_is_refused(database: Database) -> None:
    with pytest.raises(Misconfigured, match="'nonsense' has no timings"):
        accept_speed(database, "nonsense")


# --- as Dagster sees them ------------------------------------------------------------------------------------------------


def test_every_asset_declares_three_unpartitioned_checks() -> None:
    for asset in video_assets:
        specs = list(asset.check_specs)
        assert [spec.name for spec in specs] == ["device", "floor", "regression"]
        assert all(spec.partitions_def is None for spec in specs)  # in preview, and too slow with many videos
        assert not any(spec.blocking for spec in specs)  # the results of a slow stage are good
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
def test_outcome_becomes_check_result(level: Level, passed: bool, severity: AssetCheckSeverity) -> None:
    result = check_result(CheckOutcome("regression", level, "message", "device", 2.0, 1.0, 20), "v1")
    assert (result.passed, result.severity) == (passed, severity)
    assert (result.description, result.check_name) == ("message", "regression")
    assert result.metadata["video_id"].value == "v1"


def test_check_metadata_always_has_same_keys_and_types() -> None:
    texts, numbers = ("video_id", "verdict", "cause"), ("ratio", "expected_s")
    types = dict.fromkeys(texts, TextMetadataValue) | dict.fromkeys(numbers, FloatMetadataValue) | {"videos": IntMetadataValue}
    passed = CheckOutcome("floor", Level.NOT_EVALUATED, "message")
    for outcome in (passed, CheckOutcome("floor", Level.ERROR, "message", "device", 2.0, 1.0, 20)):
        metadata = check_result(outcome, "v1").metadata
        assert {key: type(value) for key, value in metadata.items()} == types
