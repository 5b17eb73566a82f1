"""Words: compares the words of a reference with ours, and whom they are given to. Pure functions.

- WER, the word error rate: substituted, missing and inserted words, per word of the reference, with no regard to speakers.
- cpWER, the concatenated minimum-permutation word error rate (CHiME-6): the words of each speaker are compared with those of
  the best-matching speaker. It cannot be much lower than WER.
- Words given to the wrong person: of the words that correspond, those whose speaker is not the one that matches the
  reference's speaker (the word diarization error rate of Shafey et al., Interspeech 2019).

One rule for what is the same word: letter case, punctuation and symbols are ignored, as is how Unicode composes a letter;
numbers stay as written. Where a script has no spaces, each of its characters counts as a word.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jiwer
import numpy as np
from scipy.optimize import linear_sum_assignment

from earshot.common.text import UNSPACED


class Word(NamedTuple):
    """A word, who says it, and the second at which it starts; None if that is not known."""

    text: str
    at_s: float | None = None
    speaker: str | None = None


class Pair(NamedTuple):
    """A word of the reference and ours that corresponds to it; None where there is none."""

    reference: Word | None
    ours: Word | None


@dataclass(frozen=True)
class WordScore:
    """The words of the reference, and those of them that were substituted, deleted or, beside them, inserted."""

    words: int
    substitutions: int
    deletions: int
    insertions: int

    @property
    def errors(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float | None:
        """The word error rate; None if the reference has no words."""
        return self.errors / self.words if self.words else None

    def __add__(self, other: "WordScore") -> "WordScore":
        return WordScore(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


@dataclass(frozen=True)
class SpeakerWordScore:
    """The words of the reference, the errors with speakers matched; and the words that correspond, and those with the wrong
    person."""

    words: int
    errors: int
    compared: int
    wrong_person: int

    @property
    def rate(self) -> float | None:
        """cpWER; None if the reference has no words."""
        return self.errors / self.words if self.words else None

    @property
    def wrong_share(self) -> float | None:
        """The share of words that are given to the wrong person, or to no one; None if no word corresponds."""
        return self.wrong_person / self.compared if self.compared else None

    def __add__(self, other: "SpeakerWordScore") -> "SpeakerWordScore":
        return SpeakerWordScore(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


class WordError(NamedTuple):
    """A substitution, deletion or insertion, its time in seconds, the word said and the word written."""

    kind: str
    at_s: float
    said: str
    written: str


def normalized(text: str) -> str:
    """The text's words as they are compared, separated by single spaces."""
    return " ".join(_tokens(text))


def _tokens(text: str) -> Iterator[str]:
    kept = (letter for letter in unicodedata.normalize("NFC", text).casefold() if unicodedata.category(letter)[0] not in "PS")
    return iter(UNSPACED.sub(r" \g<0> ", "".join(kept)).split())


def comparable(words: Iterable[Word]) -> list[Word]:
    """The words as they are compared; one of punctuation alone is none, one in a script without spaces is several."""
    return [word._replace(text=token) for word in words for token in _tokens(word.text)]


def whole_words(pieces: Iterable[Word]) -> list[Word]:
    """Words of whisper, which writes one that continues the word before, such as `-known`, without a space before it."""
    words: list[Word] = []
    for piece in pieces:
        if words and _continues(words[-1].text, piece.text):
            words[-1] = words[-1]._replace(text=words[-1].text + piece.text)
        else:
            words.append(piece)
    return words


def _continues(before: str, text: str) -> bool:
    border = before[-1:] + text[:1]
    return not any(map(str.isspace, border)) and not UNSPACED.search(border)


