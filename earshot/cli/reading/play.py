"""`earshot play`: play a result of the last search, or a video from a given time."""

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

import click

from earshot import open_library
from earshot.common.errors import EarshotError
from earshot.common.times import format_hms


@click.command("play")
@click.argument("what", metavar="HIT|VIDEO@TIME")
@click.option("--print", "only_print", is_flag=True, help="Print the player's command instead of running it.")
def play_command(what: str, only_print: bool) -> None:
    """Play a search result, or a video from a given time.

    HIT is the number of a result of the last search; VIDEO@TIME is a video and a time, such as VIDEO@0:12:30. Plays Earshot's
    copy of the audio with the first installed player of ffplay, mpv, VLC and SoX. Ctrl-C stops it.
    """
    playback = open_library().playback(what)
    if only_print:
        click.echo(shlex.join(playback.command))
        return
    player, at = Path(playback.command[0]).name, format_hms(playback.start_s)
    click.echo(f"Playing {playback.video.title} from {at} with {player}. Press Ctrl-C to stop.", err=True)
    _run(playback.command)


def _run(command: Sequence[str]) -> None:
    """Run the player until it exits or Ctrl-C; raises EarshotError if it fails."""
    try:
        process = subprocess.run(command, check=False)
    except KeyboardInterrupt:
        return
    if process.returncode != 0:
        message = f"{Path(command[0]).name} failed with exit code {process.returncode}."
        raise EarshotError(message, f"See its message above. The command was: {shlex.join(command)}")
