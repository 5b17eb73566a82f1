"""Reconstruction: from the speakers of each window and their clusters to turns in the recording.

In each frame, as many people speak as the windows show on average; who they are is what most windows agree on. The results of
`turns` are pyannote's own, computed without loops over frames (tests/earshot/models/voice/test_reconstruction.py). Where the
windows' speakers had to be regrouped (regrouping.py), turns are made of stretches.
"""

from collections.abc import Iterator

import numpy as np

from earshot.models.voice.segmentation import Segmentation

SILENT = -2  # the cluster of a window's speaker who says nothing

Span = tuple[float, float, str]  # start and end in seconds, speaker


def turns(segmentation: Segmentation, clusters: np.ndarray, most: int | None = None) -> tuple[list[Span], list[Span]]:
    """Who speaks when, and the same with at most one speaker at a time. `clusters` is (windows, speakers).

    `most`: never more speakers at once.
    """
    count = segmentation.count()
    return _turns(segmentation, cluster_activity(segmentation, clusters), count, most) if count.any() else ([], [])


def turns_of_stretches(
    segmentation: Segmentation, stretches: np.ndarray, voices: np.ndarray, most: int | None = None
) -> tuple[list[Span], list[Span]]:
    """The same from stretches (stretches.py) and their voices.

    A stretch is its voice's. Elsewhere, a window's speaker is the voices of its stretches in this window, each as much as they
    are long; a speaker who has none there is not heard.
    """
    activity = _stretch_activity(segmentation, stretches, voices)
    count = np.minimum(segmentation.count(), np.count_nonzero(activity, axis=1))
    return _turns(segmentation, activity, count, most)


def _turns(
    segmentation: Segmentation, activity: np.ndarray, count: np.ndarray, most: int | None
) -> tuple[list[Span], list[Span]]:
    """From the activity of each speaker, (frames, speakers), and how many speak in each frame."""
    together, alone = (
        {cluster: list(_spans(speaks, segmentation)) for cluster, speaks in enumerate(loudest(activity, speaking).T)}
        for speaking in (count if most is None else np.minimum(count, most), np.minimum(count, 1))
    )
    heard = sorted((cluster for cluster, spans in together.items() if spans), key=str)
    names = {cluster: f"SPEAKER_{number:02d}" for number, cluster in enumerate(heard)}
    return _named(together, names), _named(alone, names)


def cluster_activity(segmentation: Segmentation, clusters: np.ndarray) -> np.ndarray:
    """In how many windows each cluster speaks, (frames, clusters). `clusters` is (windows, speakers)."""
    return segmentation.sum(_by_cluster(segmentation, clusters))


def _stretch_activity(segmentation: Segmentation, stretches: np.ndarray, voices: np.ndarray) -> np.ndarray:
    """The activity of each voice, (frames, voices)."""
    of_stretches = np.zeros((len(segmentation.count()), int(voices.max()) + 1), dtype=np.float32)
    for (first, last), voice in zip(stretches.tolist(), voices.tolist(), strict=True):
        of_stretches[first:last, voice] = 1.0
    activity, length = np.zeros_like(of_stretches), segmentation.active.shape[1]
    for window, active in enumerate(segmentation.active):
        first = segmentation.frames.starting_with(window * segmentation.step_s)
        inside = of_stretches[first : first + length]
        alone = active[: len(inside)] * (active[: len(inside)].sum(axis=1, keepdims=True) == 1)
        frames = alone.T @ inside  # (speakers, voices)
        shares = frames / np.maximum(frames.sum(axis=1, keepdims=True), 1.0)
        activity[first : first + length] += active[: len(inside)] @ shares
    return np.where(of_stretches.any(axis=1, keepdims=True), of_stretches, activity)


def loudest(activity: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Of (frames, speakers), the `count` most active of each frame: 0 and 1, with more speakers if `count` asks for them."""
    activity = np.pad(activity, ((0, 0), (0, max(0, int(count.max()) - activity.shape[1]))))
    chosen, binary = np.zeros_like(activity), np.zeros_like(activity)
    frames = min(len(activity), len(count))
    chosen[:frames] = np.arange(activity.shape[1]) < count[:frames, np.newaxis]
    np.put_along_axis(binary, np.argsort(-activity, axis=-1), chosen, axis=1)
    return binary


def runs(active: np.ndarray) -> np.ndarray:
    """The first frame of each run of activity and the one after it: (runs, 2)."""
    return np.flatnonzero(np.diff(active.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)


def _by_cluster(segmentation: Segmentation, clusters: np.ndarray) -> np.ndarray:
    """The activity of each cluster in each window: (windows, frames, clusters)."""
    clusters = np.where(segmentation.silent, SILENT, clusters)
    windows, frames, _ = segmentation.active.shape
    activity = np.zeros((windows, frames, int(clusters.max()) + 1), dtype=np.float32)
    for window, speaker in zip(*np.nonzero(clusters != SILENT), strict=True):
        of_cluster = activity[window, :, clusters[window, speaker]]
        np.maximum(of_cluster, segmentation.active[window, :, speaker], out=of_cluster)
    return activity


def _spans(active: np.ndarray, segmentation: Segmentation) -> Iterator[tuple[float, float]]:
    """From the middle of the first frame to that of the one after the last; like pyannote's, the very last has no length."""
    middles = segmentation.frames.middles(len(active)).tolist()
    for first, after in runs(active):
        end = min(after, len(middles) - 1)
        if end > first:
            yield middles[first], middles[end]


def _named(spans: dict[int, list[tuple[float, float]]], names: dict[int, str]) -> list[Span]:
    return [(*span, name) for cluster, name in names.items() for span in spans.get(cluster, [])]
