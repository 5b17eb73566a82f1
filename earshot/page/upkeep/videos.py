"""Videos as JSON: the list, one video, retries and removals."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict

from earshot.library.upkeep.removal import ExcludedVideo, Removal
from earshot.library.videos import ListedPage, ListedVideo
from earshot.page.http.confirming import Confirm, require_confirmed
from earshot.page.http.dependencies import LibraryOf

router = APIRouter(tags=["videos"])

Key = Annotated[str, Path(description="A video's key.")]


class VideosQuery(BaseModel):
    """Which videos, as the address of the page of videos has them."""

    model_config = ConfigDict(extra="forbid")

    state: Annotated[str | None, Query(description="ready, failed, new, private, ..., or queued, waiting, running")] = None
    source: Annotated[str | None, Query(description="A source's name or address.")] = None
    q: Annotated[str, Query(max_length=1000, description="Words of the title, or how they begin; or a key.")] = ""
    after: Annotated[str | None, Query(max_length=1000, description="`next` of the page before.")] = None
    limit: Annotated[int, Query(ge=1, le=200)] = 50


@router.get("/videos")
def videos(library: LibraryOf, asked: Annotated[VideosQuery, Query()]) -> ListedPage:
    """The videos, newest upload first, undated ones last; `next` is the cursor of the following page."""
    return library.video_page(asked.state or None, asked.source or None, asked.q, after=asked.after, limit=asked.limit)


@router.get("/videos/{video_id}")
def one_video(library: LibraryOf, video_id: Key) -> ListedVideo:
    """One video: its state, why it failed, and when it is tried again."""
    return library.video(video_id)


@router.post("/videos/{video_id}/retry", status_code=202)
def retry(library: LibraryOf, video_id: Key) -> ListedVideo:
    """Have `earshot up` retry the video."""
    return library.queue_retry(video_id)


@router.get("/videos/{video_id}/traces")
def video_traces(library: LibraryOf, video_id: Key) -> Removal:
    """What the removal of this video would delete."""
    return library.video_traces(video_id)


@router.delete("/videos/{video_id}")
def remove_video(library: LibraryOf, video_id: Key, confirm: Confirm) -> Removal:
    """Remove the video everywhere. No listing brings it back."""
    require_confirmed(confirm, library.video(video_id).video_id)
    return library.remove_video(video_id)


@router.get("/removed-videos")
def removed_videos(library: LibraryOf, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> list[ExcludedVideo]:
    """The videos that listings leave out because they were removed here, the last one first."""
    return library.removed_videos(limit)


@router.delete("/removed-videos/{video_id}", status_code=204)
def readmit_video(library: LibraryOf, video_id: Key) -> None:
    """Let listings bring this video back."""
    library.readmit_video(video_id)
