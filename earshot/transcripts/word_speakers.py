"""Words and who said them. Pure functions over DataFrames.

`attribute_words()` gives each word to a local speaker, by these rules:

1. A word belongs to the exclusive turn that it overlaps most; of two that it overlaps alike, to the earlier.
2. A word between turns, where whisper heard a word and the diarization nobody, goes to the turn nearest to its middle, at
   most `NEAR_S` away. Further off, or with no turns at all, its speaker is unknown: never guessed.
3. A word may also be another's: of whoever else speaks at its middle (in overlapped speech an exclusive turn is one of two
   right answers), of a speaker whose turn begins or ends within `BORDER_S` of its middle (borders of turns and times of words
   are no more exact than that), and, of a word between turns, of every speaker within `NEAR_S`.
4. A sentence is one speaker's where it can be: where each of its words may be his. So a change of speaker a word or two away
   from the end of a sentence comes to lie there ("Neither did / I." becomes "Neither did I. /"). If it may be several
   speakers', it is his whose exclusive turns it overlaps longest.
5. But no turn loses all its words that way, unless he who gets them speaks during them too: what the diarization heard as a
   turn of its own, however short, stays with whom it heard. A "yeah" into a pause of another's sentence is still the
   listener's; of two who speak at once, whisper mostly writes down the one whose sentence it is.

Such a back-channel must not tear the other's sentence apart where it is read: `sentence_speakers()` says under whom each word
is shown in passages and subtitles. A run of at most `BACK_CHANNEL_WORDS` words and `BACK_CHANNEL_S` seconds is shown with the
sentence it falls into, where the same speaker was in the middle of it before and goes on after.

Sentences are as whisper writes them: they end at `.?!` and the like, or at a pause. Without such marks rule 4 has little to go
by, and words stay where rules 1 and 2 put them. Who a local speaker is, is not asked here:
earshot/transcripts/speaker_names.py.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

NEAR_S = 1.0  # breaths and hesitations are shorter; a guess over a longer silence would often be wrong
BORDER_S = 0.25  # the collar within which scoring of diarization (NIST's md-eval) holds no border against a system
BACK_CHANNEL_WORDS = 3  # "yeah", "mhm", "oh I see": more than that says something of its own
BACK_CHANNEL_S = 1.0

SENTENCE_END = re.compile(r"[.?!…。！？]['\"”’»)\]]*$")
PAUSE_S = 2.0


def attribute_words(words: pd.DataFrame, exclusive_turns: pd.DataFrame, turns: pd.DataFrame) -> list[str | None]:
    """The local speaker of each word (start_s, end_s, text), None where unknown.

    Exclusive turns and turns (start_s, end_s, local_speaker) come in order of time, as the diarizer gives them.
    """
    if words.empty or exclusive_turns.empty:
        return [None] * len(words)
    spoken, labels = _Spoken.of(words), sorted({*exclusive_turns.local_speaker, *turns.local_speaker})
    turn = _own_turns(spoken, exclusive_turns)
    speaker = np.append(exclusive_turns.local_speaker.map(labels.index).to_numpy(dtype=int), -1)[turn]
    per_label = [(_of(exclusive_turns, label), _of(turns, label)) for label in labels]
    seconds = np.stack([_seconds(spoken, exclusive) for exclusive, _ in per_label], axis=1)
    away = [np.minimum(_distances(spoken, exclusive), _distances(spoken, every)) for exclusive, every in per_label]
    away = np.stack(away, axis=1)
    reach = np.where(seconds.sum(axis=1) > 0.0, BORDER_S, NEAR_S)
    left = np.bincount(turn[turn >= 0], minlength=len(exclusive_turns))
    evidence = _Evidence(turn, away <= reach[:, None], away == 0.0, seconds)
    for words_of in _sentences(words):
        if len(set(speaker[words_of])) > 1:
            speaker[words_of] = _whose(speaker[words_of], evidence.of(words_of), left)
    return [labels[index] if index >= 0 else None for index in speaker]


def sentence_speakers(words: pd.DataFrame, speakers: Sequence[str | None]) -> list[str | None]:
    """Under which local speaker each word (start_s, end_s, text) is shown: its own, or his whose sentence it falls into."""
    shown = list(speakers)
    runs = _runs(speakers)
    texts, starts, ends = words.text.tolist(), words.start_s.tolist(), words.end_s.tolist()
    for before, run, after in zip(runs, runs[1:], runs[2:], strict=False):
        outer = speakers[before[0]]
        if None in (outer, speakers[run[0]]) or outer != speakers[after[0]] or outer != shown[before[0]]:
            continue  # the last: `before` is itself a back-channel, and nobody's sentence
        short = len(run) <= BACK_CHANNEL_WORDS and ends[run[-1]] - starts[run[0]] <= BACK_CHANNEL_S
        gaps = (starts[run[0]] - ends[before[-1]], starts[after[0]] - ends[run[-1]])
        goes_on = not ends_sentence(texts[before[-1]]) and _continues(texts[run[-1]], texts[after[0]])
        if short and goes_on and max(gaps) <= PAUSE_S:
            shown[run[0] : run[-1] + 1] = [outer] * len(run)
    return shown


def ends_sentence(text: str) -> bool:
    """Whether a sentence ends with this word."""
    return SENTENCE_END.search(text.strip()) is not None


def _continues(text: str, following: str) -> bool:
    """Whether a sentence goes on from one word to the next: also past a full stop ("Yeah."), where no capital follows."""
    return not ends_sentence(text) or following.strip()[:1].islower()


@dataclass(frozen=True)
class _Spoken:
    """Starts, ends and middles of words, in seconds."""

    starts: np.ndarray
    ends: np.ndarray
    middles: np.ndarray

    @staticmethod
    def of(words: pd.DataFrame) -> "_Spoken":
        starts, ends = words.start_s.to_numpy(dtype=float), words.end_s.to_numpy(dtype=float)
        return _Spoken(starts, ends, (starts + ends) / 2)


@dataclass(frozen=True)
class _Evidence:
    """Of each word: its exclusive turn; and by speaker, whether it may be his, he speaks at its middle, and the seconds of it
    that lie in his exclusive turns."""

    turn: np.ndarray
    possible: np.ndarray
    speaking: np.ndarray
    seconds: np.ndarray

    def of(self, words: slice) -> "_Evidence":
        return _Evidence(self.turn[words], self.possible[words], self.speaking[words], self.seconds[words])


def _of(turns: pd.DataFrame, label: str) -> pd.DataFrame:
    return turns[turns.local_speaker == label]


def _own_turns(spoken: _Spoken, exclusive_turns: pd.DataFrame) -> np.ndarray:
    """Rules 1 and 2: the index of each word's turn, -1 where it has none."""
    starts, ends = exclusive_turns.start_s.to_numpy(dtype=float), exclusive_turns.end_s.to_numpy(dtype=float)
    first = np.searchsorted(ends, spoken.starts, side="right")
    after = np.searchsorted(starts, spoken.ends, side="left")
    turn, longest = np.full(len(spoken.starts), -1), np.zeros(len(spoken.starts))
    for step in range(int(np.max(after - first, initial=0))):
        index = np.minimum(first + step, len(starts) - 1)
        overlap = np.minimum(spoken.ends, ends[index]) - np.maximum(spoken.starts, starts[index])
        longer = (first + step < after) & (overlap > longest)
        turn, longest = np.where(longer, index, turn), np.where(longer, overlap, longest)
    nearest, distance = _nearest(spoken.middles, starts, ends)
    return np.where((turn < 0) & (distance <= NEAR_S), nearest, turn)


