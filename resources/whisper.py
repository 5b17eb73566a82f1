"""Transcription with faster-whisper, batched.

`Transcriber.transcribe()` takes samples and returns segments and words as DataFrames. Silero VAD (inside faster-whisper)
cuts the audio first, so that silence gives no words; word times come from whisper's own attention alignment. The language
is detected per video. Nothing here corrects the text.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from resources.gpu import COMPUTE_TYPES, Device, assert_placed
from resources.measurement import Execution
from resources.models import Model

SAMPLE_RATE = 16_000
BATCH_SIZE = {"cuda": 16, "cpu": 8}

SEGMENT_COLUMNS = ["segment_index", "start_s", "end_s", "text", "avg_logprob", "compression_ratio", "no_speech_prob"]
WORD_COLUMNS = ["word_index", "segment_index", "start_s", "end_s", "text", "probability"]


@dataclass(frozen=True)
class Transcript:
    """What was said. `language` is None where nothing was said; words keep whisper's leading spaces."""

    language: str | None
    language_probability: float
    segments: pd.DataFrame
    words: pd.DataFrame


class Transcriber:
    """A loaded whisper model, on the device that was asked for."""

    def __init__(self, model: Model, folder: Path, device: Device) -> None:
        from faster_whisper import BatchedInferencePipeline, WhisperModel

        self._whisper = WhisperModel(
            str(folder),
            device=device.kind,
            compute_type=COMPUTE_TYPES[device.kind],
            cpu_threads=len(os.sched_getaffinity(0)),
            local_files_only=True,
        )
        assert_placed(model.name, device.kind, self._whisper.model.device)
        self._pipeline = BatchedInferencePipeline(self._whisper)
        self.execution = Execution(
            device=self._whisper.model.device,
            device_name=device.name,
            model=model.name,
            model_revision=model.revision,
            compute_type=self._whisper.model.compute_type,
            batch_size=BATCH_SIZE[device.kind],
        )

    def transcribe(self, samples: np.ndarray, progress: Callable[[float], None] = lambda _: None) -> Transcript:
        """Transcribe float32 samples, mono, 16 kHz. `progress` is told the share done, 0 to 1."""
        found, information = self._pipeline.transcribe(
            samples, batch_size=self.execution.batch_size, word_timestamps=True, vad_filter=True
        )
        segments, words = [], []
        for index, segment in enumerate(found):
            segments.append(
                (
                    index,
                    segment.start,
                    segment.end,
                    segment.text,
                    segment.avg_logprob,
                    segment.compression_ratio,
                    segment.no_speech_prob,
                )
            )
            for word in segment.words or []:
                if not word.word.strip():
                    continue
                # The alignment now and then ends a word before it starts; time never runs backwards here.
                end = max(word.start, word.end)
                words.append((len(words), index, word.start, end, word.word, word.probability))
            progress(segment.end * SAMPLE_RATE / len(samples))
        return Transcript(
            language=information.language if segments else None,
            language_probability=information.language_probability if segments else 0.0,
            segments=pd.DataFrame(segments, columns=SEGMENT_COLUMNS),
            words=pd.DataFrame(words, columns=WORD_COLUMNS),
        )
