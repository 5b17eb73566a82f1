"""The baseline rule: on simulated series (bench/drill/rule_simulation.py, seeds fixed), and case by case."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.drill.rule_simulation import SPREADS, detected, false_alarms, series
from earshot.timings.baseline import (
    ERROR_RATIO,
    MINIMUM_VIDEOS,
    NEW_LEVEL_VIDEOS,
    WARN_LOST_S,
    WARN_RATIO,
    WINDOW,
    Cost,
    Level,
    Stakes,
    is_new_level,
    judge,
)


def steady(videos: int = WINDOW, seconds: float = 10.0, units: float = 200.0) -> list[Cost]:
    return [Cost(seconds, units)] * videos


@pytest.mark.parametrize("spread", SPREADS)
def test_noise_flags_at_most_one_percent(spread: float) -> None:
    assert false_alarms(spread, seeds=4) <= 0.01


@pytest.mark.parametrize(("spread", "share"), [(0.05, 1.0), (0.1, 0.97)])
def test_twofold_slowness_is_detected_on_first_video(spread: float, share: float) -> None:
    assert detected(spread, factor=2.0, within=1, seeds=100) >= share


@pytest.mark.parametrize(("spread", "share"), [(0.05, 1.0), (0.1, 0.93)])
def test_half_as_slow_again_is_detected_within_three_videos(spread: float, share: float) -> None:
    assert detected(spread, factor=1.5, within=3, seeds=100) >= share


def test_lasting_slowness_stays_flagged() -> None:
    levels = list(series(7, 0.05, 200, slow_from=50, factor=2.5))
    assert all(level.flagged for level in levels[50:])


@pytest.mark.parametrize(
    ("ratio", "level"),
    [(1.0, Level.OK), (1.25, Level.OK), (1.35, Level.WARN), (1.9, Level.WARN), (2.1, Level.ERROR), (5.0, Level.ERROR)],
)
def test_levels_begin_at_their_ratios(ratio: float, level: Level) -> None:
    verdict = judge(Cost(10.0 * ratio, 200.0), steady())
    assert verdict.level is level
    assert verdict.ratio == pytest.approx(ratio)
    assert verdict.expected_s == pytest.approx(10.0)
    assert verdict.videos == WINDOW
    assert WARN_RATIO < ERROR_RATIO


def test_slowness_within_spread_is_not_flagged() -> None:
    wild = [Cost(10.0 * factor, 200.0) for factor in (0.4, 2.2, 1.0, 0.6, 1.7) * 4]
    assert judge(Cost(14.0, 200.0), wild).level is Level.OK
    assert judge(Cost(14.0, 200.0), steady()).level is Level.WARN


def test_too_few_videos_are_not_evaluated() -> None:
    assert judge(Cost(1000.0, 200.0), steady(MINIMUM_VIDEOS - 1)).level is Level.NOT_EVALUATED
    assert judge(Cost(1000.0, 200.0), steady(MINIMUM_VIDEOS)).level is Level.ERROR


def test_stage_without_work_is_not_evaluated() -> None:
    assert judge(Cost(3.0, 0.0), steady()).level is Level.NOT_EVALUATED
    assert judge(Cost(10.0, 200.0), [Cost(0.1, 0.0)] * 30).level is Level.NOT_EVALUATED


def test_flagged_videos_stay_out_of_baseline() -> None:
    slow = [Cost(40.0, 200.0, flagged=True)] * 50
    verdict = judge(Cost(40.0, 200.0), [*steady(), *slow])
    assert verdict.level is Level.ERROR
    assert verdict.expected_s == pytest.approx(10.0)


def test_few_texts_are_not_flagged_by_rounding() -> None:
    usual = [Cost(0.01 * units, units) for units in (200.0, 300.0, 250.0, 400.0, 350.0)]
    assert judge(Cost(0.2, 3.0), usual).level is Level.OK
    assert judge(Cost(0.01 * 6 * 300, 300.0), usual).level is Level.ERROR


def test_smallest_video_may_cost_the_fixed_part() -> None:
    usual = [Cost(2.0 + 0.01 * units, units) for units in (200.0, 220.0, 240.0, 260.0, 280.0)]
    assert judge(Cost(2.1, 10.0), usual).level is Level.OK  # what does not shrink: two seconds
    assert judge(Cost(12.0, 10.0), usual).level is Level.ERROR


@pytest.mark.parametrize(("seconds", "level"), [(0.95, Level.OK), (2.9, Level.WARN), (3.2, Level.ERROR)])
def test_severity_follows_the_lost_seconds(seconds: float, level: Level) -> None:
    """A video of 30 s that usually takes 0.1 s: a dozen times as long is no error yet."""
    assert judge(Cost(seconds, 30.0), [Cost(0.1, 30.0)] * 20, Stakes.of_video(30.0)).level is level


@pytest.mark.parametrize(("lost_s", "level"), [(4.0, Level.OK), (6.0, Level.WARN), (12.0, Level.ERROR)])
def test_three_hours_may_lose_more_seconds(lost_s: float, level: Level) -> None:
    assert judge(Cost(4.0 + lost_s, 100.0), [Cost(4.0, 100.0)] * 20, Stakes.of_video(3 * 3600.0)).level is level


def test_steady_slowness_is_a_new_level() -> None:
    slow = [Cost(16.0, 200.0, flagged=True)] * NEW_LEVEL_VIDEOS
    assert is_new_level([*steady(), *slow])
    assert is_new_level([*steady(), *slow[1:], *steady(1)])
    assert not is_new_level([*steady(), *slow[2:]])
    assert not is_new_level([*steady(), *slow[2:], *steady(2)])
    assert not is_new_level([*steady(MINIMUM_VIDEOS - 1), *slow])


def test_erratic_slowness_is_no_new_level() -> None:
    erratic = [Cost(10.0 * factor, 200.0, flagged=True) for factor in (1.4, 3.0, 1.5, 2.5, 4.0) * 2]
    assert not is_new_level([*steady(), *erratic])


@given(st.lists(st.floats(0.01, 1e5), max_size=40), st.floats(0.01, 1e5), st.floats(0.1, 1e4))
def test_slower_is_never_judged_milder(seconds: list[float], now: float, units: float) -> None:
    history = [Cost(value, units) for value in seconds]
    order = [Level.NOT_EVALUATED, Level.OK, Level.WARN, Level.ERROR]
    quick, slow = judge(Cost(now, units), history), judge(Cost(now * 3, units), history)
    assert order.index(slow.level) >= order.index(quick.level)
    if quick.level.flagged:
        assert now - quick.expected_s >= WARN_LOST_S


@given(st.floats(100.0, 1e4), st.floats(1.0, 10.0))
def test_unit_does_not_matter(units: float, scale: float) -> None:
    verdict = judge(Cost(30.0, units), steady(units=units))
    scaled = judge(Cost(30.0, units * scale), steady(units=units * scale))
    assert (verdict.level, verdict.ratio) == (scaled.level, pytest.approx(scaled.ratio))
