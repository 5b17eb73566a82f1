"""Word turns: to which turn of its speaker each word belongs. Pure functions over DataFrames.

Whose a word is, ingest_assets/words.py decides; a speaker's turns are told apart by the same rules here, each turn in the
place of a speaker. So a sentence that begins a moment before its turn, or in the end of the speaker's turn before that,
belongs to one turn as a whole, as far as times of words and borders of turns can tell.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ingest_assets.words import NEAR_S, PAUSE_S, attribute_words

NO_TURN = -1


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
