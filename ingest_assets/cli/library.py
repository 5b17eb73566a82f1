"""`earshot videos`: what is in the library, and what is done with it now."""

from dataclasses import asdict
from typing import Any

import click

from ingest_assets.cli.output import json_option, print_json_rows, print_table
from ingest_assets.moments import hms
from resources.catalogue import STATES, Video, count_videos, list_videos, stream_videos
from resources.database import open_database
from resources.postgres import server_urls
from resources.run_activity import ACTIVITIES, Activity, read_activities
from resources.settings import read_settings

MOST_SHOWN = 1000  # nobody reads more, and a table must measure all its rows before it shows one


@click.command("videos")
@click.option("--state", type=click.Choice([*ACTIVITIES, *STATES]), help="Only those in this state, or at work so.")
@json_option
def videos_command(state: str | None, as_json: bool) -> None:
    """List the videos that are known, the state of each, and when what failed is tried again by itself.

    A video at work is `queued`, `running` a stage, or `waiting` for its turn to compute one. One that is run again is in its
    state besides, `ready, queued`, and --state finds it by both; --state new finds those at work for the first time, too.
    """
    database = open_database()
    activities = read_activities(server_urls(read_settings()))
    among = [video_id for video_id, at_work in activities.items() if at_work.run == state] if state in ACTIVITIES else None
    kept = state if among is None else None
    if as_json:
        print_json_rows(_json_row(video, activities.get(video.video_id)) for video in stream_videos(database, kept, among))
        return
    videos = list_videos(database, kept, MOST_SHOWN, among)
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
            _shown_state(video, activities.get(video.video_id)),
            hms(video.duration_s) if video.duration_s else "",
            f"{video.published_at:%Y-%m-%d}" if video.published_at else "",
            video.title,
            f"{video.retry_at:%Y-%m-%d %H:%M}" if video.retry_at else "",
            video.last_error or "",
        )
        for video in videos
    ]
    print_table(headings, rows)
    if len(videos) == MOST_SHOWN:
        click.echo(f"The newest {MOST_SHOWN:,} of {count_videos(database, kept, among):,} videos; --json has them all.")


def _json_row(video: Video, activity: Activity | None) -> dict[str, Any]:
    return asdict(video) | {"run": activity.run if activity else None, "stage": activity.stage if activity else None}


def _shown_state(video: Video, activity: Activity | None) -> str:
    """ready; running: transcript; or, of a video that is run again, both."""
    if activity is None:
        return video.state
    return str(activity) if video.state == "new" else f"{video.state}, {activity}"
