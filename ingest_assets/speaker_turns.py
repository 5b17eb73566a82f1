"""Asset `speaker_turns`: who spoke when, with pyannote.audio.

Two tables: `turns`, overlap kept, and `exclusive_turns`, at most one speaker at a time, which words are given to. Speakers
are named within the video only (SPEAKER_00, ...).
"""

from dagster import AssetExecutionContext, MaterializeResult, asset

from ingest_assets.audio import audio
from ingest_assets.checks import check_specs
from ingest_assets.partitions import videos
from ingest_assets.stage import stage
from ingest_assets.video_audio import read_audio
from resources.database import DatabaseResource
from resources.gpu import GpuResource
from resources.loaded_models import ModelsResource
from resources.media_store import MediaStoreResource


@asset(
    partitions_def=videos,
    group_name="video",
    code_version="1",
    check_specs=check_specs("speaker_turns"),
    deps=[audio],
    pool="gpu",
    kinds={"pyannote"},
    description="Turns (start, end, local speaker, overlap) and an exclusive version for attributing words.",
)
def speaker_turns(
    context: AssetExecutionContext,
    database: DatabaseResource,
    gpu: GpuResource,
    media_store: MediaStoreResource,
    models: ModelsResource,
) -> MaterializeResult:
    with stage(context, database) as at_work:
        diarizer = at_work.load(gpu, models.diarizer)
        sound = read_audio(at_work, media_store)
        with at_work.measurement.computing():
            turns, exclusive = diarizer.diarize(sound.samples, at_work.report, at_work.measurement.tally)
        at_work.replace({"turns": turns, "exclusive_turns": exclusive})
        return at_work.finish(
            diarizer.execution,
            sound.duration_s,
            items=len(turns),
            floors=models.model_set().diarization.floors,
            speakers=str(turns.local_speaker.nunique()),
        )
