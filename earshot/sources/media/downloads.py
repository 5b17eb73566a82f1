"""Downloads: fetches the media of one video with yt-dlp, through its source's session; only the audio, if the site offers that.

`download()` first reads the site's description of the video and refuses what cannot or should not be fetched (not broadcast
yet, no sound, no space on the disk). Nothing is transcoded. yt-dlp resumes after short interruptions; an unfinished file stays
in `download_folder()`, where the next attempt, by any process, resumes it. `refuse_truncated()` compares the decoded length
with the site's.

earshot/sources/media/download_slots.py limits the rate; earshot/sources/net/ytdlp_errors.py translates failures. A file that
changes at its address between two attempts goes unnoticed: sites give each recording another address.
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
from earshot.sources.net.bounded_bodies import reading_pages
from earshot.sources.net.session import downloader_version, session
from earshot.sources.net.ssrf_guard import refuse_private
from earshot.sources.net.ytdlp_errors import ARCHIVED, LATER, UPDATE, secrets_of, translate
from earshot.storage.catalog.videos import Video

# The best audio-only format; else the best one with sound and picture in one file.
FORMAT = "bestaudio/best"
# Interruptions that one attempt survives, and the longest pause before resuming: half a second, doubled each time.
INTERRUPTIONS = 5
MAX_PAUSE_S = 8.0
# Disk space kept free for the rest (the database, decoded audio: 115 MB an hour). Sizes that sites give are estimates.
RESERVE_BYTES = 1 << 30
MARGIN = 1.2
# A disk with room for twelve hours of uncompressed sound is not full: what needs more fails alone. Sites announce any size.
AMPLE_BYTES = 8_000_000_000
# Sites round durations, and encoders pad: a missing end up to the larger of these is accepted.
TOLERANCE_S = 5.0
TOLERANCE_SHARE = 0.02
# Unfinished downloads of this age are deleted: their video has failed permanently, or is gone.
ABANDONED_AFTER_S = 14 * 86_400.0

_UNFINISHED = re.compile(r"\.(part|ytdl|part-Frag\d+(\.part)?)$")


@dataclass(frozen=True)
class Fetched:
    """A media file, its downloader (`file`, or yt-dlp with its version), and the duration that the site gives, if any."""

    path: Path
    downloader: str
    duration_s: float | None = None


@contextmanager
def download_folder(video: Video) -> Iterator[Path]:
    """The folder for this video's media during the block, with any unfinished download from the same address.

    The folder is deleted after the block; only an error that is not Permanent keeps its unfinished files. A process that dies
    keeps everything. Files from another address, or older than ABANDONED_AFTER_S, are deleted first.
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
    """Download the video's media into the folder. Raises a VideoError or DiskFull, without secrets in the message.

    DiskFull means that hardly any download fits; one that is too large for the disk although others fit is Retryable.
    """
    refuse_private(video.url, source)
    name = without_secrets(video.url, also=secrets_of(source))
    room, messages = _room(folder), _Messages()
    _refuse_too_large(0, room, folder, name)
    try:
        with session(source, logger=messages, max_filesize=room, **_OPTIONS) as downloader:
            _set_up(downloader, folder, video.video_id)
            with reading_pages():
                info = _single_video(downloader.extract_info(video.url, download=False), name)
            _refuse_unfit(info, messages, name)
            refuse_private(info.get("url") or video.url, source)
            _refuse_too_large(info.get("filesize") or info.get("filesize_approx") or 0, room, folder, name)
            done = downloader.process_ie_result(info, download=True)
            path = Path(downloader.prepare_filename(done))
    except YoutubeDLError as error:
        raise translate(error, video.url, source) from None
    if not path.is_file():
        _refuse_too_large(messages.size_refused(), room, folder, name)
        raise Retryable(f"{name}: yt-dlp fetched nothing, and did not say why.", LATER)
    return Fetched(path, downloader_version(), info.get("duration"))


def refuse_truncated(fetched: Fetched, decoded_s: float, title: str) -> None:
    """Raise Truncated if the file's sound ends well before the duration that the site gives."""
    given_s = fetched.duration_s or 0.0
    if given_s - decoded_s > max(TOLERANCE_S, TOLERANCE_SHARE * given_s):
        raise Truncated(f"{title!r} has {decoded_s:.0f} s of the {given_s:.0f} s that the site gives.", LATER)


# --- yt-dlp --------------------------------------------------------------------------------------------------------------


