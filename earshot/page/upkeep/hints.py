"""Hints as JSON, of a video or of a source: read, replace and clear them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StrictInt

from earshot.common.errors import EarshotError
from earshot.config.hints import ANY, MOST_CHARACTERS, NONE, Hints
from earshot.library.sources.hints import SourceHints
from earshot.library.upkeep.hints import AppliedHints, read_hints
from earshot.page.http.dependencies import LibraryOf
from earshot.page.upkeep.sources import Named
from earshot.page.upkeep.videos import Key

router = APIRouter(tags=["hints"])

EXAMPLE = {"speakers": "2-4", "languages": ["de", "en"], "vocabulary": ["Nagg", "Nell"]}


class GivenHints(BaseModel):
    """Hints by key. A key that is left out says nothing; an empty value says that there is no hint, whatever a source says."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": EXAMPLE})

    vocabulary: Annotated[list[str] | None, Field(description=f"At most {MOST_CHARACTERS:,} characters.")] = None
    vocabulary_from: Annotated[list[str] | None, Field(description="Some of corrections, people, title.")] = None
    prompt: Annotated[str | None, Field(description=f"At most {MOST_CHARACTERS:,} characters.")] = None
    languages: Annotated[list[str] | None, Field(description="Whisper's codes.")] = None
    speakers: Annotated[str | StrictInt | None, Field(description="`2`, `2-4` or `2+`.")] = None

    def read(self) -> Hints:
        """The hints, checked. Raises EarshotError for a value that is not allowed, or too long to be kept whole."""
        _require_short("vocabulary", self.vocabulary or ())
        _require_short("prompt", [self.prompt or ""])
        return read_hints(
            self.vocabulary,
            NONE if self.vocabulary_from == [] else self.vocabulary_from,
            self.prompt,
            ANY if self.languages == [] else self.languages,
            ANY if self.speakers == "" else self.speakers,
        )


class VideoHintsAnswer(BaseModel):
    """The hints that apply to a video, its own and those of its source; and its stages that are out of date."""

    video_id: str
    hints: GivenHints
    own: GivenHints
    of_source: GivenHints
    stale: Sequence[str]


class SourceHintsAnswer(BaseModel):
    """The hints that apply to a source, of `defaults`, too, and its own; and how many of its videos are out of date."""

    source: str
    hints: GivenHints
    own: GivenHints
    stale_videos: int


@router.get("/videos/{video_id}/hints", response_model_exclude_unset=True)
def video_hints(library: LibraryOf, video_id: Key) -> VideoHintsAnswer:
    """The hints for a video."""
    return _of_video(library.hints.of(video_id))


@router.put("/videos/{video_id}/hints", response_model_exclude_unset=True)
def replace_video_hints(library: LibraryOf, video_id: Key, hints: GivenHints) -> VideoHintsAnswer:
    """Give these hints for a video, in place of all its own. The stages that a change concerns become stale."""
    return _of_video(library.hints.replace(video_id, hints.read()))


@router.delete("/videos/{video_id}/hints", response_model_exclude_unset=True)
def clear_video_hints(library: LibraryOf, video_id: Key) -> VideoHintsAnswer:
    """Remove the hints that were given for a video; those of its source apply."""
    return _of_video(library.hints.clear(video_id))


@router.get("/sources/hints", response_model_exclude_unset=True)
def source_hints(library: LibraryOf, source: Named) -> SourceHintsAnswer:
    """The hints for all videos of a source."""
    return _of_source(library.source_hints(source))


@router.put("/sources/hints", response_model_exclude_unset=True)
def replace_source_hints(library: LibraryOf, source: Named, hints: GivenHints) -> SourceHintsAnswer:
    """Write these hints for a source into sources.yaml, in place of all its own. Comments and order stay."""
    return _of_source(library.replace_source_hints(source, hints.read()))


@router.delete("/sources/hints", response_model_exclude_unset=True)
def clear_source_hints(library: LibraryOf, source: Named) -> SourceHintsAnswer:
    """Take the hints for a source out of sources.yaml; those of `defaults` apply."""
    return _of_source(library.replace_source_hints(source, Hints()))


def _of_video(applied: AppliedHints) -> VideoHintsAnswer:
    return VideoHintsAnswer.model_validate(applied.described)


def _of_source(applied: SourceHints) -> SourceHintsAnswer:
    return SourceHintsAnswer(
        source=applied.source,
        hints=GivenHints(**applied.apply.given),
        own=GivenHints(**applied.own.given),
        stale_videos=applied.stale_videos,
    )


def _require_short(key: str, texts: Sequence[str]) -> None:
    length = sum(map(len, texts))
    if length > MOST_CHARACTERS:
        remedy = f"Allowed: at most {MOST_CHARACTERS:,}; whisper reads about 150 words. Keep those that it gets wrong."
        raise EarshotError(f"{key} has {length:,} characters.", remedy)
