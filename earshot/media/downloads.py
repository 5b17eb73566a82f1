"""Downloads: the media of one video fetched through its source's session, audio only where the site offers it, as it is.

`download()` asks the site for what it has, refuses what cannot or should not be fetched (not broadcast yet, no sound, no room
on the disk), and only then fetches. Nothing is transcoded. Short interruptions are bridged by yt-dlp, which goes on where it
was; what it had to leave unfinished stays in `download_folder()`, so that the next try, by this process or another,
goes on there too. `refuse_truncated()` holds what was decoded against the length that the site gives.

How often, and how many at a time, is earshot/media/download_slots.py; what a failure means,
earshot/sources/net/ytdlp_errors.py. A file that changes at its address between two tries is not noticed here: sites give each
recording an address of its own.
"""

import hashlib
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yt_dlp
from yt_dlp.utils import YoutubeDLError

from earshot.common.errors import DiskFull, InvalidMedia, LiveOrUpcoming, NoAudio, Permanent, Retryable, Truncated, VideoError
from earshot.common.redaction import without_secrets
from earshot.config.settings import read_settings
from earshot.config.sources_file import Source
from earshot.sources.net.session import downloader_version, session
from earshot.sources.net.ssrf_guard import refuse_private
from earshot.sources.net.ytdlp_errors import ARCHIVED, LATER, UPDATE, secrets_of, translate
from earshot.storage.catalog.videos import Video

# The best that has sound alone; else the smallest detour, sound and picture in one file.
FORMAT = "bestaudio/best"
# Interruptions that one try bridges, and the longest pause before going on: half a second, doubled each time.
INTERRUPTIONS = 5
MAX_PAUSE_S = 8.0
# Kept free for what else needs the disk (the database, decoded audio: 115 MB an hour). Sizes that sites give are estimates.
RESERVE_BYTES = 1 << 30
MARGIN = 1.2
# Sites round lengths, and encoders pad: a missing end counts from here on.
TOLERANCE_S = 5.0
TOLERANCE_SHARE = 0.02
# What no try came back for: its video has failed for good, or is gone.
ABANDONED_AFTER_S = 14 * 86_400.0

_UNFINISHED = re.compile(r"\.(part|ytdl|part-Frag\d+(\.part)?)$")


@dataclass(frozen=True)
class Fetched:
    """A media file, what fetched it (`file`, or yt-dlp with its version), and the length that its site gives, if any."""

    path: Path
    downloader: str
    duration_s: float | None = None


@contextmanager
def download_folder(video: Video) -> Iterator[Path]:
    """The folder for this video's media, with what an earlier try left unfinished at the same address, for the block.

    Nothing of it stays after the block, but for what is unfinished where the error may pass: not after a Permanent one. A
    process that dies leaves all of it. Begun from another address, or long ago, it is removed.
    """
    parent = read_settings().home / "downloads" / video.video_id
    folder = parent / hashlib.sha256(video.url.encode()).hexdigest()[:16]
    _remove_others(folder)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    except VideoError as error:
        if isinstance(error, Permanent) or not _unfinished(folder):
            shutil.rmtree(parent)
        raise
    shutil.rmtree(parent)


def download(video: Video, folder: Path, source: Source) -> Fetched:
    """The video's media in the folder. Raises a VideoError, or DiskFull; neither tells a secret."""
    refuse_private(video.url, source)
    name = without_secrets(video.url, also=secrets_of(source))
    room, said = _room(folder), _Said()
    _refuse_too_large(0, room, folder, name)
    try:
        with session(source, logger=said, max_filesize=room, **_OPTIONS) as downloader:
            _set_up(downloader, folder, video.video_id)
            found = _only_one(downloader.extract_info(video.url, download=False), name)
            _refuse_unfit(found, said, name)
            refuse_private(found.get("url") or video.url, source)
            _refuse_too_large(found.get("filesize") or found.get("filesize_approx") or 0, room, folder, name)
            done = downloader.process_ie_result(found, download=True)
            path = Path(downloader.prepare_filename(done))
    except YoutubeDLError as error:
        raise translate(error, video.url, source) from None
    if not path.is_file():
        _refuse_too_large(said.size_refused(), room, folder, name)
        raise Retryable(f"{name}: yt-dlp fetched nothing, and did not say why.", LATER)
    return Fetched(path, downloader_version(), found.get("duration"))


def refuse_truncated(fetched: Fetched, decoded_s: float, title: str) -> None:
    """Raise Truncated where the file's sound ends well before the length that the site gives."""
    given_s = fetched.duration_s or 0.0
    if given_s - decoded_s > max(TOLERANCE_S, TOLERANCE_SHARE * given_s):
        raise Truncated(f"{title!r} has {decoded_s:.0f} s of the {given_s:.0f} s that the site gives.", LATER)


# --- what is asked of yt-dlp ---------------------------------------------------------------------------------------------


