"""How long a backfill is said to take: from timings in a real Postgres."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from earshot.storage.database import Database
from earshot.timings.forecast import IDLE_S, Forecast, forecast
from tests.support.timing_rows import keep, usual

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def chosen(*stages: tuple[str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(stages, columns=["video_id", "stage", "took_s"])


def ended(database: Database, run_id: str, at_s: Sequence[float], took_s: float, load_s: float = 0.0) -> None:
    """Stages of a run that ended then, each after so many seconds of work and of loading."""
    for number, second in enumerate(at_s):
        timing = usual(wall_s=took_s + load_s, load_s=load_s)
        keep(database, f"stage-{number}", timing, run_id, run_id=run_id, recorded_at=NOON + timedelta(seconds=second))


def test_what_passes_between_runs_and_between_their_stages_is_added(database: Database) -> None:
    for run in range(3):  # each: 2 s, then 1 s of work, 0.25 s; 1 s of work, 0.25 s more
        start_s = run * 4.5
        ended(database, f"run-{run}", [start_s + 3.0, start_s + 4.25], took_s=1.0)
    found = forecast(database, chosen(("a", "x", 1.0), ("a", "y", 2.0), ("b", "y", 3.0)))
    assert found == Forecast(2, 6.0, pytest.approx(2 * 2.25 + 0.25))


def test_models_that_are_loaded_for_each_video_are_counted(database: Database) -> None:
    for run in range(3):
        ended(database, f"run-{run}", [run * 10.0], took_s=1.0, load_s=7.0)
    assert forecast(database, chosen(("a", "x", 1.0))).around_s == pytest.approx(9.0)


def test_time_without_anything_to_do_tells_nothing(database: Database) -> None:
    for run in range(3):
        ended(database, f"run-{run}", [run * 2 * IDLE_S], took_s=1.0)
    assert forecast(database, chosen(("a", "x", 1.0))).around_s is None


def test_stages_that_overlap_take_no_time_away(database: Database) -> None:
    for run in range(3):
        ended(database, f"run-{run}", [run * 1.0], took_s=5.0)
    assert forecast(database, chosen(("a", "x", 1.0))) == Forecast(1, 1.0, 0.0)


def test_what_never_ran_counts_as_nothing(database: Database) -> None:
    assert forecast(database, chosen(("a", "x", float("nan")), ("b", "x", 2.0))) == Forecast(2, 2.0, None)
