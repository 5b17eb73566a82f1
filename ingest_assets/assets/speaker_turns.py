"""Asset `speaker_turns`: who spoke when.

Two tables: `turns`, which may overlap, and `exclusive_turns` with at most one speaker at a time, to which words are assigned.
Speakers are labelled within the video only (SPEAKER_00, ...); asset `people` decides who they are.

With EARSHOT_MONOLOGUE=1 a shortcut is tried first: if one enrolled voice fills the video (monologue.py), its speech becomes the
turns, and only the segmentation runs, not the rest of the diarization. Otherwise the diarization reuses the segmentation, and
only the time for checking some windows is lost. Metadata `path` and `path_reason` say which path was taken and why, `person_id`
whose voice it is.

A hint says how many speakers there are: the clustering finds as many, and for one there is nothing to cluster.

The shortcut counts no inputs, so that its timings and those of full diarizations are not compared with each other.
"""

from typing import TYPE_CHECKING

import numpy as np
from dagster import AssetExecutionContext, MaterializeResult

from earshot.common.audio import SAMPLE_RATE
from earshot.config.hints import speaker_bounds
from earshot.config.settings import read_settings
from earshot.models.measurement import IoPlace
from earshot.speakers.people.identify import read_profiles
from earshot.speakers.tables.voice_space import thresholds, voice_space
from earshot.speakers.voices.local_speakers import turn_spans
from earshot.speakers.voices.monologue import (
    NO_PROFILE,
    Monologue,
    Spans,
    accept_monologue,
    concatenate_windows,
    diarize_in_full,
    reason_for_doubt,
    windows,
)
from earshot.transcripts.previews import speakers_excerpt, turns_picture
from ingest_assets.stages.content_findings import turn_findings
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

# Windows whose samples are copied at once, 12 MB.
WINDOWS_AT_ONCE = 64


@video_asset(
    kinds={"pyannote", "postgres"},
    description="Who speaks when in each video, as speakers of that video (`SPEAKER_00`); `people` decides who they are.\n\n"
    "One row of `turns` is a span of time in which one speaker is heard, perhaps over others; in `exclusive_turns`, at most "
    "one speaks at a time.",
)
def speaker_turns(
    context: AssetExecutionContext,
    database: DatabaseResource,
    gpu: GpuResource,
    media_store: MediaStoreResource,
    models: ModelsResource,
) -> MaterializeResult:
    with stage(context, database) as run:
        if run.is_current:
            return run.reuse()
        diarizer = run.load(gpu, models.open().diarizer)
        sound = read_audio(run, media_store)
        monologue, segmentation = _monologue(run, diarizer, sound.samples)
        with run.measurement.computing():
            if monologue.accepted and segmentation is not None:
                turns, exclusive = diarizer.one_speaker(segmentation, sound.duration_s)
            else:
                turns, exclusive = diarizer.diarize(
                    sound.samples, run.report, run.measurement.tally, segmentation, speaker_bounds(run.hints.speakers or "")
                )
        run.replace({"turns": turns, "exclusive_turns": exclusive})
        speakers = int(turns.local_speaker.nunique())
        with run.measurement.reading_writing(IoPlace.DATABASE):
            findings = turn_findings(run.database, run.video, speakers, run.hints.speakers or "")
        return run.finish(
            diarizer.execution,
            sound.duration_s,
            items=len(turns),
            floors=models.open().model_set().diarization.floors,
            content=content_digest(turns, exclusive),
            findings=findings,
            hints=f"speakers: {run.hints.speakers} (hint)" if run.hints.speakers else "",
            excerpt=speakers_excerpt(turns),
            picture=turns_picture(turns, sound.duration_s),
            speakers=speakers,
            path="monologue" if monologue.accepted else "full",
            path_reason=monologue.reason,
            person_id="" if monologue.person_id is None else str(monologue.person_id),
        )


def _monologue(run: StageRun, diarizer: "Diarizer", samples: np.ndarray) -> tuple[Monologue, "Segmentation | None"]:
    """Decide whether the shortcut applies; also returns the segmentation if the decision needed one."""
    settings, database = read_settings(), run.database
    least, most = speaker_bounds(run.hints.speakers or "")
    if most == 1:
        with run.measurement.computing():
            return Monologue(True, "hint: one speaker"), diarizer.segment(samples)
    if least > 1:
        return diarize_in_full("hint: several speakers"), None
    if not settings.monologue:
        return diarize_in_full("off: EARSHOT_MONOLOGUE is not 1"), None
    with run.measurement.reading_writing(IoPlace.DATABASE):
        profiles, limits = read_profiles(database, voice_space(settings)), thresholds(database, settings)
        corrected = database.query("SELECT 1 FROM corrected_spans WHERE video_id = %s LIMIT 1", [run.video.video_id])
    if corrected or not len(profiles.people):
        return diarize_in_full("corrected: a correction speaks of this video" if corrected else NO_PROFILE), None
    with run.measurement.computing():
        segmentation = diarizer.segment(samples)
        speech, _ = diarizer.one_speaker(segmentation, len(samples) / SAMPLE_RATE)
        doubt = reason_for_doubt(speech, segmentation.second_speaker_s, segmentation.step_s)
        if doubt:
            return diarize_in_full(doubt), segmentation
        vectors = _embed_windows(diarizer, samples, windows(turn_spans(speech, len(samples))))
        return accept_monologue(vectors, profiles, limits), segmentation


def _embed_windows(diarizer: "Diarizer", samples: np.ndarray, spans: list[Spans]) -> np.ndarray:
    """A vector for each window."""
    batches = (spans[first : first + WINDOWS_AT_ONCE] for first in range(0, len(spans), WINDOWS_AT_ONCE))
    return np.concatenate([diarizer.voices(*concatenate_windows(samples, batch)) for batch in batches])
