"""Asset `transcript`: what was said, as segments and words with times, with faster-whisper.

Silero VAD runs first, so silence gives no words. Tables `transcripts`, `segments` and `words`.
"""

import pandas as pd
from dagster import AssetExecutionContext, MaterializeResult

from ingest_assets.stages.outputs import content_digest
from ingest_assets.stages.stage import stage
from ingest_assets.stages.stored_audio import read_audio
from ingest_assets.stages.video_asset import video_asset
from resources.database import DatabaseResource
from resources.gpu import GpuResource
from resources.media_store import MediaStoreResource
from resources.models import ModelsResource


@video_asset(
    kinds={"whisper"},
    description="Segments and words with times and probabilities, language detected; silence gives no words.",
)
def transcript(
    context: AssetExecutionContext,
    database: DatabaseResource,
    gpu: GpuResource,
    media_store: MediaStoreResource,
    models: ModelsResource,
) -> MaterializeResult:
    with stage(context, database) as at_work:
        if at_work.is_current:
            return at_work.reuse()
        transcriber = at_work.load(gpu, models.open().transcriber)
        sound = read_audio(at_work, media_store)
        with at_work.measurement.computing():
            found = transcriber.transcribe(sound.samples, at_work.report, at_work.measurement.tally, at_work.video.language)
        execution = transcriber.execution
        row = (found.language, found.language_probability, execution.model, execution.model_revision)
        columns = ["language", "language_probability", "model", "model_revision"]
        at_work.replace(
            {
                "transcripts": pd.DataFrame([row], columns=columns),
                "segments": found.segments,
                "words": found.words,
            }
        )
        return at_work.finish(
            execution,
            sound.duration_s,
            items=len(found.segments),
            floors=models.open().model_set().speech.floors,
            content=content_digest(found.words[["start_s", "end_s", "text"]], pd.DataFrame({"language": [found.language]})),
            language=found.language or "none: nothing was said",
            words=str(len(found.words)),
        )
