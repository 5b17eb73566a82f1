"""Enrolment: recordings in which somebody is known to speak become samples with vectors, and a judgement of their worth.

`assess_pending()` does that for every enrolment that today's voice space has no judgement of, recording after recording, and
loads models only when there is something to compute. Who speaks in a file is found by diarizing the excerpt; a video's stored
turns are used, and its audio from the media store. A vector that is known of the same sound is read, not computed.

What cannot be read (the file or the video is gone, the excerpt reaches beyond its end) is told, stays without a judgement, and
is tried again next time; the others go on. A recording is judged once: one that was changed needs another name. Memory: the
recording's 16-bit samples (115 MB an hour), five times that while a file is decoded, and what diarizing an excerpt takes.

The judging is pure, and is in enrolment_quality.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd

from earshot.common.audio import SAMPLE_RATE, SampleSpan
from earshot.common.errors import RecordingUnusable, VideoError
from earshot.common.excerpt import VIDEO, Excerpt, format_time
from earshot.common.timeline import Interval
from earshot.config.settings import read_settings
from earshot.media.decoding import decode
from earshot.models.cache import Models
from earshot.models.device import Device, require_device
from earshot.speakers.tables.enrolments import Enrolment, pending_enrolments, save_assessment
from earshot.speakers.tables.voice_cache import cached_embeddings
from earshot.speakers.tables.voice_space import VoiceSpace, voice_space
from earshot.speakers.voices.enrolment_quality import Quality, Samples, assess_quality, clean_speech, enrolment_spans
from earshot.storage.catalog.videos import get_video
from earshot.storage.database import Database
from earshot.storage.media_store import MediaStore, samples_sha256

# A player rounds the time at which a recording ends.
END_TOLERANCE_S = 0.5


@dataclass(frozen=True)
class EnrolmentAudio:
    """int16 samples, mono, 16 kHz, and their sha256; a video's turns, None for a file; the times that must not be used."""

    samples: np.ndarray
    sha256: str
    turns: pd.DataFrame | None
    forgotten: tuple[Interval, ...] = ()

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE


@dataclass(frozen=True)
class Assessment:
    """What became of one enrolment: its quality, or the problem why it could not be read. The problem may hold a path."""

    enrolment: Enrolment
    quality: Quality | None
    problem: str = ""


def assess_pending(database: Database) -> list[Assessment]:
    """Make samples of, and judge, every enrolment that is not judged in today's voice space. Call it with lock `people` held.

    Raises what is no recording's fault: Misconfigured.
    """
    space = voice_space(read_settings())
    pending = pending_enrolments(database, space)
    by_recording = groupby(pending, key=lambda each: (each.excerpt.kind, each.excerpt.recording))
    return [judgement for _, group in by_recording for judgement in _of_recording(database, space, list(group))]


def _of_recording(database: Database, space: VoiceSpace, enrolments: Sequence[Enrolment]) -> Iterator[Assessment]:
    try:
        recording = open_recording(database, enrolments[0].excerpt)
    except (RecordingUnusable, VideoError) as error:
        yield from (Assessment(each, None, str(error)) for each in enrolments)
        return
    for each in enrolments:
        try:
            quality, samples = extract_samples(database, space, recording, each.excerpt)
        except (RecordingUnusable, VideoError) as error:
            yield Assessment(each, None, str(error))
            continue
        save_assessment(database, each.enrolment_id, space, quality, samples)
        yield Assessment(each, quality)


def open_recording(database: Database, excerpt: Excerpt) -> EnrolmentAudio:
    """The recording that an excerpt is of. Raises RecordingUnusable, InvalidMedia or NoAudio."""
    return _video(database, excerpt.recording) if excerpt.kind == VIDEO else _file(Path(excerpt.recording))


