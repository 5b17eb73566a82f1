"""Asset `voice_embeddings`: a vector for each turn, and a centroid for each local speaker of the video.

A turn's vector is cached by the sha256 of the audio's samples, the turn's first and last sample, and the voice space (model,
revision, preparation, dimension). A turn's condition (clear, overlapped, too short) is stored beside its vector; a forgotten
turn has no vector. Tables `voice_embeddings` and `local_speakers`.

The preparation is part of the code version, so that changing it makes the asset stale, as changing the model does.
"""

import numpy as np
import pandas as pd
from dagster import AssetExecutionContext, MaterializeResult

from earshot.common.audio import SampleSpan
from earshot.config.settings import read_settings
from earshot.models.measurement import IoPlace
from earshot.speakers.tables.voice_cache import cached_embeddings
from earshot.speakers.tables.voice_space import VoiceSpace, voice_space
from earshot.speakers.voices.local_speakers import conditions, local_speakers, turn_spans
from earshot.transcripts.previews import speakers_excerpt
from ingest_assets.stages.stage import StageRun, stage
from ingest_assets.stages.stored_audio import read_audio
from ingest_assets.stages.video_asset import video_asset
from resources.database import DatabaseResource
from resources.gpu import GpuResource
from resources.media_store import MediaStoreResource
from resources.models import ModelsResource


@video_asset(
    kinds={"pyannote", "postgres"},
    description="How the voices in each video sound, as vectors, cached by content.\n\n"
    "One row of `voice_embeddings` is the vector of one turn; one of `local_speakers` is the mean voice of one speaker of the "
    "video.",
)
def voice_embeddings(
    context: AssetExecutionContext,
    database: DatabaseResource,
    gpu: GpuResource,
    media_store: MediaStoreResource,
    models: ModelsResource,
) -> MaterializeResult:
    with stage(context, database) as run:
        if run.is_current:
            return run.reuse()
        encoder = run.load(gpu, models.open().voice_encoder)
        sound, space = read_audio(run, media_store), voice_space(read_settings())
        turns = _spanned(run, len(sound.samples))
        wanted = turns.span[turns.condition != "forgotten"].tolist()
        with run.measurement.reading_writing(IoPlace.DATABASE):
            known = cached_embeddings(run.database, space, sound.sha256)
        hits = sum(span in known for span in wanted)
        missing = [span for span in dict.fromkeys(wanted) if span not in known]
        with run.measurement.computing():
            known |= dict(zip(missing, encoder.encode(sound.samples, missing, run.measurement.tally), strict=True))
        run.replace(_frames(turns, known, sound.sha256, space))
        return run.finish(
            encoder.execution,
            sound.duration_s,
            items=len(missing),
            cache_hits=hits,
            cache_misses=len(wanted) - hits,
            floors=models.open().model_set().voice.floors,
            rows=len(turns),
            excerpt=speakers_excerpt(turns),
            turns=len(turns),
        )


def _spanned(run: StageRun, samples: int) -> pd.DataFrame:
    """The video's turns with their `condition` and `span` (of samples)."""
    turns, forgotten = run.rows("turns", "turn_index"), run.rows("forgotten_spans", "start_s")
    times = list(zip(forgotten.start_s.tolist(), forgotten.end_s.tolist(), strict=True))
    spans = pd.Series(turn_spans(turns, samples), index=turns.index, dtype=object)
    return turns.assign(condition=conditions(turns, times), span=spans)


def _frames(
    turns: pd.DataFrame, vectors: dict[SampleSpan, np.ndarray], audio_sha256: str, space: VoiceSpace
) -> dict[str, pd.DataFrame]:
    """The rows of both tables; `vectors` are by span, and forgotten turns get none."""
    embeddings = [
        None if condition == "forgotten" else vectors[span] for span, condition in zip(turns.span, turns.condition, strict=True)
    ]
    embedded = turns.assign(embedding=pd.Series(embeddings, index=turns.index, dtype=object))
    per_turn = embedded[["turn_index", "condition", "embedding"]].assign(
        audio_sha256=audio_sha256,
        first_sample=[first for first, _ in turns.span],
        last_sample=[last for _, last in turns.span],
        **space.columns,
    )
    return {"voice_embeddings": per_turn, "local_speakers": local_speakers(embedded).assign(**space.columns)}
