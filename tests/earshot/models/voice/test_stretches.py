"""Stretches of one voice, from windows whose speakers are known."""

from collections.abc import Sequence

import numpy as np
import pytest

from earshot.models.voice.segmentation import Frames, Segmentation
from earshot.models.voice.stretches import LONGEST_S, masks, seconds, stretches

FRAMES = Frames(duration_s=0.0619375, step_s=0.016875)
WINDOW, STEP_S = 589, 2.0

Turns = Sequence[tuple[float, float, int]]


def heard(turns: Turns, length_s: float, people: int = 3, shuffled: bool = False) -> Segmentation:
    """The segmentation of a recording with these turns (start and end in seconds, speaker)."""
    truth = np.zeros((FRAMES.starting_with(length_s + 10.0) + 1, people), np.float32)
    for start, end, speaker in turns:
        truth[FRAMES.starting_with(start) : FRAMES.starting_with(end), speaker] = 1.0
    starts = [FRAMES.starting_with(second) for second in np.arange(0.0, max(0.1, length_s - 10.0 + STEP_S), STEP_S)]
    active = np.stack([truth[start : start + WINDOW] for start in starts])
    if shuffled:  # a window knows nothing of the names in others
        active = np.stack([window[:, np.roll(np.arange(people), number)] for number, window in enumerate(active)])
    return Segmentation(active, 10.0, STEP_S, FRAMES)


def times(segmentation: Segmentation) -> list[tuple[float, float]]:
    edges = (stretches(segmentation) * FRAMES.step_s).round(1)
    return list(zip(edges[:, 0].tolist(), edges[:, 1].tolist(), strict=True))


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_stretch_ends_at_silence_overlap_and_another_speaker(shuffled: bool) -> None:
    turns = [(1.0, 3.0, 0), (4.0, 6.0, 1), (6.0, 8.0, 2), (7.5, 10.0, 0)]
    assert times(heard(turns, 20.0, shuffled=shuffled)) == [(1.0, 3.0), (4.0, 6.0), (6.0, 7.5), (8.0, 10.0)]


def test_long_speech_is_cut_into_equal_parts() -> None:
    assert times(heard([(2.0, 11.0, 0)], 20.0)) == [(2.0, 5.0), (5.0, 8.0), (8.0, 11.0)]


def test_silence_has_no_stretches() -> None:
    silence = heard([], 14.0)
    found = stretches(silence)
    assert found.shape == (0, 2)
    inside, places = masks(silence, found)
    assert inside.shape == (3, 0, WINDOW)
    assert places.shape == (0, 2)


@pytest.mark.parametrize("seed", range(10))
def test_each_stretch_is_inside_its_window(seed: int) -> None:
    random = np.random.default_rng(seed)
    starts = np.sort(random.uniform(0.0, 60.0, size=25))
    turns = [(start, start + random.uniform(0.2, 9.0), int(random.integers(3))) for start in starts.tolist()]
    segmentation = heard(turns, 61.0)
    found = stretches(segmentation)
    inside, places = masks(segmentation, found)
    assert seconds(segmentation, found).max() <= LONGEST_S + FRAMES.step_s
    assert len({tuple(place) for place in places.tolist()}) == len(found)
    assert inside.sum() == (found[:, 1] - found[:, 0]).sum()
    for (first, last), (window, place) in zip(found.tolist(), places.tolist(), strict=True):
        start = FRAMES.starting_with(window * STEP_S)
        np.testing.assert_array_equal(np.flatnonzero(inside[window, place]) + start, np.arange(first, last))
