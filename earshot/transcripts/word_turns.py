"""Word turns: to which turn of its speaker each word belongs. Pure functions over DataFrames.

Whose a word is, earshot/transcripts/word_speakers.py decides; a speaker's turns are told apart by the same rules here, each
turn in the place of a speaker. So a sentence that begins a moment before its turn, or in the end of the speaker's turn before
that, belongs to one turn as a whole, as far as times of words and borders of turns can tell.

`whole_words()` moves the borders of moments that corrections speak of to borders of words: a turn that is said to be somebody's
is so with all its words, and with none of another turn.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import pandas as pd

from earshot.common.timeline import EMPTY_TURNS, Interval, Timeline, build_timeline
from earshot.transcripts.word_speakers import NEAR_S, PAUSE_S, attribute_words

NO_TURN = -1
NOBODY = -1
APART_S = 0.001

Spoken = tuple[float, float, int]  # start_s, end_s, person_id


def word_turns(words: pd.DataFrame, speakers: Sequence[object], turns: pd.DataFrame) -> np.ndarray:
    """Of each word (start_s, end_s, text), the row of its turn (start_s, end_s, local_speaker), both in order of time.

    `speakers` are the local speakers of the words. NO_TURN where nobody was heard.
    """
    found = np.full(len(words), NO_TURN, dtype=np.int64)
    spoken_by, labels = np.array(speakers, dtype=object), turns.local_speaker.to_numpy(dtype=object)
    for label in dict.fromkeys(labels.tolist()):
        rows = np.flatnonzero(labels == label)
        for block in _blocks(words, np.flatnonzero(spoken_by == label)):
            found[block] = _turns_of(words.iloc[block], turns, rows)
    return found


def _blocks(words: pd.DataFrame, chosen: np.ndarray) -> list[np.ndarray]:
    """The chosen words, cut at pauses: no sentence goes on over one, and together they would take too much memory."""
    if not chosen.size:
        return []
    starts, ends = words.start_s.to_numpy(dtype=float)[chosen], words.end_s.to_numpy(dtype=float)[chosen]
    return np.split(chosen, np.flatnonzero(starts[1:] - ends[:-1] > PAUSE_S) + 1)


def _turns_of(words: pd.DataFrame, turns: pd.DataFrame, rows: np.ndarray) -> list[int]:
    """The rows of the turns of words that one speaker says; `rows` are that speaker's."""
    own = turns.iloc[rows]
    first, last = words.start_s.min() - NEAR_S, words.end_s.max() + NEAR_S
    near = rows[((own.end_s >= first) & (own.start_s <= last)).to_numpy()]
    each = turns.iloc[near].assign(local_speaker=[str(row) for row in near])
    return [NO_TURN if row is None else int(row) for row in attribute_words(words, each, each)]


def whole_words(
    moments: Sequence[Spoken], words: pd.DataFrame, speakers: Sequence[object], turns: pd.DataFrame
) -> list[Spoken]:
    """The moments (disjoint, in order of time) with borders between words; arguments as those of `word_turns()`.

    Each word is said by whoever is at the nearest time of its turn at which its speaker is alone.
    """
    said = list(_said(moments, words, word_turns(words, speakers, turns), turns))
    grid = build_timeline(EMPTY_TURNS, ((start, end) for start, end, _ in (*moments, *said)))
    people = np.full(len(grid.lengths), NOBODY, dtype=np.int64)
    for start, end, person in (*moments, *said):
        people[_places(grid, (start, end))] = person
    return list(_joined(grid, people))


def _said(moments: Sequence[Spoken], words: pd.DataFrame, rows: np.ndarray, turns: pd.DataFrame) -> Iterator[Spoken]:
    """When each word that has a turn is said, and the person, NOBODY where no moment has it."""
    alone, times = build_timeline(turns), words[["start_s", "end_s"]].to_numpy(dtype=float)
    middles = ((turns.start_s + turns.end_s) / 2).to_numpy(dtype=float)
    for row, places in groupby(np.flatnonzero(rows != NO_TURN).tolist(), key=lambda place: int(rows[place])):
        own, others = _alone(alone, turns, row), np.delete(middles, row)
        for start, end in times[list(places)].tolist():
            person = _person_at(moments, _nearest(own, (start + end) / 2))
            start, end = _clear_of(others, start, end)
            if end > start:
                yield start, end, person


def _clear_of(middles: np.ndarray, start: float, end: float) -> Interval:
    """The part of a word in which no other turn has its middle: by that, it is shown whose that turn is."""
    middle = (start + end) / 2
    before = middles[(middles >= start) & (middles <= middle)]
    after = middles[(middles > middle) & (middles <= end)]
    return max([start, *(before + APART_S)]), min([end, *(after - APART_S)])


def _alone(stretches: Timeline, turns: pd.DataFrame, row: int) -> list[Interval]:
    """When only its speaker speaks in a turn; all of it where others always do."""
    turn = turns.iloc[row]
    places = _places(stretches, (turn.start_s, turn.end_s))
    own = stretches.solo[stretches.speakers.index(turn.local_speaker), places]
    edges = list(zip(stretches.edges[:-1][places].tolist(), stretches.edges[1:][places].tolist(), strict=True))
    return [edge for edge, mine in zip(edges, own.tolist(), strict=True) if mine] or [(turn.start_s, turn.end_s)]


def _nearest(times: Sequence[Interval], at: float) -> float:
    """The time in one of these spans, which do not hold their ends, that is nearest to this one."""
    inside = [min(max(at, start), max(start, end - APART_S)) for start, end in times]
    return min(inside, key=lambda time: abs(time - at))


def _person_at(moments: Sequence[Spoken], at: float) -> int:
    return next((person for start, end, person in moments if start <= at < end), NOBODY)


def _places(stretches: Timeline, times: Interval) -> slice:
    first, last = np.searchsorted(stretches.edges, times)
    return slice(int(first), int(last))


def _joined(grid: Timeline, people: np.ndarray) -> Iterator[Spoken]:
    """Neighbours of one person as one moment."""
    for person, places in groupby(range(len(people)), key=lambda place: int(people[place])):
        run = list(places)
        if person != NOBODY:
            yield float(grid.edges[run[0]]), float(grid.edges[run[-1] + 1]), person
