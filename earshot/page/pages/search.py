"""The search page, which is also the first one: `/` and `/search?q=`. The address holds the whole question."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import model_validator
from starlette.responses import HTMLResponse

from earshot.library.reading.question import SearchResult
from earshot.page.api.search import SearchQuery, search
from earshot.page.http.dependencies import LibraryOf
from earshot.page.rendering import render

router = APIRouter()

FILTERS = ("speaker", "source", "language", "since", "until", "words")


class SearchPageQuery(SearchQuery):
    """As for the API; without a question, the page shows what is new."""

    q: str = ""

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, asked: dict[str, Any]) -> dict[str, Any]:
        """A form sends its empty fields, too."""
        return {name: value for name, value in asked.items() if value != ""}


@router.get("/", response_class=HTMLResponse)
def home(request: Request, library: LibraryOf) -> HTMLResponse:
    """An empty question and the newest videos."""
    return _page(request, library, SearchPageQuery(), None)


@router.get("/search", response_class=HTMLResponse)
def results(request: Request, library: LibraryOf, asked: Annotated[SearchPageQuery, Query()]) -> HTMLResponse:
    """The passages that answer the question."""
    return _page(request, library, asked, search(library, asked) if asked.q.strip() else None)


def _page(request: Request, library: LibraryOf, asked: SearchPageQuery, result: SearchResult | None) -> HTMLResponse:
    address = asked.model_dump(mode="json", exclude_defaults=True)
    filters: dict[str, Any] = {name: value for name, value in address.items() if name in FILTERS}
    return render(
        request,
        "search.html",
        asked=asked,
        address=address,
        filters=filters,
        result=result,
        hits=[(hit, marked_parts(hit.text, hit.marks)) for hit in result.hits] if result else [],
        more=result is not None and len(result.hits) == asked.limit and (asked.page + 1) * asked.limit <= 200,
        newest=[] if result else library.videos("ready", limit=12),
    )


def marked_parts(text: str, marks: tuple[tuple[int, int], ...]) -> list[tuple[str, bool]]:
    """The text in parts, each with whether it is a word of the question."""
    parts, at = [], 0
    for start, end in marks:
        parts += [(text[at:start], False), (text[start:end], True)]
        at = end
    return [part for part in [*parts, (text[at:], False)] if part[0]]
