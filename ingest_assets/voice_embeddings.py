"""Asset `voice_embeddings`: a vector for each turn, and a centroid for each local speaker of the video.

A turn's vector is known by the sha256 of the audio's samples, its first and last sample, and the model with its revision:
one that was computed before is read, not computed again. Tables `voice_embeddings` and `local_speakers`.
"""

import numpy as np
import pandas as pd
from dagster import AssetExecutionContext, MaterializeResult, asset

from ingest_assets.audio import audio
from ingest_assets.checks import check_specs
from ingest_assets.partitions import videos
from ingest_assets.speaker_turns import speaker_turns
from ingest_assets.stage import Stage, stage
from ingest_assets.video_audio import read_audio
from ingest_assets.voices import local_speakers, sample_spans
from resources.database import DatabaseResource
from resources.gpu import GpuResource
from resources.loaded_models import ModelsResource
from resources.measurement import Execution
from resources.media_store import MediaStoreResource

Span = tuple[int, int]


@asset(
    partitions_def=videos,
    group_name="video",
    code_version="1",
    check_specs=check_specs("voice_embeddings"),
    deps=[audio, speaker_turns],
    pool="gpu",
    kinds={"pyannote"},
    description="One vector per turn, cached by content; a centroid per local speaker.",
)
def voice_embeddings(
    context: AssetExecutionContext,
    database: DatabaseResource,
    gpu: GpuResource,
    media_store: MediaStoreResource,
    models: ModelsResource,
) -> MaterializeResult:
    with stage(context, database) as at_work:
        encoder = at_work.load(gpu, models.voice_encoder)
        sound = read_audio(at_work, media_store)
        turns = at_work.rows("turns", "turn_index")
        spans = sample_spans(turns, len(sound.samples))
        known = _known(at_work, sound.sha256, encoder.execution)
        missing = [span for span in dict.fromkeys(spans) if span not in known]
        with at_work.measurement.computing():
            known |= dict(zip(missing, encoder.encode(sound.samples, missing, at_work.measurement.tally), strict=True))
        vectors = np.array([known[span] for span in spans], dtype=np.float32).reshape(len(spans), encoder.dimension)
        at_work.replace(_frames(turns, spans, vectors, sound.sha256, encoder.execution))
        hits = sum(span not in missing for span in spans)
        return at_work.finish(
            encoder.execution,
            sound.duration_s,
            items=len(missing),
            cache_hits=hits,
            cache_misses=len(spans) - hits,
            floors=models.model_set().voice.floors,
            turns=str(len(turns)),
        )


def _known(at_work: Stage, audio_sha256: str, execution: Execution) -> dict[Span, np.ndarray]:
    """The vectors of this audio by this model that some run computed before, by span."""
    with at_work.measurement.reading_writing():
        rows = at_work.database.query(
            "SELECT first_sample, last_sample, embedding FROM voice_embeddings "
            "WHERE audio_sha256 = %s AND model = %s AND model_revision = %s",
            [audio_sha256, execution.model, execution.model_revision],
        )
    return {(row["first_sample"], row["last_sample"]): row["embedding"].to_numpy() for row in rows}


def _frames(
    turns: pd.DataFrame, spans: list[Span], vectors: np.ndarray, audio_sha256: str, execution: Execution
) -> dict[str, pd.DataFrame]:
    identity = {"model": execution.model, "model_revision": execution.model_revision}
    per_turn = pd.DataFrame(
        {
            "turn_index": turns.turn_index,
            "audio_sha256": audio_sha256,
            "first_sample": [first for first, _ in spans],
            "last_sample": [last for _, last in spans],
            "embedding": list(vectors),
        }
    ).assign(**identity)
    return {"voice_embeddings": per_turn, "local_speakers": local_speakers(turns, vectors).assign(**identity)}
