"""The forecast of a backfill's duration, from timings in a real Postgres."""

from collections.abc import Iterator, Sequence
from dataclasses import astuple
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from dagster import DagsterInstance

from earshot.storage.database import Database
from ingest_assets.operations.forecast import GPU_POOL, IDLE_S, Forecast, forecast, spread_s, stages_at_once, usually_between
from ingest_assets.stages.staleness import StaleStage
from resources.instance.home import open_instance
from resources.instance.worker_slots import WorkerSlot
from tests.support.timing_rows import keep, usual

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def chosen(*stages: tuple[str, str, float | None]) -> list[StaleStage]:
    return [StaleStage(video_id, "", "", stage, "", took_s) for video_id, stage, took_s in stages]


def ended(database: Database, run_id: str, at_s: Sequence[float], took_s: float, load_s: float = 0.0) -> None:
    """Stages of a run that ended at these seconds, each after this much work and loading."""
    for number, second in enumerate(at_s):
        timing = usual(wall_s=took_s + load_s, load_s=load_s)
        keep(database, f"stage-{number}", timing, run_id, run_id=run_id, recorded_at=NOON + timedelta(seconds=second))


def test_time_between_runs_and_stages_is_added(database: Database) -> None:
    for run in range(3):  # each: 2 s, then 1 s of work, 0.25 s; 1 s of work, 0.25 s more
        start_s = run * 4.5
        ended(database, f"run-{run}", [start_s + 3.0, start_s + 4.25], took_s=1.0)
    found = forecast(database, chosen(("a", "x", 1.0), ("a", "y", 2.0), ("b", "y", 3.0)), 1)
    assert astuple(found) == (2, 6.0, 1, 6.0, pytest.approx(2 * 2.25 + 0.25))


def test_loading_for_each_video_is_counted(database: Database) -> None:
    for run in range(3):
        ended(database, f"run-{run}", [run * 10.0], took_s=1.0, load_s=7.0)
    assert forecast(database, chosen(("a", "x", 1.0)), 1).around_s == pytest.approx(9.0)


def test_idle_time_is_ignored(database: Database) -> None:
    for run in range(3):
        ended(database, f"run-{run}", [run * 2 * IDLE_S], took_s=1.0)
    assert forecast(database, chosen(("a", "x", 1.0)), 1).around_s is None


def test_overlapping_stages_do_not_reduce_the_time(database: Database) -> None:
    for run in range(3):
        ended(database, f"run-{run}", [run * 1.0], took_s=5.0)
    assert forecast(database, chosen(("a", "x", 1.0)), 1) == Forecast(1, 1.0, 1, 1.0, 0.0)


def test_stages_that_never_ran_count_as_zero(database: Database) -> None:
    assert forecast(database, chosen(("a", "x", None), ("b", "x", 2.0)), 1) == Forecast(2, 2.0, 1, 2.0, None)


# --- several stages at once ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("at_once", "seconds"), [(1, 12.0), (2, 6.0), (4, 4.0)])  # with four the longest video decides
def test_work_is_spread_over_the_stages_at_once(at_once: int, seconds: float) -> None:
    work = chosen(("a", "x", 1.0), ("a", "y", 3.0), ("b", "x", 4.0), ("c", "x", 3.0), ("d", "x", 1.0))
    assert spread_s(work, at_once) == seconds


def test_work_of_one_video_is_not_spread() -> None:
    assert spread_s(chosen(("a", "x", 1.0), ("a", "y", 3.0)), 2) == 4.0


def passed(*seconds: float, took_s: float, load_s: float = 0.0) -> pd.DataFrame:
    """Stages in separate runs, by the seconds that passed between their ends."""
    steps = pd.DataFrame({"passed_s": seconds, "wall_s": took_s + load_s, "load_s": load_s})
    return steps.assign(first=True)


@pytest.mark.parametrize(
    ("steps", "at_once", "seconds"),
    [
        (passed(12.0, 12.0, took_s=10.0), 2, 2.0),  # one after another, as `earshot ingest` does: all of it between
        (passed(5.0, 5.0, 5.0, took_s=10.0), 2, 0.0),  # side by side, without a pause
        (passed(6.0, 6.0, 6.0, took_s=10.0), 2, 1.0),  # with one
        (passed(*[9.0, 1.0] * 20, took_s=10.0), 2, 0.0),  # ready in pairs
        (passed(2.5, 2.5, took_s=10.0), 4, 0.0),
        (passed(5.0, 5.0, took_s=10.0), 1, 0.0),
        (passed(7.0, 7.0, took_s=10.0, load_s=4.0), 2, 2.0),
    ],
)
def test_concurrent_stages_count_by_their_share(steps: pd.DataFrame, at_once: int, seconds: float) -> None:
    assert usually_between(steps, at_once) == {True: pytest.approx(seconds)}


def test_forecast_of_two_at_once_matches_past_runs(database: Database) -> None:
    for run in range(20):  # two at a time, 10 s each, one ready every 5.5 s
        ended(database, f"run-{run}", [run * 5.5], took_s=10.0)
    found = forecast(database, chosen(*[(f"v{number}", "x", 10.0) for number in range(20)]), 2)
    assert (found.work_s, found.spread_s) == (200.0, 100.0)
    assert found.around_s == pytest.approx(20 * 0.5)


@pytest.fixture
def pools(instance: DagsterInstance) -> Iterator[DagsterInstance]:
    """The instance with the default slots of its pool, also after the test."""
    instance.event_log_storage.delete_concurrency_limit(GPU_POOL)
    yield instance
    instance.event_log_storage.delete_concurrency_limit(GPU_POOL)


@pytest.mark.parametrize(
    ("device", "workers", "slots", "at_once"),
    [("cpu", "2", None, 1), ("cuda", "2", None, 2), ("cuda", "1", None, 1), ("cuda", "4", 4, 4), ("cuda", "2", 4, 2),
     ("cpu", "0", None, 1)],
)  # fmt: skip
def test_stages_at_once_are_limited_by_slots_and_workers(
    pools: DagsterInstance, monkeypatch: pytest.MonkeyPatch, device: str, workers: str, slots: int | None, at_once: int
) -> None:
    monkeypatch.setenv("EARSHOT_DEVICE", device)
    monkeypatch.setenv("EARSHOT_WORKERS", workers)
    if slots is not None:
        pools.event_log_storage.set_concurrency_slots(GPU_POOL, slots)
    with open_instance() as opened:
        assert stages_at_once(opened) == at_once


@pytest.mark.usefixtures("pools")
def test_running_workers_override_configured_ones(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_DEVICE", "cuda")
    slot = WorkerSlot(database.url)
    slot.acquire()
    try:
        with open_instance() as opened:
            assert stages_at_once(opened) == 1
    finally:
        slot.release()
