"""Opens media files with FFmpeg, but none that lists other files: a download decides neither what else is read, nor how often.

FFmpeg recognizes a format by content, so an `episode.mp3` may be a playlist of this machine's files, or name itself.
"""

from functools import cache
from pathlib import Path

import av
from av.container import InputContainer

# Formats that only name other files, addresses or devices.
REFERRING = frozenset({"concat", "dash", "hls", "imf", "rtp", "rtsp", "sap", "sdp", "vobsub", "webm_dash_manifest"})


def open_media(path: Path) -> InputContainer:
    """The opened file. Raises av.error.FFmpegError if it is no media, or of a format in REFERRING."""
    # Metadata is not read here, and need not be UTF-8.
    return av.open(str(path), options={"format_whitelist": _standing_alone()}, metadata_errors="ignore")


@cache
def _standing_alone() -> str:
    return ",".join(sorted(av.formats_available - REFERRING))
