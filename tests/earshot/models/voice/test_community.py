"""Set `large`: the steps without loops over frames return the same as pyannote's."""

from typing import Any

import numpy as np
import pytest
from pyannote.core import SlidingWindow, SlidingWindowFeature

FRAMES = SlidingWindow(start=0.0, duration=0.0619375, step=0.016875)  # segmentation-3.0's
FRAMES_OF_WINDOW = 589


@pytest.fixture
def kinds() -> tuple[Any, Any]:
    """pyannote's pipeline, and ours; importing them takes seven seconds of a core."""
    from pyannote.audio.pipelines.utils import SpeakerDiarizationMixin

    from earshot.models.voice.community import OnePassDiarization

    return SpeakerDiarizationMixin, OnePassDiarization


def _segmentations(random: np.random.Generator, windows: int, speakers: int, step_s: float) -> SlidingWindowFeature:
    """Windows in which speakers come and go, some of them silent throughout (NaN)."""
    data = (random.random((windows, 31, speakers)) < 0.4).repeat(19, axis=1).astype(float)
    data[random.random((windows, 1, speakers)).repeat(FRAMES_OF_WINDOW, axis=1) < 0.2] = np.nan
    return SlidingWindowFeature(data, SlidingWindow(start=0.0, duration=10.0, step=step_s))


def _counts(random: np.random.Generator, segmentations: SlidingWindowFeature, most: int, missing: int) -> SlidingWindowFeature:
    last = segmentations.sliding_window[len(segmentations.data) - 1].end
    frames = FRAMES.closest_frame(last + 0.5 * FRAMES.duration) + 1 - missing
    return SlidingWindowFeature(random.integers(0, most + 1, size=(frames, 1)).astype(np.int8), FRAMES)


def _copied(feature: SlidingWindowFeature) -> SlidingWindowFeature:
    return SlidingWindowFeature(feature.data.copy(), feature.sliding_window)  # pyannote writes into what it is given


@pytest.mark.parametrize("seed", range(12))
def test_diarization_and_annotation_match_pyannote(seed: int, kinds: tuple[Any, Any]) -> None:
    random = np.random.default_rng(seed)
    windows, speakers = int(random.integers(1, 60)), int(random.integers(1, 5))
    segmentations = _segmentations(random, windows, speakers, step_s=float(random.choice([1.0, 2.0])))
    # More at once than there are clusters, and a frame or two fewer, as pyannote's counts have.
    counts = _counts(random, segmentations, most=speakers + 1, missing=int(random.integers(0, 3)))
    expected, ours = (kind.to_diarization(_copied(segmentations), counts) for kind in kinds)
    assert np.array_equal(ours.data, expected.data)
    assert ours.extent == expected.extent
    expected_tracks, tracks = (list(kind.to_annotation(expected).itertracks(yield_label=True)) for kind in kinds)
    assert tracks == expected_tracks


@pytest.mark.parametrize("active", [[0, 0, 0], [1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 1], [1, 0, 0]])
def test_annotation_at_the_ends_matches_pyannote(active: list[int], kinds: tuple[Any, Any]) -> None:
    stock, ours = kinds
    diarization = SlidingWindowFeature(np.array(active, dtype=float)[:, None], FRAMES)
    assert ours.to_annotation(diarization) == stock.to_annotation(diarization)


def test_no_more_speakers_are_asked_of_vbx_than_there_are_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    from pyannote.audio.pipelines.clustering import VBxClustering

    from bench.contenders.stock_pipeline import NoPLDA
    from earshot.models.voice.community import CappedVBxClustering

    asked: list[Any] = []
    monkeypatch.setattr(VBxClustering, "__call__", lambda *arguments, **_: asked.extend(arguments[3:]))
    active = np.ones((4, 10, 1))
    windows = SlidingWindowFeature(active, SlidingWindow(duration=10, step=1))
    CappedVBxClustering(NoPLDA(), metric="cosine")(np.ones((4, 1, 8)), windows, 50, 2, None)
    assert asked == [4, 2, None]
