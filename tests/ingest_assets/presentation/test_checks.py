"""The three checks of a stage, and the history they compare with."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from dagster import AssetCheckSeverity, FloatMetadataValue, IntMetadataValue, TextMetadataValue

from earshot.common.errors import Misconfigured
from earshot.models.registry import COMMUNITY_1, MINILM, Floor
from earshot.storage.database import Database
from earshot.timings.baseline import NEW_LEVEL_VIDEOS, SPREAD_WINDOW, Level
from earshot.timings.causes.remedies import remedy_of
from earshot.timings.history import RECENT, Follow, History, Past, accept_speed, follow, read_history
from earshot.timings.judgement import CHECKS, CheckOutcome, evaluate
from earshot.timings.timing import Timing
from ingest_assets.jobs import video_assets
from ingest_assets.presentation.checks import check_result, check_specs
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
    assert "52.3 s for 300 inputs, 5.1 times the 10.3 s expected" in found.message
    assert "batch_size - 1.0 inputs" in found.message


def test_more_items_per_second_is_a_warning_not_slowness() -> None:
    now = usual(wall_s=42.0, compute_s=41.5, inputs=1200.0, items=1200.0, cpu_s=44.0)
    evaluation = evaluate(ASSET, now, HEALTHY, ())
    found = evaluation.findings[-1]
    assert (found.level, found.cause) == (Level.WARN, "more_items")
    assert "4.0 times as much" in found.message
    assert evaluation.speed is Level.OK


SHORT = usual(audio_s=30.0, wall_s=2.72, compute_s=2.7, io_s=0.02, inputs=1.0, items=9.0)


def test_late_store_is_an_error_by_the_seconds_lost() -> None:
    """A clip of 30 s whose audio came six seconds late."""
    found = examined(replace(SHORT, wall_s=8.72, io_s=6.02), history(*[SHORT] * 20))["regression"]
    assert (found.level, found.cause) == (Level.ERROR, "io_wait")
    assert "6.0 s went into reading" in found.message


IN_PARTS = replace(SHORT, store_s=0.01, database_s=0.01, network_s=0.0)


@pytest.mark.parametrize(
    ("key", "cause", "place"),
    [
        ("store_s", "store_wait", "the media store"),
        ("database_s", "database_wait", "the database"),
        ("network_s", "network_wait", "the download"),
    ],
)
def test_cause_of_a_wait_names_what_was_slow(key: str, cause: str, place: str) -> None:
    now = replace(IN_PARTS, wall_s=8.72, io_s=6.02, **{key: 6.0})
    found = examined(now, history(*[IN_PARTS] * 20))["regression"]
    assert (found.level, found.cause) == (Level.ERROR, cause)
    assert f"6.0 s went into {place}; usual 0.0 s" in found.message
    assert remedy_of(cause) != remedy_of("unknown")


@pytest.mark.parametrize(
    ("now", "past"),
    [
        (replace(IN_PARTS, wall_s=8.72, io_s=6.02, store_s=6.0), SHORT),
        (replace(SHORT, wall_s=8.72, io_s=6.02), IN_PARTS),
        (replace(IN_PARTS, wall_s=8.72, io_s=6.03, store_s=2.01, database_s=2.01, network_s=2.01), IN_PARTS),
    ],
    ids=["no usual parts", "no parts now", "all parts grew"],
)
def test_cause_of_a_wait_is_general_without_proof(now: Timing, past: Timing) -> None:
    found = examined(now, history(*[past] * 20))["regression"]
    assert (found.level, found.cause) == (Level.ERROR, "io_wait")


def test_waiting_does_not_hide_in_a_long_stage() -> None:
    evaluation = evaluate(ASSET, usual(wall_s=20.5, io_s=10.2), HEALTHY, ())
    assert (evaluation.speed, evaluation.waiting) == (Level.OK, Level.ERROR)
    assert evaluation.findings[-1].cause == "io_wait"
    assert evaluation.expected_s == evaluate(ASSET, usual(), HEALTHY, ()).expected_s  # of computing, also if the wait is shown


def test_nothing_is_usual_without_a_history() -> None:
    assert evaluate(ASSET, usual(), History(()), ()).expected_s is None


def test_longer_recording_may_wait_longer() -> None:
    past = history(*[usual(io_s=2.0)] * 20)
    assert examined(usual(audio_s=6000.0, wall_s=103.0, io_s=20.0, inputs=3000.0), past)["regression"].level is Level.OK
    assert examined(usual(wall_s=30.3, io_s=20.0), past)["regression"].level is Level.ERROR


def test_worst_of_two_verdicts_is_shown() -> None:
    found = examined(usual(wall_s=16.6 + 9.0, compute_s=16.0, io_s=9.2))["regression"]
    assert (found.level, found.cause) == (Level.ERROR, "io_wait")


def test_second_window_of_a_short_recording_is_no_more_work() -> None:
    past = history(*[SHORT] * 20)
    assert examined(replace(SHORT, audio_s=35.0, wall_s=5.42, inputs=2.0), past)["regression"].level is Level.OK
    assert examined(replace(SHORT, audio_s=35.0, wall_s=10.82, inputs=4.0), past)["regression"].level is Level.WARN


def test_amount_is_compared_between_similar_lengths() -> None:
    """A window of 10 s every 2 s: seven in 21 s, but 1796 in an hour."""
    past = history(*[replace(SHORT, audio_s=21.0, inputs=7.0)] * 20)
    hour = replace(SHORT, audio_s=3600.0, inputs=1796.0, wall_s=697.0, compute_s=696.0)
    assert examined(hour, past)["regression"].level is Level.OK


@pytest.mark.parametrize(("load_s", "level"), [(2.0, Level.OK), (0.0, Level.WARN)])
def test_kernels_of_first_use_are_not_slowness(load_s: float, level: Level) -> None:
    past = history(*[usual(wall_s=0.3, io_s=0.2)] * 20)
    assert examined(usual(wall_s=1.7 + load_s, io_s=0.2, load_s=load_s), past)["regression"].level is level


# --- a busy or slower machine --------------------------------------------------------------------------------------------

BUSY = usual(wall_s=40.0, compute_s=39.5, cpu_s=11.0, cpu_wait_s=40.0)


def test_busy_machine_is_a_warning_reported_once() -> None:
    first = evaluate(ASSET, BUSY, HEALTHY, ())
    assert (first.speed, first.cause) == (Level.ERROR, "machine_busy")
    assert (first.findings[-1].level, first.findings[-1].cause) == (Level.WARN, "machine_busy")
    second = evaluate(ASSET, BUSY, replace(HEALTHY, busy_reported=True), ())
    assert (second.speed, second.findings[-1].level) == (Level.ERROR, Level.OK)
    assert "Reported already" in second.findings[-1].message


def test_busy_machine_does_not_hide_a_slow_stage() -> None:
    """It waited for a CPU for half of the excess, and was twice as slow without it."""
    now = usual(wall_s=62.0, compute_s=61.5, cpu_s=30.0, cpu_wait_s=30.0)
    found = evaluate(ASSET, now, replace(HEALTHY, busy_reported=True), ()).findings[-1]
    assert (found.level, found.cause) == (Level.ERROR, "machine_busy")


def test_busy_machine_is_reported_again_after_a_day(database: Database) -> None:
    failed = (
        "INSERT INTO check_failures (recorded_at, video_id, asset, check_name, severity, cause, message, run_id) "
        "VALUES (now() - %s * interval '1 hour', 'v1', %s, 'regression', 'warn', 'machine_busy', 'Slow.', 'r')"
    )
    database.query(failed, [25.0, ASSET])
    assert not read_history(database, ASSET, usual()).busy_reported
    database.query(failed, [23.0, ASSET])
    assert read_history(database, ASSET, usual()).busy_reported
    assert not read_history(database, "transcript", usual()).busy_reported


NOON = datetime(2026, 5, 1, 12)


def slower(videos: int, code: str = "old", cause: str = "unknown", hours: float = 1.0) -> tuple[Past, ...]:
    slow, later = usual(wall_s=25.0, compute_s=24.8, cpu_s=25.0), NOON + timedelta(hours=hours)
    return tuple(
        Past(slow, Level.ERROR, cause=cause, code=(code,), timing_id=100 + number, recorded_at=later)
        for number in range(videos)
    )


NORMAL = tuple(Past(usual(), Level.OK, code=("old",), timing_id=number, recorded_at=NOON) for number in range(1, 21))
SLOW = usual(wall_s=25.0, compute_s=24.8, cpu_s=25.0)
LATE = usual(wall_s=16.5, io_s=6.2, store_s=6.1, database_s=0.1, network_s=0.0)


def waited(videos: int, code: str = "old") -> tuple[Past, ...]:
    later = NOON + timedelta(hours=1)
    return tuple(
        Past(LATE, Level.OK, Level.ERROR, code=(code,), timing_id=100 + number, recorded_at=later) for number in range(videos)
    )


@pytest.mark.parametrize("slow", [slower(NEW_LEVEL_VIDEOS), slower(NEW_LEVEL_VIDEOS, cause="machine_busy", hours=25.0)])
def test_baseline_follows_a_slower_machine_and_says_so(slow: tuple[Past, ...]) -> None:
    evaluation = evaluate(ASSET, SLOW, History((*NORMAL, *slow)), ())
    found = evaluation.findings[-1]
    assert (found.level, found.cause) == (Level.WARN, "baseline_followed")
    assert "2.4 times as long" in found.message
    assert (evaluation.speed, evaluation.follow) == (Level.OK, Follow("speed", after=99, until=99 + NEW_LEVEL_VIDEOS))


def test_baseline_of_waiting_follows_a_slower_store_and_says_so() -> None:
    normal = [replace(past, timing=replace(past.timing, store_s=0.1, database_s=0.1, network_s=0.0)) for past in NORMAL]
    evaluation = evaluate(ASSET, LATE, History((*normal, *waited(NEW_LEVEL_VIDEOS))), ())
    found = evaluation.findings[-1]
    assert (found.level, found.cause) == (Level.WARN, "baseline_followed")
    assert "waited 31.0 times as long as before for 10 videos" in found.message
    assert "6.1 s went into the media store; usual 0.1 s" in found.message
    assert (evaluation.waiting, evaluation.follow) == (Level.OK, Follow("waiting", after=99, until=99 + NEW_LEVEL_VIDEOS))


def test_baseline_of_waiting_does_not_follow_changed_code() -> None:
    evaluation = evaluate(ASSET, LATE, History((*NORMAL, *waited(NEW_LEVEL_VIDEOS, code="new"))), ())
    assert (evaluation.findings[-1].level, evaluation.follow) == (Level.ERROR, None)


@pytest.mark.parametrize(
    "past",
    [
        slower(NEW_LEVEL_VIDEOS - 2),
        slower(NEW_LEVEL_VIDEOS, code="new"),
        slower(NEW_LEVEL_VIDEOS, cause="batch_size"),
        slower(NEW_LEVEL_VIDEOS, cause="machine_busy", hours=23.0),
    ],
    ids=["too few videos", "changed code", "fault of the process", "busy for less than a day"],
)
def test_baseline_does_not_follow_without_proof(past: tuple[Past, ...]) -> None:
    evaluation = evaluate(ASSET, SLOW, History((*NORMAL, *past)), ())
    assert (evaluation.findings[-1].level, evaluation.follow) == (Level.ERROR, None)


@pytest.mark.parametrize(("slow", "verdict", "other"), [(SLOW, "speed", "waiting"), (LATE, "waiting", "speed")])
def test_followed_baseline_has_the_slow_videos(database: Database, slow: Timing, verdict: str, other: str) -> None:
    for _ in range(20):
        keep(database, ASSET, usual(), speed="ok", waiting="ok")
    for _ in range(NEW_LEVEL_VIDEOS):
        keep(database, ASSET, slow, **{verdict: "error", other: "ok"})
    evaluation = evaluate(ASSET, slow, read_history(database, ASSET, slow), ())
    assert evaluation.follow is not None
    with database.connect() as connection:
        follow(connection, ASSET, evaluation.follow)
    after = read_history(database, ASSET, slow)
    counted = [past.timing for past in after.comparable if not getattr(past, verdict).flagged]
    assert [timing.wall_s for timing in counted] == [slow.wall_s] * NEW_LEVEL_VIDEOS
    assert not any(getattr(past, other).flagged for past in after.comparable)
    evaluation = evaluate(ASSET, slow, after, ())
    assert (evaluation.speed, evaluation.waiting, evaluation.follow) == (Level.OK, Level.OK, None)


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
        keep(database, ASSET, usual(wall_s=50.0), speed="error", git_commit="changed")
    found = read_history(database, ASSET, usual())
    assert len(found.comparable) == 10 + RECENT
    finding = evaluate(ASSET, usual(wall_s=50.0), found, ()).findings[-1]
    assert finding.level is Level.ERROR
    assert finding.expected_s == pytest.approx(10.3)


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


def test_every_asset_declares_unpartitioned_checks() -> None:
    for asset in video_assets:
        specs = list(asset.check_specs)
        assert [spec.name for spec in specs][:3] == ["device", "floor", "regression"]
        assert all(spec.partitions_def is None for spec in specs)  # in preview, and too slow with many videos
        assert not any(spec.blocking for spec in specs)  # the results of a slow stage are good
    assert [spec.name for spec in check_specs("audio")] == list(CHECKS)
    assert [spec.name for spec in check_specs("speaker_turns")] == [*CHECKS, "speakers"]


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
