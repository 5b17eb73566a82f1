"""`earshot backup` and `earshot restore`: a library to a folder or a URL, and back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

import click

from earshot import open_library
from earshot.cli.output import console, json_option, print_json
from earshot.common.text import join_first, pluralize
from earshot.library.library import Library

MOST_NAMED = 3  # videos that a message names


@click.command("backup")
@click.argument("target")
@json_option
def backup_command(target: str, as_json: bool) -> None:
    """Back up the library to a folder or a URL.

    TARGET is a path, or a URL such as s3://bucket/prefix. Backs up database, audio, sources.yaml, people.yaml, and earshot.toml
    without passwords and tokens, while `earshot up` runs. Called again, copies only new audio, and replaces the former backup
    once it is complete. See docs/guides/operation/backup.md.
    """
    with _telling() as tell:
        done = open_library().backup(target, tell)
    if as_json:
        print_json(asdict(done))
        return
    click.echo(
        f"Backed up {pluralize(done.videos, 'video')} to {done.place}: {done.size / 1e6:.0f} MB, "
        f"{pluralize(done.audio, 'audio file')} ({done.copied} new)."
    )
    if done.without_audio:
        names = join_first(list(done.without_audio), MOST_NAMED)
        click.echo(f"Not in the media store, so without audio: {names}.", err=True)


@click.command("restore")
@click.argument("source")
@json_option
def restore_command(source: str, as_json: bool) -> None:
    """Restore a backup into an empty library.

    SOURCE is the TARGET of `earshot backup`. EARSHOT_HOME, or the database of EARSHOT_DATABASE_URL, must have no library yet.
    The backup is verified before anything is changed.
    """
    with _telling() as tell:
        done = Library().restore(source, tell)
    if as_json:
        print_json({**asdict(done), "files": [str(file) for file in done.files]})
        return
    click.echo(
        f"Restored {pluralize(done.videos, 'video')} and {pluralize(done.audio, 'audio file')} of the backup of {done.made_at}."
    )
    for file in done.files:
        click.echo(f"Wrote {file}.")


@contextmanager
def _telling() -> Iterator[Callable[[str], object]]:
    """Show what is done now, on a terminal's stderr."""
    with console(stderr=True).status("") as status:
        yield status.update
