"""`earshot export`: write transcripts of videos, or what one person says in them, as files.

One video becomes one file. Several become a folder with a file each, or one file if the format allows it: text, RTTM, SegLST,
and JSON as JSON Lines. Videos without a transcript are left out and counted, but a named video must have one.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from earshot.common.text import pluralize
from earshot.storage.database import Database, open_database
from earshot.transcripts.formats.exports import FORMATS, Format
from earshot.transcripts.formats.files import to_file, to_folder
from earshot.transcripts.recordings import ExportCounts, read_recording, read_recordings

if TYPE_CHECKING:
    from earshot.library.reading.exports import Selected


@click.command("export")
@click.argument("videos", nargs=-1, metavar="[VIDEO...]")
@click.option("--source", metavar="SOURCE", help="All videos of this source (name or address).")
@click.option("--all", "everything", is_flag=True, help="All videos of the library.")
@click.option("--speaker", metavar="NAME", help='Only what this person or voice ("voice 7") says; alone, in all videos.')
@click.option("--format", "format_name", type=click.Choice(list(FORMATS)), default="txt", show_default=True)
@click.option("--output", metavar="PATH", help="A file, or a folder (existing, or ending in /) for one file per video.")
def export_command(
    videos: tuple[str, ...],
    source: str | None,
    everything: bool,
    speaker: str | None,
    format_name: str,
    output: str | None,
) -> None:
    """Export transcripts as subtitles, text, JSON, RTTM or SegLST.

    A VIDEO is a key or a title. Without --output, writes to stdout. Several videos as srt or vtt need a folder; the other
    formats can go into one file, json then as JSON Lines.
    """
    from earshot.library.reading.exports import select_videos

    named_all = everything or (speaker is not None and source is None and not videos)
    if [bool(videos), source is not None, named_all].count(True) != 1:
        raise click.UsageError("Name VIDEOs, or --source, --all or --speaker; `earshot videos` lists the videos.")
    form, named = FORMATS[format_name], list(dict.fromkeys(videos))
    destination = _destination(output, format_name, many=len(named) != 1)
    database = open_database()
    selected = select_videos(database, named, source, speaker)
    if len(named) == 1:
        _export_one(database, selected, form, destination)
    else:
        _export_many(database, selected, form, destination)


@dataclass(frozen=True)
class _Destination:
    """The folder or file that an export is written to; stdout if `path` is None."""

    path: Path | None
    is_folder: bool


def _destination(output: str | None, format_name: str, many: bool) -> _Destination:
    """Where to write the export. Raises UsageError if it needs a folder and `output` is none."""
    one_file = not many or FORMATS[format_name].together is not None
    if output is None:
        if not one_file:
            raise click.UsageError(f"{format_name} writes one file per video. Name a folder with --output.")
        return _Destination(None, is_folder=False)
    path = Path(output)
    if not one_file and _is_file_name(path, output):
        what = "is a file" if path.is_file() else "looks like a file"
        raise click.UsageError(
            f"{format_name} writes one file per video, but {output} {what}. "
            f"Name a folder with --output, such as {path.with_suffix('')}/."
        )
    return _Destination(path, is_folder=path.is_dir() or output.endswith("/") or not one_file)


def _is_file_name(path: Path, output: str) -> bool:
    """Whether it is a file, or a new name with a format's suffix: all.srt, but not all.srt/."""
    suffixes = tuple(form.suffix for form in FORMATS.values())
    is_folder = path.is_dir() or output.endswith("/")
    return path.is_file() or (not is_folder and path.name.lower().endswith(suffixes))


def _export_one(database: Database, selected: "Selected", form: Format, destination: _Destination) -> None:
    [key] = selected.keys
    recording = selected.part(read_recording(database, key))
    if destination.path is not None and destination.is_folder:
        to_folder([recording], form, destination.path)
    else:
        _write([form.export(recording)], destination.path)


def _export_many(database: Database, selected: "Selected", form: Format, destination: _Destination) -> None:
    """Export the videos under a progress bar; the exit code is 1 if any was refused."""
    counts = ExportCounts()
    with _progress(selected, quiet=destination.path is None and sys.stdout.isatty()) as (keys, terminal):
        read = read_recordings(database, keys, counts, lambda why: terminal.print(f"✗ {why}", markup=False))
        recordings = map(selected.part, read)
        if destination.path is not None and destination.is_folder:
            to_folder(recordings, form, destination.path)
        else:
            assert form.together is not None  # checked by _destination()
            _write(form.together.pieces(recordings), destination.path)
    click.echo(_summary(counts, destination), err=True)
    if counts.refused:
        sys.exit(1)


def _write(pieces: Iterable[str], path: Path | None) -> None:
    if path is not None:
        to_file(pieces, path)
        return
    for piece in pieces:
        click.echo(piece.encode(), nl=False)  # as bytes: these formats are UTF-8 in any locale


@contextmanager
def _progress(selected: "Selected", quiet: bool) -> Iterator[tuple[Iterable[str], Console]]:
    """The keys, which advance a progress bar on stderr, and the console of the bar."""
    terminal = Console(stderr=True, soft_wrap=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=terminal, transient=True, disable=quiet or not terminal.is_terminal) as bars:
        yield bars.track(selected.keys, total=selected.count, description="Exporting"), terminal


def _summary(counts: ExportCounts, destination: _Destination) -> str:
    where = "" if destination.path is None else f" to {destination.path}"
    left_out = [f"{counts.untranscribed} without a transcript"] * bool(counts.untranscribed)
    left_out += [f"{counts.refused} half ingested"] * bool(counts.refused)
    return f"Exported {pluralize(counts.read, 'video')}{where}" + (f"; left out {', '.join(left_out)}." if left_out else ".")
