"""Speakers: diarization errors by kind, and how long two speakers speak at the same time."""

import pytest

from earshot.transcripts.evaluation.speakers import SpeakerScore, diarization_errors, shared_seconds

TRUTH = [(0.0, 4.0, "one"), (5.0, 9.0, "two")]


def errors(*turns: tuple[float, float, str], collar_s: float = 0.0) -> tuple[float, ...]:
    """Missed, false alarm and confusion, in seconds."""
    score = diarization_errors(TRUTH, turns, 10.0, collar_s)
    return score.missed_s, score.false_alarm_s, score.confusion_s


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        pytest.param([(0.0, 4.0, "X"), (5.0, 9.0, "Y")], (0.0, 0.0, 0.0), id="other names"),
        pytest.param([(0.0, 4.0, "X"), (5.0, 9.0, "X")], (0.0, 0.0, 4.0), id="a missing speaker"),
        pytest.param([(0.0, 4.0, "X")], (4.0, 0.0, 0.0), id="a missed turn"),
        pytest.param([(0.0, 5.0, "X"), (5.0, 9.0, "Y")], (0.0, 1.0, 0.0), id="a late end"),
        pytest.param([(0.0, 4.0, "X"), (5.0, 7.0, "Y"), (7.0, 9.0, "X")], (0.0, 0.0, 2.0), id="a swapped end"),
        pytest.param([], (8.0, 0.0, 0.0), id="nobody"),
        pytest.param([(0.0, 3.0, "X"), (2.0, 4.0, "X"), (5.0, 9.0, "Y")], (0.0, 0.0, 0.0), id="overlap with oneself"),
    ],
)
def test_seconds_by_kind_of_error(turns: list[tuple[float, float, str]], expected: tuple[float, ...]) -> None:
    assert errors(*turns) == pytest.approx(expected)


def test_collar_and_unscored_time_do_not_count() -> None:
    late = [(0.0, 4.25, "X"), (5.0, 9.0, "Y")]
    assert errors(*late) == pytest.approx((0.0, 0.25, 0.0))
    assert errors(*late, collar_s=0.25) == pytest.approx((0.0, 0.0, 0.0))
    partly = diarization_errors(TRUTH, [(0.0, 4.0, "X")], 10.0, unscored=[(6.0, 20.0)])
    assert (partly.speech_s, partly.missed_s) == pytest.approx((5.0, 1.0))


def test_rate_is_per_second_of_speech() -> None:
    both = diarization_errors(TRUTH, [(0.0, 4.0, "X")], 10.0) + SpeakerScore(2.0, 0.0, 1.0, 0.0)
    assert both.rate == pytest.approx(0.5)
    assert diarization_errors([], [(0.0, 1.0, "X")], 10.0).rate is None
    assert diarization_errors([], [], 0.0) == SpeakerScore(0.0, 0.0, 0.0, 0.0)


def test_shared_seconds_are_of_speakers_who_overlap() -> None:
    assert shared_seconds(TRUTH, [(1.0, 6.0, "X"), (9.0, 10.0, "Y")]) == {("one", "X"): 3.0, ("two", "X"): 1.0}
