"""A question with its filters as a user types them, and its answer. Loads nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from earshot.transcripts.search.hits import Hit


@dataclass(frozen=True)
class Question:
    """A question and the filters of `earshot search`; an empty filter selects everything. Both days belong to the range."""

    text: str
    limit: int = 5
    page: int = 1
    speaker: str | None = None
    sources: str | Sequence[str] = ()
    videos: str | Sequence[str] = ()
    languages: str | Sequence[str] = ()
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True)
class SearchResult:
    """The matching passages, best first, and notes.

    `absent_words` are the words of the question that no transcript has, and `notable_absences` those of them worth a message;
    `undated_videos_left_out` counts the videos that a range of days leaves out because their date is unknown; `note` says why
    there are no passages, or which videos were not searched, and is "" otherwise.
    """

    hits: tuple[Hit, ...]
    absent_words: tuple[str, ...]
    notable_absences: tuple[str, ...]
    undated_videos_left_out: int
    note: str
