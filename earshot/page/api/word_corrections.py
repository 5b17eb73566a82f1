"""Corrections of words as JSON: list, enter and undo them."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from earshot.library.reading.word_corrections import ListedWordCorrection, WordChange
from earshot.page.http.dependencies import LibraryOf

router = APIRouter(tags=["corrections"])

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class CorrectedWords(BaseModel):
    """The words whose middle is between these seconds, and what was said instead: "" if nothing was."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"start_s": 750.1, "end_s": 750.9, "text": "Port Authority"}}
    )

    start_s: Seconds
    end_s: Seconds
    text: str


class VideoWordCorrections(BaseModel):
    """The corrections of words of one video, oldest first."""

    corrections: Sequence[ListedWordCorrection]


@router.get("/videos/{video_id}/word-corrections")
def word_corrections(library: LibraryOf, video_id: str) -> VideoWordCorrections:
    """The corrections of words of a video, and whether each applies to its present transcript."""
    return VideoWordCorrections(corrections=library.word_corrections.list(video_id))


@router.post("/videos/{video_id}/word-corrections")
def correct_words(library: LibraryOf, video_id: str, corrected: CorrectedWords) -> WordChange:
    """Correct words. Where two corrections overlap, the later one holds."""
    return library.word_corrections.correct(video_id, corrected.start_s, corrected.end_s, corrected.text)


@router.delete("/word-corrections/{number}")
def undo_word_correction(library: LibraryOf, number: Annotated[int, Path(ge=1, lt=2**63)]) -> WordChange:
    """Undo a correction of words: they are again what the earlier corrections or the transcript say."""
    return library.word_corrections.undo(number)
