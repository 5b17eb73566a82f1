"""`earshot videos`, `export`: what is in the library. Each reads the database and prints."""

from dataclasses import asdict
from pathlib import Path

import click

from ingest_assets.cli.output import json_option, print_json, print_table
from ingest_assets.exports import FORMATS, Recording, export
from ingest_assets.moments import hms
from ingest_assets.names import speaker_names
from resources.catalogue import STATES, find, list_videos
from resources.database import Database, open_database
from resources.errors import EarshotError


@click.command("videos")
@click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
@json_option
def videos_command(state: str | None, as_json: bool) -> None:
    """List the videos that are known, the state of each, and when what failed is tried again by itself."""
    videos = list_videos(open_database(), state)
    if as_json:
        print_json([asdict(video) for video in videos])
        return
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
            video.state,
            hms(video.duration_s) if video.duration_s else "",
            f"{video.published_at:%Y-%m-%d}" if video.published_at else "",
            video.title,
            f"{video.retry_at:%Y-%m-%d %H:%M}" if video.retry_at else "",
            video.last_error or "",
        )
        for video in videos
    ]
    print_table(headings, rows)


@click.command("export")
@click.argument("video")
@click.option("--format", "format_name", type=click.Choice(list(FORMATS)), default="txt", show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write here instead of to stdout.")
def export_command(video: str, format_name: str, output: Path | None) -> None:
    """Write VIDEO as subtitles (srt, vtt), text, JSON or RTTM."""
    text = export(_recording(open_database(), video), format_name)
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")


def _recording(database: Database, video_id: str) -> Recording:
    video = find(database, video_id)
    if video is None:
        raise EarshotError(f"There is no video {video_id!r}.", "`earshot videos` lists them.")
    transcripts = database.frame("transcripts", video_id, "video_id")
    if transcripts.empty:
        raise EarshotError(
            f"{video_id} has no transcript (state {video.state}{f': {video.last_error}' if video.last_error else ''}).",
            f"Ingest it: earshot ingest {video.url!r}",
        )
    return Recording(
        video=video,
        language=transcripts.language.iloc[0],
        words=database.frame("words", video_id, "word_index"),
        turns=database.frame("turns", video_id, "turn_index"),
        exclusive_turns=database.frame("exclusive_turns", video_id, "turn_index"),
        passages=database.frame("searched_passages", video_id, "passage_index"),
        names=speaker_names(database, video_id),
    )
