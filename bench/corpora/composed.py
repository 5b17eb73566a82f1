"""Composed recordings: of any length, and as many short ones as wanted, out of the demo's episodes (bench/corpora/episodes.py).

Long ones repeat the episodes in turn, so that however long one is it has the same voices in the same order: what grows is the
length, not how many speak. Short ones begin at different offsets of that row, no two alike.
"""

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import numpy as np

from bench.corpora.episodes import EPISODES, TELEPHONE, Clip, clip_samples, episode_samples, write_mp3
from earshot.common.audio import SAMPLE_RATE

# Of the telephone call: both speakers are heard. What loads and warms models before anything is measured.
FIRST = Clip(TELEPHONE.package, TELEPHONE.path, 6.5, 14.5)


def write_first(folder: Path) -> Path:
    """The recording that warms the models."""
    path = folder / "first.mp3"
    write_mp3(path, clip_samples(FIRST))
    return path


def write_long(folder: Path, minutes: float) -> Path:
    """One recording of so many minutes."""
    path = folder / f"{minutes:g}_minutes.mp3"
    write_mp3(path, repeated([episode_samples(episode) for episode in EPISODES], round(minutes * 60 * SAMPLE_RATE)))
    return path


def write_short(folder: Path, count: int, seconds: float) -> Path:
    """A folder of so many recordings of so many seconds."""
    within = folder / "short"
    within.mkdir()
    row = np.concatenate([episode_samples(episode) for episode in EPISODES])
    length = round(seconds * SAMPLE_RATE)
    for index, offset in enumerate(offsets(len(row), count)):
        write_mp3(within / f"{index:04d}.mp3", repeated([row[offset:], row[:offset]], length))
    return within


def repeated(parts: Sequence[np.ndarray], length: int) -> np.ndarray:
    """The parts one after another, again and again, cut to so many samples."""
    found, have = [], 0
    for part in cycle(parts):
        found.append(part)
        have += len(part)
        if have >= length:
            break
    return np.concatenate(found)[:length]


def offsets(length: int, count: int) -> list[int]:
    """So many different places in a row of so many samples, evenly apart; raises ValueError where there are too few."""
    if count > length:
        raise ValueError(f"{length} samples have no {count} different offsets")
    return [index * length // count for index in range(count)]