def align(reference: Sequence[Word], ours: Sequence[Word]) -> list[Pair]:
    """Comparable words side by side, in the order of both, with the fewest errors."""
    if not reference or not ours:
        return [*(Pair(word, None) for word in reference), *(Pair(None, word) for word in ours)]
    aligned = jiwer.process_words(" ".join(word.text for word in reference), " ".join(word.text for word in ours))
    pairs: list[Pair] = []
    for chunk in aligned.alignments[0]:
        said, written = reference[chunk.ref_start_idx : chunk.ref_end_idx], ours[chunk.hyp_start_idx : chunk.hyp_end_idx]
        if chunk.type == "delete":
            pairs += [Pair(word, None) for word in said]
        elif chunk.type == "insert":
            pairs += [Pair(None, word) for word in written]
        else:
            pairs += map(Pair, said, written)
    return pairs


def score_words(pairs: Iterable[Pair]) -> WordScore:
    """The errors of aligned words."""
    kinds = Counter(_kind(pair) for pair in pairs)
    said = kinds[""] + kinds["substitution"] + kinds["deletion"]
    return WordScore(said, kinds["substitution"], kinds["deletion"], kinds["insertion"])


def _kind(pair: Pair) -> str:
    if pair.reference is None:
        return "insertion"
    if pair.ours is None:
        return "deletion"
    return "" if pair.reference.text == pair.ours.text else "substitution"


def list_errors(pairs: Iterable[Pair]) -> Iterator[WordError]:
    """The errors of aligned words with their times: of our word, else of the reference's, else of our word before."""
    last = 0.0
    for said, written in pairs:
        times = (word.at_s for word in (written, said) if word is not None and word.at_s is not None)
        at = next(times, last)
        last = at if written is not None else last
        kind = _kind(Pair(said, written))
        if kind:
            yield WordError(kind, round(at, 3), said.text if said else "", written.text if written else "")


def word_errors(reference: str, ours: str) -> int:
    """Substituted, missing and inserted words of a text."""
    return score_words(align(*(comparable([Word(text)]) for text in (reference, ours)))).errors


def cp_errors(reference: Mapping[str, str], ours: Mapping[str, str]) -> int:
    """Substituted, missing and inserted words of each speaker's text, for the matching of speakers with the fewest; some may
    stay unmatched."""
    size = max(len(reference), len(ours))
    expected, actual = ([*texts.values(), *[""] * (size - len(texts))] for texts in (reference, ours))
    errors = np.array([[word_errors(truth, text) for text in actual] for truth in expected]).reshape(size, size)
    return int(errors[linear_sum_assignment(errors)].sum())


def score_speakers(reference: Sequence[Word], ours: Sequence[Word], pairs: Iterable[Pair]) -> SpeakerWordScore:
    """cpWER and the words of the wrong person, of comparable words and their alignment."""
    errors = cp_errors(said_by(reference), said_by(ours))
    shared = shared_words(pairs)
    compared = sum(shared.values())
    return SpeakerWordScore(len(reference), errors, compared, compared - _matched(shared))


def said_by(words: Iterable[Word]) -> dict[str, str]:
    """Each speaker's words in order, joined by spaces; those without a speaker are under ""."""
    texts: dict[str, list[str]] = {}
    for word in words:
        texts.setdefault(word.speaker or "", []).append(word.text)
    return {speaker: " ".join(said) for speaker, said in texts.items()}


def shared_words(pairs: Iterable[Pair]) -> Counter[tuple[str, str]]:
    """How many words that correspond have this speaker in the reference and this one in ours ("" for none)."""
    return Counter((said.speaker, ours.speaker or "") for said, ours in pairs if said and ours and said.speaker is not None)


def _matched(shared: Mapping[tuple[str, str], int]) -> int:
    """The words of matching speakers, for the matching with the most."""
    theirs = list(dict.fromkeys(said for said, _ in shared))
    ours = list(dict.fromkeys(written for _, written in shared if written))
    counts: Any = np.array([[shared.get((said, written), 0) for written in ours] for said in theirs])
    counts = counts.reshape(len(theirs), len(ours))
    return int(counts[linear_sum_assignment(counts, maximize=True)].sum())
