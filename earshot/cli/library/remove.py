"""`earshot remove`: takes videos out of the library."""

import click

from earshot import open_library
from earshot.cli.confirming import confirmed
from earshot.common.text import pluralize
from earshot.library.library import Library

DECLINED = "Nothing was removed."


@click.command("remove")
@click.argument("video", required=False)
@click.option("--source", metavar="SOURCE", help="Remove a source (name or address) with all its videos.")
@click.option("--expired", is_flag=True, help="Remove what the sources no longer keep.")
@click.option("--dry-run", is_flag=True, help="With --expired: only list it.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def remove_command(video: str | None, source: str | None, expired: bool, dry_run: bool, yes: bool) -> None:
    """Remove a video, a source with all its videos, or what has expired.

    VIDEO is a key or a title. Deletes audio, transcript, speakers, voice vectors, passages and corrections. A removed video
    does not come back with its source, but with `earshot ingest URL`; a removed source is taken out of sources.yaml. This
    cannot be undone; see docs/guides/operation/library.md. What a source keeps is a matter of its keep_days, keep_videos and
    keep_audio_days; `earshot up` removes the rest every night.
    """
    if [video is not None, source is not None, expired].count(True) != 1:
        raise click.UsageError("Name a video, or a source with --source, or say --expired.")
    if dry_run and not expired:
        raise click.UsageError("--dry-run goes with --expired.")
    library = open_library()
    if expired:
        _remove_expired(library, dry_run, yes)
        return
    traces = library.source_traces(source) if source else library.video_traces(video or "")
    name = source or f"{traces.title} ({traces.what})"
    if not confirmed(yes, f"Remove {name}: {traces}? This cannot be undone.", DECLINED):
        return
    removed = library.remove_source(source) if source else library.remove_video(traces.what)
    click.echo(f"Removed {name}: {removed}.")


def _remove_expired(library: Library, dry_run: bool, yes: bool) -> None:
    expiry = library.expired()
    for heading, some in (("Videos", expiry.videos), ("Audio", expiry.audio), ("Kept, as corrected by hand", expiry.protected)):
        for one in some:
            click.echo(f"{heading}: {one.title} ({one.video_id}), because {one.reason}")
    if not expiry.videos and not expiry.audio:
        click.echo("Nothing has expired.")
        return
    what = f"{expiry.traces}, and the audio of {pluralize(len(expiry.audio), 'more video')}"
    if dry_run:
        click.echo(f"Would remove {what}.")
    elif confirmed(yes, f"Remove {what}? This cannot be undone.", DECLINED):
        removed = library.remove_expired()
        click.echo(f"Removed {removed.traces}, and the audio of {pluralize(len(removed.audio), 'more video')}.")
