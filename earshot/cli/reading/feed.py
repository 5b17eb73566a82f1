"""`earshot feed`: write a source as a podcast with transcripts and chapters, for any web server."""

from pathlib import Path

import click

from earshot import open_library
from earshot.common.text import pluralize


@click.command("feed")
@click.argument("source")
@click.option("--output", required=True, metavar="FOLDER", help="Where to write feed.xml; created if missing.")
@click.option("--base-url", required=True, metavar="URL", help="Where that folder will be served: https://example.com/talks.")
def feed_command(source: str, output: str, base_url: str) -> None:
    """Write a source as a podcast with transcripts and chapters.

    SOURCE is a name or an address. An episode's sound is the recording itself, where its address is one of sound or video.
    Earshot's page serves the same at /api/v1/feed?source=SOURCE, with the sound that Earshot has stored.
    """
    if not base_url.startswith(("http://", "https://")):
        raise click.UsageError(f"{base_url!r} is no address that a podcast app could open: begin with https://.")
    written = open_library().export_feed(source, Path(output), base_url)
    click.echo(f"Wrote {pluralize(written, 'video')} to {Path(output) / 'feed.xml'}.", err=True)
