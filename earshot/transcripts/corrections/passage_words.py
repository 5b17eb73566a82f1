"""The words of passages, by their index: among all words, as table `passages` has them, or among those that have a text after
corrections, as readers do. Pure functions.
"""

import numpy as np
import pandas as pd


def among_said(passages: pd.DataFrame, said: np.ndarray) -> pd.DataFrame:
    """The passages with `first_word` and `last_word` counting only the words that are said; those without any are left out."""
    before = np.concatenate([[0], np.cumsum(said)])
    first = before[passages.first_word.to_numpy(dtype=int)]
    last = before[passages.last_word.to_numpy(dtype=int) + 1] - 1
    counted = passages.assign(first_word=first, last_word=last)
    return counted[last >= first].reset_index(drop=True)


def among_all(passages: pd.DataFrame, said: np.ndarray) -> pd.DataFrame:
    """The reverse: `first_word` and `last_word` count all words, each in the passage of the last said one before it."""
    if passages.empty:
        return passages
    first = np.flatnonzero(said)[passages.first_word.to_numpy(dtype=int)]
    first[0] = 0
    return passages.assign(first_word=first, last_word=np.append(first[1:] - 1, len(said) - 1))