class _Messages:
    """yt-dlp's logger. Errors arrive as exceptions; the other messages can explain what yt-dlp did not do."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def debug(self, message: str) -> None:
        self.messages.append(message)

    def warning(self, message: str) -> None:
        self.messages.append(message)

    def error(self, message: str) -> None: ...

    def find(self, words: str) -> re.Match[str] | None:
        return next((match for message in self.messages if (match := re.search(words, message))), None)

    def size_refused(self) -> int:
        """The size in bytes of a file that yt-dlp refused as too large; 0 if none."""
        match = self.find(r"larger than max-filesize \((\d+) bytes")
        return int(match[1]) if match else 0


def _pause_s(n: int) -> float:
    return min(0.5 * 2**n, MAX_PAUSE_S)


_OPTIONS: Any = {
    "noplaylist": True,
    "playlist_items": "1:2",  # two entries show that the address holds more than one video
    "continuedl": True,
    "retries": INTERRUPTIONS,
    "fragment_retries": INTERRUPTIONS,
    "file_access_retries": INTERRUPTIONS,
    "retry_sleep_functions": dict.fromkeys(("http", "fragment", "file_access"), _pause_s),
    "skip_unavailable_fragments": False,  # else the sound has silent gaps
}


def _set_up(downloader: yt_dlp.YoutubeDL, folder: Path, video_id: str) -> None:
    """Set options that yt-dlp reads only in its constructor, since sessions are also made for other purposes."""
    session: Any = downloader
    session.format_selector = session.build_format_selector(FORMAT)
    # The name includes the format: another attempt may be offered another one, which must not resume this file.
    name = str(folder / video_id).replace("%", "%%") + ".%(format_id)s.%(ext)s"
    session.params["outtmpl"] = {**session.params["outtmpl"], "default": name}


# --- refusals before the download ----------------------------------------------------------------------------------------


def _single_video(info: Any, name: str) -> Any:
    """The only video at an address; raises InvalidMedia if there are none or several."""
    videos = list(info["entries"]) if info and "entries" in info else [info]
    if len(videos) != 1 or not videos[0]:
        count = "no video" if len(videos) == 0 else "more than one video"
        raise InvalidMedia(f"{name} holds {count}; exactly one is expected.", "Ingest the address as a source of its own.")
    return videos[0]


def _refuse_unfit(info: dict[str, Any], messages: _Messages, name: str) -> None:
    if info.get("live_status") in ("is_upcoming", "is_live", "post_live"):
        raise _not_archived(info, name)
    formats = info.get("formats") or [info]
    pictures = any(form.get("vcodec") not in (None, "none") for form in formats)
    if not pictures or any(form.get("acodec") != "none" for form in formats):
        return
    if messages.find(r"formats? .*(missing|skipped)|require a GVS PO Token"):
        raise Retryable(f"{name}: the site offered no format with sound, but some formats are missing.", UPDATE)
    raise NoAudio(f"{name}: none of its {len(formats)} formats has sound.", "There is nothing to transcribe.")


def _not_archived(info: dict[str, Any], name: str) -> LiveOrUpcoming:
    starts_at = info.get("release_timestamp")
    starts_in_s = max(starts_at - time.time(), 0.0) if starts_at and info["live_status"] == "is_upcoming" else None
    status = {"is_upcoming": "is not on air yet", "is_live": "is on air", "post_live": "is over, but not archived yet"}
    return LiveOrUpcoming(f"{name}: it {status[info['live_status']]}.", ARCHIVED, starts_in_s)


# --- the folder and its disk ---------------------------------------------------------------------------------------------


def _room(folder: Path) -> int:
    """The maximum size in bytes of a file in this folder, including what is already there."""
    return int((shutil.disk_usage(folder).free - RESERVE_BYTES) / MARGIN) + _size(folder)


def _refuse_too_large(size: float, room: int, folder: Path, name: str) -> None:
    if room > 0 and size <= room:
        return
    free, needed = shutil.disk_usage(folder).free, max(size - _size(folder), 0.0) * MARGIN + RESERVE_BYTES
    refusal = Retryable if room > AMPLE_BYTES else DiskFull
    raise refusal(
        f"{folder} has {free / 1e9:.1f} GB free, but {name} needs {needed / 1e9:.1f} GB.",
        "Free some space, or set EARSHOT_HOME to a larger disk.",
    )


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def _unfinished(folder: Path) -> bool:
    """Whether the folder holds a download to resume. Deletes finished files, which were refused."""
    for file in folder.iterdir():
        if not _UNFINISHED.search(file.name):
            file.unlink()
    return any(folder.iterdir())


def _remove_others(folder: Path) -> None:
    """Delete unfinished downloads of this video from other addresses, and abandoned ones of any video."""
    siblings = [path for path in folder.parent.glob("*") if path != folder]
    abandoned = [path for path in folder.parent.parent.glob("*") if path != folder.parent and _age_s(path) > ABANDONED_AFTER_S]
    for path in siblings + abandoned:
        shutil.rmtree(path, ignore_errors=True)  # another process may be deleting it, too


def _age_s(folder: Path) -> float:
    """Seconds since anything in the folder last changed."""
    changed = [path.lstat().st_mtime for path in (folder, *folder.rglob("*")) if path.exists()]
    return time.time() - max(changed, default=time.time())
