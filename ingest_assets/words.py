"""Words and who said them. Pure functions over DataFrames.

A word belongs to the exclusive turn that its middle lies in. Between turns, where whisper heard a word and the diarization
nobody, it goes to the nearest turn at most `NEAR_S` away; further off, or with no turns at all, its speaker is unknown.
"""

import numpy as np
import pandas as pd

NEAR_S = 1.0  # breaths and hesitations are shorter; a guess over a longer silence would often be wrong


def attribute_words(words: pd.DataFrame, exclusive_turns: pd.DataFrame) -> list[str | None]:
    """The local speaker of each word (start_s, end_s), None where unknown. Turns come in order of time."""
    if exclusive_turns.empty:
        return [None] * len(words)
    middles = ((words.start_s + words.end_s) / 2).to_numpy(dtype=float)
    starts, ends = exclusive_turns.start_s.to_numpy(dtype=float), exclusive_turns.end_s.to_numpy(dtype=float)
    following = np.searchsorted(starts, middles, side="right")
    before = np.clip(following - 1, 0, None)
    after = np.clip(following, None, len(starts) - 1)
    distance_before = np.where(following > 0, np.maximum(0.0, middles - ends[before]), np.inf)
    distance_after = np.where(following < len(starts), starts[after] - middles, np.inf)
    nearest = np.where(distance_before <= distance_after, before, after)
    distance = np.minimum(distance_before, distance_after)
    speakers = exclusive_turns.local_speaker.to_numpy()
    return [str(speakers[i]) if d <= NEAR_S else None for i, d in zip(nearest, distance, strict=True)]
