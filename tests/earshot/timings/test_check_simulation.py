"""The regression check on simulated series of whole stages (bench/drill/check_simulation.py, seeds fixed)."""

import pytest

from bench.drill.check_simulation import LATE_STORE, SERIES, TWICE, detected, false_alarms
from earshot.storage.catalog.stages import STAGES


@pytest.mark.parametrize("series", SERIES)
@pytest.mark.parametrize("shared", [False, True], ids=["quiet", "busy"])
def test_healthy_videos_are_hardly_flagged(series: str, shared: bool) -> None:
    flagged, errors = false_alarms("speaker_turns", series, shared, videos=150)
    assert flagged <= 0.03
    assert errors == 0.0


@pytest.mark.parametrize("stage", STAGES)
def test_late_store_is_found_for_every_stage_of_short_recordings(stage: str) -> None:
    assert detected(stage, "short", shared=False, fault=LATE_STORE, seeds=8)[0] == 1.0


@pytest.mark.parametrize("series", SERIES)
@pytest.mark.parametrize("shared", [False, True], ids=["quiet", "busy"])
def test_twofold_slowness_is_found_within_three_videos(series: str, shared: bool) -> None:
    assert detected("transcript", series, shared, TWICE, seeds=8)[1] == 1.0
