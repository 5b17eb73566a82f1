"""Performance as JSON: timings, the report by stage, failing checks, and the acceptance of a new speed."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from earshot.common.errors import Unknown
from earshot.library.work.timings import OpenFailure, StageSummary, TimedRun
from earshot.page.http.dependencies import LibraryOf

router = APIRouter(tags=["performance"])


class TimingPage(BaseModel):
    """Timings, the newest first, and the number to pass as `before` for those before them; null at the end."""

    timings: list[TimedRun]
    next: int | None


class Accepted(BaseModel):
    """The stage whose speed was accepted, and how many earlier timings no longer count."""

    stage: str
    timings_left_out: int


@router.get("/timings")
def timings(
    library: LibraryOf,
    stage: str | None = None,
    video: Annotated[str | None, Query(description="A video's key.")] = None,
    before: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> TimingPage:
    """The runs of stages, the newest first."""
    rows = library.timing_page(stage, video, before=before, limit=limit)
    return TimingPage(timings=rows, next=rows[-1].timing_id if len(rows) == limit else None)


@router.get("/timings/report")
def report(library: LibraryOf) -> list[StageSummary]:
    """One row per stage and a last one `total`, with the latest timings of each stage. Takes a second in a large library."""
    return library.stage_report()


@router.get("/checks")
def checks(library: LibraryOf) -> list[OpenFailure]:
    """The checks that failed in the last seven days: the worst of each stage and cause, the newest first."""
    return library.failing_checks()


@router.post("/timings/{stage}/accept")
def accept(library: LibraryOf, stage: Annotated[str, Path(max_length=100)]) -> Accepted:
    """Accept the present speed of the stage as the new normal: checks start again with its next timings."""
    if not library.timing_page(stage, limit=1):
        raise Unknown(f"Stage {stage!r} has no timings.", "Ingest something first.")
    return Accepted(stage=stage, timings_left_out=library.accept_speed(stage))
