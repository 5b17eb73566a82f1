"""Asset `transcript`: segments and words with times, by faster-whisper. Tables `transcripts`, `segments` and `words`.

Silero VAD runs first, so that silence yields no words. The user's hints are given to whisper (docs/guides/hints.md).
"""

import pandas as pd
from dagster import AssetExecutionContext, MaterializeResult

from earshot.models.measurement import IoPlace
from earshot.transcripts.previews import excerpt
from ingest_assets.stages.content_findings import transcript_findings
from ingest_assets.stages.outputs import content_digest
from ingest_assets.stages.stage import stage
from ingest_assets.stages.stored_audio import read_audio
from ingest_assets.stages.video_asset import video_asset
from ingest_assets.stages.vocabulary import read_vocabulary
from resources.database import DatabaseResource
from resources.gpu import GpuResource
from resources.media_store import MediaStoreResource
from resources.models import ModelsResource


@video_asset(
    kinds={"whisper", "postgres"},
    description="What is said in each video, and in which language. Silence gives no words.\n\n"
    "One row of `segments` is about a sentence with its times; one of `words` is a word with its times and probability; one of "
    "`transcripts` is the language of one video.",
)
def transcript(
    context: AssetExecutionContext,
    database: DatabaseResource,
    gpu: GpuResource,
    media_store: MediaStoreResource,
    models: ModelsResource,
) -> MaterializeResult:
    with stage(context, database) as run:
        if run.is_current:
            return run.reuse()
        transcriber = run.load(gpu, models.open().transcriber)
        sound = read_audio(run, media_store)
        hints = run.hints  # read here, so that its seconds are not counted again below
        with run.measurement.reading_writing(IoPlace.DATABASE):
            vocabulary = read_vocabulary(run.database, run.video, hints)
        with run.measurement.computing():
            transcription = transcriber.transcribe(
                sound.samples, run.report, run.measurement.tally, run.video.language, vocabulary.over(hints)
            )
        execution = transcriber.execution
        row = (transcription.language, transcription.language_probability, execution.model, execution.model_revision)
        columns = ["language", "language_probability", "model", "model_revision"]
        run.replace(
            {
                "transcripts": pd.DataFrame([row], columns=columns),
                "segments": transcription.segments,
                "words": transcription.words,
            }
        )
        with run.measurement.reading_writing(IoPlace.DATABASE):
            findings = transcript_findings(run.database, run.video, transcription, sound.duration_s)
        return run.finish(
            execution,
            sound.duration_s,
            items=len(transcription.segments),
            floors=models.open().model_set().speech.floors,
            content=content_digest(
                transcription.words[["start_s", "end_s", "text"]], pd.DataFrame({"language": [transcription.language]})
            ),
            findings=findings,
            hints=vocabulary.describe(hints, transcription.prompt),
            excerpt=excerpt(transcription.segments, run.video.url),
            language=transcription.language or "none: nothing was said",
            words=len(transcription.words),
            weak_windows=transcription.second_look.weak,
            replaced_windows=transcription.second_look.replaced,
            silent_windows=transcription.second_look.silent,
        )
