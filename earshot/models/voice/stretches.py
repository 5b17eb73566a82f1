"""Stretches: times of up to four seconds in which one person speaks alone, as the segmentation hears them.

Each window has its own speakers, at most three. Where more people talk within ten seconds, or much over each other, a window
takes two people for one, and its vector is a mixture. A stretch is short enough to have one voice: it ends where speech
overlaps or stops, and where most windows hear another speaker begin.
"""

import math
from itertools import pairwise

import numpy as np

from earshot.models.voice.reconstruction import runs
from earshot.models.voice.segmentation import Segmentation

LONGEST_S = 4.0  # longer ones are cut, in case that no window heard a change
CHANGE_S = 0.15  # windows place the same change up to this far apart
AGREEING = 0.5  # share of the windows that must hear a change
# Frames of silence or overlap within which another speaker's beginning is a change, and those at a stretch's ends without cuts.
PAUSE, MARGIN = 15, 3


def stretches(segmentation: Segmentation) -> np.ndarray:
    """The first frame of each stretch of the recording and the one after it, in order: (stretches, 2)."""
    alone = runs(segmentation.count() == 1)
    changes = runs(_changing(segmentation)).mean(axis=1).astype(int)
    found = []
    for first, last in alone.tolist():
        cuts = changes[(changes > first + MARGIN) & (changes < last - MARGIN)].tolist()
        for start, end in pairwise([first, *cuts, last]):
            parts = math.ceil((end - start) * segmentation.frames.step_s / LONGEST_S)
            found += pairwise(np.linspace(start, end, parts + 1).round().astype(int).tolist())
    return np.array(found, dtype=int).reshape(-1, 2)


def _changing(segmentation: Segmentation) -> np.ndarray:
    """The frames near which at least AGREEING of the windows hear one speaker after another."""
    active = segmentation.active
    alone = active.sum(axis=2) == 1
    heard = np.ones((*active.shape[:2], 1), dtype=np.float32)
    changes = np.zeros_like(heard)
    for window, speaker in enumerate(active.argmax(axis=2)):
        frames = np.flatnonzero(alone[window])
        after = frames[1:][(np.diff(speaker[frames]) != 0) & (np.diff(frames) <= PAUSE)]
        changes[window, after] = 1.0
    near = np.ones(round(CHANGE_S / segmentation.frames.step_s))
    count = np.convolve(segmentation.sum(changes)[:, 0], near, mode="same")
    return count >= AGREEING * np.maximum(segmentation.sum(heard)[:, 0], 1.0)


def masks(segmentation: Segmentation, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each stretch is in a window that has all of it.

    Returns (windows, places, frames), true in the stretch; and the window and place of each stretch, (stretches, 2).
    """
    windows, frames, _ = segmentation.active.shape
    starts = np.array([segmentation.frames.starting_with(window * segmentation.step_s) for window in range(windows)])
    window = np.searchsorted(starts, found[:, 0], side="right") - 1
    place = np.arange(len(found)) - np.searchsorted(window, window)  # its number among those of its window
    inside = np.zeros((windows, int(place.max(initial=-1)) + 1, frames), dtype=bool)
    for (first, last), at, number in zip(found.tolist(), window.tolist(), place.tolist(), strict=True):
        inside[at, number, first - starts[at] : last - starts[at]] = True
    return inside, np.stack([window, place], axis=1)


def seconds(segmentation: Segmentation, found: np.ndarray) -> np.ndarray:
    """The length of each stretch."""
    return (found[:, 1] - found[:, 0]) * segmentation.frames.step_s
