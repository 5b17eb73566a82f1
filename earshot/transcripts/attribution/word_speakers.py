"""Word speakers: attributes each word to a local speaker. Pure functions over DataFrames.

`attribute_words()` follows these rules:

1. A word belongs to the exclusive turn that it overlaps most; in a tie, to the earlier one.
2. A word between turns, which whisper heard and the diarization did not, goes to the turn nearest to its middle, if that is at
   most `NEAR_S` away. Otherwise its speaker is unknown; there is no guess.
3. A word also has possible speakers: anyone speaking at its middle (in overlapped speech an exclusive turn is one of two right
   answers), anyone whose turn begins or ends within `BORDER_S` of its middle (turn borders and word times are not more exact
   than that), and, for a word between turns, every speaker within `NEAR_S`.
4. If one speaker is possible for every word of a sentence, that speaker gets the sentence. So a change of speaker a word or two
   away from the end of a sentence moves there ("Neither did / I." becomes "Neither did I. /"). Among several such speakers, the
   one whose exclusive turns overlap the sentence longest gets it.
5. But no turn loses all its words to rule 4, unless the new speaker also speaks during them: a turn of its own, however short,
   keeps its speaker. A "yeah" in a pause of another speaker's sentence is still the listener's; when two speak at once, whisper
   mostly transcribes the one whose sentence it is.

A back-channel must not break up another speaker's sentence in the text: `sentence_speakers()` gives the speaker that each word
is displayed with in passages and subtitles. A run of at most `BACK_CHANNEL_WORDS` words and `BACK_CHANNEL_S` seconds is
displayed with the sentence that it interrupts, if the same speaker continues the sentence afterwards.

Sentences end at whisper's `.?!` and the like, or at a pause. Without punctuation, rule 4 rarely applies and words stay where
rules 1 and 2 put them. earshot/transcripts/attribution/speaker_names.py names the local speakers.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

NEAR_S = 1.0  # breaths and hesitations are shorter; a guess over a longer silence would often be wrong
BORDER_S = 0.25  # the collar within which diarization scoring (NIST's md-eval) forgives a wrong border
BACK_CHANNEL_WORDS = 3  # "yeah", "mhm", "oh I see": more words are a statement of their own
BACK_CHANNEL_S = 1.0

SENTENCE_END = re.compile(r"[.?!…。！？]['\"”’»)\]]*$")
PAUSE_S = 2.0


def attribute_words(words: pd.DataFrame, exclusive_turns: pd.DataFrame, turns: pd.DataFrame) -> list[str | None]:
    """The local speaker of each word (start_s, end_s, text), None where unknown.

    Exclusive turns and turns (start_s, end_s, local_speaker) must be in order of time, like the diarizer's.
    """
    if words.empty or exclusive_turns.empty:
        return [None] * len(words)
    spoken, labels = _Spoken.of(words), sorted({*exclusive_turns.local_speaker, *turns.local_speaker})
    turn = _own_turns(spoken, exclusive_turns)
    speaker = np.append(exclusive_turns.local_speaker.map(labels.index).to_numpy(dtype=int), -1)[turn]
    per_label = [(_of(exclusive_turns, label), _of(turns, label)) for label in labels]
    seconds = np.stack([_seconds(spoken, exclusive) for exclusive, _ in per_label], axis=1)
    away = [np.minimum(_distances(spoken, exclusive), _distances(spoken, full)) for exclusive, full in per_label]
    away = np.stack(away, axis=1)
    reach = np.where(seconds.sum(axis=1) > 0.0, BORDER_S, NEAR_S)
    words_per_turn = np.bincount(turn[turn >= 0], minlength=len(exclusive_turns))
    evidence = _Evidence(turn, away <= reach[:, None], away == 0.0, seconds)
    for sentence in _sentences(words):
        if len(set(speaker[sentence])) > 1:
            speaker[sentence] = _unify(speaker[sentence], evidence.of(sentence), words_per_turn)
    return [labels[index] if index >= 0 else None for index in speaker]


def sentence_speakers(words: pd.DataFrame, speakers: Sequence[str | None]) -> list[str | None]:
    """The local speaker that each word (start_s, end_s, text) is displayed with: its own, or that of the sentence around it."""
    shown = list(speakers)
    runs = _runs(speakers)
    texts, starts, ends = words.text.tolist(), words.start_s.tolist(), words.end_s.tolist()
    for before, run, after in zip(runs, runs[1:], runs[2:], strict=False):
        outer = speakers[before[0]]
        if None in (outer, speakers[run[0]]) or outer != speakers[after[0]] or outer != shown[before[0]]:
            continue  # the last condition: `before` is itself a back-channel
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
    """Whether a sentence continues with the next word; even after a full stop ("Yeah."), if a lower-case letter follows."""
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
    """For each word its exclusive turn; for each word and speaker, whether the word may be theirs, whether they speak at its
    middle, and how many of its seconds lie in their exclusive turns."""

    turn: np.ndarray
    possible: np.ndarray
    speaking: np.ndarray
    seconds: np.ndarray

    def of(self, words: slice) -> "_Evidence":
        return _Evidence(self.turn[words], self.possible[words], self.speaking[words], self.seconds[words])


def _of(turns: pd.DataFrame, label: str) -> pd.DataFrame:
    return turns[turns.local_speaker == label]


def _own_turns(spoken: _Spoken, exclusive_turns: pd.DataFrame) -> np.ndarray:
    """Rules 1 and 2: the index of each word's turn, -1 for none."""
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
    """The index of the nearest of these disjoint spans and the seconds to it; the earlier one in a tie."""
    following = np.searchsorted(starts, times, side="right")
    before, after = np.clip(following - 1, 0, None), np.clip(following, None, len(starts) - 1)
    to_before = np.where(following > 0, np.maximum(0.0, times - ends[before]), np.inf)
    to_after = np.where(following < len(starts), starts[after] - times, np.inf)
    return np.where(to_before <= to_after, before, after), np.minimum(to_before, to_after)


