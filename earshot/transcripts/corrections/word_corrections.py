"""Corrections of words: table `word_corrections`, and the texts of the passages that follow it.

Whatever changes the corrections of a video does so within `changing_corrections()`: the texts of its passages, which search and
exports read, change in the same transaction. Stage `text_embeddings` makes their vectors again (view `outdated_passages`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pandas as pd

from earshot.common.errors import Unknown
from earshot.storage.database import Database
from earshot.transcripts.corrections.corrected_words import WordCorrection, correct_words

_COLUMNS = "number, video_id, start_s, end_s, text, heard, made_at"


def read_corrections(database: Database, video_id: str | None = None) -> list[WordCorrection]:
    """The corrections of this video, or of all, in the order of their numbers."""
    statement = f"SELECT {_COLUMNS} FROM word_corrections "  # noqa: S608
    if video_id is None:
        return [WordCorrection(**row) for row in database.query(f"{statement} ORDER BY number")]
    return [WordCorrection(**row) for row in database.query(f"{statement} WHERE video_id = %s ORDER BY number", [video_id])]


def find_correction(database: Database, number: int) -> WordCorrection:
    """The correction with this number. Raises Unknown if there is none."""
    rows = database.query(f"SELECT {_COLUMNS} FROM word_corrections WHERE number = %s", [number])  # noqa: S608
    if not rows:
        raise _unknown(number)
    return WordCorrection(**rows[0])


def _unknown(number: int) -> Unknown:
    return Unknown(f"There is no word correction {number}.", "`earshot correct --list` lists them.")


def corrected_videos(database: Database, video_ids: Sequence[str]) -> list[str]:
    """Those of these videos that have corrections."""
    rows = database.query("SELECT DISTINCT video_id FROM word_corrections WHERE video_id = ANY(%s)", [list(video_ids)])
    return [row["video_id"] for row in rows]


def read_words(database: Database, video_id: str) -> pd.DataFrame:
    """The rows of table `words` of this video, corrected; deleted words have text ""."""
    with database.snapshot() as snapshot:
        return correct_words(snapshot.frame("words", video_id, "word_index"), read_corrections(snapshot, video_id))


def add_correction(database: Database, video_id: str, span: tuple[float, float], text: str, heard: str) -> int:
    """Store a correction within `changing_corrections()`; returns its number."""
    [added] = database.query(
        "INSERT INTO word_corrections (video_id, start_s, end_s, text, heard) VALUES (%s, %s, %s, %s, %s) RETURNING number",
        [video_id, *span, text, heard],
    )
    return added["number"]


def remove_correction(database: Database, number: int) -> None:
    """Delete a correction within `changing_corrections()`. Raises Unknown if there is none with this number."""
    if not database.query("DELETE FROM word_corrections WHERE number = %s RETURNING number", [number]):
        raise _unknown(number)


@contextmanager
def changing_corrections(database: Database, video_id: str) -> Iterator[Database]:
    """A transaction that may change the corrections of this video, one at a time; at its end the passages follow them."""
    with _locked(database, video_id) as own:
        before = read_corrections(own, video_id)
        yield own
        _rewrite_passages(own, video_id, before)


def follow_corrections(database: Database, video_id: str, known: Sequence[WordCorrection]) -> None:
    """Correct passages that were just made with the `known` corrections, if others have been made meanwhile."""
    with _locked(database, video_id) as own:
        _rewrite_passages(own, video_id, known)


@contextmanager
def _locked(database: Database, video_id: str) -> Iterator[Database]:
    with database.transaction() as own:
        own.query("SELECT FROM videos WHERE video_id = %s FOR NO KEY UPDATE", [video_id])
        yield own


def _rewrite_passages(database: Database, video_id: str, before: Sequence[WordCorrection]) -> None:
    """Write the texts of the passages that had the words of `before`. Passages of an earlier transcript stay as they are."""
    after = read_corrections(database, video_id)
    if after == list(before):
        return
    words = database.frame("words", video_id, "word_index")
    old, new = (correct_words(words, corrections).text.tolist() for corrections in (before, after))
    passages = database.query(
        "SELECT model, model_revision, passage_index, first_word, last_word, text FROM passages WHERE video_id = %s", [video_id]
    )
    changed = []
    for passage in passages:
        rows = slice(passage["first_word"], passage["last_word"] + 1)
        was, text = ("".join(texts[rows]).strip() for texts in (old, new))
        if passage["text"] == was != text:
            changed.append((text, video_id, passage["model"], passage["model_revision"], passage["passage_index"]))
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE passages SET text = %s WHERE (video_id, model, model_revision, passage_index) = (%s, %s, %s, %s)", changed
        )
