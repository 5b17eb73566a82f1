"""Local speakers: computes one centroid per local speaker from turns and their vectors. Pure functions over DataFrames.

Each turn has a *condition*, the first of these that applies:

| condition | the turn | its vector |
|---|---|---|
| forgotten | at least half of it is in forgotten time | none |
| too_short | is shorter than MIN_TURN_S | used if the speaker has no better one |
| overlapped | others speak during more than OVERLAPPED_SHARE of it | used if the speaker has no clear one |
| clear | anything else | used for the centroid |

The diarization sometimes takes two people for one. Their mean vector is like both of them and like neither: as a voice it would
join the two across videos, and both would get the name of either. `has_two_voices()` finds such speakers by their clear turns.

Nothing here compares speakers of different videos.
"""

import numpy as np
import pandas as pd

from earshot.common.audio import SAMPLE_RATE, SampleSpan
from earshot.common.timeline import HALF, Interval, build_timeline
from earshot.speakers.voices.cosine import mean_direction

# Measured with CAM++ (a turn against half a minute of its own voice and of six others, from bench/corpora/episodes.py): the
# equal error rate is 16 % for turns of 0.25 s, 13 % for 0.5 s, 9 % for 1 s, and 6 % from 1.5 s on.
MIN_TURN_S = 0.5
# Measured the same way, with a second, equally loud voice mixed into the end of turns of 2 and 4 s: if it covers a tenth or a
# fifth of the turn, the cosine to the first voice falls by 0.03 at most; with half, by 0.06 to 0.14; with three quarters, both
# voices are equally near.
OVERLAPPED_SHARE = 0.2

# The mean cosine of two groups of turns below which they are two voices, and the seconds and the share of the speech that the
# smaller group must have. Chosen on composed meetings (docs/measurements/diarization.md).
UNLIKE = 0.5
LEAST_S, LEAST_SHARE = 0.7, 0.1
MOST_TURNS = 2000  # evenly spread ones of more: 16 MB of distances

# A centroid uses the turns of the first of these conditions that the speaker has.
USED = ("clear", "overlapped", "too_short")


def turn_spans(turns: pd.DataFrame, samples: int) -> list[SampleSpan]:
    """(first sample, one past the last) of each turn, at least one sample long and inside the audio."""
    first = (turns.start_s * SAMPLE_RATE).round().astype(int).clip(0, max(samples - 1, 0))
    last = (turns.end_s * SAMPLE_RATE).round().astype(int).clip(upper=samples)
    return [(start, max(end, start + 1)) for start, end in zip(first.tolist(), last.tolist(), strict=True)]


def conditions(turns: pd.DataFrame, forgotten: list[Interval]) -> list[str]:
    """The condition of each turn (start_s, end_s, local_speaker) of a video; `forgotten` has spans in seconds."""
    times = list(zip(turns.start_s.tolist(), turns.end_s.tolist(), strict=True))
    timeline = build_timeline(turns, forgotten)
    forgotten_s = timeline.covered_s(timeline.mask(forgotten), times)
    overlapped_s = timeline.covered_s(timeline.speaking.sum(axis=0) > 1, times)
    return [
        _condition(end - start, *covered)
        for (start, end), *covered in zip(times, forgotten_s.tolist(), overlapped_s.tolist(), strict=True)
    ]


def _condition(turn_s: float, forgotten_s: float, overlapped_s: float) -> str:
    if forgotten_s >= HALF * turn_s > 0.0:
        return "forgotten"
    if turn_s < MIN_TURN_S:
        return "too_short"
    return "overlapped" if overlapped_s > OVERLAPPED_SHARE * turn_s else "clear"


def local_speakers(turns: pd.DataFrame) -> pd.DataFrame:
    """One row per local speaker, from turns with `condition` and `embedding` (a vector of unit length, or None).

    Columns: local_speaker, speech_s and turns (of all conditions), clear_s (seconds of clear turns), two_voices (whether the
    clear turns are of two voices), and centroid: the mean of the speaker's vectors of the best condition, weighted by seconds
    (float32, unit length; None if no turn has a vector).
    """
    rows = []
    for speaker, group in turns.groupby("local_speaker", sort=True):
        seconds = group.end_s - group.start_s
        clear_s = float(seconds[group.condition == "clear"].sum())
        rows.append((speaker, float(seconds.sum()), len(group), clear_s, _two_voices(group), _centroid(group)))
    columns = ["local_speaker", "speech_s", "turns", "clear_s", "two_voices", "centroid"]
    return pd.DataFrame(rows, columns=columns).astype({"two_voices": bool, "centroid": object})


def has_two_voices(vectors: np.ndarray, seconds: np.ndarray) -> bool:
    """Whether the turns of one speaker, with a unit vector and seconds each, are of two voices."""
    if len(vectors) < 2:
        return False
    from scipy.cluster.hierarchy import fcluster, linkage  # half a second to import, which most commands avoid
    from scipy.spatial.distance import pdist

    chosen = np.linspace(0, len(vectors) - 1, min(len(vectors), MOST_TURNS)).round().astype(int)
    tree = linkage(pdist(vectors[chosen], "sqeuclidean") / 2, method="average")  # of unit vectors, half of it is 1 - cosine
    groups = fcluster(tree, 1.0 - UNLIKE, criterion="distance")
    by_group = np.sort(np.bincount(groups, weights=seconds[chosen]))
    return bool(by_group[-2] >= max(LEAST_S, LEAST_SHARE * by_group.sum()))  # group 0 is empty: there are always two sums


def _two_voices(turns: pd.DataFrame) -> bool:
    clear = turns[turns.condition == "clear"]
    return len(clear) > 1 and has_two_voices(np.stack(clear.embedding.tolist()), (clear.end_s - clear.start_s).to_numpy())


def _centroid(turns: pd.DataFrame) -> np.ndarray | None:
    for condition in USED:
        used = turns[turns.condition == condition]
        if not used.empty:
            seconds = (used.end_s - used.start_s).to_numpy(np.float64)
            return mean_direction(np.stack(used.embedding.tolist()), seconds).astype(np.float32)
    return None
