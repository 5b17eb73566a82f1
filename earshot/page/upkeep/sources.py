"""Sources as JSON: those of sources.yaml, and changes of that file."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from earshot.common.redaction import without_secrets
from earshot.library.sources.sources import WatchedSource
from earshot.library.upkeep.removal import Removal
from earshot.page.http.confirming import Confirm, require_confirmed
from earshot.page.http.dependencies import LibraryOf

router = APIRouter(tags=["sources"])

Named = Annotated[str, Query(max_length=2000, description="A source's name or address.")]
Value = Annotated[str, Field(max_length=2000)] | bool | int | float | None


class NewSource(BaseModel):
    """A source to watch. `options` are those of docs/reference/sources-file.md: {"since": "2026-01-01", "every": "1h"}."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"address": "https://example.com/feed.xml"}})

    address: Annotated[str, Field(min_length=1, max_length=2000)]
    kind: Annotated[
        str | None, Field(description="channel, playlist, feed, folder or url; by default, as the address looks")
    ] = None
    options: Annotated[dict[str, Value], Field(max_length=30)] = {}


class SourceChange(BaseModel):
    """Pause a source, or end its pause."""

    model_config = ConfigDict(extra="forbid")

    source: Annotated[str, Field(max_length=2000)]
    paused: bool


@router.get("/sources")
def sources(library: LibraryOf) -> list[WatchedSource]:
    """The sources of sources.yaml in its order, with how many videos each has and what is wrong with it."""
    return [_shown(source) for source in library.sources()]


@router.post("/sources", status_code=201)
def add_source(library: LibraryOf, new: NewSource) -> WatchedSource:
    """Write a source into sources.yaml. A mistake is answered with its line, and changes nothing."""
    return _shown(library.add_source(new.address.strip(), new.kind or None, new.options))


@router.patch("/sources")
def change_source(library: LibraryOf, change: SourceChange) -> WatchedSource:
    """Pause a source in sources.yaml, or end its pause."""
    return _shown(library.pause_source(change.source, change.paused))


@router.get("/sources/traces")
def source_traces(library: LibraryOf, source: Named) -> Removal:
    """What the removal of this source with its videos would delete."""
    return library.source_traces(source)


@router.delete("/sources")
def remove_source(
    library: LibraryOf,
    source: Named,
    confirm: Confirm,
    videos: Annotated[bool, Query(description="Remove its videos everywhere, too.")] = False,
) -> Removal | None:
    """Take a source out of sources.yaml; with `videos`, remove all its videos, too."""
    require_confirmed(confirm, source)
    if videos:
        return library.remove_source(source)
    library.unwatch_source(source)
    return None


def _shown(source: WatchedSource) -> WatchedSource:
    """The source without tokens and passwords in its address."""
    return replace(source, address=without_secrets(source.address))
