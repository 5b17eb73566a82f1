"""The predecessor's regression, played again: real models, runs, checks and database, on the drill's clock.

After a history of healthy videos, each fault (bench/drill/faults.py) is injected into one, with others of other stages. That
video must be flagged, at the right stages, with the right causes, and at no other stage. docs/measurements/regression-drill.md
shows the same.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from dagster import AssetCheckKey, AssetCheckSeverity, AssetKey

from bench.drill.clock import drill_clock
from bench.drill.drill import (
    HEALTHY_VIDEOS,
    ingest_one,
    judge_healthy,
    judge_one,
    write_clip,
    write_recording,
)
from bench.drill.faults import ENROLMENT_FAULTS, FAULTS, QUERY_S, STORE_S, Fault
from earshot.config.settings import read_settings
from earshot.storage.catalog.stages import STAGES
from earshot.storage.database import Database
from earshot.timings.alerts import send_alerts
from earshot.timings.causes.waiting import WAITS
from earshot.timings.history import read_history
from earshot.timings.timing import Timing
from ingest_assets.operations.ingest import Outcome
from resources.instance.home import open_instance
from tests.dagster_contract.internals import AssetCheckExecutionRecord

pytestmark = pytest.mark.slow
CHECKS = ("device", "floor", "regression")

# Faults of different stages share a video.
TOGETHER = (
    ("throttled", "one by one", "loaded again"), ("slow store",), ("slow database",), ("one thread",),
    ("halved step", "other device"),
)  # fmt: skip
NAMED = {fault.name: fault for fault in FAULTS}


@dataclass(frozen=True)
class Drill:
    """The healthy videos, and one outcome per video with faults."""

    database: Database
    healthy: list[Outcome]
    outcomes: dict[tuple[str, ...], Outcome]

    def outcome_of(self, fault: str) -> Outcome:
        return next(outcome for names, outcome in self.outcomes.items() if fault in names)


@pytest.fixture(scope="module")
def drill(library: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drill]:
    with library.connect() as connection:
        connection.execute("TRUNCATE asset_timings, check_failures, accepted_speeds")
    folder = tmp_path_factory.mktemp("drill")
    with drill_clock() as clock:
        healthy = [ingest_one(write_clip(folder, index), library) for index in range(HEALTHY_VIDEOS)]
        outcomes = {}
        for index, names in enumerate(TOGETHER, start=HEALTHY_VIDEOS):
            with ExitStack() as committed:
                for name in names:
                    committed.enter_context(NAMED[name].committed(clock, library))
                outcomes[names] = ingest_one(write_clip(folder, index), library)
    yield Drill(library, healthy, outcomes)
    with library.connect() as connection:  # timed on the drill's clock: no baseline for other tests
        connection.execute("TRUNCATE asset_timings, check_failures, accepted_speeds")


def _failures(drill: Drill, outcome: Outcome) -> list[tuple[str, str, str, str]]:
    rows = drill.database.query(
        "SELECT asset, check_name, severity, cause FROM check_failures WHERE run_id = %s ORDER BY failure_id", [outcome.run_id]
    )
    return [(row["asset"], row["check_name"], row["severity"], row["cause"]) for row in rows]


def _evaluation(asset: str, check: str, run_id: str) -> AssetCheckExecutionRecord:
    storage = open_instance().event_log_storage
    records = storage.get_asset_check_execution_history(AssetCheckKey(AssetKey(asset), check), limit=50)
    return next(record for record in records if record.run_id == run_id)


def test_no_healthy_video_is_flagged(drill: Drill) -> None:
    assert [outcome.failed_checks for outcome in drill.healthy] == [()] * HEALTHY_VIDEOS


def test_every_fault_is_drilled() -> None:
    assert {name for names in TOGETHER for name in names} == set(NAMED)


@pytest.mark.parametrize("names", TOGETHER, ids=" and ".join)
def test_fault_is_flagged_on_first_video_with_cause(drill: Drill, names: tuple[str, ...]) -> None:
    failures = _failures(drill, drill.outcomes[names])
    assert {(asset, severity, cause) for asset, _, severity, cause in failures} == {
        (stage, fault.severity, fault.cause) for fault in map(NAMED.__getitem__, names) for stage in fault.stages
    }


def test_other_device_fails_device_and_floor(drill: Drill) -> None:
    failures = _failures(drill, drill.outcome_of("other device"))
    assert [check for asset, check, _, _ in failures if asset == "text_embeddings"] == ["device", "floor"]


def test_failed_check_names_stage_and_cause(drill: Drill) -> None:
    [message] = [message for message in drill.outcome_of("throttled").failed_checks if "text_embeddings" in message]
    assert message.startswith("ERROR: text_embeddings ")
    assert "Cause: starved" in message


def test_dagster_has_every_check_of_every_stage(drill: Drill) -> None:
    outcome = drill.outcome_of("throttled")
    assert outcome.video is not None
    failed = []
    for asset in STAGES:
        for check in CHECKS:
            evaluation = _evaluation(asset, check, outcome.run_id).evaluation
            assert evaluation is not None
            assert evaluation.severity is AssetCheckSeverity.ERROR
            assert evaluation.metadata["video_id"].value == outcome.video.video_id
            if not evaluation.passed:
                failed.append((asset, check))
    assert failed == [(stage, "regression") for stage in ("speaker_turns", "voice_embeddings", "text_embeddings")]


def test_slow_stage_fails_its_check_not_its_run(drill: Drill) -> None:
    for outcome in drill.outcomes.values():
        assert outcome.video is not None
        assert (outcome.result, outcome.video.state) == ("done", "ready")


def test_flagged_timings_leave_baseline_and_are_alerted(drill: Drill) -> None:
    speeds = drill.database.query("SELECT asset, speed FROM asset_timings WHERE speed IN ('warn', 'error') ORDER BY timing_id")
    judged_apart = {*WAITS, "more_items", "device"}
    flagged_by_speed = [stage for fault in FAULTS if fault.cause not in judged_apart for stage in fault.stages]
    assert sorted(row["asset"] for row in speeds) == sorted(flagged_by_speed)
    alerts = send_alerts(drill.database, read_settings())
    expected = {(stage, fault.cause) for fault in FAULTS for stage in fault.stages}
    assert sorted((alert.asset, alert.cause) for alert in alerts) == sorted(expected)


def test_waits_leave_their_own_baseline_only(drill: Drill) -> None:
    rows = drill.database.query("SELECT * FROM asset_timings WHERE waiting IN ('warn', 'error') ORDER BY timing_id")
    waited = [stage for fault in FAULTS if fault.cause in WAITS for stage in fault.stages]
    assert sorted(row["asset"] for row in rows) == sorted(waited)
    assert {row["speed"] for row in rows} == {"ok"}
    store, database = rows[: len(STAGES[1:4])], rows[len(STAGES[1:4]) :]
    assert {(row["store_s"], row["database_s"], row["network_s"]) for row in store} == {(STORE_S, 0.0, 0.0)}
    assert {(row["store_s"], row["database_s"], row["network_s"]) for row in database} == {(0.0, QUERY_S, 0.0)}


def test_timings_outlive_their_runs(drill: Drill) -> None:
    counted = "SELECT count(*) AS rows FROM asset_timings"
    before = drill.database.query(counted)[0]["rows"]
    instance = open_instance()
    for outcome in drill.healthy:
        instance.delete_run(outcome.run_id)
        assert instance.get_run_by_id(outcome.run_id) is None
    assert drill.database.query(counted)[0]["rows"] == before
    assert before == len(STAGES) * (HEALTHY_VIDEOS + len(TOGETHER))
    row = drill.database.query("SELECT * FROM asset_timings WHERE asset = 'transcript' ORDER BY timing_id DESC LIMIT 1")[0]
    history = read_history(drill.database, "transcript", Timing.of_row(row))
    assert len(history.comparable) == HEALTHY_VIDEOS + len(TOGETHER)


# --- enrolments: last, since their timings are in the same table -------------------------------------------------------------


@pytest.fixture(scope="module")
def enrolled(drill: Drill, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[str, str, str]]]:
    """Stage, severity and cause of the failed checks, of healthy enrolments and of one with each fault."""
    folder = tmp_path_factory.mktemp("enrolled")
    with drill_clock() as clock:
        failed = {"": judge_healthy(folder, drill.database)}
        for index, fault in enumerate(ENROLMENT_FAULTS, start=HEALTHY_VIDEOS):
            with fault.committed(clock, drill.database):
                failed[fault.name] = judge_one(write_recording(folder, index), drill.database)
    return {name: [(row["asset"], row["severity"], row["cause"]) for row in rows] for name, rows in failed.items()}


def test_no_healthy_enrolment_is_flagged(enrolled: dict[str, list[tuple[str, str, str]]]) -> None:
    assert enrolled[""] == []


@pytest.mark.parametrize("fault", ENROLMENT_FAULTS, ids=lambda fault: fault.name)
def test_enrolment_fault_is_flagged_with_cause(enrolled: dict[str, list[tuple[str, str, str]]], fault: Fault) -> None:
    assert enrolled[fault.name] == [(stage, fault.severity, fault.cause) for stage in fault.stages]
