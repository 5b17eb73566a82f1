"""Where recordings come from: URLs through yt-dlp, files and folders read directly.

`list_source()` turns what a user names (a channel, playlist, feed or single URL; a file; a folder) into `Video`s without
fetching any media. `MediaSourceResource.fetch()` gets one video's media, audio only where the site offers it, into a
folder. A video's key is stable, unique over sources and readable: YouTube's id as it is, else `<extractor>-<id>`; entries of
feeds and bare links, whose ids are only unique on their host, carry a digest of where they are from; a local file is named
by its content, so that one file under two names is one video.

What a failure means is told by resources/media_errors.py. Which videos of a listing are wanted is decided in
ingest_assets/sources.py. Choosing by date is not done here: flat
listings often carry none, and none is invented.
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yt_dlp
import yt_dlp.version
from dagster import ConfigurableResource
from yt_dlp.utils import DownloadError, UnsupportedError, unsmuggle_url

from resources.catalogue import Video
from resources.errors import Removed, SourceUnusable
from resources.media_errors import cause_of, explain, message_of

MEDIA_SUFFIXES = frozenset({
    ".aac", ".aif", ".aiff", ".avi", ".flac", ".flv", ".m4a", ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp2", ".mp3",
    ".mp4", ".mpeg", ".mpg", ".oga", ".ogg", ".ogv", ".opus", ".ts", ".wav", ".webm", ".wma", ".wmv",
})  # fmt: skip


class MediaSourceResource(ConfigurableResource):
    """Fetches the media of one video."""

    def fetch(self, video: Video, folder: Path) -> tuple[Path, str]:
        """The media file, in `folder` or where it already lies, and what fetched it. Raises a VideoError."""
        if not is_url(video.url):
            path = Path(video.url)
            if not path.is_file():
                raise Removed(f"{path} is no longer there.", "Put the file back, or ingest it from where it is now.")
            return path, "file"
        return _download(video, folder), f"yt-dlp {yt_dlp.version.__version__}"


def is_url(source: str) -> bool:
    return re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", source) is not None


def list_source(source: str) -> list[Video]:
    """The videos a source holds, in its own order. Raises SourceUnusable, saying why nothing could be listed."""
    if not is_url(source):
        return list(_local_videos(source))
    if urlsplit(source).scheme not in ("http", "https"):
        raise SourceUnusable(
            f"{source}: only http and https URLs are fetched.", "Name a local file by its path, without file://."
        )
    return _remote_videos(source)


# --- local files ---------------------------------------------------------------------------------------------------------


def _local_videos(source: str) -> Iterator[Video]:
    path = Path(source).expanduser()
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in MEDIA_SUFFIXES and p.is_file())
        if not files:
            raise SourceUnusable(f"{source}: no audio or video file in this folder.", f"Known by their names: {_suffixes()}.")
    elif path.is_file():
        files = [path]
    else:
        raise SourceUnusable(f"{source}: no such file or folder.", "Check the path.")
    for file in files:
        yield Video(f"file-{_content_digest(file)}", str(file.resolve()), str(path.resolve()), file.stem)


def _suffixes() -> str:
    return " ".join(sorted(MEDIA_SUFFIXES))


def _content_digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:16]


# --- yt-dlp --------------------------------------------------------------------------------------------------------------


class _Silent:
    """yt-dlp's logger: what it has to say arrives as an exception."""

    def debug(self, message: str) -> None: ...

    def warning(self, message: str) -> None: ...

    def error(self, message: str) -> None: ...


_OPTIONS: Any = {"quiet": True, "no_warnings": True, "noprogress": True, "logger": _Silent()}


def _remote_videos(source: str) -> list[Video]:
    try:
        options: Any = {**_OPTIONS, "extract_flat": True}
        with yt_dlp.YoutubeDL(options) as downloader:
            found: Any = downloader.extract_info(source, download=False, process=True)
    except DownloadError as error:
        if cause_of(error, UnsupportedError):
            raise SourceUnusable(
                f"{source}: there is no video, playlist or feed at this address (it is not media, and not valid XML).",
                "Open it in a browser to see what it is.",
            ) from error
        raise SourceUnusable(f"{source}: {message_of(error)}", "Check the address, and try again later.") from error
    entries = _flatten(found or {})
    if not entries:
        raise SourceUnusable(f"{source}: nothing is listed there.", "Check the address.")
    return [_video(entry, source) for entry in entries]


def _flatten(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The videos of a result: itself, or those of a playlist and of the playlists in it (a channel's tabs)."""
    if "entries" not in found:
        return [found] if found else []
    channel = found.get("channel") or found.get("uploader") or found.get("title")
    entries = [entry for entry in found["entries"] if entry]
    return [{"channel": channel, **nested} for entry in entries for nested in _flatten(entry)]


def _video(entry: dict[str, Any], source: str) -> Video:
    address, smuggled = unsmuggle_url(entry.get("webpage_url") or entry.get("original_url") or entry["url"], default={})
    guid = smuggled.get("force_videoid")
    timestamp = entry.get("timestamp")
    return Video(
        video_id=_key(entry, address, guid, source),
        url=address,
        source=source,
        title=entry.get("title") or Path(urlsplit(address).path).stem or address,
        channel=entry.get("channel") or entry.get("uploader"),
        published_at=datetime.fromtimestamp(timestamp, UTC) if timestamp else None,
        duration_s=entry.get("duration"),
    )


def _key(entry: dict[str, Any], address: str, guid: str | None, source: str) -> str:
    extractor = (entry.get("ie_key") or entry.get("extractor_key") or "Generic").lower()
    if extractor == "youtube":
        return entry["id"]
    if extractor != "generic":
        return f"{extractor}-{_slug(entry['id'])}"
    # A feed's guid stays when its media moves; a bare link has nothing but its address.
    origin = f"{urlsplit(source).hostname} {guid}" if guid else address
    readable = _slug(guid or Path(urlsplit(address).path).stem)[-40:].strip("-")
    return f"generic-{readable}-{hashlib.sha256(origin.encode()).hexdigest()[:8]}"


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-") or "unnamed"


def _download(video: Video, folder: Path) -> Path:
    options: Any = {
        **_OPTIONS,
        "format": "bestaudio/best",
        "outtmpl": str(folder / f"{video.video_id}.%(ext)s"),
        "retries": 3,
        "noplaylist": True,
        "continuedl": True,
    }
    try:
        with yt_dlp.YoutubeDL(options) as downloader:
            found = downloader.extract_info(video.url, download=True)
            path = Path(downloader.prepare_filename(found))
    except DownloadError as error:
        raise explain(error, video.url) from error
    return path
