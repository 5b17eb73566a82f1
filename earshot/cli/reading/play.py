"""`earshot play`: play a result of the last search, or a video from a given time."""

import shlex
import subprocess
from pathlib import Path

import click

from earshot.common.errors import EarshotError
from earshot.common.excerpt import parse_time
from earshot.common.times import format_hms
from earshot.library.lookup import known_video
from earshot.storage.catalog.videos import Video
from earshot.storage.database import Database, open_database


@click.command("play")
@click.argument("what", metavar="HIT|VIDEO@TIME")
@click.option("--print", "only_print", is_flag=True, help="Print the player's command instead of running it.")
def play_command(what: str, only_print: bool) -> None:
    """Play a search result, or a video from a given time.

    HIT is the number of a result of the last search; VIDEO@TIME is a video and a time, such as VIDEO@0:12:30. Plays Earshot's
    copy of the audio with the first installed player of ffplay, mpv, VLC and SoX. Ctrl-C stops it.
    """
    from earshot.media.playing import player_command, stored_audio

    database = open_database()
    video, start_s = _moment(database, what)
    command = player_command(stored_audio(database, video), start_s)
    if only_print:
        click.echo(shlex.join(command))
        return
    player = Path(command[0]).name
    click.echo(f"Playing {video.title} from {format_hms(start_s)} with {player}. Press Ctrl-C to stop.", err=True)
    _run(command)


def _moment(database: Database, what: str) -> tuple[Video, float]:
    """The video and the start in seconds. Raises EarshotError if the video is unknown or shorter than that."""
    from earshot.transcripts.search.last_search import find_result

    if what.isdecimal():
        video_id, start_s = find_result(int(what))
        return known_video(database, video_id), start_s
    name, mark, time = what.rpartition("@")
    if not mark:
        return known_video(database, what), 0.0
    try:
        start_s = parse_time(time)
    except ValueError:
        raise EarshotError(f"{time!r} in {what!r} is not a time.", "Write VIDEO@SECONDS or VIDEO@h:mm:ss.") from None
    video = known_video(database, name)
    if video.duration_s is not None and start_s >= video.duration_s:
        raise EarshotError(f"{video.video_id} ends at {format_hms(video.duration_s)}, before {time}.", "Name an earlier time.")
    return video, start_s


def _run(command: list[str]) -> None:
    """Run the player until it exits or Ctrl-C; raises EarshotError if it fails."""
    try:
        process = subprocess.run(command, check=False)
    except KeyboardInterrupt:
        return
    if process.returncode != 0:
        message = f"{Path(command[0]).name} failed with exit code {process.returncode}."
        raise EarshotError(message, f"See its message above. The command was: {shlex.join(command)}")
