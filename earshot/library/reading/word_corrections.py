"""Corrections of words: list, enter and undo them by their numbers.

Search by words, passages and exports follow at once; the vectors that search by meaning compares, when stage `text_embeddings`
has run again. Who speaks does not change.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter

import numpy as np
import pandas as pd

from earshot.common.errors import EarshotError, NotTranscribed
from earshot.common.times import format_hms
from earshot.library.lookup import known_video
from earshot.library.reading.playing import find_moment
from earshot.storage.database import Database
from earshot.transcripts.corrections.corrected_words import WordCorrection, correct_words, rows_in, span_of, text_of
from earshot.transcripts.corrections.phrases import Phrase, find_phrases
from earshot.transcripts.corrections.word_corrections import (
    add_correction,
    changing_corrections,
    find_correction,
    read_corrections,
    read_words,
    remove_correction,
)

MOST_CHARACTERS = 2000
WITHIN_S = 30.0  # after a time that a user names; a passage that search or an export shows has at most 20 s
MOST_TIMES = 5  # listed in a message
_REFUSED = {"Cc", "Cs"}  # Unicode's control characters and surrogates


@dataclass(frozen=True)
class WordChange:
    """The result of a correction of words, or of its undo, with the correction's number."""

    message: str
    number: int


@dataclass(frozen=True)
class ListedWordCorrection:
    """A correction: the words from `start_s` to `end_s` are `text`, "" if none are.

    `heard` are the words of the transcript when it was made, `heard_now` those of the present transcript: "" if it has none
    there, so that the correction does not apply now (`applies`). `description` is one line that begins with the number.
    """

    number: int
    video_id: str
    start_s: float
    end_s: float
    text: str
    heard: str
    heard_now: str
    applies: bool
    made_at: datetime
    description: str


