"""`earshot export`: write transcripts of videos, or what one person says in them, as files.

One video becomes one file. Several become a folder with a file each, or one file if the format allows it: text, RTTM, SegLST,
and JSON as JSON Lines. Videos without a transcript are left out and counted, but a named video must have one.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from earshot import open_library
from earshot.common.text import pluralize
from earshot.library.exporting.exports import FORMATS, PARQUET, Export

if TYPE_CHECKING:
    from earshot import ExportSummary


@click.command("export")
@click.argument("videos", nargs=-1, metavar="[VIDEO...]")
@click.option("--source", metavar="SOURCE", help="All videos of this source (name or address).")
@click.option("--all", "everything", is_flag=True, help="All videos of the library.")
@click.option("--speaker", metavar="NAME", help='Only what this person or voice ("voice 7") says; alone, in all videos.')
@click.option("--format", "format_name", type=click.Choice([*FORMATS, PARQUET]), default="txt", show_default=True)
@click.option("--output", metavar="PATH", help="A file, or a folder (existing, or ending in /) for one file per video.")
def export_command(
    videos: tuple[str, ...],
    source: str | None,
    everything: bool,
    speaker: str | None,
    format_name: str,
    output: str | None,
) -> None:
    """Export transcripts as subtitles, notes, documents, tables or JSON.

    A VIDEO is a key or a title. Without --output, writes to stdout. Several videos as srt, vtt, md, docx or podcast need a
    folder; the other formats can go into one file, json then as JSON Lines. parquet writes tables into a folder: videos, words,
    turns, passages and timings.
    """
    named_all = everything or (speaker is not None and source is None and not videos)
    if [bool(videos), source is not None, named_all].count(True) != 1:
        raise click.UsageError("Name VIDEOs, or --source, --all or --speaker; `earshot videos` lists the videos.")
    named = list(dict.fromkeys(videos))
    destination = _destination(output, format_name, many=len(named) != 1)
    alone = len(named) == 1
    export = Export(open_library().database, named, source, speaker, strict=alone)
    if alone:
        _write(export, destination)
    else:
        _export_many(export, destination)


@dataclass(frozen=True)
class _Destination:
    """The folder or file that an export is written to, and its format; stdout if `path` is None."""

    format_name: str
    path: Path | None
    is_folder: bool


def _destination(output: str | None, format_name: str, many: bool) -> _Destination:
    """Where to write the export. Raises UsageError if it needs a folder and `output` is none."""
    one_file = format_name != PARQUET and (not many or FORMATS[format_name].together is not None)
    if output is None:
        if not one_file:
            raise click.UsageError(f"{format_name} writes {_files_of(format_name)}. Name a folder with --output.")
        return _Destination(format_name, None, is_folder=False)
    path = Path(output)
    if not one_file and _is_file_name(path, output):
        what = "is a file" if path.is_file() else "looks like a file"
        raise click.UsageError(
            f"{format_name} writes {_files_of(format_name)}, but {output} {what}. "
            f"Name a folder with --output, such as {path.with_suffix('')}/."
        )
    return _Destination(format_name, path, is_folder=path.is_dir() or output.endswith("/") or not one_file)


def _files_of(format_name: str) -> str:
    return "one file per table" if format_name == PARQUET else "one file per video"


def _is_file_name(path: Path, output: str) -> bool:
    """Whether it is a file, or a new name with a format's suffix: all.srt, but not all.srt/."""
    suffixes = (*(form.suffix for form in FORMATS.values()), f".{PARQUET}")
    is_folder = path.is_dir() or output.endswith("/")
    return path.is_file() or (not is_folder and path.name.lower().endswith(suffixes))


def _write(export: Export, destination: _Destination) -> None:
    if destination.path is None:
        for piece in export.pieces(destination.format_name):
            click.echo(piece, nl=False)  # as bytes: these formats are UTF-8 in any locale
    elif destination.is_folder:
        export.to_folder(destination.path, destination.format_name)
    else:
        export.to_file(destination.path, destination.format_name)


def _export_many(export: Export, destination: _Destination) -> None:
    """Export the videos under a progress bar; the exit code is 1 if any was refused."""
    with _watching(export, quiet=destination.path is None and sys.stdout.isatty()):
        _write(export, destination)
    summary = export.summary
    click.echo(_outcome(summary, destination), err=True)
    if summary.refused:
        sys.exit(1)


@contextmanager
def _watching(export: Export, quiet: bool) -> Iterator[None]:
    """Show a progress bar on stderr, and each refusal above it."""
    terminal = Console(stderr=True, soft_wrap=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=terminal, transient=True, disable=quiet or not terminal.is_terminal) as bars:
        export.watch(
            lambda keys: bars.track(keys, total=export.count, description="Exporting"),
            lambda why: terminal.print(f"✗ {why}", markup=False),
        )
        yield


def _outcome(summary: "ExportSummary", destination: _Destination) -> str:
    where = "" if destination.path is None else f" to {destination.path}"
    left_out = [f"{summary.untranscribed} without a transcript"] * bool(summary.untranscribed)
    left_out += [f"{len(summary.refused)} half ingested"] * bool(summary.refused)
    return f"Exported {pluralize(summary.videos, 'video')}{where}" + (f"; left out {', '.join(left_out)}." if left_out else ".")
