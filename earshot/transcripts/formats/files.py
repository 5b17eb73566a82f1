"""Export files: writes recordings to a folder, one file each, or all to one file if their format allows it.

Only one recording is in memory at a time. Files are written atomically (earshot/common/atomic_files.py): an interrupted export
leaves only finished files in a folder, and leaves a single file as it was.

A file in a folder is named after the video's title, with the video's key in brackets and the format's suffix. It replaces the
file of an earlier export of the same video, even if the title has changed. Files of deleted videos stay.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from earshot.common.atomic_files import atomic_bytes, make_folder
from earshot.storage.catalog.videos import Video
from earshot.transcripts.formats.exports import Format
from earshot.transcripts.recordings import Recording

TITLE_BYTES = 150  # of the 255 that a file name may have
# Characters that some file system forbids in a name, and whitespace.
_NOT_IN_A_NAME = re.compile(r'[\s\x00-\x1f\x7f-\x9f/\\:*?"<>|]+')
_KEY_AT_THE_END = re.compile(r"(?:.* )?\[([A-Za-z0-9_-]+)\]|([A-Za-z0-9_-]+)")


def to_folder(recordings: Iterable[Recording], form: Format, folder: Path) -> None:
    """Write each recording to a file in the folder, which is created if missing."""
    make_folder(folder)
    before = _files_by_key(folder, form.suffix)
    for recording in recordings:
        path = folder / file_name(recording.video, form.suffix)
        to_file([form.content(recording)], path)
        for old in before[recording.video.video_id] - {path}:
            old.unlink(missing_ok=True)


def file_name(video: Video, suffix: str) -> str:
    """`Title [KEY].srt`, valid on any file system."""
    title = _NOT_IN_A_NAME.sub(" ", video.title).encode()[:TITLE_BYTES].decode(errors="ignore").strip(" .")
    return f"{title} [{video.video_id}]{suffix}".lstrip()


def _files_by_key(folder: Path, suffix: str) -> defaultdict[str, set[Path]]:
    """Files of earlier exports in this format, by their videos' keys."""
    files: defaultdict[str, set[Path]] = defaultdict(set)
    for path in folder.iterdir():
        key = key_in(path.name.removesuffix(suffix)) if path.name.endswith(suffix) else None
        if key is not None:
            files[key].add(path)
    return files


def key_in(name: str) -> str | None:
    """The key in a name that `file_name()` wrote, without its suffix, or that is a key alone; None if there is none."""
    match = _KEY_AT_THE_END.fullmatch(name)
    return (match[1] or match[2]) if match else None


def to_file(pieces: Iterable[bytes], path: Path) -> None:
    """Write the pieces to one file; creates its folder if missing. Raises EarshotError if it cannot be written."""
    make_folder(path.parent)
    with atomic_bytes(path) as file:
        file.writelines(pieces)
