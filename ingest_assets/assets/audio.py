"""Asset `audio`: a video's sound as 16 kHz mono FLAC in the media store, and the sha256 of its samples.

URLs are fetched with yt-dlp, audio only where the site offers it, when it is their source's turn; local files are read where
they lie. What a failed try or a killed process had fetched is continued by the next. Everything after this asset works from
the FLAC. What the media store already holds, whole, is not fetched again unless the run is forced or the code version is
another one: a backfill over a channel must not download it a second time. Needs no GPU: downloads never wait for one.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pandas as pd
from dagster import AssetExecutionContext, MaterializeResult
from soundfile import LibsndfileError

from earshot.common.audio import SAMPLE_RATE
from earshot.media.decoding import decode
from earshot.media.download_slots import download_slot
from earshot.media.downloads import Fetched, download_folder, refuse_truncated
from earshot.models.device import cpu_name
from earshot.models.measurement import ExecutionInfo
from earshot.storage.catalog.videos import set_duration
from earshot.storage.catalog.watched_sources import source_of
from earshot.storage.media_store import samples_sha256
from ingest_assets.stages.stage import StageRun, stage
from ingest_assets.stages.video_asset import video_asset
from resources.database import DatabaseResource
from resources.media_source import MediaSourceResource
from resources.media_store import MediaStoreResource


@video_asset(
    kinds={"ffmpeg"},
    description="16 kHz mono FLAC in the media store; sha256 of its samples; truncated downloads refused.",
    pool=None,
)
def audio(
    context: AssetExecutionContext,
    database: DatabaseResource,
    media_source: MediaSourceResource,
    media_store: MediaStoreResource,
) -> MaterializeResult:
    with stage(context, database) as at_work:
        if at_work.is_current and _is_whole(at_work, media_store):
            return at_work.reuse()
        row = _fetch(at_work, media_source, media_store)
        at_work.replace({"audio": pd.DataFrame([row])})
        set_duration(at_work.database, at_work.video.video_id, row["duration_s"])
        return at_work.finish(
            ExecutionInfo("cpu", "cpu", cpu_name(), f"{row['downloader'].partition(' ')[0]}+pyav", _av_version(), "int16", 1),
            row["duration_s"],
            items=1,
            content=row["samples_sha256"],
            **{key: row[key] for key in ("samples_sha256", "uri", "downloader")},
        )


def _is_whole(at_work: StageRun, media_store: MediaStoreResource) -> bool:
    """Whether the media store still has what the video's row of `audio` speaks of, undamaged."""
    row = at_work.rows("audio", "uri").iloc[0]
    try:
        return samples_sha256(media_store.open().read(row.uri)) == row.samples_sha256
    except (FileNotFoundError, LibsndfileError):
        return False


def _fetch(at_work: StageRun, media_source: MediaSourceResource, media_store: MediaStoreResource) -> dict[str, Any]:
    """Fetch, decode and keep the video's audio; its row of table `audio`."""
    with download_folder(at_work.video) as folder:
        fetched = _fetched(at_work, media_source, folder)
        with at_work.measurement.computing():
            samples = decode(fetched.path)
            seconds = len(samples) / SAMPLE_RATE
            at_work.measurement.tally.count(seconds, calls=seconds)
        refuse_truncated(fetched, seconds, at_work.video.title)
    with at_work.measurement.reading_writing():
        uri = media_store.open().write(at_work.video.video_id, samples)
    return {
        "uri": uri,
        "samples_sha256": samples_sha256(samples),
        "samples": len(samples),
        "sample_rate": SAMPLE_RATE,
        "duration_s": seconds,
        "downloader": fetched.downloader,
    }


def _fetched(at_work: StageRun, media_source: MediaSourceResource, folder: Path) -> Fetched:
    source = source_of(at_work.video.source)
    with ExitStack() as turn:
        with at_work.measurement.waiting():
            turn.enter_context(download_slot(at_work.database, source))
        with at_work.measurement.reading_writing():
            return media_source.fetch(at_work.video, folder, source)


def _av_version() -> str:
    import av

    return av.__version__
