"""Stretches: a video's time, cut wherever a turn or a span begins or ends, so that within one of them nothing changes.

What a correction or an enrolment speaks of is kept as time, since local speakers' names and turns change with every
diarization. Which speaker that time belongs to is answered here. Where two speak at once, time says nothing of either: a
speaker's own time is when nobody else speaks. Otherwise a correction of one speaker would also fall on who only ever says
"yes" in between. Pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

Interval = tuple[float, float]

# A speaker who is alone for less than this in all has no time of his own to go by: then all his speech counts.
MIN_SOLO_S = 1.0
# Two stretches with a shorter silence between them become one span.
MAX_PAUSE_S = 2.0
# From which share on time speaks of a turn or a speaker.
HALF = 0.5
# For spans alone.
EMPTY_TURNS = pd.DataFrame({"local_speaker": [], "start_s": [], "end_s": []})


@dataclass(frozen=True)
class Timeline:
    """n stretches between n + 1 `edges` (seconds); `solo` and `speaking` are bool, a row per speaker, a column per stretch."""

    edges: np.ndarray
    speakers: tuple[str, ...]
    speaking: np.ndarray
    solo: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Seconds of each stretch."""
        return np.diff(self.edges)

    def mask(self, spans: Iterable[Interval]) -> np.ndarray:
        """Which stretches lie in one of the spans: bool. Of spans that the stretches were cut by."""
        return _within(self.edges, spans)

    def seconds(self, chosen: np.ndarray) -> float:
        """How long the chosen stretches are together."""
        return float(self.lengths[chosen].sum())

    def speakers_mostly_in(self, chosen: np.ndarray) -> list[str]:
        """The speakers of whose own time the chosen stretches hold at least half."""
        own_s = self.solo @ self.lengths
        held_s = (self.solo & chosen) @ self.lengths
        return [speaker for speaker, own, held in zip(self.speakers, own_s, held_s, strict=True) if held >= HALF * own > 0.0]

    def covered_s(self, chosen: np.ndarray, spans: Iterable[Interval]) -> np.ndarray:
        """Of each span, the seconds that the chosen stretches hold. Of spans that the stretches were cut by."""
        until = np.concatenate([[0.0], np.cumsum(self.lengths * chosen)])
        starts, ends = _pairs(spans)
        return until[np.searchsorted(self.edges, ends)] - until[np.searchsorted(self.edges, starts)]

    def merged(self, chosen: np.ndarray) -> list[Interval]:
        """The chosen stretches as few spans, joined over short pauses in which nobody speaks."""
        found = np.flatnonzero(chosen)
        if not found.size:
            return []
        spoken = np.concatenate([[0], np.cumsum(self.speaking.any(axis=0) & ~chosen)])
        apart = self.edges[found[1:]] - self.edges[found[:-1] + 1] > MAX_PAUSE_S
        apart |= spoken[found[1:]] > spoken[found[:-1]]
        first = found[np.concatenate([[True], apart])]
        last = found[np.concatenate([apart, [True]])]
        return list(zip(self.edges[first].tolist(), self.edges[last + 1].tolist(), strict=True))


def build_timeline(turns: pd.DataFrame, spans: Iterable[Interval] = ()) -> Timeline:
    """One video's time, from its turns (local_speaker, start_s, end_s) and spans. No turns and no spans: no stretches."""
    labels, speaker_of = np.unique(turns.local_speaker.to_numpy(dtype=str), return_inverse=True)
    times = turns[["start_s", "end_s"]].to_numpy(dtype=np.float64)
    edges = np.unique(np.concatenate([times.ravel(), _pairs(spans).ravel()]))
    count = max(len(edges) - 1, 0)
    speaking = [_within(edges, times[speaker_of == index]) for index in range(len(labels))]
    speaking = np.array(speaking, dtype=bool).reshape(len(labels), count)
    return Timeline(edges, tuple(labels.tolist()), speaking, _own(speaking, np.diff(edges)))


def _own(speaking: np.ndarray, lengths: np.ndarray) -> np.ndarray:
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
    """Starts and ends: (2, spans)."""
    listed = spans if isinstance(spans, np.ndarray) else list(spans)
    return np.asarray(listed, dtype=np.float64).reshape(-1, 2).T
