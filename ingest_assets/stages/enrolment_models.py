"""The models that enrolments need, measured: the diarizer for a file's turns, the voice encoder for its vectors.

Each is loaded at its first use, so that a run with nothing to judge needs no device.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from earshot.common.audio import SAMPLE_RATE, SampleSpan
from earshot.models.cache import Models
from earshot.models.measurement import ExecutionInfo, Measurement
from ingest_assets.stages.model_loading import load_model
from resources.gpu import GpuResource


class EnrolmentModels:
    """Implements `VoiceModels`. `audio_s` sums the excerpts, `vectors` counts what was embedded."""

    def __init__(self, asset: str, measurement: Measurement, gpu: GpuResource, models: Models) -> None:
        self._asset, self._measurement, self._gpu, self._models = asset, measurement, gpu, models
        self._executions: dict[str, ExecutionInfo] = {}
        self._diarized: np.ndarray | None = None
        self.audio_s = 0.0
        self.vectors = 0

    def diarize(self, samples: np.ndarray) -> pd.DataFrame:
        """The turns of an excerpt (float32, mono, 16 kHz)."""
        diarizer = load_model(self._asset, self._measurement, self._gpu, self._models.diarizer)
        with self._measurement.computing():
            turns, _ = diarizer.diarize(samples, tally=self._measurement.tally)
        self._diarized = samples
        self.audio_s += len(samples) / SAMPLE_RATE
        self._executions["diarization"] = diarizer.execution
        return turns

    def encode(self, samples: np.ndarray, spans: Sequence[SampleSpan]) -> np.ndarray:
        """One vector (float32, unit length) per span of an excerpt."""
        encoder = load_model(self._asset, self._measurement, self._gpu, self._models.voice_encoder)
        with self._measurement.computing():
            vectors = encoder.encode(samples, spans, self._measurement.tally)
        if samples is not self._diarized:
            self.audio_s += len(samples) / SAMPLE_RATE
        self.vectors += len(vectors)
        self._executions["voice"] = encoder.execution
        return vectors

    @property
    def execution(self) -> ExecutionInfo | None:
        """What ran; None if nothing did. `model` names both models if both ran, so that files and videos have two baselines."""
        if not self._executions:
            return None
        ran = list(self._executions.values())
        elsewhere = [execution for execution in ran if execution.device != execution.device_asked]
        shown = (elsewhere or ran)[-1]
        names, revisions = " + ".join(one.model for one in ran), " + ".join(one.model_revision for one in ran)
        return replace(shown, model=names, model_revision=revisions)
