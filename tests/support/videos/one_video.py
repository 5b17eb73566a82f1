"""One video whose audio is there already, and runs of single assets over it."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from dagster import AssetsDefinition, DagsterInstance, ExecuteInProcessResult, materialize

from earshot.common.audio import SAMPLE_RATE
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from earshot.storage.media_store import MediaStore, samples_sha256
from ingest_assets.partitions import videos
from ingest_assets.stages.stage import FORCE_TAG
from resources.database import DatabaseResource
from resources.gpu import GpuResource
from resources.media_store import MediaStoreResource
from resources.models import ModelsResource
from tests.support.library import run_stages

RESOURCES = {
    "database": DatabaseResource(),
    "gpu": GpuResource(),
    "media_store": MediaStoreResource(),
    "models": ModelsResource(),
}


def put_audio(database: Database, video_id: str, samples: np.ndarray) -> None:
    """A video as asset `audio` leaves it, of float32 samples."""
    whole = (samples * 32768.0).astype(np.int16)
    register(database, [Video(video_id, f"/{video_id}.mp3", "/", video_id)])
    row = {
        "uri": MediaStore().write(video_id, whole),
        "samples_sha256": samples_sha256(whole),
        "samples": len(whole),
        "sample_rate": SAMPLE_RATE,
        "duration_s": len(whole) / SAMPLE_RATE,
        "downloader": "file",
    }
    database.replace(video_id, {"audio": pd.DataFrame([row])})
    run_stages(database, video_id, "audio")


def put_turns(database: Database, video_id: str, turns: Iterable[tuple[float, float, str]]) -> None:
    """Turns (start_s, end_s, local_speaker) as asset `speaker_turns` leaves them."""
    frame = pd.DataFrame(list(turns), columns=["start_s", "end_s", "local_speaker"])
    database.replace(video_id, {"turns": frame.assign(turn_index=range(len(frame)), overlap=False)})
    run_stages(database, video_id, "speaker_turns")


def run(asset: AssetsDefinition, video_id: str, raise_on_error: bool = True) -> ExecuteInProcessResult:
    """One run of this asset for this video, whatever is there already."""
    with DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(str(videos.name), [video_id])
        return materialize(
            [asset],
            partition_key=video_id,
            resources=RESOURCES,
            instance=instance,
            raise_on_error=raise_on_error,
            tags={FORCE_TAG: "true"},
        )


def metadata_of(ran: ExecuteInProcessResult) -> dict[str, object]:
    """The metadata of the one materialization of a run, as plain values."""
    (event,) = ran.get_asset_materialization_events()
    return {key: value.value for key, value in event.materialization.metadata.items()}
