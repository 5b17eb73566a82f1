"""People: `/people` lists voices and people by how much they speak; `/people/voice-7` and `/people/NAME` show one, too.

Its script loads these same pages for the next one to name, and changes through /api/v1.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from earshot.library.people.overview import SpeakerOverview
from earshot.page.api.people import ListQuery
from earshot.page.http.dependencies import LibraryOf
from earshot.page.rendering import render

router = APIRouter()


class PageQuery(ListQuery):
    """As for the API, without the unknown; by default the page lists the voices that have no name yet, if there are any."""

    kind: Literal["person", "voice"] | None = None
    limit: Annotated[int, Query(ge=1, le=200)] = 50


@router.get("/people", response_class=HTMLResponse)
def listing(request: Request, library: LibraryOf, asked: Annotated[PageQuery, Query()]) -> HTMLResponse:
    """The list alone."""
    return _page(request, library, asked, None)


@router.get("/people/{who:path}", response_class=HTMLResponse)
def person(request: Request, library: LibraryOf, who: str, asked: Annotated[PageQuery, Query()]) -> HTMLResponse:
    """The list, and one of it."""
    return _page(request, library, asked, library.people.overview(who))


def _page(request: Request, library: LibraryOf, asked: PageQuery, chosen: SpeakerOverview | None) -> HTMLResponse:
    counts = library.people.counts()
    kind = asked.kind or (chosen.speaker.kind if chosen else None) or ("voice" if counts["voice"] else "person")
    address: dict[str, Any] = asked.model_dump(mode="json", exclude_defaults=True)
    return render(
        request,
        "people/page.html",
        kind=kind,
        counts=counts,
        asked=asked,
        address=address,
        listed=library.people.browse(kind, asked.q, asked.after, asked.limit),
        chosen=chosen,
        history=library.corrections.history(limit=10) if chosen is None else None,
    )
