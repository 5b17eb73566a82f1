"""`earshot site`: write transcripts as a static site."""

import sys
from pathlib import Path

import click

from earshot import open_library
from earshot.common.text import pluralize


@click.command("site")
@click.argument("source", required=False)
@click.option("--output", required=True, metavar="FOLDER", help="A new folder, or that of an earlier site, which is replaced.")
def site_command(source: str | None, output: str) -> None:
    """Write transcripts as a static site that needs no server.

    SOURCE is a name or an address; without one, the whole library is written. Open index.html, or copy the folder to any web
    server. Searching is by words alone, in the browser.
    """
    summary = open_library().export_site(output, source)
    for refusal in summary.refused:
        click.echo(f"✗ {refusal}", err=True)
    click.echo(f"Wrote {pluralize(summary.videos, 'video')} to {Path(output) / 'index.html'}.", err=True)
    if summary.refused:
        sys.exit(1)
