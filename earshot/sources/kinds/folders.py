"""Lists folders and files of this machine as sources. Copies and decodes nothing.

A file's key comes from its content, so that one file under two names is one video. A file whose size and times have not changed
since the last poll is not read again. A file that is still being written waits for a later poll: it counts as finished once it
has not changed for `settled_s` seconds. The time of the last change is the file system's ctime, because copying tools may set
any modification time. Captions beside a file belong to it (earshot/sources/captions/of_files.py).
"""

import glob
import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from earshot.common.errors import SourceUnusable
from earshot.common.text import is_unicode, without_surrogates
from earshot.config.sources_file import Source
from earshot.sources.captions.of_files import captions_beside, captions_by_name
from earshot.storage.catalog.entries import Entry, Listing

MEDIA_SUFFIXES = frozenset({
    ".aac", ".aif", ".aiff", ".avi", ".flac", ".flv", ".m4a", ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp2", ".mp3",
    ".mp4", ".mpeg", ".mpg", ".oga", ".ogg", ".ogv", ".opus", ".ts", ".wav", ".webm", ".wma", ".wmv",
})  # fmt: skip


@dataclass(frozen=True)
class KnownFile:
    """A file as of the last poll."""

    video_id: str
    fingerprint: str


def list_folder(source: Source, known: Mapping[str, KnownFile], settled_s: float = 0.0) -> Listing:
    """The media files under a folder, in order of their paths, or one file. Raises SourceUnusable if there is none.

    `known` maps absolute paths to the files of the last poll. A watched folder (`settled_s` above 0) may be empty.
    """
    path = Path(source.address)
    captions: Mapping[str, list[Path]] = {}
    if path.is_dir():
        found = list(path.resolve().rglob("*"))
        files = sorted(p for p in found if p.suffix.lower() in MEDIA_SUFFIXES and p.is_file())
        captions = captions_by_name(found)
        if not files and not settled_s:
            raise SourceUnusable(
                f"{source.name}: no audio or video file in this folder.", f"Names must end in one of: {_suffixes()}."
            )
    elif path.is_file():
        files = [path]
        captions = captions_by_name(path.parent.glob(f"{glob.escape(path.stem)}.*"))
    else:
        raise SourceUnusable(f"{source.name}: no such file or folder.", "Check the path.")
    spoken = source.language or ""
    entries = _entries(files, known, settled_s)
    beside = (replace(entry, captions=captions_beside(Path(entry.url), captions, spoken)) for entry in entries)
    return Listing(tuple(beside), complete=True)


def _entries(files: Iterable[Path], known: Mapping[str, KnownFile], settled_s: float) -> Iterator[Entry]:
    for file in files:
        path = str(file.resolve() if file.is_symlink() else file)
        if not is_unicode(path):
            raise SourceUnusable(f"{without_surrogates(path)}: its name is not UTF-8, and cannot be stored.", "Rename it.")
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
            raise SourceUnusable(
                f"{file} cannot be read: {error.strerror}.", "Correct its permissions, or move it away."
            ) from error


def _suffixes() -> str:
    return " ".join(sorted(MEDIA_SUFFIXES))


def _content_digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:16]
