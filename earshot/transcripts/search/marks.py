"""Marks: which parts of a passage are words of the question, in any of their forms. Postgres compares stems, as in search."""

from collections.abc import Sequence
from dataclasses import replace

from earshot.storage.database import Database
from earshot.transcripts.search.hits import Hit

# Characters for private use, which mean nothing in a text: around each word that Postgres finds.
_OPEN, _CLOSE = "\ue000", "\ue001"

_MARKED = """
    SELECT nth, ts_headline(search_config(language), translate(said, %(marks)s, '  '),
        plainto_tsquery(search_config(language), question_asked(%(question)s)), %(options)s) AS marked
    FROM unnest(%(texts)s::text[], %(languages)s::text[]) WITH ORDINALITY AS passage (said, language, nth) ORDER BY nth
"""
_OPTIONS = {"marks": _OPEN + _CLOSE, "options": f"HighlightAll=true, StartSel={_OPEN}, StopSel={_CLOSE}"}


def mark_words(database: Database, question: str, hits: Sequence[Hit]) -> list[Hit]:
    """The hits with their marks."""
    asked = {"question": question, "texts": [hit.text for hit in hits], "languages": [hit.language for hit in hits]}
    rows = database.query(_MARKED, {**asked, **_OPTIONS}) if hits else []
    return [replace(hit, marks=_marks(row["marked"])) for hit, row in zip(hits, rows, strict=True)]


def _marks(marked: str) -> tuple[tuple[int, int], ...]:
    """The places of the marked words in the text without marks."""
    before, *parts = marked.split(_OPEN)
    marks, at = [], len(before)
    for part in parts:
        word, _, rest = part.partition(_CLOSE)
        marks.append((at, at + len(word)))
        at += len(word) + len(rest)
    return tuple(marks)
