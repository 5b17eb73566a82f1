"""Asset `speaker_turns`: who spoke when, with pyannote.audio.

Two tables: `turns`, overlap kept, and `exclusive_turns`, at most one speaker at a time, which words are given to. Speakers
are named within the video only (SPEAKER_00, ...).

With EARSHOT_MONOLOGUE=1 the short way is tried first: where one enrolled voice fills the video (monologue.py), its speech is
the turns, and what the diarization costs beyond the segmentation is saved. Else the segmentation is used again, and nothing is
lost but the windows that were listened to. Metadata `path` and `path_reason` say which way was gone and why, `person_id` whose
voice it is. Who the speaker *is* decides asset `people`, as of any other.

The short way counts no inputs: its seconds must not be held against those of diarizations, nor theirs against its.
"""

from typing import TYPE_CHECKING

import numpy as np
from dagster import AssetExecutionContext, MaterializeResult

from earshot.common.audio import SAMPLE_RATE
from earshot.config.settings import read_settings
from earshot.speakers.people.identify import read_profiles
from earshot.speakers.tables.voice_space import thresholds, voice_space
from earshot.speakers.voices.local_speakers import turn_spans
from earshot.speakers.voices.monologue import (
    NO_PROFILE,
    Monologue,
    Spans,
    accept_monologue,
    diarize_in_full,
    merge_intervals,
    reason_for_doubt,
    windows,
)
from ingest_assets.stages.outputs import content_digest
from ingest_assets.stages.stage import StageRun, stage
from ingest_assets.stages.stored_audio import read_audio
from ingest_assets.stages.video_asset import video_asset
from resources.database import DatabaseResource
from resources.gpu import GpuResource
from resources.media_store import MediaStoreResource
from resources.models import ModelsResource

if TYPE_CHECKING:  # imports torch
    from earshot.models.voice.diarizer import Diarizer, Segmentation

# Windows whose samples are in memory a second time, at once: 12 MB.
WINDOWS_AT_ONCE = 64


@video_asset(
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
        if at_work.is_current:
            return at_work.reuse()
        diarizer = at_work.load(gpu, models.open().diarizer)
        sound = read_audio(at_work, media_store)
        found, segmentation = _monologue(at_work, diarizer, sound.samples)
        with at_work.measurement.computing():
            if found.taken and segmentation is not None:
                turns, exclusive = diarizer.one_speaker(segmentation, sound.duration_s)
            else:
                turns, exclusive = diarizer.diarize(sound.samples, at_work.report, at_work.measurement.tally, segmentation)
        at_work.replace({"turns": turns, "exclusive_turns": exclusive})
        return at_work.finish(
            diarizer.execution,
            sound.duration_s,
            items=len(turns),
            floors=models.open().model_set().diarization.floors,
            content=content_digest(turns, exclusive),
            speakers=str(turns.local_speaker.nunique()),
            path="monologue" if found.taken else "full",
            path_reason=found.reason,
            person_id="" if found.person_id is None else str(found.person_id),
        )


def _monologue(at_work: StageRun, diarizer: "Diarizer", samples: np.ndarray) -> tuple[Monologue, "Segmentation | None"]:
    """Whether the short way can be gone; and the segmentation, where one was made to find out."""
    settings, database = read_settings(), at_work.database
    if not settings.monologue:
        return diarize_in_full("off: EARSHOT_MONOLOGUE is not 1"), None
    with at_work.measurement.reading_writing():
        profiles, limits = read_profiles(database, voice_space(settings)), thresholds(database, settings)
        corrected = database.query("SELECT 1 FROM corrected_spans WHERE video_id = %s LIMIT 1", [at_work.video.video_id])
    if corrected or not len(profiles.people):
        return diarize_in_full("corrected: a correction speaks of this video" if corrected else NO_PROFILE), None
    with at_work.measurement.computing():
        segmentation = diarizer.segment(samples)
        speech, _ = diarizer.one_speaker(segmentation, len(samples) / SAMPLE_RATE)
        doubt = reason_for_doubt(speech, segmentation.second_speaker_s, segmentation.step_s)
        if doubt:
            return diarize_in_full(doubt), segmentation
        vectors = _listen(diarizer, samples, windows(turn_spans(speech, len(samples))))
        return accept_monologue(vectors, profiles, limits), segmentation


def _listen(diarizer: "Diarizer", samples: np.ndarray, chosen: list[Spans]) -> np.ndarray:
    """A vector for each window."""
    batches = (chosen[first : first + WINDOWS_AT_ONCE] for first in range(0, len(chosen), WINDOWS_AT_ONCE))
    return np.concatenate([diarizer.voices(*merge_intervals(samples, batch)) for batch in batches])
