"""Corrections of who speaks as JSON: enter, list and undo them."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict

from earshot.common.errors import EarshotError
from earshot.library.people.changes import SpeakerChange
from earshot.library.people.corrections import Corrections
from earshot.library.people.overview import ChangeHistory
from earshot.page.api.people import Limit, Text
from earshot.page.http.dependencies import CorrectionsOf

router = APIRouter(tags=["people"])

MOST = 2**63 - 1  # of a number in the database
Number = Annotated[int, Path(ge=1, le=MOST)]


class NewCorrection(BaseModel):
    """What is so: `assign` and `exclude` name a person, `merge` and `separate` another voice; `split` needs neither.

    `what` and `other` are a voice (`voice 7`), a speaker of a video (`VIDEO@SPEAKER_01`) or, to assign, the turn at a time
    (`VIDEO@0:12:30`).
    """

    model_config = ConfigDict(extra="forbid")

    action: Literal["assign", "exclude", "merge", "separate", "split"]
    what: Text
    person: Text | None = None
    other: Text | None = None


@router.get("/corrections")
def corrections(
    corrections: CorrectionsOf, before: Annotated[int | None, Query(ge=1, le=MOST)] = None, limit: Limit = 50
) -> ChangeHistory:
    """The corrections, renames and merges that hold, newest first, with who made them."""
    return corrections.history(before, limit)


@router.post("/corrections")
def correct(corrections: CorrectionsOf, correction: NewCorrection) -> SpeakerChange:
    """Enter a correction; all speakers are identified again. `number` of the answer undoes it."""
    return _enter(corrections, correction)


@router.delete("/corrections/{number}")
def undo(corrections: CorrectionsOf, number: Number) -> SpeakerChange:
    """Undo a correction, or a rename or merge of people."""
    return corrections.undo(number)


def _enter(corrections: Corrections, correction: NewCorrection) -> SpeakerChange:
    match correction:
        case NewCorrection(action="assign", person=str(person), other=None):
            return corrections.assign(correction.what, person)
        case NewCorrection(action="exclude", person=str(person), other=None):
            return corrections.exclude(correction.what, person)
        case NewCorrection(action="merge", person=None, other=str(other)):
            return corrections.merge_voices(correction.what, other)
        case NewCorrection(action="separate", person=None, other=str(other)):
            return corrections.separate_voices(correction.what, other)
        case NewCorrection(action="split", person=None, other=None):
            return corrections.split_voice(correction.what)
    raise EarshotError(
        f"{correction.action} does not take these.",
        "assign and exclude take a `person`, merge and separate an `other`, split neither.",
    )