class _Said:
    """yt-dlp's logger: its errors arrive as exceptions; what else it says can explain what it did not do."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def debug(self, message: str) -> None:
        self.messages.append(message)

    def warning(self, message: str) -> None:
        self.messages.append(message)

    def error(self, message: str) -> None: ...

    def find(self, words: str) -> re.Match[str] | None:
        return next((found for message in self.messages if (found := re.search(words, message))), None)

    def size_refused(self) -> int:
        """Bytes of what was not fetched for its size; 0 where nothing was."""
        told = self.find(r"larger than max-filesize \((\d+) bytes")
        return int(told[1]) if told else 0


def _pause_s(n: int) -> float:
    return min(0.5 * 2**n, MAX_PAUSE_S)


_OPTIONS: Any = {
    "noplaylist": True,
    "playlist_items": "1:2",  # enough to see that it is not one video
    "continuedl": True,
    "retries": INTERRUPTIONS,
    "fragment_retries": INTERRUPTIONS,
    "file_access_retries": INTERRUPTIONS,
    "retry_sleep_functions": dict.fromkeys(("http", "fragment", "file_access"), _pause_s),
    "skip_unavailable_fragments": False,  # else a hole in the sound, and nobody told
}


def _set_up(downloader: yt_dlp.YoutubeDL, folder: Path, video_id: str) -> None:
    """What yt-dlp reads only when it is made, and this session was made for other purposes."""
    session: Any = downloader
    session.format_selector = session.build_format_selector(FORMAT)
    # With the format, since the next try may be offered another one, which must not continue this one's file.
    name = str(folder / video_id).replace("%", "%%") + ".%(format_id)s.%(ext)s"
    session.params["outtmpl"] = {**session.params["outtmpl"], "default": name}


# --- what is refused before it is fetched --------------------------------------------------------------------------------


def _only_one(found: Any, name: str) -> Any:
    """The one video of what was found at an address."""
    videos = list(found["entries"]) if found and "entries" in found else [found]
    if len(videos) != 1 or not videos[0]:
        count = "nothing" if len(videos) == 0 else "more than one video"
        raise InvalidMedia(f"{name}: {count} lies there, not one video.", "Ingest the address as a source of its own.")
    return videos[0]


def _refuse_unfit(found: dict[str, Any], said: _Said, name: str) -> None:
    if found.get("live_status") in ("is_upcoming", "is_live", "post_live"):
        raise _not_archived(found, name)
    formats = found.get("formats") or [found]
    pictures = any(form.get("vcodec") not in (None, "none") for form in formats)
    if not pictures or any(form.get("acodec") != "none" for form in formats):
        return
    if said.find(r"formats? .*(missing|skipped)|require a GVS PO Token"):
        raise Retryable(f"{name}: no format with sound was offered, but not all formats were.", UPDATE)
    raise NoAudio(f"{name}: none of its {len(formats)} formats has sound.", "Nothing can be heard in it.")


def _not_archived(found: dict[str, Any], name: str) -> LiveOrUpcoming:
    starts_at = found.get("release_timestamp")
    starts_in_s = max(starts_at - time.time(), 0.0) if starts_at and found["live_status"] == "is_upcoming" else None
    what = {"is_upcoming": "is not on air yet", "is_live": "is on air", "post_live": "is over, but not archived yet"}
    return LiveOrUpcoming(f"{name}: it {what[found['live_status']]}.", ARCHIVED, starts_in_s)


# --- the folder and its disk ---------------------------------------------------------------------------------------------


def _room(folder: Path) -> int:
    """How many bytes a file in this folder may have, with those that are already there."""
    return int((shutil.disk_usage(folder).free - RESERVE_BYTES) / MARGIN) + _size(folder)


def _refuse_too_large(size: float, room: int, folder: Path, name: str) -> None:
    if room > 0 and size <= room:
        return
    free, needed = shutil.disk_usage(folder).free, max(size - _size(folder), 0.0) * MARGIN + RESERVE_BYTES
    raise DiskFull(
        f"{folder} has {free / 1e9:.1f} GB free, and {needed / 1e9:.1f} GB are needed for {name}.",
        "Free some space, or set EARSHOT_HOME to a larger disk.",
    )


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def _unfinished(folder: Path) -> bool:
    """Whether something in the folder can be continued. What is whole, and was refused all the same, is removed."""
    for file in folder.iterdir():
        if not _UNFINISHED.search(file.name):
            file.unlink()
    return any(folder.iterdir())


def _remove_others(folder: Path) -> None:
    """Remove what an earlier try of this video left at another address, and what was left long ago of any video."""
    siblings = [path for path in folder.parent.glob("*") if path != folder]
    forgotten = [path for path in folder.parent.parent.glob("*") if path != folder.parent and _age_s(path) > ABANDONED_AFTER_S]
    for path in siblings + forgotten:
        shutil.rmtree(path, ignore_errors=True)  # another process may be at it


def _age_s(folder: Path) -> float:
    """Seconds since anything in the folder last changed."""
    changed = [path.lstat().st_mtime for path in (folder, *folder.rglob("*")) if path.exists()]
    return time.time() - max(changed, default=time.time())
