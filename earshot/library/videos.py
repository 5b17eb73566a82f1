"""Videos: list those in the library, each with its state and active run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from earshot.common.errors import EarshotError
from earshot.config.settings import read_settings
from earshot.library.lookup import known_video
from earshot.storage.catalog.run_activity import ACTIVITIES, Activity, is_daemon_running, read_activities
from earshot.storage.catalog.run_requests import request_retry
from earshot.storage.catalog.stages import STAGES
from earshot.storage.catalog.videos import (
    STATES,
    Video,
    VideoList,
    count_videos,
    list_videos,
    page_of_videos,
    stream_videos,
)
from earshot.storage.catalog.watched_sources import address_of
from earshot.storage.database import Database
from earshot.storage.server import server_urls

VIDEO_STATES = (*ACTIVITIES, *STATES)
RETRIED_STATES = tuple(state for state in STATES if state != "ready")


@dataclass(frozen=True)
class ListedVideo(Video):
    """A video of the catalogue, and its active run.

    `run` is `queued`, `running` a stage or `waiting` for its turn to compute one, None without an active run; `stage` is that
    stage. `duration_s` is in seconds; times have a time zone.
    """

    run: str | None = None
    stage: str | None = None

    @property
    def condition(self) -> str:
        """`ready`; `running: transcript`; or both, if a video is run again."""
        if self.run is None:
            return self.state
        at_work = str(Activity(self.run, self.stage))
        return at_work if self.state == "new" else f"{self.state}, {at_work}"


@dataclass(frozen=True)
class ListedPage:
    """Some videos of a list, and the cursor of those after them; None at the end."""

    videos: tuple[ListedVideo, ...]
    next: str | None


@dataclass(frozen=True)
class VideoListing:
    """The videos in one state, or all; `among` restricts them to those with an active run of a kind."""

    database: Database
    activities: dict[str, Activity]
    state: str | None
    among: Sequence[str] | None

    def first(self, limit: int | None) -> list[ListedVideo]:
        """The newest uploads, undated ones last; all of them without a limit."""
        return [self._listed(video) for video in list_videos(self.database, self.state, limit, self.among)]

    def stream(self) -> Iterator[ListedVideo]:
        """All of them one at a time, so that memory does not grow with the library."""
        return (self._listed(video) for video in stream_videos(self.database, self.state, self.among))

    def count(self) -> int:
        return count_videos(self.database, self.state, self.among)

    def _listed(self, video: Video) -> ListedVideo:
        return _with_run(video, self.activities.get(video.video_id))


def find_video(database: Database, name: str) -> ListedVideo:
    """The video with this key or title. Raises Unknown if there is none."""
    [video] = _with_runs([known_video(database, name)])
    return video


def _with_runs(videos: Sequence[Video]) -> list[ListedVideo]:
    activities = read_activities(server_urls(read_settings()), [video.video_id for video in videos])
    return [_with_run(video, activities.get(video.video_id)) for video in videos]


def _with_run(video: Video, at_work: Activity | None) -> ListedVideo:
    return ListedVideo(**vars(video), run=at_work.run, stage=at_work.stage) if at_work else ListedVideo(**vars(video))


def list_page(
    database: Database, state: str | None, source: str | None, text: str, after: str | None, limit: int
) -> ListedPage:
    """One page of the videos in this state of VIDEO_STATES, of this source, with these words in the title (`VideoList`)."""
    among = None
    if state in ACTIVITIES:
        activities = read_activities(server_urls(read_settings()))
        among, state = [video_id for video_id, at_work in activities.items() if at_work.run == state], None
    elif state is not None:
        _refuse_unknown(state)
    address = None if source is None else address_of(database, source)
    page = page_of_videos(database, VideoList(state, among, address, text), after, limit)
    return ListedPage(tuple(_with_runs(page.videos)), page.next)


def queue_retry(database: Database, name: str) -> ListedVideo:
    """Have the daemon of a running `earshot up` retry the video. Raises EarshotError if nothing would run it."""
    video = find_video(database, name)
    if video.run is not None:
        raise EarshotError(f"{video.video_id} is {video.condition} already.", "Wait for its run to end.")
    if video.state == "ready":
        remedy = f"To run its stages again: earshot backfill {' '.join(STAGES)} --video {video.video_id}"
        raise EarshotError(f"{video.video_id} is ready.", remedy)
    if not is_daemon_running(server_urls(read_settings())):
        remedy = f"Start `earshot up`, or run it now: earshot retry {video.video_id}"
        raise EarshotError("Nothing would retry it, because `earshot up` does not run.", remedy)
    request_retry(database, video)
    return find_video(database, video.video_id)


def videos_to_retry(database: Database, names: Sequence[str], state: str | None) -> list[Video]:
    """The videos with these keys or titles, or all in one state of RETRIED_STATES. Raises EarshotError for anything else."""
    if state is None:
        return [known_video(database, name) for name in names]
    if names or state not in RETRIED_STATES:
        problem = f"Both videos and the state {state!r} are named." if names else f"No video is retried in state {state!r}."
        raise EarshotError(problem, f"Name videos, or one of these states: {', '.join(RETRIED_STATES)}.")
    return list_videos(database, state)


def find_videos(database: Database, state: str | None) -> VideoListing:
    """The videos in this state of VIDEO_STATES, or all; raises EarshotError for any other state."""
    if state is not None:
        _refuse_unknown(state)
    activities = read_activities(server_urls(read_settings()))
    if state not in ACTIVITIES:
        return VideoListing(database, activities, state, None)
    among = [video_id for video_id, at_work in activities.items() if at_work.run == state]
    return VideoListing(database, activities, None, among)


def _refuse_unknown(state: str) -> None:
    if state not in VIDEO_STATES:
        raise EarshotError(f"There is no state {state!r}.", f"States: {', '.join(VIDEO_STATES)}.")