class WordCorrections:
    """`Library.word_corrections`. Each method raises EarshotError, and changes nothing, if the video, words or number do not
    exist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, video: str | None = None) -> Sequence[ListedWordCorrection]:
        """All corrections, or those of this video (key or title), oldest first."""
        video_id = None if video is None else known_video(self._database, video).video_id
        corrections = sorted(read_corrections(self._database, video_id), key=attrgetter("video_id"))
        listed: list[ListedWordCorrection] = []
        for of_video, group in groupby(corrections, key=attrgetter("video_id")):
            heard = self._database.frame("words", of_video, "word_index")
            listed += [_listed(correction, heard) for correction in group]
        return sorted(listed, key=attrgetter("number"))

    def correct(self, video: str, start_s: float, end_s: float, text: str) -> WordChange:
        """Say that the words whose middle is between these seconds are `text`; "" deletes them.

        Where corrections overlap, the later one holds.
        """
        new = checked_text(text)
        video_id = known_video(self._database, video).video_id
        with changing_corrections(self._database, video_id) as database:
            heard = database.frame("words", video_id, "word_index")
            said = correct_words(heard, read_corrections(database, video_id))
            rows = rows_in(said, start_s, end_s)
            before = _words_to_correct(video_id, said, rows, (start_s, end_s))
            if before == new:
                raise EarshotError(f"These words are {before!r} already.", "Give the words as they should be.")
            span = span_of(heard, rows)
            number = add_correction(database, video_id, span, new, text_of(heard, rows))
        return WordChange(f"Word correction {number}: {_now(before, new)} at {format_hms(span[0])}.", number)

    def replace(self, what: str, old: str, new: str) -> WordChange:
        """Say that `old`, which the transcript has, is `new`. `what` is a video, `VIDEO@0:12:30`, or the number of a result of
        the last search; with a time, it is the first `old` said in the 30 s from then on. Case and punctuation do not count."""
        checked_text(new)
        video, at_s = find_moment(self._database, what)
        words = read_words(self._database, video.video_id)
        said = words[words.text != ""].reset_index(drop=True)
        phrase = _one_phrase(video.video_id, find_phrases(said, old, new), old, at_s)
        middles = (said.start_s + said.end_s) / 2
        first, last = float(middles.iloc[phrase.rows[0]]), float(middles.iloc[phrase.rows[-1]])
        return self.correct(video.video_id, first, last, phrase.replaced)

    def undo(self, number: int) -> WordChange:
        """Undo this correction: the words are those of the earlier corrections, or of the transcript."""
        correction = find_correction(self._database, number)
        with changing_corrections(self._database, correction.video_id) as database:
            before = _said(database, correction)
            remove_correction(database, number)
            after = _said(database, correction)
        change = _now(before, after) if before != after else "no word changes"
        return WordChange(f"Undid word correction {number}: {change} at {format_hms(correction.start_s)}.", number)


def _said(database: Database, correction: WordCorrection) -> str:
    """The words in the span of this correction as they are now."""
    words = read_words(database, correction.video_id)
    return text_of(words, rows_in(words, correction.start_s, correction.end_s))


def checked_text(text: str) -> str:
    """The text with single spaces. Raises EarshotError if it is too long or has control characters."""
    spaced = " ".join(text.split())
    if len(spaced) > MOST_CHARACTERS:
        raise EarshotError(
            f"The words have {len(spaced):,} characters; a correction has at most {MOST_CHARACTERS:,}.",
            "Correct fewer words at a time.",
        )
    if refused := next((character for character in spaced if unicodedata.category(character) in _REFUSED), None):
        raise EarshotError(f"The words have a control character (U+{ord(refused):04X}).", "Give them without it.")
    return spaced


def _words_to_correct(video_id: str, said: pd.DataFrame, rows: np.ndarray, span: tuple[float, float]) -> str:
    """The words in these rows as they are now. Raises EarshotError if there are none or too many."""
    if said.empty:
        raise NotTranscribed(f"{video_id} has no words to correct.", "`earshot videos` shows its state.")
    if not rows.size:
        times = " to ".join(format_hms(max(0.0, time)) for time in span)
        raise EarshotError(
            f"{video_id} has no words from {times}.", f"See its words and their times: earshot export {video_id}"
        )
    before = text_of(said, rows)
    if len(before) > MOST_CHARACTERS:
        raise EarshotError(
            f"The words there have {len(before):,} characters; a correction replaces at most {MOST_CHARACTERS:,}.",
            "Correct fewer words at a time.",
        )
    return before


def _one_phrase(video_id: str, found: Sequence[Phrase], old: str, at_s: float | None) -> Phrase:
    """The phrase that is meant. Raises EarshotError if it is not said, or several times without a time."""
    near = [phrase for phrase in found if at_s is None or at_s - 0.001 <= phrase.start_s <= at_s + WITHIN_S]
    times = ", ".join(format_hms(phrase.start_s) for phrase in found[:MOST_TIMES]) + (", ..." if found[MOST_TIMES:] else "")
    if not found:
        raise EarshotError(
            f"{old!r} is not said in {video_id}.", f"Give the words as they are shown: earshot export {video_id}"
        )
    if not near:
        raise EarshotError(f"{old!r} is not said at that time in {video_id}.", f"It is said at {times}.")
    if at_s is None and len(near) > 1:
        remedy = f"Add the time of the one that is wrong ({times}): {video_id}@{format_hms(near[0].start_s)}"
        raise EarshotError(f"{old!r} is said {len(near)} times in {video_id}.", remedy)
    return near[0]


def _now(before: str, after: str) -> str:
    if not after:
        return f"{before!r} is deleted"
    return f"{before!r} is now {after!r}" if before else f"{after!r} is there now"


def _listed(correction: WordCorrection, heard: pd.DataFrame) -> ListedWordCorrection:
    rows = rows_in(heard, correction.start_s, correction.end_s)
    heard_now = text_of(heard, rows)
    if not rows.size:
        note = " (does not apply now: the transcript has no words there)"
    else:
        note = f" (now heard: {heard_now!r})" if heard_now != correction.heard else ""
    text = repr(correction.text) if correction.text else "deleted"
    place = f"{correction.video_id} {format_hms(correction.start_s)}"
    description = f"{correction.number}: {place} {correction.heard!r} is {text}{note}"
    return ListedWordCorrection(**vars(correction), heard_now=heard_now, applies=bool(rows.size), description=description)
