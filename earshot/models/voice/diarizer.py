"""Diarization: finds who spoke when, with pyannote.audio's SpeakerDiarization.

`Diarizer.diarize()` takes samples and returns turns (with overlap) and exclusive turns (at most one speaker at a time, for
attributing words). The pipeline is pyannote's with its slowest step replaced (earshot/models/voice/pipelines.py). The waveform
is passed in memory: given a path, pyannote would decode it again for every window.

The first step, the segmentation network, takes about half of the time. It shows where speech is, and whether several people
speak within ten seconds of each other. Callers for which that is enough call `segment()` first and pass its result to
`diarize()`, which then does not compute it again. From that result, `one_speaker()` makes the turns that the pipeline would
return if its clustering found a single speaker.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyannote.audio
import soundfile
import torch
from pyannote.core import Annotation, SlidingWindowFeature

from earshot.common.audio import SAMPLE_RATE
from earshot.config.hints import ANY_NUMBER
from earshot.models.device import Device, assert_placed, execution_of_network
from earshot.models.measurement import CallCounter, ExecutionInfo
from earshot.models.oom_batching import with_oom_fallback
from earshot.models.registry import Model
from earshot.models.voice.pipelines import load_pipeline, voice_network
from earshot.models.voice.voice_encoder import embed

BATCH_SIZE = {"cuda": 128, "cpu": 4}  # windows per call; beyond 4 two CPU cores gain nothing
# Of the recording in pyannote.audio's package: it has both speakers, so that the clustering runs too.
WARM_UP_SPAN_S = (6, 17)

TURN_COLUMNS = ["turn_index", "start_s", "end_s", "local_speaker", "overlap"]
EXCLUSIVE_COLUMNS = ["turn_index", "start_s", "end_s", "local_speaker"]


@dataclass(frozen=True)
class Segmentation:
    """The segmentation network's output in windows of 10 s: (windows, frames, speakers), 1.0 where a speaker is active."""

    windows: SlidingWindowFeature

    @property
    def step_s(self) -> float:
        """Seconds from the start of one window to the next."""
        return self.windows.sliding_window.step

    @property
    def second_speaker_s(self) -> np.ndarray:
        """Seconds of speech of each window's second most active speaker; 0 if there are fewer than two."""
        frames = np.sort(np.nansum(self.windows.data, axis=1), axis=1)
        return frames[:, -2] * self.windows.sliding_window.duration / self.windows.data.shape[1]


