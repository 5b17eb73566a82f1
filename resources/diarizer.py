"""Diarization: who spoke when, with pyannote.audio's own SpeakerDiarization.

`Diarizer.diarize()` takes samples and returns turns (overlap kept) and exclusive turns (at most one speaker at a time, for
giving words to speakers). The pipeline is pyannote's; one method of it is replaced: stock `get_embeddings` runs the
speaker network once per window *and speaker* over the same samples, `OnePassDiarization` once per window with all the
speakers' masks pooled from it. The output is the same (tests/test_diarizer.py), the time about a third.

The waveform is handed over in memory: given a path, pyannote decodes again for every window.

The first step alone, the segmentation network over the whole audio, takes about a sixth of the time and tells where speech
is, and whether several speak within ten seconds of each other. `segment()` does it beforehand, for who can decide by that;
handed to `diarize()`, it is not computed again. `one_speaker()` ends the diarization there, as the pipeline does where its
clustering finds one speaker.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyannote.audio
import soundfile
import torch
from pyannote.audio.core.plda import PLDA
from pyannote.audio.pipelines import SpeakerDiarization
from pyannote.core import Annotation, SlidingWindowFeature

from resources.batching import fitting
from resources.campplus import load_campplus
from resources.decoding import SAMPLE_RATE
from resources.gpu import Device, assert_placed, execution_of
from resources.measurement import Execution, Tally
from resources.models import Model
from resources.voice_encoder import embed

BATCH_SIZE = {"cuda": 32, "cpu": 4}  # windows per call; beyond 4 two CPU cores gain nothing
BLOCK_WINDOWS = 300  # segmented at a time: 200 MB of samples, and a multiple of every batch
# Of the recording in pyannote.audio's own package: both speakers are heard, so that the clustering runs too.
WARM_UP_SPAN_S = (6, 17)

# Distances between CAM++ centroids below which two clusters are one speaker. Chosen on recordings of known speakers (one
# telephone call, two narrators, a dialogue, and these joined): the number of speakers came out right from 0.54 to 0.60 on
# all of them; the call's DER is 0.05 from 0.54 to 0.62, 0.28 at 0.52 (a speaker split), 0.44 at 0.64 (speakers merged).
CAMPPLUS_THRESHOLD = 0.57
# pyannote's published values for segmentation-3.0 with agglomerative clustering and for community-1.
CAMPPLUS_PARAMETERS = {
    "segmentation": {"min_duration_off": 0.0},
    "clustering": {"method": "centroid", "min_cluster_size": 12, "threshold": CAMPPLUS_THRESHOLD},
}
COMMUNITY_1_PARAMETERS = {
    "segmentation": {"min_duration_off": 0.0},
    "clustering": {"threshold": 0.6, "Fa": 0.07, "Fb": 0.8},
}

TURN_COLUMNS = ["turn_index", "start_s", "end_s", "local_speaker", "overlap"]
EXCLUSIVE_COLUMNS = ["turn_index", "start_s", "end_s", "local_speaker"]


@dataclass(frozen=True)
class Segmentation:
    """What the segmentation network heard, a window of 10 s each second: (windows, frames, speakers), 1.0 where one speaks."""

    windows: SlidingWindowFeature

    @property
    def second_speaker_s(self) -> np.ndarray:
        """Seconds that the second of each window's speakers speaks; 0 where there is one or none."""
        frames = np.sort(np.nansum(self.windows.data, axis=1), axis=1)
        return frames[:, -2] * self.windows.sliding_window.duration / self.windows.data.shape[1]


class NoPLDA(PLDA):
    """Stands where the pipeline's constructor would fetch a PLDA from the hub; agglomerative clustering uses none."""

    def __init__(self) -> None:
        pass


