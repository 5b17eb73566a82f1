"""Word turns: assigns each word to a turn of its speaker. Pure functions over DataFrames.

word_speakers.py decides the speaker of a word. Here the same rules choose among that speaker's turns, with each turn in place
of a speaker. So a sentence that begins a moment before its turn, or at the end of the speaker's previous turn, belongs to one
turn as a whole, as far as word times and turn borders show.

`whole_words()` moves the borders of corrected time ranges to borders of words: a correction of a turn covers all its words, and
none of another turn.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import pandas as pd

from earshot.common.timeline import EMPTY_TURNS, Interval, Timeline, build_timeline
from earshot.transcripts.attribution.word_speakers import NEAR_S, PAUSE_S, attribute_words

NO_TURN = -1
NO_PERSON = -1
APART_S = 0.001

Spoken = tuple[float, float, int]  # start_s, end_s, person_id


def word_turns(words: pd.DataFrame, speakers: Sequence[object], turns: pd.DataFrame) -> np.ndarray:
    """For each word (start_s, end_s, text) the row of its turn (start_s, end_s, local_speaker), both in order of time.

    `speakers` are the words' local speakers. NO_TURN for words without one.
    """
    turn_of_word = np.full(len(words), NO_TURN, dtype=np.int64)
    spoken_by, labels = np.array(speakers, dtype=object), turns.local_speaker.to_numpy(dtype=object)
    for label in dict.fromkeys(labels.tolist()):
        rows = np.flatnonzero(labels == label)
        for block in _blocks(words, np.flatnonzero(spoken_by == label)):
            turn_of_word[block] = _turns_of(words.iloc[block], turns, rows)
    return turn_of_word


def _blocks(words: pd.DataFrame, chosen: np.ndarray) -> list[np.ndarray]:
    """The chosen words, split at pauses: no sentence spans a pause, and all words at once would take too much memory."""
    if not chosen.size:
        return []
    starts, ends = words.start_s.to_numpy(dtype=float)[chosen], words.end_s.to_numpy(dtype=float)[chosen]
    return np.split(chosen, np.flatnonzero(starts[1:] - ends[:-1] > PAUSE_S) + 1)


def _turns_of(words: pd.DataFrame, turns: pd.DataFrame, rows: np.ndarray) -> list[int]:
    """The turn of each of one speaker's words; `rows` are that speaker's turns."""
    own = turns.iloc[rows]
    first, last = words.start_s.min() - NEAR_S, words.end_s.max() + NEAR_S
    near = rows[((own.end_s >= first) & (own.start_s <= last)).to_numpy()]
    labelled = turns.iloc[near].assign(local_speaker=[str(row) for row in near])
    return [NO_TURN if row is None else int(row) for row in attribute_words(words, labelled, labelled)]


def whole_words(
    moments: Sequence[Spoken], words: pd.DataFrame, speakers: Sequence[object], turns: pd.DataFrame
) -> list[Spoken]:
    """The time ranges (disjoint, in order) with their borders moved between words; other arguments as for `word_turns()`.

    A word's person is the one at the nearest time of its turn at which the speaker speaks alone. If there is none, no range
    applies: those that cover the turn may be about the other speaker.
    """
    word_people = list(_word_people(moments, words, word_turns(words, speakers, turns), turns))
    grid = build_timeline(EMPTY_TURNS, ((start, end) for start, end, _ in (*moments, *word_people)))
    people = np.full(len(grid.lengths), NO_PERSON, dtype=np.int64)
    for start, end, person in (*moments, *word_people):
        people[_slice(grid, (start, end))] = person
    return list(_merged(grid, people))


def _word_people(moments: Sequence[Spoken], words: pd.DataFrame, rows: np.ndarray, turns: pd.DataFrame) -> Iterator[Spoken]:
    """The time and person of each word that has a turn; NO_PERSON where no time range applies."""
    timeline, times = build_timeline(turns), words[["start_s", "end_s"]].to_numpy(dtype=float)
    middles = ((turns.start_s + turns.end_s) / 2).to_numpy(dtype=float)
    for row, indices in groupby(np.flatnonzero(rows != NO_TURN).tolist(), key=lambda index: int(rows[index])):
        solo, other_middles = _solo(timeline, turns, row), np.delete(middles, row)
        for start, end in times[list(indices)].tolist():
            person = _person_at(moments, _nearest(solo, (start + end) / 2)) if solo else NO_PERSON
            start, end = _clear_of(other_middles, start, end)
            if end > start:
                yield start, end, person


def _clear_of(middles: np.ndarray, start: float, end: float) -> Interval:
    """The part of a word without the middle of another turn, because that middle decides whose turn it is displayed as."""
    middle = (start + end) / 2
    before = middles[(middles >= start) & (middles <= middle)]
    after = middles[(middles > middle) & (middles <= end)]
    return max([start, *(before + APART_S)]), min([end, *(after - APART_S)])


def _solo(timeline: Timeline, turns: pd.DataFrame, row: int) -> list[Interval]:
    """The intervals of a turn in which only its speaker speaks."""
    turn = turns.iloc[row]
    inside = _slice(timeline, (turn.start_s, turn.end_s))
    solo = timeline.solo[timeline.speakers.index(turn.local_speaker), inside]
    intervals = list(zip(timeline.edges[:-1][inside].tolist(), timeline.edges[1:][inside].tolist(), strict=True))
    return [interval for interval, alone in zip(intervals, solo.tolist(), strict=True) if alone]


def _nearest(times: Sequence[Interval], at: float) -> float:
    """The time nearest to `at` within these half-open intervals."""
    inside = [min(max(at, start), max(start, end - APART_S)) for start, end in times]
    return min(inside, key=lambda time: abs(time - at))


def _person_at(moments: Sequence[Spoken], at: float) -> int:
    return next((person for start, end, person in moments if start <= at < end), NO_PERSON)


def _slice(timeline: Timeline, times: Interval) -> slice:
    first, last = np.searchsorted(timeline.edges, times)
    return slice(int(first), int(last))


def _merged(grid: Timeline, people: np.ndarray) -> Iterator[Spoken]:
    """Adjacent stretches of one person, merged."""
    for person, indices in groupby(range(len(people)), key=lambda index: int(people[index])):
        run = list(indices)
        if person != NO_PERSON:
            yield float(grid.edges[run[0]]), float(grid.edges[run[-1] + 1]), person
