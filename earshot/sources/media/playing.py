"""Playing: the command that plays Earshot's copy of a video's audio from a given time on.

Earshot includes no player; it uses the first of PLAYERS on PATH. It refuses audio in a remote media store (`s3://...`).
"""

import shutil
from pathlib import Path

from earshot.common.errors import EarshotError
from earshot.common.times import format_hms
from earshot.storage.catalog.videos import Video
from earshot.storage.database import Database
from earshot.storage.media_store import location_of, refetch_remedy
from earshot.storage.stored_audio import why_deleted

# Arguments that make each program play `{file}` from `{at}` seconds to the end, and then exit.
PLAYERS = {
    "ffplay": ("-nodisp", "-autoexit", "-loglevel", "error", "-ss", "{at}", "{file}"),
    "mpv": ("--no-video", "--start={at}", "{file}"),
    "cvlc": ("--play-and-exit", "--start-time={at}", "{file}"),
    "vlc": ("--play-and-exit", "--start-time={at}", "{file}"),
    "play": ("-q", "{file}", "trim", "{at}"),  # of SoX
}


def stored_audio(database: Database, video: Video) -> Path:
    """The file of the video's audio; raises EarshotError if it has none, or none on this machine."""
    rows = database.query("SELECT uri FROM audio WHERE video_id = %s", [video.video_id])
    if not rows:
        raise EarshotError(
            f"{video.video_id} has no audio yet (state {video.state}).", f"Ingest it: earshot ingest {video.url!r}"
        )
    audio = location_of(rows[0]["uri"])
    if audio.protocol not in ("", "file"):
        raise EarshotError(f"The audio of {video.video_id} is not on this machine: {audio}", "Copy it here and play the copy.")
    if not audio.is_file():
        reason = why_deleted(database, video.video_id) or f"{audio} is no longer in the media store."
        raise EarshotError(reason, refetch_remedy(video.video_id))
    return Path(audio.path)


def player_command(file: Path, start_s: float) -> list[str]:
    """The command that plays the file from this second on; raises EarshotError if no player is installed."""
    for program, arguments in PLAYERS.items():
        executable = shutil.which(program)
        if executable:
            return [executable, *(argument.format(file=file, at=f"{start_s:.3f}") for argument in arguments)]
    raise EarshotError(
        f"No player is installed: none of {', '.join(PLAYERS)} is on PATH.",
        f"Install one (ffplay comes with ffmpeg: apt install ffmpeg), or open {file} at {format_hms(start_s)} in another.",
    )