def _nearest(times: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The index of the nearest of these spans, which do not overlap, and the seconds to it; of two, the earlier."""
    following = np.searchsorted(starts, times, side="right")
    before, after = np.clip(following - 1, 0, None), np.clip(following, None, len(starts) - 1)
    to_before = np.where(following > 0, np.maximum(0.0, times - ends[before]), np.inf)
    to_after = np.where(following < len(starts), starts[after] - times, np.inf)
    return np.where(to_before <= to_after, before, after), np.minimum(to_before, to_after)


def _seconds(spoken: _Spoken, turns: pd.DataFrame) -> np.ndarray:
    """Seconds of each word that lie in these turns, which do not overlap."""
    if turns.empty:
        return np.zeros(len(spoken.starts))
    times = turns[["start_s", "end_s"]].to_numpy(dtype=float)
    spoken_until = np.cumsum(times[:, 1] - times[:, 0])
    heard = np.column_stack([np.append(0.0, spoken_until[:-1]), spoken_until]).ravel()
    return np.interp(spoken.ends, times.ravel(), heard) - np.interp(spoken.starts, times.ravel(), heard)


def _distances(spoken: _Spoken, turns: pd.DataFrame) -> np.ndarray:
    """Seconds from each word's middle to the nearest of one speaker's turns, 0 inside one."""
    if turns.empty:
        return np.full(len(spoken.middles), np.inf)
    return _nearest(spoken.middles, turns.start_s.to_numpy(dtype=float), turns.end_s.to_numpy(dtype=float))[1]


def _sentences(words: pd.DataFrame) -> list[slice]:
    """Words first to last of each sentence, as slices."""
    texts, starts, ends = words.text.tolist(), words.start_s.tolist(), words.end_s.tolist()
    first = [
        index
        for index in range(len(texts))
        if index == 0 or ends_sentence(texts[index - 1]) or starts[index] - ends[index - 1] > PAUSE_S
    ]
    return [slice(start, end) for start, end in zip(first, [*first[1:], len(texts)], strict=True)]


def _whose(hers: np.ndarray, evidence: _Evidence, left: np.ndarray) -> np.ndarray:
    """Rules 4 and 5 for one sentence: the speaker of each word. `left` counts the words of each turn, in all sentences."""
    fair = [
        speaker
        for speaker in np.flatnonzero(evidence.possible.all(axis=0))
        if all(_may_lose(turn, speaker, evidence, left) for turn in np.unique(evidence.turn[hers != speaker]))
    ]
    if not fair:
        return hers
    return np.full(len(hers), max(fair, key=lambda speaker: evidence.seconds[:, speaker].sum()))


def _may_lose(turn: np.intp, speaker: np.intp, evidence: _Evidence, left: np.ndarray) -> bool:
    """Whether the words of a turn may go to this speaker: some are left, or he speaks during each of them anyway."""
    lost = evidence.turn == turn
    return left[turn] > lost.sum() or bool(evidence.speaking[lost, speaker].all())


def _runs(speakers: Sequence[str | None]) -> list[range]:
    """Stretches of words of one speaker."""
    changes = [index for index in range(1, len(speakers)) if speakers[index] != speakers[index - 1]]
    borders = [0, *changes, len(speakers)]
    return [range(first, after) for first, after in pairwise(borders) if after > first]
