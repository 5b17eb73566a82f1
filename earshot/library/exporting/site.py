"""Static sites: the transcripts of a source as a folder of pages that a browser searches without a server."""

import shutil
from pathlib import Path

from earshot.common.atomic_files import atomic_folder
from earshot.common.errors import EarshotError
from earshot.common.times import format_hms
from earshot.library.exporting.exports import ExportSummary
from earshot.storage.catalog.videos import ready_videos
from earshot.storage.catalog.watched_sources import address_of, name_of
from earshot.storage.database import Database
from earshot.transcripts.formats.speaker_passages import speaker_passages
from earshot.transcripts.publishing.site_pages import ASSETS, SiteVideo, asset, first_page, listed, video_page
from earshot.transcripts.publishing.word_index import PASSAGES_PER_FILE, WordIndex, script
from earshot.transcripts.recordings import ExportCounts, Recording, read_recordings

MARK = "about.js"  # a folder with this file is a site, and may be replaced


def write_site(database: Database, source: str | None, folder: Path) -> ExportSummary:
    """Write the ready videos of a source, or of the library, newest first; replaces an earlier site in this folder.

    Raises SourceUnusable if no video has such a source, EarshotError if the folder holds anything else.
    """
    address = None if source is None else address_of(database, source)
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / MARK).exists())):
        raise EarshotError(f"{folder} exists, and is no site.", "Name an empty or a new folder.")
    counts, refused = ExportCounts(), list[str]()
    keys = (video.video_id for video in ready_videos(database, address))
    with atomic_folder(folder.with_name(f"{folder.name}.new")) as new:
        site = _Site(new)
        for recording in read_recordings(database, keys, counts, refused.append):
            site.add(recording)
        site.finish("Transcripts" if address is None else name_of(address))
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_name(f"{folder.name}.new").rename(folder)
    return ExportSummary(counts.read, counts.untranscribed, tuple(refused))


class _Site:
    """The files of a site, written as recordings are added. The index of words is in memory until the end."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._index, self._videos = folder, WordIndex(), list[SiteVideo]()
        self._pending: list[list[object]] = []
        for part in ("videos", "words", "passages"):
            (folder / part).mkdir()

    def add(self, recording: Recording) -> None:
        self._write(f"videos/{recording.video.video_id}.html", video_page(recording))
        for passage in speaker_passages(recording):
            place = [len(self._videos), int(passage.start_s), format_hms(passage.start_s), passage.shown, passage.text]
            self._pending.append(place)
            self._index.add(passage.text)
            if len(self._pending) == PASSAGES_PER_FILE:
                self._write_passages()
        self._videos.append(listed(recording.video))

    def finish(self, title: str) -> None:
        self._write_passages()
        for name, content in self._index.scripts():
            self._write(f"words/{name}", content)
        for name in ASSETS:
            self._write(name, asset(name))
        self._write("index.html", first_page(title, self._videos))
        videos = [[video.video_id, video.title] for video in self._videos]
        self._write(MARK, script("about", {"each": PASSAGES_PER_FILE, "videos": videos}))

    def _write_passages(self) -> None:
        if self._pending:
            number = (self._index.passages - 1) // PASSAGES_PER_FILE
            self._write(f"passages/{number}.js", script("passages", number, self._pending))
            self._pending = []

    def _write(self, name: str, text: str) -> None:
        (self._folder / name).write_text(text, encoding="utf-8")
