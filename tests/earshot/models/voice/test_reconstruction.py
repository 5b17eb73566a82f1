"""Counting and reconstruction return the turns of pyannote.audio, for random windows and clusters."""

from typing import Any

import numpy as np
import pytest
from pyannote.core import SlidingWindow, SlidingWindowFeature

from earshot.models.voice.reconstruction import SILENT, turns, turns_of_stretches
from earshot.models.voice.segmentation import Frames, Segmentation

FIELD = SlidingWindow(start=0.0, duration=0.0619375, step=0.016875)  # segmentation-3.0's
FRAMES = Frames(FIELD.duration, FIELD.step)
FRAMES_OF_WINDOW = 589

Spans = list[tuple[float, float, str]]


def _random(seed: int, clusters: int) -> tuple[Segmentation, np.ndarray]:
    random = np.random.default_rng(seed)
    windows, step_s = int(random.integers(1, 60)), float(random.choice([1.0, 2.0]))
    active = (random.random((windows, 31, 3)) < random.uniform(0.1, 0.6)).repeat(19, axis=1).astype(np.float32)
    active[random.random((windows, 1, 3)).repeat(FRAMES_OF_WINDOW, axis=1) < 0.3] = 0.0
    return Segmentation(active, 10.0, step_s, FRAMES), random.integers(0, clusters, size=(windows, 3))


def _pyannote(segmentation: Segmentation, clusters: np.ndarray, most: int | None) -> tuple[Spans, Spans]:
    windows = SlidingWindowFeature(segmentation.active.copy(), SlidingWindow(duration=10.0, step=segmentation.step_s))
    from pyannote.audio.pipelines.speaker_diarization import SpeakerDiarization

    pipeline: Any = SpeakerDiarization.__new__(SpeakerDiarization)  # its steps, without models
    count = pipeline.speaker_count(windows, FIELD, warm_up=(0.0, 0.0))
    count.data = np.minimum(count.data, most or np.inf).astype(np.int8)
    hard = np.where(segmentation.silent, SILENT, clusters)
    together = pipeline.to_annotation(pipeline.reconstruct(windows, hard, count))
    count.data = np.minimum(count.data, 1).astype(np.int8)
    alone = pipeline.to_annotation(pipeline.reconstruct(windows, hard, count))
    names = {label: f"SPEAKER_{number:02d}" for number, label in enumerate(together.labels())}
    both = [annotation.rename_labels(names).itertracks(yield_label=True) for annotation in (together, alone)]
    first, second = (sorted((segment.start, segment.end, who) for segment, _, who in tracks) for tracks in both)
    return first, second


@pytest.mark.parametrize("clusters", [1, 2, 4, 12])
@pytest.mark.parametrize("seed", range(8))
def test_turns_are_those_of_pyannote(seed: int, clusters: int) -> None:
    """One cluster and more people at once than that; twelve, which pyannote names in the order of their digits."""
    segmentation, of_speakers = _random(seed, clusters)
    for most in (None, 1, 2):
        found = turns(segmentation, of_speakers, most)
        assert tuple(map(sorted, found)) == _pyannote(segmentation, of_speakers, most)


def test_silence_has_no_turns() -> None:
    silence = Segmentation(np.zeros((3, FRAMES_OF_WINDOW, 3), np.float32), 10.0, 2.0, FRAMES)
    assert turns(silence, np.zeros((3, 3), dtype=int)) == ([], [])


def test_turns_of_stretches_correct_a_window_that_takes_two_people_for_one() -> None:
    active = np.zeros((1, FRAMES_OF_WINDOW, 3), np.float32)
    active[0, 100:200, 0] = active[0, 200:300, 0] = active[0, 280:400, 1] = 1.0
    stretches, voices = np.array([[100, 200], [200, 280], [300, 400]]), np.array([0, 2, 1])
    together, alone = turns_of_stretches(Segmentation(active, 10.0, 2.0, FRAMES), stretches, voices)
    first, second, third, fourth, fifth = (FRAMES.middles(401)[[100, 200, 280, 300, 400]]).tolist()
    # In the overlap, the window's first speaker is more likely the voice that is its own for longer.
    assert sorted(together)[0] == (first, second, "SPEAKER_00")
    assert (third, fifth, "SPEAKER_01") in together
    assert {who for _, _, who in alone} == {"SPEAKER_00", "SPEAKER_01", "SPEAKER_02"}
    assert (second, third, "SPEAKER_02") in alone
    assert fourth < fifth


def test_a_speaker_without_a_stretch_is_not_heard() -> None:
    active = np.zeros((1, FRAMES_OF_WINDOW, 3), np.float32)
    active[0, 100:300, 0] = active[0, 200:300, 1] = 1.0  # the second speaks only over the first
    together, _ = turns_of_stretches(Segmentation(active, 10.0, 2.0, FRAMES), np.array([[100, 200]]), np.array([0]))
    assert [who for _, _, who in together] == ["SPEAKER_00"]
