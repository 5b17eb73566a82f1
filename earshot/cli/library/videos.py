"""`earshot videos`: what is in the library, and what is done with it now."""

import click

from earshot.cli.output import json_option, print_json_rows, print_table
from earshot.common.times import format_hms
from earshot.library.videos import VIDEO_STATES, find_videos
from earshot.storage.database import open_database

MOST_SHOWN = 1000  # nobody reads more, and a table must measure all its rows before it shows one


@click.command("videos")
@click.option("--state", type=click.Choice(VIDEO_STATES), help="Only those in this state, or at work so.")
@json_option
def videos_command(state: str | None, as_json: bool) -> None:
    """List the videos that are known, the state of each, and when what failed is tried again by itself.

    A video at work is `queued`, `running` a stage, or `waiting` for its turn to compute one. One that is run again is in its
    state besides, `ready, queued`, and --state finds it by both; --state new finds those at work for the first time, too.
    """
    listing = find_videos(open_database(), state)
    if as_json:
        print_json_rows(vars(video) for video in listing.stream())
        return
    videos = listing.first(MOST_SHOWN)
    if not videos:
        click.echo(f"No video is {state}." if state else "No videos yet. Start with: earshot ingest SOURCE")
        return
    headings = [
        ("video", "left"), ("state", "left"), ("length", "right"), ("uploaded", "left"), ("title", "left"),
        ("next try", "left"), ("last error", "left"),
    ]  # fmt: skip
    rows = [
        (
            video.video_id,
            video.condition,
            format_hms(video.duration_s) if video.duration_s else "",
            f"{video.published_at:%Y-%m-%d}" if video.published_at else "",
            video.title,
            f"{video.retry_at:%Y-%m-%d %H:%M}" if video.retry_at else "",
            video.last_error or "",
        )
        for video in videos
    ]
    print_table(headings, rows)
    if len(videos) == MOST_SHOWN:
        click.echo(f"The newest {MOST_SHOWN:,} of {listing.count():,} videos; --json has them all.")
