"""Timeline: a video cut at every start and end of a turn or span, so that nothing changes within a stretch. No I/O.

Corrections and enrolments are stored as times, because each diarization changes the labels and turns of local speakers. This
module finds the speaker that a time belongs to. Overlapping speech identifies no speaker: only time in which a speaker talks
alone ("solo") counts. Otherwise a correction would also apply to someone who merely says "yes" in between.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

Interval = tuple[float, float]

# All speech of a speaker counts if the solo time is shorter than this in total.
MIN_SOLO_S = 1.0
# Stretches with a silence of up to this length between them are merged into one span.
MAX_PAUSE_S = 2.0
# A time applies to a turn or a speaker if it covers at least this share.
HALF = 0.5
# For a timeline of spans without turns.
EMPTY_TURNS = pd.DataFrame({"local_speaker": [], "start_s": [], "end_s": []})


@dataclass(frozen=True)
class Timeline:
    """n stretches between n + 1 `edges` (seconds). `solo` and `speaking`: bool, one row per speaker, one column per stretch."""

    edges: np.ndarray
    speakers: tuple[str, ...]
    speaking: np.ndarray
    solo: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """The length of each stretch in seconds."""
        return np.diff(self.edges)

    def mask(self, spans: Iterable[Interval]) -> np.ndarray:
        """Whether each stretch lies in one of the spans: bool. The timeline must be cut at the spans' edges."""
        return _within(self.edges, spans)

    def seconds(self, chosen: np.ndarray) -> float:
        """Total length of the chosen stretches."""
        return float(self.lengths[chosen].sum())

    def speakers_mostly_in(self, chosen: np.ndarray) -> list[str]:
        """The speakers with at least half of their solo time in the chosen stretches."""
        solo_s = self.solo @ self.lengths
        chosen_s = (self.solo & chosen) @ self.lengths
        return [name for name, solo, inside in zip(self.speakers, solo_s, chosen_s, strict=True) if inside >= HALF * solo > 0.0]

    def covered_s(self, chosen: np.ndarray, spans: Iterable[Interval]) -> np.ndarray:
        """For each span, how many of its seconds are chosen. The timeline must be cut at the spans' edges."""
        until = np.concatenate([[0.0], np.cumsum(self.lengths * chosen)])
        starts, ends = _pairs(spans)
        return until[np.searchsorted(self.edges, ends)] - until[np.searchsorted(self.edges, starts)]

    def merged(self, chosen: np.ndarray) -> list[Interval]:
        """The chosen stretches as spans, merged across short silences."""
        indices = np.flatnonzero(chosen)
        if not indices.size:
            return []
        spoken = np.concatenate([[0], np.cumsum(self.speaking.any(axis=0) & ~chosen)])
        apart = self.edges[indices[1:]] - self.edges[indices[:-1] + 1] > MAX_PAUSE_S
        apart |= spoken[indices[1:]] > spoken[indices[:-1]]
        first = indices[np.concatenate([[True], apart])]
        last = indices[np.concatenate([apart, [True]])]
        return list(zip(self.edges[first].tolist(), self.edges[last + 1].tolist(), strict=True))


def build_timeline(turns: pd.DataFrame, spans: Iterable[Interval] = ()) -> Timeline:
    """The timeline of one video's turns (local_speaker, start_s, end_s) and spans; empty if there are neither."""
    labels, speaker_of = np.unique(turns.local_speaker.to_numpy(dtype=str), return_inverse=True)
    times = turns[["start_s", "end_s"]].to_numpy(dtype=np.float64)
    edges = np.unique(np.concatenate([times.ravel(), _pairs(spans).ravel()]))
    count = max(len(edges) - 1, 0)
    speaking = [_within(edges, times[speaker_of == index]) for index in range(len(labels))]
    speaking = np.array(speaking, dtype=bool).reshape(len(labels), count)
    return Timeline(edges, tuple(labels.tolist()), speaking, _solo(speaking, np.diff(edges)))


def _solo(speaking: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    alone = speaking & (speaking.sum(axis=0) == 1)
    enough = alone @ lengths >= MIN_SOLO_S
    return np.where(enough[:, None], alone, speaking)


def _within(edges: np.ndarray, spans: Iterable[Interval] | np.ndarray) -> np.ndarray:
    starts, ends = _pairs(spans)
    real = ends > starts
    depth = np.zeros(max(len(edges), 1), dtype=np.int64)
    np.add.at(depth, np.searchsorted(edges, starts[real]), 1)
    np.add.at(depth, np.searchsorted(edges, ends[real]), -1)
    return np.cumsum(depth)[: max(len(edges) - 1, 0)] > 0


def _pairs(spans: Iterable[Interval] | np.ndarray) -> np.ndarray:
    """Starts and ends of the spans, shape (2, spans)."""
    pairs = spans if isinstance(spans, np.ndarray) else list(spans)
    return np.asarray(pairs, dtype=np.float64).reshape(-1, 2).T
