"""Exporting: recordings into files. Into a folder, a file each; or all into one, where their format has such a thing.

Recordings come one after another, so that memory holds one of them, however many there are. Files are written whole
(resources/whole_files.py): of an export that is stopped, a folder has the files that were finished, and one file of all is as
it was before.

In a folder a file is called by the video's key, which is ASCII letters, digits, `-` and `_`, and by the format's suffix. What
an earlier export left of the same video is replaced; files of videos that are gone stay.
"""

from collections.abc import Iterable
from pathlib import Path

from ingest_assets.exports import Format
from ingest_assets.recordings import Recording
from resources.whole_files import make_folder, whole_file


def to_folder(recordings: Iterable[Recording], form: Format, folder: Path) -> None:
    """A file of each recording in the folder, which is made where there is none."""
    make_folder(folder)
    for recording in recordings:
        to_file([form.export(recording)], folder / f"{recording.video.video_id}{form.suffix}")


def to_file(pieces: Iterable[str], path: Path) -> None:
    """One file of text that comes in pieces. Raises EarshotError where it cannot be written."""
    with whole_file(path) as file:
        file.writelines(pieces)
