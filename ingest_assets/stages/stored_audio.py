"""Reads a video's audio for the stages after `audio`: its samples and their digest."""

from dataclasses import dataclass

import numpy as np

from earshot.common.audio import SAMPLE_RATE
from earshot.common.errors import InvalidMedia
from earshot.models.measurement import IoPlace
from earshot.storage.media_store import refetch_remedy
from earshot.storage.stored_audio import why_deleted
from ingest_assets.stages.stage import StageRun
from resources.media_store import MediaStoreResource


@dataclass(frozen=True)
class VideoAudio:
    """float32 samples in [-1, 1), mono, 16 kHz, and the sha256 that identifies them."""

    samples: np.ndarray
    sha256: str

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE


def read_audio(stage: StageRun, media_store: MediaStoreResource) -> VideoAudio:
    """The audio of this stage's video. Raises InvalidMedia if its file is gone."""
    row = stage.rows("audio", "uri").iloc[0]
    with stage.measurement.reading_writing(IoPlace.STORE):
        try:
            samples = media_store.open().read(row.uri, "float32")
        except FileNotFoundError as error:
            reason = why_deleted(stage.database, stage.video.video_id) or f"{row.uri} is no longer in the media store."
            raise InvalidMedia(reason, refetch_remedy(stage.video.video_id)) from error
    return VideoAudio(samples, row.samples_sha256)
