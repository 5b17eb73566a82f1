"""Search as JSON: passages, and how many of the best each filter would leave."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from earshot.library.reading.facets import Facets
from earshot.library.reading.question import Question, SearchResult
from earshot.page.http.dependencies import LibraryOf

router = APIRouter(tags=["search"])

Text = Annotated[str, Query(max_length=20_000, description='A question. `"In quotation marks"` must occur, `-word` must not.')]
Several = Annotated[list[str], Query(max_length=100)]


class SearchQuery(BaseModel):
    """The question and its filters, as the address of the search page has them."""

    model_config = ConfigDict(extra="forbid")

    q: Text
    limit: Annotated[int, Query(ge=1, le=200)] = 10
    page: Annotated[int, Query(ge=1, le=200)] = 1
    speaker: Annotated[str | None, Query(description="A person's name, or `voice 7`.")] = None
    source: Several = []
    video: Several = []
    language: Several = []
    since: date | None = None
    until: date | None = None
    words: Annotated[bool, Query(description="By words alone, not by meaning.")] = False

    @property
    def question(self) -> Question:
        """The same, as the library takes it."""
        return Question(
            text=self.q,
            limit=self.limit,
            page=self.page,
            speaker=self.speaker,
            sources=self.source,
            videos=self.video,
            languages=self.language,
            since=self.since,
            until=self.until,
        )


@router.get("/search")
def search(library: LibraryOf, asked: Annotated[SearchQuery, Query()]) -> SearchResult:
    """The passages that match best, with who says them, when, and a link to that time."""
    return library.answer(asked.question, asked.words)


@router.get("/search/facets")
def search_facets(library: LibraryOf, asked: Annotated[SearchQuery, Query()]) -> Facets:
    """Of the 200 best passages: how many each person, source, language and year has."""
    return library.search_facets(asked.question, asked.words)
