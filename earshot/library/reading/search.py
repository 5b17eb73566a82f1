"""Search: a question with its filters as a user types them, and the passages with notes on what was not searched."""

from dataclasses import dataclass
from datetime import date

from earshot.common.errors import EarshotError
from earshot.config.settings import read_settings
from earshot.library.lookup import Names, find_filter
from earshot.models.cache import Models
from earshot.models.device import Device, require_device
from earshot.speakers.people.directory import resolve
from earshot.storage.database import Database
from earshot.transcripts.search.query import (
    MAX_RESULTS,
    Filters,
    Hit,
    asked_words,
    check_question,
    count_undated,
    explain,
    notable_absences,
    search,
    searching_encoder,
)


@dataclass(frozen=True)
class Question:
    """A question and the filters of `earshot search`; an empty filter selects everything. Both days belong to the range."""

    text: str
    limit: int = 5
    page: int = 1
    speaker: str | None = None
    sources: Names = ()
    videos: Names = ()
    languages: Names = ()
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


def search_device(words_only: bool) -> Device | None:
    """The device of the text model; None for a search by words only. Raises GpuUnavailable."""
    return None if words_only else require_device(read_settings().device)


def answer(database: Database, question: Question, device: Device | None) -> SearchResult:
    """Answer the question; without a device, by words alone. Raises EarshotError for names that are not in the library."""
    _require_places(question.limit, question.page)
    check_question(database, question.text)
    filters = _filters(database, question)
    encoder = searching_encoder(database, Models(), device) if device else None
    hits = search(database, encoder, question.text, question.limit, question.page, filters)
    asked = asked_words(database, question.text)
    return SearchResult(
        hits=tuple(hits),
        absent_words=tuple(word.word for word in asked if not word.said),
        notable_absences=tuple(notable_absences(question.text, asked, by_words=device is None)),
        undated_videos_left_out=count_undated(database, filters),
        note=explain(database, hits, filters, question.page),
    )


def _require_places(limit: int, page: int) -> None:
    if limit < 1 or page < 1:
        raise EarshotError(
            f"There is no page {page} of {limit} passages.", f"Both must be 1 or more, up to the {MAX_RESULTS} best passages."
        )


def _filters(database: Database, question: Question) -> Filters:
    speaker = None if question.speaker is None else resolve(database, question.speaker)
    videos = find_filter(database, question.sources, question.videos, question.languages, question.since, question.until)
    return Filters(**vars(videos), speaker=speaker)
