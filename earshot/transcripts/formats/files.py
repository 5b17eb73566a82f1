"""Exporting: recordings into files. Into a folder, a file each; or all into one, where their format has such a thing.

Recordings come one after another, so that memory holds one of them, however many there are. Files are written whole
(earshot/common/atomic_files.py): of an export that is stopped, a folder has the files that were finished, and one file of all
is as it was before.

In a folder a file is called by the video's title, its key in brackets, and the format's suffix. What an earlier export left of
the same video is replaced, also under an earlier title; files of videos that are gone stay.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from earshot.common.atomic_files import atomic_file, make_folder
from earshot.storage.catalog.videos import Video
from earshot.transcripts.formats.exports import Format
from earshot.transcripts.recordings import Recording

TITLE_BYTES = 150  # of the 255 that a file's name may have
# What some system does not take in a file's name, and white space.
_NOT_IN_A_NAME = re.compile(r'[\s\x00-\x1f\x7f-\x9f/\\:*?"<>|]+')
_KEY_AT_THE_END = re.compile(r"(?:.* )?\[([A-Za-z0-9_-]+)\]|([A-Za-z0-9_-]+)")


def to_folder(recordings: Iterable[Recording], form: Format, folder: Path) -> None:
    """A file of each recording in the folder, which is made where there is none."""
    make_folder(folder)
    before = _files_by_key(folder, form.suffix)
    for recording in recordings:
        path = folder / file_name(recording.video, form.suffix)
        to_file([form.export(recording)], path)
        for old in before[recording.video.video_id] - {path}:
            old.unlink(missing_ok=True)


def file_name(video: Video, suffix: str) -> str:
    """`Title [KEY].srt`, as any file system takes it."""
    title = _NOT_IN_A_NAME.sub(" ", video.title).encode()[:TITLE_BYTES].decode(errors="ignore").strip(" .")
    return f"{title} [{video.video_id}]{suffix}".lstrip()


def _files_by_key(folder: Path, suffix: str) -> defaultdict[str, set[Path]]:
    """The files that exports of this format left, by the keys of their videos."""
    found: defaultdict[str, set[Path]] = defaultdict(set)
    for path in folder.iterdir():
        named = _KEY_AT_THE_END.fullmatch(path.name.removesuffix(suffix)) if path.name.endswith(suffix) else None
        if named:
            found[named[1] or named[2]].add(path)
    return found


def to_file(pieces: Iterable[str], path: Path) -> None:
    """One file of text that comes in pieces, in a folder that is made where there is none. Raises EarshotError."""
    make_folder(path.parent)
    with atomic_file(path) as file:
        file.writelines(pieces)
