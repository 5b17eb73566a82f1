"""Playing: finds the video and time that a user names, and the command that plays Earshot's copy of its audio from there."""

from dataclasses import dataclass

from earshot.common.errors import EarshotError
from earshot.common.excerpt import parse_time
from earshot.common.times import format_hms
from earshot.library.lookup import known_video
from earshot.library.reading.last_search import find_result
from earshot.sources.media.playing import player_command, stored_audio
from earshot.storage.catalog.videos import Video
from earshot.storage.database import Database


@dataclass(frozen=True)
class Playback:
    """A video, a time in it in seconds, and the command of an installed player that plays it from then on."""

    video: Video
    start_s: float
    command: tuple[str, ...]


def find_playback(database: Database, what: str) -> Playback:
    """`what` is the number of a result of the last search, `VIDEO@TIME` or a video.

    Raises EarshotError if there is no such result, video or time, no audio on this machine, or no player.
    """
    video, at_s = find_moment(database, what)
    start_s = at_s or 0.0
    return Playback(video, start_s, tuple(player_command(stored_audio(database, video), start_s)))


def find_moment(database: Database, what: str) -> tuple[Video, float | None]:
    """The video and the time in seconds that `what` names, None without a time.

    Raises EarshotError if the video is unknown or shorter than that.
    """
    if what.isdecimal():
        video_id, start_s = find_result(int(what))
        return known_video(database, video_id), start_s
    name, mark, time = what.rpartition("@")
    if not mark:
        return known_video(database, what), None
    try:
        start_s = parse_time(time)
    except ValueError:
        raise EarshotError(f"{time!r} in {what!r} is not a time.", "Write VIDEO@SECONDS or VIDEO@h:mm:ss.") from None
    video = known_video(database, name)
    if video.duration_s is not None and start_s >= video.duration_s:
        raise EarshotError(f"{video.video_id} ends at {format_hms(video.duration_s)}, before {time}.", "Name an earlier time.")
    return video, start_s
