"""Folders and files of this machine as sources.

A file is known by its content, so that one file under two names is one video. Reading everything at each look would be dear:
a file whose size and times are those of the last look is not read again. A file that something still writes to is left
for a later look: it counts as finished once nothing has changed it for a while (`settled_s`). The time of its last change
is asked of the file system (ctime), since tools that copy set the time of modification to what they please.

Nothing is copied or decoded here.
"""

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from earshot.common.errors import SourceUnusable
from earshot.config.sources_file import Source
from earshot.storage.catalog.entries import Entry, Listing

MEDIA_SUFFIXES = frozenset({
    ".aac", ".aif", ".aiff", ".avi", ".flac", ".flv", ".m4a", ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp2", ".mp3",
    ".mp4", ".mpeg", ".mpg", ".oga", ".ogg", ".ogv", ".opus", ".ts", ".wav", ".webm", ".wma", ".wmv",
})  # fmt: skip


@dataclass(frozen=True)
class KnownFile:
    """What the last look at a file found."""

    video_id: str
    fingerprint: str


def list_folder(source: Source, known: Mapping[str, KnownFile], settled_s: float = 0.0) -> Listing:
    """The media under a folder, by path, or one file. Raises SourceUnusable where there is none.

    `known` has the files of the last look by their absolute paths. A watched folder (`settled_s` above 0) may be empty.
    """
    path = Path(source.address)
    if path.is_dir():
        found = sorted(p for p in path.resolve().rglob("*") if p.suffix.lower() in MEDIA_SUFFIXES and p.is_file())
        if not found and not settled_s:
            raise SourceUnusable(
                f"{source.name}: no audio or video file in this folder.", f"Known by their names: {_suffixes()}."
            )
    elif path.is_file():
        found = [path]
    else:
        raise SourceUnusable(f"{source.name}: no such file or folder.", "Check the path.")
    return Listing(tuple(_entries(found, known, settled_s)), complete=True)


def _entries(files: Iterable[Path], known: Mapping[str, KnownFile], settled_s: float) -> Iterator[Entry]:
    for file in files:
        path = str(file.resolve() if file.is_symlink() else file)
        try:
            status = file.stat()
            fingerprint = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
            last = known.get(path)
            if last is not None and last.fingerprint == fingerprint:
                yield Entry(last.video_id, path, file.stem, fingerprint=fingerprint)
            elif not settled_s or time.time() - status.st_ctime >= settled_s:
                yield Entry(f"file-{_content_digest(file)}", path, file.stem, fingerprint=fingerprint)
        except FileNotFoundError:
            continue  # moved away since the folder was read
        except OSError as error:
            raise SourceUnusable(f"{file} cannot be read: {error.strerror}.", "Correct its rights, or move it away.") from error


def _suffixes() -> str:
    return " ".join(sorted(MEDIA_SUFFIXES))


def _content_digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:16]
