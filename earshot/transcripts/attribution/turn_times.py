"""Turn times: finds the turn that a typed time refers to, and a time that refers to a turn. Pure functions.

Exports, search and tables print the second at which a line starts, rounded down; SRT, JSON and similar formats print the start
of a word or turn to the millisecond. A user who types such a time means the turn printed there, not one that is just ending:

| a time | refers to the turn |
|---|---|
| in whole seconds | whose line is printed at that second, else the one that starts within it |
| with decimals | that starts in that millisecond, or that has a word starting there |
| at which nothing starts | that is being spoken then |

If two lines start in one second, or two people speak at once, all their turns are returned. A turn without a line (a breath, a
"yeah" in another speaker's sentence) needs decimals if a line starts in the same second.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from earshot.common.excerpt import parse_time
from earshot.common.timeline import Interval, build_timeline
from earshot.common.times import format_exact, format_hms
from earshot.config.source_options import parse_duration
from earshot.transcripts.attribution.word_turns import NO_TURN, word_turns
from earshot.transcripts.recordings import Recording

EXACT_S = 0.001


@dataclass(frozen=True)
class TypedTime:
    """A time that a user typed, in seconds; `exact` if it has decimals."""

    seconds: float
    exact: bool = False

    def __str__(self) -> str:
        return format_exact(self.seconds) if self.exact else format_hms(self.seconds)


def parse_typed_time(text: str) -> TypedTime:
    """Parses `90`, `1:30`, `0:01:30.250`, also with SRT's comma. Raises ValueError for anything else."""
    plain = text.strip().replace(",", ".")
    return TypedTime(parse_time(plain), exact=True) if "." in plain else TypedTime(parse_duration(plain))


@dataclass(frozen=True)
class Starts:
    """Start times (of turns, lines or words) in seconds, and the row of the turn that each belongs to."""

    seconds: np.ndarray
    rows: np.ndarray

    def at(self, time: TypedTime) -> set[int]:
        """The rows of the turns with a start printed as this time."""
        if time.exact:
            matches = np.abs(self.seconds - time.seconds) < EXACT_S
        else:
            matches = self.seconds.astype(np.int64) == int(time.seconds)
        return set(self.rows[matches].tolist())


@dataclass(frozen=True)
class TurnTimes:
    """One video's turns (start_s, end_s, local_speaker), and the starts of their printed lines and of their words."""

    turns: pd.DataFrame
    lines: Starts
    words: Starts

    def meant(self, time: TypedTime) -> list[int]:
        """The rows of the turns that this time may refer to: one if unambiguous, none in silence."""
        begun = _starts(self.turns.start_s, range(len(self.turns))).at(time)
        rows = begun | self.words.at(time) if time.exact else self.lines.at(time) or begun
        return sorted(rows) or self._spoken(time.seconds)

    def time_of(self, row: int) -> TypedTime | None:
        """The simplest time that refers to this turn only. None if its speaker never speaks alone in it."""
        start, alone = float(self.turns.start_s.iloc[row]), self.alone(row)
        times = [
            TypedTime(float(int(start))),
            TypedTime(start, exact=True),
            *(TypedTime(sum(interval) / 2, exact=True) for interval in alone),
        ]
        return next((time for time in times if alone and self.meant(parse_typed_time(str(time))) == [row]), None)

    def alone(self, row: int) -> list[Interval]:
        """The intervals of this turn in which only its speaker speaks; a correction of the turn stores these."""
        turn, timeline = self.turns.iloc[row], build_timeline(self.turns)
        solo = timeline.solo[timeline.speakers.index(turn.local_speaker)]
        return timeline.merged(timeline.mask([(turn.start_s, turn.end_s)]) & solo)

    def _spoken(self, at: float) -> list[int]:
        """The turns being spoken at this second; only the shortest if all are of one speaker."""
        starts, ends = self.turns.start_s.to_numpy(dtype=float), self.turns.end_s.to_numpy(dtype=float)
        rows = np.flatnonzero((starts <= at) & (at < ends)).tolist()
        return [min(rows, key=lambda row: ends[row] - starts[row])] if len(self._speakers(rows)) == 1 else rows

    def _speakers(self, rows: Iterable[int]) -> set[str]:
        return {self.turns.local_speaker.iloc[row] for row in rows}


def turn_times(recording: Recording) -> TurnTimes:
    """The turn times of a recording, with its printed lines and words."""
    words, turns = recording.words, recording.turns
    shown = np.full(len(words), None, dtype=object)
    first: list[int] = []
    for row in recording.passages.to_dict("records"):
        inside = slice(row["first_word"], row["last_word"] + 1)
        shown[inside] = row["local_speaker"]
        first += _line_starts(recording, inside, row["local_speaker"])
    by_line = word_turns(words, shown.tolist(), turns)
    own = word_turns(words, recording.word_speakers(), turns)
    return TurnTimes(turns, _starts(words.start_s.iloc[first], by_line[first]), _starts(words.start_s, own))


def turns_alone(turns: pd.DataFrame) -> TurnTimes:
    """The turn times of a video without known words or passages."""
    no_starts = _starts((), ())
    return TurnTimes(turns, no_starts, no_starts)


def _line_starts(recording: Recording, words: slice, speaker: object) -> list[int]:
    """The words that start a line of a passage: the first, and each at which the displayed speaker changes."""
    inside = recording.words.iloc[words]
    names = recording.names.of_spans(inside, [speaker] * len(inside))
    return [words.start + index for index in range(len(names)) if index == 0 or names[index] != names[index - 1]]


def _starts(seconds: Iterable[float], rows: Iterable[int]) -> Starts:
    """Leaves out starts that belong to no turn."""
    times, turns = np.array(list(seconds), dtype=np.float64), np.array(list(rows), dtype=np.int64)
    return Starts(times[turns != NO_TURN], turns[turns != NO_TURN])
