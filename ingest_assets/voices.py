"""Voices: from turns and their vectors to one centroid per local speaker. Pure functions over DataFrames.

Which of two videos' speakers are the same person is not decided here.
"""

import numpy as np
import pandas as pd

from resources.decoding import SAMPLE_RATE


def sample_spans(turns: pd.DataFrame, samples: int) -> list[tuple[int, int]]:
    """(first sample, one past the last) of each turn, at least one sample long and inside the audio."""
    first = (turns.start_s * SAMPLE_RATE).round().astype(int).clip(0, max(samples - 1, 0))
    last = (turns.end_s * SAMPLE_RATE).round().astype(int).clip(upper=samples)
    return [(start, max(end, start + 1)) for start, end in zip(first.tolist(), last.tolist(), strict=True)]


def local_speakers(turns: pd.DataFrame, vectors: np.ndarray) -> pd.DataFrame:
    """One row per local speaker: local_speaker, speech_s, turns, centroid (unit length, float32).

    A centroid is the mean of the speaker's turns weighted by their seconds, of those without overlap where there are any:
    a vector of two voices at once is neither's.
    """
    rows = []
    for speaker, group in turns.groupby("local_speaker", sort=True):
        clean = group[~group.overlap.astype(bool)]
        used = group if clean.empty else clean
        weights = (used.end_s - used.start_s).to_numpy(dtype=np.float64)
        mean = (vectors[used.index.to_numpy()] * weights[:, None]).sum(axis=0)
        centroid = (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)
        rows.append((speaker, float((group.end_s - group.start_s).sum()), len(group), centroid))
    return pd.DataFrame(rows, columns=["local_speaker", "speech_s", "turns", "centroid"])
