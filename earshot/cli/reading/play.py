"""`earshot play`: what was said, to be heard: a result of the last search, or a video from a moment on."""

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
    """Play a result of the last search by its number (earshot play 2), or a video from a time on (VIDEO@0:12:30).

    What is played is Earshot's own copy of the audio, by the first of these that is installed: ffplay, mpv, VLC, SoX's play.
    Ctrl-C stops.
    """
    from earshot.media.playing import player_command, stored_audio

    database = open_database()
    video, start_s = _moment(database, what)
    command = player_command(stored_audio(database, video), start_s)
    if only_print:
        click.echo(shlex.join(command))
        return
    click.echo(f"{video.title}, from {format_hms(start_s)}, by {Path(command[0]).name}; Ctrl-C stops.", err=True)
    _run(command)


def _moment(database: Database, what: str) -> tuple[Video, float]:
    """The video and the second that are meant; raises EarshotError where the video is unknown, or over by then."""
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
        raise EarshotError(f"{time!r} in {what!r} is no time.", "Write VIDEO@SECONDS, or VIDEO@h:mm:ss.") from None
    video = known_video(database, name)
    if video.duration_s is not None and start_s >= video.duration_s:
        raise EarshotError(f"{video.video_id} ends at {format_hms(video.duration_s)}, before {time}.", "Name an earlier time.")
    return video, start_s


def _run(command: list[str]) -> None:
    """Run the player to its end, or to Ctrl-C; raises EarshotError where it fails."""
    try:
        ended = subprocess.run(command, check=False)
    except KeyboardInterrupt:
        return
    if ended.returncode != 0:
        told = f"{Path(command[0]).name} ended with exit code {ended.returncode}."
        raise EarshotError(told, f"Its own message is above; what was run: {shlex.join(command)}")
