"""Voices: from turns and their vectors to one centroid per local speaker. Pure functions over DataFrames.

Each turn has a *condition*, which says what it is good for. The first that applies:

| condition | of the turn | its vector |
|---|---|---|
| forgotten | at least half lies in time that was forgotten | none is made |
| too_short | it is shorter than MIN_TURN_S | made, and used where the speaker has nothing better |
| overlapped | others speak during more than OVERLAPPED_SHARE of it | the same, before too_short ones |
| clear | everything else | what centroids are made of |

Which of two videos' speakers are the same person is not decided here.
"""

import numpy as np
import pandas as pd

from earshot.common.audio import SAMPLE_RATE, SampleSpan
from earshot.common.timeline import HALF, Interval, build_timeline
from earshot.speakers.voices.cosine import mean_direction

# Measured with CAM++ (a turn against half a minute of its own voice and of six others, bench/corpora/episodes.py's recordings):
# the equal error rate is 16 % at a quarter of a second, 13 % at a half, 9 % at one second, 6 % from one and a half on.
MIN_TURN_S = 0.5
# Measured the same way, a second voice as loud as the first mixed into the end of turns of 2 and 4 s: with a tenth or a fifth
# of the turn covered, its cosine to its own voice falls by 0.03 at most, with half by 0.06 to 0.14, with three quarters the
# second voice is as near as the first.
OVERLAPPED_SHARE = 0.2

# What a centroid is made of, the first of these that the speaker has.
USED = ("clear", "overlapped", "too_short")


def turn_spans(turns: pd.DataFrame, samples: int) -> list[SampleSpan]:
    """(first sample, one past the last) of each turn, at least one sample long and inside the audio."""
    first = (turns.start_s * SAMPLE_RATE).round().astype(int).clip(0, max(samples - 1, 0))
    last = (turns.end_s * SAMPLE_RATE).round().astype(int).clip(upper=samples)
    return [(start, max(end, start + 1)) for start, end in zip(first.tolist(), last.tolist(), strict=True)]


def conditions(turns: pd.DataFrame, forgotten: list[Interval]) -> list[str]:
    """The condition of each of a video's turns (start_s, end_s, local_speaker); `forgotten`: spans in seconds."""
    times = list(zip(turns.start_s.tolist(), turns.end_s.tolist(), strict=True))
    stretches = build_timeline(turns, forgotten)
    forgotten_s = stretches.covered_s(stretches.mask(forgotten), times)
    overlapped_s = stretches.covered_s(stretches.speaking.sum(axis=0) > 1, times)
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
    """One row per local speaker of turns with `condition` and `embedding` (a vector of length one, or None).

    local_speaker, speech_s and turns (of all conditions), clear_s (seconds of the clear ones), centroid (float32, length one;
    None where no turn has a vector): the mean of the speaker's vectors of the best condition there is, weighted by seconds.
    """
    rows = []
    for speaker, group in turns.groupby("local_speaker", sort=True):
        seconds = group.end_s - group.start_s
        clear_s = float(seconds[group.condition == "clear"].sum())
        rows.append((speaker, float(seconds.sum()), len(group), clear_s, _centroid(group)))
    columns = ["local_speaker", "speech_s", "turns", "clear_s", "centroid"]
    return pd.DataFrame(rows, columns=columns).astype({"centroid": object})


def _centroid(turns: pd.DataFrame) -> np.ndarray | None:
    for condition in USED:
        used = turns[turns.condition == condition]
        if not used.empty:
            seconds = (used.end_s - used.start_s).to_numpy(np.float64)
            return mean_direction(np.stack(used.embedding.tolist()), seconds).astype(np.float32)
    return None
