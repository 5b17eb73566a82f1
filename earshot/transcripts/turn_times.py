"""Turn times: which turn a time means that somebody read somewhere, and which time means a turn. Pure.

Exports, search and tables print at what second a line starts, rounded down; SRT, JSON and the like print when a word or a turn
does, to the millisecond. Whoever types such a time back means the turn of what is printed there, not whoever else is just
finishing a sentence:

| a time | means the turn |
|---|---|
| of whole seconds | whose line is printed at that second, else the one that starts within it |
| with decimals | that starts in that millisecond, or a word of which does |
| at which nothing starts | that is spoken then |

Several are meant where two lines start in one second, or two speak at once: then none is chosen here. Of turns that no line
shows (a breath, a "yeah" in somebody's sentence) only decimals speak where a line starts in the same second.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from earshot.common.excerpt import parse_time
from earshot.common.timeline import Interval, build_timeline
from earshot.common.times import format_exact, format_hms
from earshot.config.source_options import parse_duration
from earshot.transcripts.recordings import Recording
from earshot.transcripts.word_turns import NO_TURN, word_turns

EXACT_S = 0.001


@dataclass(frozen=True)
class TypedTime:
    """A time as it was typed, in seconds; `exact` where it has decimals."""

    seconds: float
    exact: bool = False

    def __str__(self) -> str:
        return format_exact(self.seconds) if self.exact else format_hms(self.seconds)


def parse_typed_time(text: str) -> TypedTime:
    """`90`, `1:30`, `0:01:30.250`, also with a comma as SRT has it. Raises ValueError for anything else."""
    plain = text.strip().replace(",", ".")
    return TypedTime(parse_time(plain), exact=True) if "." in plain else TypedTime(parse_duration(plain))


@dataclass(frozen=True)
class Starts:
    """Things that start at these seconds, and the rows of the turns that they belong to."""

    seconds: np.ndarray
    rows: np.ndarray

    def at(self, time: TypedTime) -> set[int]:
        """The turns of what is printed at this time."""
        if time.exact:
            found = np.abs(self.seconds - time.seconds) < EXACT_S
        else:
            found = self.seconds.astype(np.int64) == int(time.seconds)
        return set(self.rows[found].tolist())


@dataclass(frozen=True)
class TurnTimes:
    """One video's turns (start_s, end_s, local_speaker), the lines that show them, and their words."""

    turns: pd.DataFrame
    lines: Starts
    words: Starts

    def meant(self, time: TypedTime) -> list[int]:
        """The rows of the turns that this time may mean: one where it is clear, none where nobody speaks."""
        begun = _starts(self.turns.start_s, range(len(self.turns))).at(time)
        found = begun | self.words.at(time) if time.exact else self.lines.at(time) or begun
        return sorted(found) or self._spoken(time.seconds)

    def time_of(self, row: int) -> TypedTime | None:
        """A time that means this turn and no other: the plainest. None where its speaker is never alone in it."""
        start, alone = float(self.turns.start_s.iloc[row]), self.alone(row)
        times = [
            TypedTime(float(int(start))),
            TypedTime(start, exact=True),
            *(TypedTime(sum(each) / 2, exact=True) for each in alone),
        ]
        return next((time for time in times if alone and self.meant(parse_typed_time(str(time))) == [row]), None)

    def alone(self, row: int) -> list[Interval]:
        """When nobody but this turn's speaker speaks in it, which is what a correction keeps of it."""
        turn, stretches = self.turns.iloc[row], build_timeline(self.turns)
        own = stretches.solo[stretches.speakers.index(turn.local_speaker)]
        return stretches.merged(stretches.mask([(turn.start_s, turn.end_s)]) & own)

    def _spoken(self, at: float) -> list[int]:
        """The turns that are spoken at this moment; of several of one speaker the shortest."""
        starts, ends = self.turns.start_s.to_numpy(dtype=float), self.turns.end_s.to_numpy(dtype=float)
        rows = np.flatnonzero((starts <= at) & (at < ends)).tolist()
        return [min(rows, key=lambda row: ends[row] - starts[row])] if len(self._speakers(rows)) == 1 else rows

    def _speakers(self, rows: Iterable[int]) -> set[str]:
        return {self.turns.local_speaker.iloc[row] for row in rows}


def turn_times(recording: Recording) -> TurnTimes:
    """The times of a recording whose words and passages are known, too."""
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
    """The times of a video of which only the turns are known."""
    nothing = _starts((), ())
    return TurnTimes(turns, nothing, nothing)


def _line_starts(recording: Recording, words: slice, speaker: object) -> list[int]:
    """The words with which a line of a passage begins: its first, and each with which somebody else is shown."""
    inside = recording.words.iloc[words]
    said = recording.names.of_spans(inside, [speaker] * len(inside))
    return [words.start + place for place in range(len(said)) if place == 0 or said[place] != said[place - 1]]


def _starts(seconds: Iterable[float], rows: Iterable[int]) -> Starts:
    """Without what belongs to no turn."""
    times, turns = np.array(list(seconds), dtype=np.float64), np.array(list(rows), dtype=np.int64)
    return Starts(times[turns != NO_TURN], turns[turns != NO_TURN])
