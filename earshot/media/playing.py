"""Playing: Earshot's own copy of a video's audio, from one moment on, with a player that is installed here.

No player comes with Earshot: the first of PLAYERS that is on PATH is used. A copy in a media store that
is not on this machine (`s3://...`) is refused.
"""

import shutil
from pathlib import Path

from earshot.common.errors import EarshotError
from earshot.common.times import format_hms
from earshot.storage.catalog.videos import Video
from earshot.storage.database import Database
from earshot.storage.media_store import location_of

# How each program plays `{file}` from `{at}` seconds on to its end, and then ends itself.
PLAYERS = {
    "ffplay": ("-nodisp", "-autoexit", "-loglevel", "error", "-ss", "{at}", "{file}"),
    "mpv": ("--no-video", "--start={at}", "{file}"),
    "cvlc": ("--play-and-exit", "--start-time={at}", "{file}"),
    "vlc": ("--play-and-exit", "--start-time={at}", "{file}"),
    "play": ("-q", "{file}", "trim", "{at}"),  # of SoX
}


def stored_audio(database: Database, video: Video) -> Path:
    """The file of the video's audio; raises EarshotError where it has none, or none on this machine."""
    rows = database.query("SELECT uri FROM audio WHERE video_id = %s", [video.video_id])
    if not rows:
        raise EarshotError(
            f"{video.video_id} has no audio yet (state {video.state}).", f"Ingest it: earshot ingest {video.url!r}"
        )
    kept = location_of(rows[0]["uri"])
    if kept.protocol not in ("", "file"):
        raise EarshotError(f"The audio of {video.video_id} is not on this machine: {kept}", "Copy it here and play the copy.")
    if not kept.is_file():
        raise EarshotError(f"{kept} is no longer in the media store.", f"Ingest it again: earshot ingest {video.url!r}")
    return Path(kept.path)


def player_command(file: Path, start_s: float) -> list[str]:
    """The command that plays the file from this second on; raises EarshotError where no player is installed."""
    for program, arguments in PLAYERS.items():
        found = shutil.which(program)
        if found:
            return [found, *(argument.format(file=file, at=f"{start_s:.3f}") for argument in arguments)]
    raise EarshotError(
        f"No player is installed: none of {', '.join(PLAYERS)} is on PATH.",
        f"Install one (ffplay comes with ffmpeg: apt install ffmpeg), or open {file} at {format_hms(start_s)} in another.",
    )
