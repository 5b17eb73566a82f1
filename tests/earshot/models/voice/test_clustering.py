"""Clustering returns the clusters of pyannote.audio, for recordings of every kind and every bound."""

from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import numpy as np
import pytest
from pyannote.core import SlidingWindow, SlidingWindowFeature

from earshot.models.voice.clustering import LARGE, THRESHOLD, cluster
from earshot.models.voice.segmentation import Frames, Segmentation

FRAMES = Frames(duration_s=0.0619375, step_s=0.016875)


def _recording(seed: int) -> tuple[np.ndarray, Segmentation]:
    """Vectors of two to five people in up to 80 windows, and who is heard when; many overlap, some are hardly heard."""
    random = np.random.default_rng(seed)
    windows, people = int(random.integers(1, 80)), random.normal(size=(int(random.integers(2, 6)), 16))
    speakers = random.integers(0, len(people), size=(windows, 3))
    vectors = people[speakers] + random.normal(scale=random.uniform(0.1, 0.9), size=(windows, 3, 16))
    active = (random.random((windows, 10, 3)) < random.uniform(0.1, 0.6)).repeat(10, axis=1).astype(np.float32)
    return vectors.astype(np.float32), Segmentation(active, 10.0, 2.0, FRAMES)


def _pyannote(vectors: np.ndarray, segmentation: Segmentation, least: int, most: int | None) -> np.ndarray:
    from pyannote.audio.pipelines.clustering import AgglomerativeClustering

    clustering: Any = AgglomerativeClustering(metric="cosine")
    clustering.instantiate({"method": "centroid", "min_cluster_size": LARGE, "threshold": THRESHOLD})
    windows = SlidingWindowFeature(segmentation.active, SlidingWindow(duration=10.0, step=2.0))
    exactly = least if least == most else None
    with redirect_stdout(StringIO()):
        clusters, _, _ = clustering(vectors.copy(), windows, exactly, least, most)
    return clusters


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value")
@pytest.mark.parametrize("seed", range(40))
def test_clusters_are_those_of_pyannote(seed: int) -> None:
    vectors, segmentation = _recording(seed)
    compared = 0
    for least, most in ((1, None), (1, 1), (2, 2), (3, 3), (1, 2), (2, None), (2, 4), (6, None)):
        expected = _pyannote(vectors, segmentation, least, most)
        if expected.max() + 1 >= least:  # where pyannote finds fewer, we look for smaller clusters
            np.testing.assert_array_equal(cluster(vectors, segmentation, least, most), expected)
            compared += 1
    assert compared >= 3


def test_as_many_speakers_as_asked_are_found_in_small_clusters() -> None:
    people = np.eye(4, 16, dtype=np.float32)
    vectors = np.stack([people[[0, 1, 2]]] * 30 + [people[[3, 1, 2]]])  # the fourth is heard once
    active = np.zeros((31, 99, 3), np.float32)
    for speaker in range(3):
        active[:, 33 * speaker : 33 * speaker + 33, speaker] = 1.0
    segmentation = Segmentation(active, 10.0, 2.0, FRAMES)
    assert cluster(vectors, segmentation).max() + 1 == 3
    assert cluster(vectors, segmentation, 4, 4).max() + 1 == 4


def test_clustering_a_sample_finds_the_same_speakers(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    people = random.normal(size=(3, 192))
    speakers = np.stack([random.permutation(3) for _ in range(300)])
    voices = people[speakers] + random.normal(scale=0.3, size=(300, 3, 192))
    active = np.zeros((300, 100, 3), np.float32)
    for speaker in range(3):  # each alone for a third of each window
        active[:, 33 * speaker : 33 * speaker + 33, speaker] = 1.0
    segmentation = Segmentation(active, 10.0, 2.0, FRAMES)
    of_all = cluster(voices, segmentation)
    monkeypatch.setattr("earshot.models.voice.clustering.MAX_CLUSTERED", 100)
    of_some = cluster(voices, segmentation)
    same = [len(np.unique(labels[speakers == person])) for labels in (of_all, of_some) for person in range(3)]
    assert same == [1] * 6
    assert of_all.max() == of_some.max() == 2