def extract_samples(
    database: Database, space: VoiceSpace, recording: EnrolmentAudio, excerpt: Excerpt
) -> tuple[Quality, Samples]:
    """What an excerpt is worth, and its samples with their vectors. Raises RecordingUnusable beyond the recording's end."""
    times = _inside(excerpt, recording.duration_s)
    first, last = (round(time * SAMPLE_RATE) for time in times)
    sound = recording.samples[first:last].astype(np.float32)
    sound /= 32768.0
    turns = _diarized(sound, times[0]) if recording.turns is None else recording.turns
    speech = clean_speech(turns, times, recording.forgotten)
    spans = enrolment_spans(speech.clean)
    samples = Samples(recording.sha256, tuple(spans), _vectors(database, space, recording.sha256, sound, first, spans))
    return assess_quality(speech, samples.vectors, samples.seconds, float(np.sqrt(np.dot(sound, sound) / len(sound)))), samples


def _inside(excerpt: Excerpt, duration_s: float) -> Interval:
    end = duration_s if excerpt.end_s is None else excerpt.end_s
    if excerpt.start_s >= duration_s or end > duration_s + END_TOLERANCE_S:
        raise RecordingUnusable(
            f"{excerpt.times} reaches beyond the end of {excerpt.recording}, which is {format_time(duration_s)} long.",
            "Correct the times.",
        )
    return excerpt.start_s, min(end, duration_s)


# --- recordings ----------------------------------------------------------------------------------------------------------


def _file(path: Path) -> EnrolmentAudio:
    try:
        samples = decode(path)
    except FileNotFoundError:
        raise RecordingUnusable(f"There is no file {path}.", "Put it back, or name where it is now.") from None
    except OSError as error:
        raise RecordingUnusable(f"{path} cannot be read: {error.strerror}.", "Check its rights.") from error
    return EnrolmentAudio(samples, samples_sha256(samples), turns=None)


def _video(database: Database, video_id: str) -> EnrolmentAudio:
    video = get_video(database, video_id)
    if video is None:
        raise RecordingUnusable(f"There is no video {video_id!r} in the library.", "`earshot videos` lists those there are.")
    audio = database.frame("audio", video_id, "uri")
    diarized = database.query("SELECT 1 FROM asset_timings WHERE video_id = %s AND asset = 'speaker_turns' LIMIT 1", [video_id])
    if audio.empty or not diarized:
        why = f" (state {video.state}{f': {video.last_error}' if video.last_error else ''})"
        raise RecordingUnusable(f"{video_id} is not ingested{why}.", "Try again when it is: `earshot videos` shows.")
    try:
        samples = MediaStore().read(audio.uri.iloc[0])
    except FileNotFoundError:
        raise RecordingUnusable(
            f"The audio of {video_id} is no longer in the media store.", "Materialize its `audio` again."
        ) from None
    forgotten = database.query("SELECT start_s, end_s FROM forgotten_spans WHERE video_id = %s ORDER BY start_s", [video_id])
    return EnrolmentAudio(
        samples,
        audio.samples_sha256.iloc[0],
        database.frame("turns", video_id, "turn_index"),
        tuple((row["start_s"], row["end_s"]) for row in forgotten),
    )


# --- models --------------------------------------------------------------------------------------------------------------


def _diarized(sound: np.ndarray, start_s: float) -> pd.DataFrame:
    """Turns of an excerpt's sound, in seconds of its recording."""
    turns, _ = Models().diarizer(_device()).diarize(sound)
    return turns.assign(start_s=turns.start_s + start_s, end_s=turns.end_s + start_s)


def _vectors(
    database: Database, space: VoiceSpace, audio_sha256: str, sound: np.ndarray, first: int, spans: Sequence[SampleSpan]
) -> np.ndarray:
    """A vector for each span of a recording, of which `sound` begins at sample `first`."""
    known = cached_embeddings(database, space, audio_sha256)
    missing = [span for span in spans if span not in known]
    if missing:
        encoder = Models().voice_encoder(_device())
        made = encoder.encode(sound, [(start - first, end - first) for start, end in missing])
        known |= dict(zip(missing, made, strict=True))
    return np.array([known[span] for span in spans], dtype=np.float32).reshape(len(spans), space.dimension)


def _device() -> Device:
    return require_device(read_settings().device)