class Diarizer:
    """A loaded diarization pipeline, on the requested device."""

    def __init__(self, model: Model, voice: Model, folder: Path, voice_folder: Path, device: Device) -> None:
        self._pipeline = load_pipeline(model, folder, voice_folder, BATCH_SIZE[device.kind])
        self._pipeline.to(torch.device(device.kind))
        self._description, self._device, self._dimension = model, device, voice.dimension
        assert_placed(model.name, device.kind, self.execution.device)
        assert_placed(voice.name, device.kind, next(voice_network(self._pipeline).parameters()).device.type)
        self._warm_up()

    @property
    def execution(self) -> ExecutionInfo:
        """Where and how the pipeline's networks run, read from the segmentation network's parameters."""
        segmentation: Any = self._pipeline._segmentation
        return execution_of_network(segmentation.model, self._description, self._device, BATCH_SIZE[self._device.kind])

    def _warm_up(self) -> None:
        """Diarize some speech: imports and compilation at first use took five seconds of the first video on two cores."""
        first, last = (seconds * SAMPLE_RATE for seconds in WARM_UP_SPAN_S)
        samples, _ = soundfile.read(Path(str(pyannote.audio.__file__)).parent / "sample" / "sample.wav", dtype="float32")
        self.diarize(samples[first:last])

    def diarize(
        self,
        samples: np.ndarray,
        progress: Callable[[float], None] = lambda _: None,
        tally: CallCounter | None = None,
        segmentation: Segmentation | None = None,
        speakers: tuple[int, int | None] = ANY_NUMBER,
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Turns and exclusive turns of float32 samples, mono, 16 kHz.

        `progress` receives the share done, 0 to 1; `tally` counts windows and model calls. `segmentation` is the samples' own,
        if already computed. `speakers`: the least and the most to find, None: any number.
        """
        counted, file = tally or CallCounter(), _file(samples)
        if segmentation is not None:
            file["segmentations"] = segmentation.windows
        return with_oom_fallback(
            lambda batch: self._diarize(file, progress, batch, counted, speakers), self.execution.batch_size, counted
        )

    def segment(self, samples: np.ndarray) -> Segmentation:
        """The segmentation of float32 samples, mono, 16 kHz."""

        def windows(batch_size: int) -> SlidingWindowFeature:
            self._pipeline.segmentation_batch_size = batch_size
            with _tensor_float_kept():
                return self._pipeline.get_segmentations(_file(samples))

        return Segmentation(with_oom_fallback(windows, self.execution.batch_size, CallCounter()))

    def one_speaker(self, segmentation: Segmentation, duration_s: float) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Turns and exclusive turns of audio with a single speaker: both the same, all of SPEAKER_00."""
        turns = _turns(self._pipeline.one_speaker(segmentation.windows), duration_s)
        return turns.assign(overlap=False)[TURN_COLUMNS], turns[EXCLUSIVE_COLUMNS]

    def voices(self, samples: np.ndarray, spans: Sequence[tuple[int, int]]) -> np.ndarray:
        """The same vectors for these spans as VoiceEncoder's, from the pipeline's own copy of the network."""
        network, tally = voice_network(self._pipeline), CallCounter()
        return with_oom_fallback(
            lambda batch: embed(network, samples, spans, self._dimension, batch, tally), self.execution.batch_size, tally
        )

    def _diarize(
        self,
        file: dict[str, Any],
        progress: Callable[[float], None],
        batch_size: int,
        tally: CallCounter,
        speakers: tuple[int, int | None],
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        self._pipeline.tally = tally
        self._pipeline.segmentation_batch_size = self._pipeline.embedding_batch_size = batch_size

        def hook(step: str, _artifact: Any, total: int | None = None, completed: int = 0, **_: Any) -> None:
            if step == "embeddings" and total:
                progress(completed / total)

        with _tensor_float_kept():
            output: Any = self._pipeline(file, hook=hook, min_speakers=speakers[0], max_speakers=speakers[1])
        duration = file["waveform"].shape[1] / SAMPLE_RATE
        turns = _turns(output.speaker_diarization, duration)
        turns["overlap"] = _overlaps(turns)
        exclusive = _turns(output.exclusive_speaker_diarization, duration)
        return turns[TURN_COLUMNS], exclusive[EXCLUSIVE_COLUMNS]


@contextmanager
def _tensor_float_kept() -> Iterator[None]:
    """Restore TF32 after the block: pyannote turns it off for its networks' accuracy (its issue 1370), but process-wide."""
    matmul: Any = torch.backends.cuda.matmul
    cudnn: Any = torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def _file(samples: np.ndarray) -> dict[str, Any]:
    """The audio as pyannote's pipelines expect it."""
    return {"waveform": torch.from_numpy(samples)[None], "sample_rate": SAMPLE_RATE, "uri": "audio"}


def _turns(annotation: Annotation, duration: float) -> pd.DataFrame:
    """The annotation's tracks in order of time, clipped to the audio, since the last window extends beyond its end."""
    tracks: Any = annotation.itertracks(yield_label=True)
    rows = [(max(0.0, segment.start), min(segment.end, duration), speaker) for segment, _, speaker in tracks]
    frame = pd.DataFrame(rows, columns=["start_s", "end_s", "local_speaker"])
    frame = frame[frame.end_s > frame.start_s].sort_values(["start_s", "end_s", "local_speaker"], ignore_index=True)
    frame.insert(0, "turn_index", range(len(frame)))
    return frame


def _overlaps(turns: pd.DataFrame) -> pd.Series:
    """Whether each turn overlaps another one. Turns must be sorted by start."""
    ended_before = turns.end_s.cummax().shift(fill_value=-1.0)
    next_start = turns.start_s.shift(-1, fill_value=float("inf"))
    return (turns.start_s < ended_before) | (turns.end_s > next_start)
