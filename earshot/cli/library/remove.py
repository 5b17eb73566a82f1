"""`earshot remove`: takes videos out of the library."""

import click

from earshot import open_library
from earshot.cli.confirming import confirmed


@click.command("remove")
@click.argument("video", required=False)
@click.option("--source", metavar="SOURCE", help="Remove a source (name or address) with all its videos.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def remove_command(video: str | None, source: str | None, yes: bool) -> None:
    """Remove a video, or a source with all its videos.

    VIDEO is a key or a title. Deletes audio, transcript, speakers, voice vectors, passages and corrections. A removed video
    does not come back with its source, but with `earshot ingest URL`; a removed source is taken out of sources.yaml. This
    cannot be undone; see docs/guides/operation/library.md.
    """
    if (video is None) == (source is None):
        raise click.UsageError("Name a video, or a source with --source.")
    library = open_library()
    traces = library.source_traces(source) if source else library.video_traces(video or "")
    name = source or f"{traces.title} ({traces.what})"
    if not confirmed(yes, f"Remove {name}: {traces}? This cannot be undone.", "Nothing was removed."):
        return
    removed = library.remove_source(source) if source else library.remove_video(traces.what)
    click.echo(f"Removed {name}: {removed}.")
