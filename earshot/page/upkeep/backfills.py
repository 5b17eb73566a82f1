"""Backfills as JSON: have what is out of date in a video or a source run again."""

from collections.abc import Sequence

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from earshot.common.errors import EarshotError
from earshot.page.api.people import Text
from earshot.page.http.dependencies import LibraryOf

router = APIRouter(tags=["backfills"])


class Outdated(BaseModel):
    """What is to run again: the stale stages of one video, or of all videos of a source."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"video": "bridge"}})

    video: Text | None = None
    source: Text | None = None


class StartedBackfill(BaseModel):
    """The backfill, null if nothing was out of date; how many videos and which stages it runs; `up`: `earshot up` runs."""

    backfill_id: str | None
    videos: int
    stages: Sequence[str]
    up: bool


@router.post("/backfills", status_code=202)
def run_outdated(library: LibraryOf, outdated: Outdated) -> StartedBackfill:
    """Have `earshot up` run exactly what is out of date again, after new uploads. It waits if `earshot up` does not run."""
    if (outdated.video is None) == (outdated.source is None):
        raise EarshotError("One of video and source must be named.", 'Send {"video": "KEY"} or {"source": "NAME"}.')
    videos, sources = ([name] if name else [] for name in (outdated.video, outdated.source))
    started = library.backfill(stale=True, videos=videos, sources=sources)
    return StartedBackfill(
        backfill_id=started.backfill_id,
        videos=len({stale.video_id for stale in started.stages}),
        stages=list(dict.fromkeys(stale.stage for stale in started.stages)),
        up=library.at_work().up,
    )
