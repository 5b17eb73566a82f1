"""`earshot export`: one video, several, a source's or all, or what one person says in them, as files.

One video is a file. Many are a folder with a file each, or one file where the format has such: text, RTTM, SegLST, and JSON as
JSON Lines. Many videos without a transcript are left out and counted; a video that is named must have one.
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
    from earshot.library.exports import Selected


@click.command("export")
@click.argument("videos", nargs=-1, metavar="[VIDEO...]")
@click.option("--source", metavar="SOURCE", help="Every video of this source, by name or address.")
@click.option("--all", "everything", is_flag=True, help="Every video of the library.")
@click.option(
    "--speaker", metavar="NAME", help="Only what this person says, or an anonymous voice: 'voice 7'; alone, in all videos."
)
@click.option("--format", "format_name", type=click.Choice(list(FORMATS)), default="txt", show_default=True)
@click.option("--output", metavar="PATH", help="A file, or a folder (ending in /, or there already) for a file per video.")
def export_command(
    videos: tuple[str, ...],
    source: str | None,
    everything: bool,
    speaker: str | None,
    format_name: str,
    output: str | None,
) -> None:
    """Write VIDEOs, a source's, or all as subtitles (srt, vtt), text, JSON, RTTM or SegLST; to stdout without --output.

    A VIDEO is named by its key or its title. Of many, srt and vtt are a folder; the others may be one file, json then JSON
    Lines.
    """
    from earshot.library.exports import select_videos

    named_all = everything or (speaker is not None and source is None and not videos)
    if [bool(videos), source is not None, named_all].count(True) != 1:
        raise click.UsageError("Name videos, or --source, --all or --speaker; `earshot videos` lists what is there.")
    form, named = FORMATS[format_name], list(dict.fromkeys(videos))
    place = _place(output, format_name, many=len(named) != 1)
    database = open_database()
    chosen = select_videos(database, named, source, speaker)
    if len(named) == 1:
        _export_one(database, chosen, form, place)
    else:
        _export_many(database, chosen, form, place)


@dataclass(frozen=True)
class _Place:
    """Where an export goes: a folder, a file, or stdout where there is no path."""

    path: Path | None
    is_folder: bool


def _place(output: str | None, format_name: str, many: bool) -> _Place:
    """Where an export goes; raises UsageError where it has no place there."""
    together = not many or FORMATS[format_name].together is not None
    if output is None:
        if not together:
            raise click.UsageError(f"{format_name} of several videos is a file each: name a folder with --output.")
        return _Place(None, is_folder=False)
    path = Path(output)
    if not together and _is_called_a_file(path, output):
        told = "a file" if path.is_file() else "called like one"
        raise click.UsageError(
            f"{format_name} of several videos is a file each, and {output} is {told}: "
            f"name a folder with --output, such as {path.with_suffix('')}/."
        )
    return _Place(path, is_folder=path.is_dir() or output.endswith("/") or not together)


def _is_called_a_file(path: Path, output: str) -> bool:
    """Whether it is a file, or would be a new folder with the ending of a format: all.srt, but not all.srt/."""
    endings = tuple(form.suffix for form in FORMATS.values())
    is_folder = path.is_dir() or output.endswith("/")
    return path.is_file() or (not is_folder and path.name.lower().endswith(endings))


def _export_one(database: Database, chosen: "Selected", form: Format, place: _Place) -> None:
    [key] = chosen.keys
    recording = chosen.part(read_recording(database, key))
    if place.path is not None and place.is_folder:
        to_folder([recording], form, place.path)
    else:
        _write([form.export(recording)], place.path)


def _export_many(database: Database, chosen: "Selected", form: Format, place: _Place) -> None:
    """Export them under a progress bar; the exit code is 1 where one was refused."""
    tally = ExportCounts()
    with _progress(chosen, quiet=place.path is None and sys.stdout.isatty()) as (keys, terminal):
        read = read_recordings(database, keys, tally, lambda why: terminal.print(f"✗ {why}", markup=False))
        recordings = map(chosen.part, read)
        if place.path is not None and place.is_folder:
            to_folder(recordings, form, place.path)
        else:
            assert form.together is not None  # _place() saw to it
            _write(form.together.pieces(recordings), place.path)
    click.echo(_told(tally, place), err=True)
    if tally.refused:
        sys.exit(1)


def _write(pieces: Iterable[str], path: Path | None) -> None:
    if path is not None:
        to_file(pieces, path)
        return
    for piece in pieces:
        click.echo(piece.encode(), nl=False)  # as bytes: these formats are UTF-8, whatever the locale says


@contextmanager
def _progress(chosen: "Selected", quiet: bool) -> Iterator[tuple[Iterable[str], Console]]:
    """The keys, with a bar on stderr that says how many of them were taken, and the console it is on."""
    terminal = Console(stderr=True, soft_wrap=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=terminal, transient=True, disable=quiet or not terminal.is_terminal) as bars:
        yield bars.track(chosen.keys, total=chosen.count, description="Exporting"), terminal


def _told(tally: ExportCounts, place: _Place) -> str:
    where = "" if place.path is None else f" to {place.path}"
    left = [f"{tally.untranscribed} without a transcript"] * bool(tally.untranscribed)
    left += [f"{tally.refused} half ingested"] * bool(tally.refused)
    return f"Exported {pluralize(tally.read, 'video')}{where}" + (f"; left out {', '.join(left)}." if left else ".")
