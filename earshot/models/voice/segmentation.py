"""The segmentation: who of a few people speaks when, in overlapping windows of ten seconds.

Each window has its own speakers; which of them are one person, the clustering finds out (clustering.py).
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Frames:
    """The frames into which the segmentation network divides time; each overlaps its neighbours."""

    duration_s: float
    step_s: float

    def starting_with(self, time_s: float) -> int:
        """The first frame of a window that starts at this time; computed as pyannote does, to round alike."""
        return int(np.rint((time_s + 0.5 * self.duration_s - 0.5 * self.duration_s) / self.step_s))

    def middles(self, count: int) -> np.ndarray:
        """The middle of each of the first frames, in seconds."""
        starts = np.arange(count) * self.step_s
        return 0.5 * (starts + (starts + self.duration_s))


@dataclass(frozen=True)
class Segmentation:
    """`active` is (windows, frames, speakers): 1.0 where a speaker is active. Windows start every `step_s`."""

    active: np.ndarray
    window_s: float
    step_s: float
    frames: Frames

    @property
    def second_speaker_s(self) -> np.ndarray:
        """Seconds of speech of each window's second most active speaker; 0 if there are fewer than two."""
        frames = np.sort(self.active.sum(axis=1), axis=1)
        return frames[:, -2] * self.window_s / self.active.shape[1]

    @property
    def silent(self) -> np.ndarray:
        """(windows, speakers) that never speak."""
        return self.active.sum(axis=1) == 0

    def count(self) -> np.ndarray:
        """How many people speak in each frame of the recording: the mean over the windows, rounded."""
        people = self.sum(self.active.sum(axis=2, keepdims=True))
        windows = self.sum(np.ones((*self.active.shape[:2], 1), np.float32))
        return np.rint(people / np.maximum(windows, 1.0))[:, 0].astype(int)

    def sum(self, values: np.ndarray) -> np.ndarray:
        """The sum over all windows of (windows, frames, n), frame by frame of the recording: float32, (frames, n)."""
        windows, length, columns = values.shape
        end_s = self.window_s + (windows - 1) * self.step_s
        total = np.zeros((self.frames.starting_with(end_s) + 1, columns), dtype=np.float32)
        for window, value in enumerate(values):
            first = self.frames.starting_with(window * self.step_s)
            total[first : first + length] += value[: len(total) - first]
        return total
