"""`earshot videos`: the videos in the library, and the state of each."""

import click

from earshot import open_library
from earshot.cli.output import json_option, print_json_rows, print_table
from earshot.common.times import format_hms
from earshot.library.videos import VIDEO_STATES, find_videos

MOST_SHOWN = 1000  # a longer table is not readable, and rich measures every row before it prints the first


@click.command("videos")
@click.option("--state", type=click.Choice(VIDEO_STATES), help="Only videos in this state.")
@json_option
def videos_command(state: str | None, as_json: bool) -> None:
    """List the videos in the library and their states.

    A video with an active run is also `queued`, `running` a stage, or `waiting` for the device: `ready, queued` is a ready
    video that will be run again. --state finds it by either. `next try` is when a failed video is retried automatically.
    """
    listing = find_videos(open_library().database, state)
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
        click.echo(f"These are the newest {MOST_SHOWN:,} of {listing.count():,} videos; --json prints them all.")
