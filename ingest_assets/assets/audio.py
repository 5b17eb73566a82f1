"""Asset `audio`: a video's audio as 16 kHz mono FLAC in the media store, and the sha256 of its samples.

yt-dlp fetches URLs in a download slot of their source, without the video if the site allows; local files are read in place. A
failed or killed download is resumed. A process with limits decodes it (earshot/sources/media/decoding.py). All later stages
read the FLAC. Undamaged audio in the media store is not fetched again unless the run is forced or the code version has changed:
a backfill over a channel must not download it twice. Takes no slot in pool `gpu`, so that downloads never wait for one.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from dagster import AssetExecutionContext, MaterializeResult
from soundfile import LibsndfileError

from earshot.common.audio import SAMPLE_RATE
from earshot.models.device import cpu_name
from earshot.models.measurement import ExecutionInfo, IoPlace
from earshot.sources.media.decoding import started_decoder
from earshot.sources.media.download_slots import download_slot
from earshot.sources.media.downloads import Fetched, download_folder, refuse_truncated
from earshot.sources.media.waveform import waveform_picture
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
    needs="network",
    description="The audio of each video as 16 kHz mono FLAC in the media store. Truncated downloads are refused.\n\n"
    "One row of `audio` is the audio of one video: where it is, its length, the sha256 of its samples.",
    pool=None,
)
def audio(
    context: AssetExecutionContext,
    database: DatabaseResource,
    media_source: MediaSourceResource,
    media_store: MediaStoreResource,
) -> MaterializeResult:
    with stage(context, database) as run:
        if run.is_current and _is_whole(run, media_store):
            return run.reuse()
        row, samples = _fetch(run, media_source, media_store)
        run.replace({"audio": pd.DataFrame([row])})
        with run.measurement.reading_writing(IoPlace.DATABASE):
            set_duration(run.database, run.video.video_id, row["duration_s"])
        return run.finish(
            ExecutionInfo("cpu", "cpu", cpu_name(), f"{row['downloader'].partition(' ')[0]}+pyav", _av_version(), "int16", 1),
            row["duration_s"],
            items=1,
            content=row["samples_sha256"],
            picture=waveform_picture(samples),
            **{key: row[key] for key in ("samples_sha256", "uri", "downloader")},
        )


def _is_whole(run: StageRun, media_store: MediaStoreResource) -> bool:
    """Whether the video's audio is still in the media store, undamaged."""
    row = run.rows("audio", "uri").iloc[0]
    try:
        return samples_sha256(media_store.open().read(row.uri)) == row.samples_sha256
    except (FileNotFoundError, LibsndfileError):
        return False


def _fetch(
    run: StageRun, media_source: MediaSourceResource, media_store: MediaStoreResource
) -> tuple[dict[str, Any], np.ndarray]:
    """Fetch, decode and store the video's audio; returns its row of table `audio`, and the samples."""
    with download_folder(run.video) as folder:
        fetched = _fetched(run, media_source, folder)
        samples = _decoded(run, fetched.path)
        seconds = len(samples) / SAMPLE_RATE
        refuse_truncated(fetched, seconds, run.video.title)
    with run.measurement.reading_writing(IoPlace.STORE):
        uri = media_store.open().write(run.video.video_id, samples)
    row = {
        "uri": uri,
        "samples_sha256": samples_sha256(samples),
        "samples": len(samples),
        "sample_rate": SAMPLE_RATE,
        "duration_s": seconds,
        "downloader": fetched.downloader,
    }
    return row, samples


def _decoded(run: StageRun, path: Path) -> np.ndarray:
    with ExitStack() as opened:
        with run.measurement.loading():
            decoder = opened.enter_context(started_decoder())
        with run.measurement.computing():
            samples = decoder.decode(path)
    run.measurement.tally.count(len(samples) / SAMPLE_RATE, calls=len(samples) / SAMPLE_RATE)
    return samples


def _fetched(run: StageRun, media_source: MediaSourceResource, folder: Path) -> Fetched:
    with run.measurement.reading_writing(IoPlace.NETWORK):
        source = source_of(run.video.source)
    with ExitStack() as turn:
        with run.measurement.waiting():
            turn.enter_context(download_slot(run.database, source))
        with run.measurement.reading_writing(IoPlace.NETWORK):
            return media_source.fetch(run.video, folder, source)


def _av_version() -> str:
    import av

    return av.__version__
