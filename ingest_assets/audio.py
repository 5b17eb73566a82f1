"""Asset `audio`: a video's sound as 16 kHz mono FLAC in the media store, and the sha256 of its samples.

URLs are fetched with yt-dlp, audio only where the site offers it; local files are read where they lie. Everything after
this asset works from the FLAC. Needs no GPU: downloads never wait for one.
"""

import tempfile
from pathlib import Path

import pandas as pd
from dagster import AssetExecutionContext, MaterializeResult, asset

from ingest_assets.partitions import videos
from ingest_assets.stage import stage
from resources.catalogue import set_duration
from resources.database import DatabaseResource
from resources.decoding import SAMPLE_RATE, decode
from resources.gpu import cpu_name
from resources.measurement import Execution
from resources.media_source import MediaSourceResource
from resources.media_store import MediaStoreResource, samples_sha256
from resources.settings import read_settings


@asset(
    partitions_def=videos,
    group_name="video",
    code_version="1",
    kinds={"ffmpeg"},
    description="16 kHz mono FLAC in the media store; sha256 of its samples; truncated downloads refused.",
)
def audio(
    context: AssetExecutionContext,
    database: DatabaseResource,
    media_source: MediaSourceResource,
    media_store: MediaStoreResource,
) -> MaterializeResult:
    with stage(context, database) as at_work:
        downloads = read_settings().home / "downloads"
        downloads.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=downloads) as folder:
            with at_work.measurement.reading_writing():
                path, downloader = media_source.fetch(at_work.video, Path(folder))
            with at_work.measurement.computing():
                samples = decode(path)
        with at_work.measurement.reading_writing():
            uri = media_store.write(at_work.video.video_id, samples)
        digest, duration_s = samples_sha256(samples), len(samples) / SAMPLE_RATE
        row = (uri, digest, len(samples), SAMPLE_RATE, duration_s, downloader)
        columns = ["uri", "samples_sha256", "samples", "sample_rate", "duration_s", "downloader"]
        at_work.replace({"audio": pd.DataFrame([row], columns=columns)})
        set_duration(at_work.database, at_work.video.video_id, duration_s)
        execution = Execution("cpu", cpu_name(), "pyav", _av_version(), "int16", 1)
        return at_work.finish(execution, duration_s, items=1, samples_sha256=digest, uri=uri, downloader=downloader)


def _av_version() -> str:
    import av

    return av.__version__
