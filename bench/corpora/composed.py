"""Composed recordings: one of any length, or any number of short ones, from the demo's episodes (bench/corpora/episodes.py).

Long ones repeat the episodes in turn, so that only the length grows, not the number of voices. Short ones start at different
offsets of the episodes, so that no two are alike.
"""

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import numpy as np

from bench.corpora.episodes import EPISODES, TELEPHONE, Clip, clip_samples, episode_samples, write_mp3
from earshot.common.audio import SAMPLE_RATE

# Loads and warms the models before anything is measured; both speakers of the telephone call are heard.
FIRST = Clip(TELEPHONE.package, TELEPHONE.path, 6.5, 14.5)


def write_first(folder: Path) -> Path:
    """The recording that warms the models."""
    path = folder / "first.mp3"
    write_mp3(path, clip_samples(FIRST))
    return path


def write_long(folder: Path, minutes: float) -> Path:
    """Write one recording of `minutes`."""
    path = folder / f"{minutes:g}_minutes.mp3"
    write_mp3(path, repeated([episode_samples(episode) for episode in EPISODES], round(minutes * 60 * SAMPLE_RATE)))
    return path


def write_short(folder: Path, count: int, seconds: float) -> Path:
    """Write `count` recordings of `seconds` each; returns their folder."""
    within = folder / "short"
    within.mkdir()
    row = np.concatenate([episode_samples(episode) for episode in EPISODES])
    length = round(seconds * SAMPLE_RATE)
    for index, offset in enumerate(offsets(len(row), count)):
        write_mp3(within / f"{index:04d}.mp3", repeated([row[offset:], row[:offset]], length))
    return within


def repeated(parts: Sequence[np.ndarray], length: int) -> np.ndarray:
    """The parts one after another, repeated and cut to `length` samples."""
    taken, samples = [], 0
    for part in cycle(parts):
        taken.append(part)
        samples += len(part)
        if samples >= length:
            break
    return np.concatenate(taken)[:length]


def offsets(length: int, count: int) -> list[int]:
    """`count` different, evenly spaced offsets into `length` samples; raises ValueError if there are too few."""
    if count > length:
        raise ValueError(f"{length} samples have no {count} different offsets")
    return [index * length // count for index in range(count)]
