"""Enrolment samples: cuts samples with vectors from recordings of a known person, and judges the recordings.

`assess_pending()` does this for every enrolment without a judgement in the current voice space, one recording at a time. The
caller passes the models, and measures them. Excerpts of files are diarized; for a video, the stored turns and the audio in the
media store are used. Cached vectors of the same audio are reused.

An enrolment that cannot be read (the file or video is gone, the excerpt ends after the recording) is returned with the problem
and tried again next time; the others continue. A recording is judged once, so a changed recording needs a new name. Memory: the
recording's 16-bit samples (115 MB per hour), plus the diarization of an excerpt.

The judgement itself is in enrolment_quality.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from earshot.common.audio import SAMPLE_RATE, SampleSpan
from earshot.common.errors import RecordingUnusable, VideoError
from earshot.common.excerpt import VIDEO, Excerpt, format_time
from earshot.common.timeline import Interval
from earshot.config.settings import read_settings
from earshot.sources.media.decoding import decode
from earshot.speakers.tables.enrolments import StoredEnrolment, pending_enrolments, save_assessment
from earshot.speakers.tables.voice_cache import cached_embeddings
from earshot.speakers.tables.voice_space import VoiceSpace, voice_space
from earshot.speakers.voices.enrolment_quality import Quality, Samples, assess_quality, clean_speech, enrolment_spans
from earshot.storage.catalog.videos import get_video
from earshot.storage.database import Database
from earshot.storage.media_store import MediaStore, refetch_remedy, samples_sha256
from earshot.storage.stored_audio import why_deleted

# Excerpts may end this much after the recording, because players round its length.
END_TOLERANCE_S = 0.5


class VoiceModels(Protocol):
    """The models that enrolments need, loaded at their first use."""

    def diarize(self, samples: np.ndarray) -> pd.DataFrame:
        """The turns of these samples (float32, mono, 16 kHz)."""
        ...

    def encode(self, samples: np.ndarray, spans: Sequence[SampleSpan]) -> np.ndarray:
        """One vector (float32, unit length) per span of the samples."""
        ...


@dataclass(frozen=True)
class EnrolmentAudio:
    """int16 samples (mono, 16 kHz) with their sha256; a video's turns (None for a file); and the times that are forgotten."""

    samples: np.ndarray
    sha256: str
    turns: pd.DataFrame | None
    forgotten: tuple[Interval, ...] = ()

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE


@dataclass(frozen=True)
class Assessment:
    """The result of one enrolment: its quality, or the problem if it could not be read. The problem may contain a path."""

    enrolment: StoredEnrolment
    quality: Quality | None
    problem: str = ""


def assess_pending(database: Database, models: VoiceModels) -> list[Assessment]:
    """Cut samples from, and judge, every enrolment without a judgement in the current voice space. Requires the lock `people`.

    Raises Misconfigured, but no error about a single recording.
    """
    space = voice_space(read_settings())
    pending = pending_enrolments(database, space)
    by_recording = groupby(pending, key=lambda one: (one.excerpt.kind, one.excerpt.recording))
    return [assessment for _, group in by_recording for assessment in _of_recording(database, space, list(group), models)]


def _of_recording(
    database: Database, space: VoiceSpace, enrolments: Sequence[StoredEnrolment], models: VoiceModels
) -> Iterator[Assessment]:
    try:
        recording = open_recording(database, enrolments[0].excerpt)
    except (RecordingUnusable, VideoError) as error:
        yield from (Assessment(enrolment, None, str(error)) for enrolment in enrolments)
        return
    for enrolment in enrolments:
        try:
            quality, samples = extract_samples(database, space, recording, enrolment.excerpt, models)
        except (RecordingUnusable, VideoError) as error:
            yield Assessment(enrolment, None, str(error))
            continue
        save_assessment(database, enrolment.enrolment_id, space, quality, samples)
        yield Assessment(enrolment, quality)


def open_recording(database: Database, excerpt: Excerpt) -> EnrolmentAudio:
    """The recording of an excerpt. Raises RecordingUnusable, InvalidMedia or NoAudio."""
    return _video(database, excerpt.recording) if excerpt.kind == VIDEO else _file(Path(excerpt.recording))


