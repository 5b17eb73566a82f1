"""Transcription with faster-whisper, in batches.

`Transcriber.transcribe()` takes samples and returns segments and words as DataFrames. faster-whisper's Silero VAD first cuts
the audio, so that silence yields no words; word times come from whisper's attention alignment. The language is detected per
video, among those that the hints allow. The hints' prompt and vocabulary precede the speech of each window. Weak windows are
read again (second_look.py). The text is not corrected.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from earshot.common.audio import SAMPLE_RATE
from earshot.config.hints import Hints
from earshot.models.device import COMPUTE_TYPES, Device, assert_compute_type, assert_placed, compute_threads, execution_info
from earshot.models.measurement import CallCounter, ExecutionInfo
from earshot.models.oom_batching import spread_sizes, with_oom_fallback
from earshot.models.registry import Model
from earshot.models.speech.batched_pipeline import SILENCE, BatchedPipeline, EncodedWhisper, SecondLook
from earshot.models.speech.halved_whisper import HalvedWhisper
from earshot.models.speech.prompting import Prompt, fit_prompt
from earshot.models.speech.speech_detection import spread_over_cores

BATCH_SIZE = {"cuda": 32, "cpu": 8}

SEGMENT_COLUMNS = ["segment_index", "start_s", "end_s", "text", "avg_logprob", "compression_ratio", "no_speech_prob"]
WORD_COLUMNS = ["word_index", "segment_index", "start_s", "end_s", "text", "probability"]


@dataclass(frozen=True)
class Transcription:
    """The transcript of one video. `language` is None if nothing was said; words keep whisper's leading spaces.

    `speech_s`: the seconds in which the voice activity detector heard speech. `heard_language`: what the model takes the
    language for, with its probability; it may differ from a `language` that was asked for. `prompt`: what whisper was
    given of the hints. `second_look`: the windows that were read again.
    """

    language: str | None
    language_probability: float
    heard_language: tuple[str | None, float]
    speech_s: float
    segments: pd.DataFrame
    words: pd.DataFrame
    prompt: Prompt
    second_look: SecondLook


class Transcriber:
    """A loaded whisper model, on the requested device."""

    def __init__(self, model: Model, folder: Path, device: Device) -> None:
        whisper = HalvedWhisper if device.kind == "cpu" and compute_threads() > 1 else EncodedWhisper
        self._whisper = whisper(
            str(folder),
            device=device.kind,
            compute_type=COMPUTE_TYPES[device.kind],
            cpu_threads=compute_threads(),
            local_files_only=True,
        )
        self._description, self._device = model, device
        assert_placed(model.name, device.kind, self.execution.device)
        assert_compute_type(model.name, COMPUTE_TYPES[device.kind], self.execution.compute_type)
        self._pipeline = BatchedPipeline(self._whisper)
        if device.kind == "cuda":
            from earshot.models.speech.log_mel import GpuLogMel  # imports torch

            self._whisper.feature_extractor = GpuLogMel(self._whisper.feature_extractor, device.kind)
            with_oom_fallback(self._warm_up, BATCH_SIZE[device.kind], CallCounter())

    def _warm_up(self, most: int) -> None:
        """Transcribe noise in batches up to `most`, without VAD, which would find no speech in it.

        A GPU loads different kernels for each batch size at first use: 1.2 s that would count for the first video. A CPU has
        nothing to load.
        """
        noise = np.random.default_rng(0).normal(0.0, 0.1, SAMPLE_RATE).astype(np.float32)
        for windows in spread_sizes(most):
            clips = [{"start": 0, "end": 1}] * windows
            list(self._pipeline.transcribe(noise, vad_filter=False, clip_timestamps=clips, batch_size=windows)[0])

    @property
    def execution(self) -> ExecutionInfo:
        """Where and how the model runs, according to ctranslate2."""
        network = self._whisper.model
        batch_size = BATCH_SIZE[self._device.kind]
        return execution_info(network.device, network.compute_type, self._description, self._device, batch_size)

    def transcribe(
        self,
        samples: np.ndarray,
        progress: Callable[[float], None] = lambda _: None,
        tally: CallCounter | None = None,
        language: str | None = None,
        hints: Hints | None = None,
    ) -> Transcription:
        """Transcribe float32 samples, mono, 16 kHz, in this language (whisper's code) or the detected one.

        `progress` receives the share done, 0 to 1; `tally` counts windows and model calls. `hints` has languages to choose
        among, which replace `language`, a prompt, and a vocabulary, the most useful words first.
        """
        counted = tally or CallCounter()
        known = hints or Hints()
        prompt = self._fit_prompt(known)
        languages = known.languages or ((language,) if language else ())
        return with_oom_fallback(
            lambda batch: self._transcribe(samples, progress, batch, counted, languages, prompt),
            self.execution.batch_size,
            counted,
        )

    def _fit_prompt(self, hints: Hints) -> Prompt:
        tokenizer: Any = self._whisper.hf_tokenizer

        def encode(text: str) -> list[int]:
            return tokenizer.encode(text, add_special_tokens=False).ids

        return fit_prompt(hints.prompt or "", hints.vocabulary or (), encode, tokenizer.token_to_id("<|endoftext|>"))

    def _transcribe(
        self,
        samples: np.ndarray,
        progress: Callable[[float], None],
        batch_size: int,
        tally: CallCounter,
        languages: Collection[str],
        prompt: Prompt,
    ) -> Transcription:
        with spread_over_cores():
            transcribed, speech_s = self._pipeline.begin(samples, batch_size, tally, languages, prompt)
        segments, words = [], []
        for segment in transcribed:
            if not segment.text.strip():  # no one speaks
                continue
            index = len(segments)
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
                # The alignment sometimes ends a word before its start.
                end = max(word.start, word.end)
                words.append((len(words), index, word.start, end, word.word, word.probability))
            progress(segment.end * SAMPLE_RATE / len(samples))
        chosen, heard = (self._pipeline.chosen, self._pipeline.heard) if segments else (SILENCE, SILENCE)
        return Transcription(
            language=chosen[0],
            language_probability=chosen[1],
            heard_language=heard,
            speech_s=speech_s,
            segments=pd.DataFrame(segments, columns=SEGMENT_COLUMNS),
            words=pd.DataFrame(words, columns=WORD_COLUMNS),
            prompt=replace(prompt, windows=self._pipeline.prompted, not_followed=self._pipeline.not_followed),
            second_look=self._pipeline.second_look,
        )