def _seconds(spoken: _Spoken, turns: pd.DataFrame) -> np.ndarray:
    """Seconds of each word within these disjoint turns."""
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
    """The words of each sentence, as slices."""
    texts, starts, ends = words.text.tolist(), words.start_s.tolist(), words.end_s.tolist()
    first = [
        index
        for index in range(len(texts))
        if index == 0 or ends_sentence(texts[index - 1]) or starts[index] - ends[index - 1] > PAUSE_S
    ]
    return [slice(start, end) for start, end in zip(first, [*first[1:], len(texts)], strict=True)]


def _unify(speakers: np.ndarray, evidence: _Evidence, words_per_turn: np.ndarray) -> np.ndarray:
    """Rules 4 and 5 for one sentence: the speaker of each word. `words_per_turn` counts the words of all sentences."""
    candidates = [
        speaker
        for speaker in np.flatnonzero(evidence.possible.all(axis=0))
        if all(_may_lose(turn, speaker, evidence, words_per_turn) for turn in np.unique(evidence.turn[speakers != speaker]))
    ]
    if not candidates:
        return speakers
    return np.full(len(speakers), max(candidates, key=lambda speaker: evidence.seconds[:, speaker].sum()))


def _may_lose(turn: np.intp, speaker: np.intp, evidence: _Evidence, words_per_turn: np.ndarray) -> bool:
    """Rule 5: whether this speaker may get the turn's words: it keeps others, or the speaker speaks during all of them."""
    lost = evidence.turn == turn
    return words_per_turn[turn] > lost.sum() or bool(evidence.speaking[lost, speaker].all())


def _runs(speakers: Sequence[str | None]) -> list[range]:
    """Maximal runs of words of one speaker."""
    changes = [index for index in range(1, len(speakers)) if speakers[index] != speakers[index - 1]]
    borders = [0, *changes, len(speakers)]
    return [range(first, after) for first, after in pairwise(borders) if after > first]
