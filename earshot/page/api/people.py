"""People and voices as JSON: their list, one of them with clips to hear, rename, merge and forget."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from earshot.library.people.changes import SpeakerChange
from earshot.library.people.overview import ForgetSummary, Kind, PlaceList, SpeakerList, SpeakerOverview
from earshot.page.http.confirming import Confirm, require_confirmed
from earshot.page.http.dependencies import LibraryOf, PeopleOf

router = APIRouter(tags=["people"])

# Postgres takes no NUL character.
Text = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
Cursor = Annotated[str | None, Query(max_length=1000, description="`next` of the answer before.")]
Limit = Annotated[int, Query(ge=1, le=1000)]


class ListQuery(BaseModel):
    """A part of the list, as the address of the page has it."""

    model_config = ConfigDict(extra="forbid")

    q: Annotated[str, Query(max_length=1000, description="In the name; or the number of a voice.")] = ""
    after: Cursor = None
    limit: Limit = 50


class PeopleQuery(ListQuery):
    """Which people and voices to list."""

    kind: Kind | None = None


class NewName(BaseModel):
    """The name that a person is to have."""

    name: Text


class Into(BaseModel):
    """The person who takes over."""

    into: Text


@router.get("/people")
def people(library: LibraryOf, asked: Annotated[PeopleQuery, Query()]) -> SpeakerList:
    """People, anonymous voices and, in one row, unknown speakers: those who speak most first."""
    return library.people.browse(asked.kind, asked.q, asked.after, asked.limit)


@router.get("/people/{who:path}/traces")
def traces(library: LibraryOf, who: str) -> ForgetSummary:
    """What the library has of a person or voice, and would delete to forget them."""
    return library.people.traces(who)


@router.get("/people/{who:path}/videos")
def places(library: LibraryOf, who: str, after: Cursor = None, limit: Limit = 50) -> PlaceList:
    """The videos in which a person or voice speaks, newest first."""
    return library.people.places(who, after, limit)


@router.post("/people/{who:path}/rename")
def rename(people: PeopleOf, who: str, to: NewName) -> SpeakerChange:
    """Rename a person."""
    return people.rename(who, to.name)


@router.post("/people/{who:path}/merge")
def merge(people: PeopleOf, who: str, to: Into) -> SpeakerChange:
    """Merge a person into another, who takes over their recordings and corrections. Voices are merged by a correction."""
    return people.merge(who, to.into)


@router.get("/people/{who:path}")
def person(library: LibraryOf, who: str) -> SpeakerOverview:
    """A person (by name) or voice (`voice 7`): clips to hear, whom they are like, newest videos, recordings, changes."""
    return library.people.overview(who)


@router.delete("/people/{who:path}")
def forget(people: PeopleOf, who: str, confirm: Confirm) -> ForgetSummary:
    """Forget a person or voice with every vector of the voice. `confirm` repeats the name. This cannot be undone."""
    require_confirmed(confirm, people.traces(who).name)
    return people.forget(who)