def extract_samples(
    database: Database, space: VoiceSpace, recording: EnrolmentAudio, excerpt: Excerpt, models: VoiceModels
) -> tuple[Quality, Samples]:
    """An excerpt's quality, and its samples with vectors. Raises RecordingUnusable if it ends after the recording."""
    times = times_inside(excerpt, recording.duration_s)
    first, last = (round(time * SAMPLE_RATE) for time in times)
    sound = recording.samples[first:last].astype(np.float32)
    sound /= 32768.0
    turns = _diarized(models, sound, times[0]) if recording.turns is None else recording.turns
    speech = clean_speech(turns, times, recording.forgotten)
    spans = enrolment_spans(speech.clean)
    vectors = _vectors(database, space, recording.sha256, models, sound, first, spans)
    samples = Samples(recording.sha256, tuple(spans), vectors)
    return assess_quality(speech, samples.vectors, samples.seconds, float(np.sqrt(np.dot(sound, sound) / len(sound)))), samples


def times_inside(excerpt: Excerpt, duration_s: float) -> Interval:
    """The excerpt's start and end in a recording of this length. Raises RecordingUnusable if it ends after the recording."""
    end = duration_s if excerpt.end_s is None else excerpt.end_s
    if excerpt.start_s >= duration_s or end > duration_s + END_TOLERANCE_S:
        raise RecordingUnusable(
            f"{excerpt.times} is beyond the end of {excerpt.recording}, which is {format_time(duration_s)} long.",
            "Correct the times.",
        )
    return excerpt.start_s, min(end, duration_s)


# --- recordings ----------------------------------------------------------------------------------------------------------


def _file(path: Path) -> EnrolmentAudio:
    try:
        samples = decode(path)
    except FileNotFoundError:
        raise RecordingUnusable(f"There is no file {path}.", "Put it back, or give its new path.") from None
    except OSError as error:
        raise RecordingUnusable(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error
    return EnrolmentAudio(samples, samples_sha256(samples), turns=None)


def _video(database: Database, video_id: str) -> EnrolmentAudio:
    video = get_video(database, video_id)
    if video is None:
        raise RecordingUnusable(f"There is no video {video_id!r} in the library.", "`earshot videos` lists all videos.")
    audio = database.frame("audio", video_id, "uri")
    diarized = database.query("SELECT 1 FROM asset_timings WHERE video_id = %s AND asset = 'speaker_turns' LIMIT 1", [video_id])
    if audio.empty or not diarized:
        why = f" (state {video.state}{f': {video.last_error}' if video.last_error else ''})"
        raise RecordingUnusable(
            f"{video_id} is not ingested{why}.", "Try again when it is ready: `earshot videos` shows the state."
        )
    try:
        samples = MediaStore().read(audio.uri.iloc[0])
    except FileNotFoundError:
        reason = why_deleted(database, video_id) or f"The audio of {video_id} is no longer in the media store."
        raise RecordingUnusable(reason, refetch_remedy(video_id)) from None
    forgotten = database.query("SELECT start_s, end_s FROM forgotten_spans WHERE video_id = %s ORDER BY start_s", [video_id])
    return EnrolmentAudio(
        samples,
        audio.samples_sha256.iloc[0],
        database.frame("turns", video_id, "turn_index"),
        tuple((row["start_s"], row["end_s"]) for row in forgotten),
    )


# --- models --------------------------------------------------------------------------------------------------------------


def _diarized(models: VoiceModels, sound: np.ndarray, start_s: float) -> pd.DataFrame:
    """The turns of an excerpt, in seconds of its recording."""
    turns = models.diarize(sound)
    return turns.assign(start_s=turns.start_s + start_s, end_s=turns.end_s + start_s)


def _vectors(
    database: Database,
    space: VoiceSpace,
    audio_sha256: str,
    models: VoiceModels,
    sound: np.ndarray,
    first: int,
    spans: Sequence[SampleSpan],
) -> np.ndarray:
    """One vector per span of the recording. `sound` starts at sample `first` of it."""
    vectors = cached_embeddings(database, space, audio_sha256)
    missing = [span for span in spans if span not in vectors]
    if missing:
        encoded = models.encode(sound, [(start - first, end - first) for start, end in missing])
        vectors |= dict(zip(missing, encoded, strict=True))
    return np.array([vectors[span] for span in spans], dtype=np.float32).reshape(len(spans), space.dimension)