class OnePassDiarization(SpeakerDiarization):
    """pyannote's pipeline with the speaker network run once per window instead of once per window and speaker.

    Windows and calls of the speaker network are counted in `tally`.
    """

    tally = Tally()

    def get_segmentations(self, file: Any, hook: Callable[..., None] | None = None) -> SlidingWindowFeature:
        """As the stock method returns, unless the file brings them along under "segmentations".

        A block of windows at a time: the stock method copies all of them first, which takes 2.3 GB for an hour.
        """
        if "segmentations" in file:
            return file["segmentations"]
        waveform, slide = file["waveform"], self._segmentation
        window, step = (round(seconds * SAMPLE_RATE) for seconds in (slide.duration, slide.step))
        whole = max(1, (waveform.shape[1] - window) // step + 1)  # windows; a last one may reach beyond the end
        parts: list[SlidingWindowFeature] = []
        for first in range(0, whole, BLOCK_WINDOWS):
            last = first + BLOCK_WINDOWS
            end = (last - 1) * step + window if last < whole else None
            parts.append(super().get_segmentations({**file, "waveform": waveform[:, first * step : end]}, hook=hook))
        return SlidingWindowFeature(np.concatenate([part.data for part in parts]), parts[0].sliding_window)

    def one_speaker(self, segmentations: SlidingWindowFeature) -> Annotation:
        """What the pipeline gives from here on where all the windows' speakers end in one cluster."""
        count = self.speaker_count(segmentations, self._segmentation.model.receptive_field, warm_up=(0.0, 0.0))
        count.data = np.minimum(count.data, 1).astype(np.int8)
        if count.data.max() == 0:
            return Annotation()
        clusters = np.zeros((len(segmentations.data), segmentations.data.shape[2]), dtype=int)
        diarization = self.reconstruct(segmentations, clusters, count)
        annotation = self.to_annotation(diarization, min_duration_off=self.segmentation.min_duration_off)
        return annotation.rename_labels({0: "SPEAKER_00"})

    def get_embeddings(
        self,
        file: Any,
        binary_segmentations: SlidingWindowFeature,
        exclude_overlap: bool = False,
        hook: Callable[..., None] | None = None,
    ) -> np.ndarray:
        """(windows, speakers, dimension), as the stock method returns with `exclude_overlap` off."""
        if exclude_overlap:
            raise NotImplementedError("the masks of overlapped speech are not excluded in one pass")
        count, _, speakers = binary_segmentations.data.shape
        # One array from the start: a small one kept after each batch leaves holes in the heap that no batch fits in again,
        # 1.3 GB an hour.
        vectors = np.empty((count, speakers, self._embedding.dimension), np.float32)
        for first in range(0, count, self.embedding_batch_size):
            windows = [binary_segmentations[i] for i in range(first, min(first + self.embedding_batch_size, count))]
            vectors[first : first + len(windows)] = self._embed_windows(file, binary_segmentations, first, windows)
            if hook is not None:
                hook("embeddings", None, total=count, completed=first + len(windows))
        return vectors

    def _embed_windows(
        self, file: Any, segmentations: SlidingWindowFeature, first: int, windows: list[np.ndarray]
    ) -> np.ndarray:
        spans = [segmentations.sliding_window[first + i] for i in range(len(windows))]
        waveforms = torch.stack([self._audio.crop(file, span, mode="pad")[0] for span in spans])
        masks = torch.from_numpy(np.stack([np.nan_to_num(window).T for window in windows]).astype(np.float32))
        device = self._embedding.device
        self.tally.count(len(windows))
        with torch.inference_mode():
            vectors = _voice_model(self)(waveforms.to(device), weights=masks.to(device))
        return vectors.cpu().numpy()


class Diarizer:
    """A loaded diarization pipeline, on the device that was asked for."""

    def __init__(self, model: Model, voice: Model, folder: Path, voice_folder: Path, device: Device) -> None:
        self._pipeline = _pipeline(model, folder, voice_folder, BATCH_SIZE[device.kind])
        self._pipeline.to(torch.device(device.kind))
        self._description, self._device, self._dimension = model, device, voice.dimension
        assert_placed(model.name, device.kind, self.execution.device)
        assert_placed(voice.name, device.kind, next(_voice_model(self._pipeline).parameters()).device.type)
        self._warm_up()

    @property
    def execution(self) -> Execution:
        """Where and how the pipeline's networks run, read from the segmentation's parameters now."""
        segmentation: Any = self._pipeline._segmentation
        return execution_of(segmentation.model, self._description, self._device, BATCH_SIZE[self._device.kind])

    def _warm_up(self) -> None:
        """Diarize some speech: what is imported and compiled at first use took five seconds of a first video on two cores."""
        first, last = (seconds * SAMPLE_RATE for seconds in WARM_UP_SPAN_S)
        samples, _ = soundfile.read(Path(str(pyannote.audio.__file__)).parent / "sample" / "sample.wav", dtype="float32")
        self.diarize(samples[first:last])

    def diarize(
        self,
        samples: np.ndarray,
        progress: Callable[[float], None] = lambda _: None,
        tally: Tally | None = None,
        segmentation: Segmentation | None = None,
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Turns and exclusive turns of float32 samples, mono, 16 kHz.

        `progress` is told the share done, 0 to 1; windows and model calls are counted in `tally`. `segmentation` is that of
        these samples, where it is there already.
        """
        counted, file = tally or Tally(), _file(samples)
        if segmentation is not None:
            file["segmentations"] = segmentation.windows
        return fitting(lambda batch: self._diarize(file, progress, batch, counted), self.execution.batch_size, counted)

    def segment(self, samples: np.ndarray) -> Segmentation:
        """What the segmentation network hears in float32 samples, mono, 16 kHz."""

        def windows(batch_size: int) -> SlidingWindowFeature:
            self._pipeline.segmentation_batch_size = batch_size
            return self._pipeline.get_segmentations(_file(samples))

        return Segmentation(fitting(windows, self.execution.batch_size, Tally()))

    def one_speaker(self, segmentation: Segmentation, duration_s: float) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Turns and exclusive turns of audio in which one speaker is heard and no other: both the same, all SPEAKER_00's."""
        turns = _turns(self._pipeline.one_speaker(segmentation.windows), duration_s)
        return turns.assign(overlap=False)[TURN_COLUMNS], turns[EXCLUSIVE_COLUMNS]

    def voices(self, samples: np.ndarray, spans: Sequence[tuple[int, int]]) -> np.ndarray:
        """The vectors that VoiceEncoder gives these spans, from the same network, which is loaded here already."""
        network, tally = _voice_model(self._pipeline), Tally()
        return fitting(
            lambda batch: embed(network, samples, spans, self._dimension, batch, tally), self.execution.batch_size, tally
        )

    def _diarize(
        self, file: dict[str, Any], progress: Callable[[float], None], batch_size: int, tally: Tally
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        self._pipeline.tally = tally
        self._pipeline.segmentation_batch_size = self._pipeline.embedding_batch_size = batch_size

        def hook(step: str, _artifact: Any, total: int | None = None, completed: int = 0, **_: Any) -> None:
            if step == "embeddings" and total:
                progress(completed / total)

        output: Any = self._pipeline(file, hook=hook)
        duration = file["waveform"].shape[1] / SAMPLE_RATE
        turns = _turns(output.speaker_diarization, duration)
        turns["overlap"] = _overlaps(turns)
        exclusive = _turns(output.exclusive_speaker_diarization, duration)
        return turns[TURN_COLUMNS], exclusive[EXCLUSIVE_COLUMNS]


def _pipeline(model: Model, folder: Path, voice_folder: Path, batch_size: int) -> OnePassDiarization:
    from pyannote.audio import Model as PyannoteModel

    if model.repository:  # community-1 brings everything in subfolders of one repository
        pipeline = OnePassDiarization(
            segmentation=str(folder / "segmentation"),
            embedding=str(folder / "embedding"),
            plda=str(folder / "plda"),
            clustering="VBxClustering",
            segmentation_batch_size=batch_size,
            embedding_batch_size=batch_size,
        )
        pipeline.instantiate(COMMUNITY_1_PARAMETERS)
        return pipeline
    segmentation = PyannoteModel.from_pretrained(str(folder / "pytorch_model.bin"))
    assert segmentation is not None  # None is for a repository that could not be fetched; this is a file
    pipeline = OnePassDiarization(
        segmentation=segmentation,
        embedding=load_campplus(voice_folder),
        plda=NoPLDA(),
        clustering="AgglomerativeClustering",
        segmentation_batch_size=batch_size,
        embedding_batch_size=batch_size,
    )
    pipeline.instantiate(CAMPPLUS_PARAMETERS)
    return pipeline


def _voice_model(pipeline: SpeakerDiarization) -> torch.nn.Module:
    embedding: Any = pipeline._embedding  # pyannote wraps several kinds; ours are all its own models
    return embedding.model_


def _file(samples: np.ndarray) -> dict[str, Any]:
    """The audio as pyannote takes it."""
    return {"waveform": torch.from_numpy(samples)[None], "sample_rate": SAMPLE_RATE, "uri": "audio"}


def _turns(annotation: Annotation, duration: float) -> pd.DataFrame:
    """The annotation's tracks in order of time, cut to the audio: the last window reaches beyond its end."""
    tracks: Any = annotation.itertracks(yield_label=True)
    rows = [(max(0.0, segment.start), min(segment.end, duration), speaker) for segment, _, speaker in tracks]
    frame = pd.DataFrame(rows, columns=["start_s", "end_s", "local_speaker"])
    frame = frame[frame.end_s > frame.start_s].sort_values(["start_s", "end_s", "local_speaker"], ignore_index=True)
    frame.insert(0, "turn_index", range(len(frame)))
    return frame


def _overlaps(turns: pd.DataFrame) -> pd.Series:
    """Whether another turn speaks during this one. Turns come sorted by start."""
    ended_before = turns.end_s.cummax().shift(fill_value=-1.0)
    next_start = turns.start_s.shift(-1, fill_value=float("inf"))
    return (turns.start_s < ended_before) | (turns.end_s > next_start)
