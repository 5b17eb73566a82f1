"""Search: a question with its filters as a user types them, and the passages with notes on what was not searched."""

from collections.abc import Sequence
from dataclasses import replace

from earshot.common.errors import EarshotError
from earshot.config.settings import read_settings
from earshot.library.lookup import find_filter
from earshot.library.reading.facets import Facets, count_facets
from earshot.library.reading.question import Question, SearchResult
from earshot.models.cache import Models
from earshot.models.device import Device, require_device
from earshot.speakers.people.directory import resolve
from earshot.storage.catalog.watched_sources import source_names
from earshot.storage.database import Database
from earshot.transcripts.search.hits import Hit
from earshot.transcripts.search.marks import mark_words
from earshot.transcripts.search.query import (
    MAX_RESULTS,
    Embed,
    Filters,
    asked_words,
    check_question,
    count_undated,
    embed_question,
    explain,
    notable_absences,
    search,
    searching_encoder,
)


def search_device(words_only: bool) -> Device | None:
    """The device of the text model; None for a search by words only. Raises GpuUnavailable."""
    return None if words_only else require_device(read_settings().device)


def answer(database: Database, question: Question, device: Device | None, embed: Embed = embed_question) -> SearchResult:
    """Answer the question; without a device, by words alone. Raises EarshotError for names that are not in the library."""
    hits, filters = _find(database, question, device, embed)
    asked = asked_words(database, question.text)
    marked = mark_words(database, question.text, hits)
    return SearchResult(
        hits=tuple(marked),
        absent_words=tuple(word.word for word in asked if not word.said),
        notable_absences=tuple(notable_absences(question.text, asked, by_words=device is None)),
        undated_videos_left_out=count_undated(database, filters),
        note=explain(database, hits, filters, question.page),
    )


def facets(database: Database, question: Question, device: Device | None) -> Facets:
    """How many passages each filter has, of the best that answer the question."""
    hits, _ = _find(database, replace(question, limit=MAX_RESULTS, page=1), device)
    return count_facets(hits, source_names())


def _find(
    database: Database, question: Question, device: Device | None, embed: Embed = embed_question
) -> tuple[Sequence[Hit], Filters]:
    _require_places(question.limit, question.page)
    check_question(database, question.text)
    filters = _filters(database, question)
    encoder = searching_encoder(database, Models(), device) if device else None
    return search(database, encoder, question.text, question.limit, question.page, filters, embed), filters


def _require_places(limit: int, page: int) -> None:
    if limit < 1 or page < 1:
        raise EarshotError(
            f"There is no page {page} of {limit} passages.", f"Both must be 1 or more, up to the {MAX_RESULTS} best passages."
        )


def _filters(database: Database, question: Question) -> Filters:
    speaker = None if question.speaker is None else resolve(database, question.speaker)
    videos = find_filter(database, question.sources, question.videos, question.languages, question.since, question.until)
    return Filters(**vars(videos), speaker=speaker)
