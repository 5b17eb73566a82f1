"""Exports: select videos and a speaker, and write their files."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from earshot.common.errors import EarshotError
from earshot.library.lookup import Names, known_video, several
from earshot.library.reading.transcript import known_format
from earshot.speakers.people.directory import resolve
from earshot.storage.catalog.videos import count_keys, stream_keys
from earshot.storage.catalog.watched_sources import address_of
from earshot.storage.database import Database
from earshot.transcripts.attribution.speaker_refs import SpeakerRef, keys_with
from earshot.transcripts.formats.exports import FORMATS
from earshot.transcripts.formats.files import to_file, to_folder
from earshot.transcripts.recordings import ExportCounts, Recording, find_transcribed, read_recording, read_recordings, spoken_by

__all__ = ["FORMATS", "PARQUET", "Export", "ExportSummary"]

PARQUET = "parquet"  # writes tables of all selected videos instead of a file for each


@dataclass(frozen=True)
class ExportSummary:
    """How many videos were exported, how many were left out because they have no transcript, and the errors of refused videos.

    A video is refused if its rows are inconsistent, because it is being ingested again or its last ingest was interrupted.
    """

    videos: int
    untranscribed: int
    refused: tuple[str, ...]


@dataclass(frozen=True)
class Selected:
    """The keys of the videos to export, in order; their number; and whose speech to export (None: everyone's)."""

    keys: Iterable[str]
    count: int
    who: SpeakerRef | None

    def part(self, recording: Recording) -> Recording:
        """The part of a recording to export."""
        return recording if self.who is None else spoken_by(recording, self.who)


def select_videos(database: Database, videos: Sequence[str], source: str | None, speaker: str | None) -> Selected:
    """The named videos, those of a source, or all; unless named, only those in which the speaker is known to speak.

    Raises EarshotError if a named video has no transcript or not this speaker, or if the library is empty.
    """
    who = None if speaker is None else resolve(database, speaker)
    if videos:
        keys = _named(database, videos, who)
        return Selected(keys, len(keys), who)
    return _of_source(database, source, who)


def _named(database: Database, videos: Sequence[str], who: SpeakerRef | None) -> list[str]:
    """The keys of these videos; raises EarshotError if one has no transcript or not this speaker."""
    keys = list(dict.fromkeys(known_video(database, video).video_id for video in videos))
    for key in keys:
        find_transcribed(database, key)  # before anything is written
    without = sorted(set(keys) - set(keys_with(database, who))) if who else []
    if who and without:
        message = f"{who.name} is not known to speak in {', '.join(without)}."
        raise EarshotError(message, f"`earshot people show {quote(who.name)}` lists where they speak.")
    return keys


def _of_source(database: Database, source: str | None, who: SpeakerRef | None) -> Selected:
    """The videos of a source, or all; only those in which the speaker is known to speak."""
    address = None if source is None else address_of(database, source)
    if who is not None:
        keys = keys_with(database, who, address)
        if not keys:
            raise EarshotError(f"{who.name} is not known to speak in any of these videos.", "See: earshot people list")
        return Selected(keys, len(keys), who)
    count = count_keys(database, address)
    if count == 0:
        raise EarshotError("The library has no videos yet.", "Start with: earshot ingest SOURCE")
    return Selected(stream_keys(database, address), count, None)


class Export:
    """An export of the selected videos, with one recording in memory at a time; `summary` is complete when it has ended.

    With `strict`, a refused video is an error; without, it is counted.
    """

    def __init__(
        self,
        database: Database,
        videos: Names = (),
        source: str | None = None,
        speaker: str | None = None,
        *,
        strict: bool = False,
    ) -> None:
        if several(videos) and source is not None:
            raise EarshotError(f"Both videos and the source {source!r} are named.", "Name one of them, or none for all videos.")
        self._database, self._strict = database, strict
        self._alone = len(several(videos)) == 1
        self._selected = select_videos(database, several(videos), source, speaker)
        self._keys: Iterable[str] = self._selected.keys
        self._counts = ExportCounts()
        self._refused: list[str] = []
        self._on_refusal: Callable[[str], object] = lambda _why: None

    @property
    def count(self) -> int:
        """The number of selected videos."""
        return self._selected.count

    def watch(self, track: Callable[[Iterable[str]], Iterable[str]], on_refusal: Callable[[str], object]) -> None:
        """Read the keys through `track`, such as a progress bar's, and call `on_refusal` with the reason of each refusal."""
        self._keys, self._on_refusal = track(self._keys), on_refusal

    def to_folder(self, folder: Path, format_name: str) -> None:
        """Write one file per video into a folder, which is created if necessary; as parquet, one per table."""
        if format_name == PARQUET:
            from earshot.library.exporting.tables import write_tables  # pyarrow takes a fifth of a second to import

            write_tables(self._database, self._recordings(), folder)
        else:
            to_folder(self._recordings(), known_format(format_name), folder)

    def to_file(self, path: Path, format_name: str) -> None:
        """Write all videos into one file. Raises EarshotError if there are several and the format does not allow that."""
        to_file(self.pieces(format_name), path)

    def pieces(self, format_name: str) -> Iterable[bytes]:
        """The content of that file, piece by piece."""
        if format_name == PARQUET:
            raise EarshotError("parquet writes one file per table.", "Export into a folder.")
        form = known_format(format_name)
        if form.together is not None and not self._alone:
            return (piece.encode() for piece in form.together.pieces(self._recordings()))
        if self.count != 1:
            raise EarshotError(f"{format_name} writes one file per video.", "Export into a folder.")
        return (form.content(recording) for recording in self._recordings())

    @property
    def summary(self) -> ExportSummary:
        return ExportSummary(self._counts.read, self._counts.untranscribed, tuple(self._refused))

    def _recordings(self) -> Iterator[Recording]:
        if self._strict:
            read = (read_recording(self._database, key) for key in self._keys)
        else:
            read = read_recordings(self._database, self._keys, self._counts, self._refuse)
        return map(self._selected.part, read)

    def _refuse(self, why: str) -> None:
        self._refused.append(why)
        self._on_refusal(why)
