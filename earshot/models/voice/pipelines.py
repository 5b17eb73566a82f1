"""Faster versions of pyannote.audio's SpeakerDiarization, for earshot/models/voice/diarizer.py.

Stock `get_embeddings` runs the speaker network once per window *and speaker* over the same samples. `OnePassDiarization` runs
it once per window and pools it for all speakers, with the same output (tests/earshot/models/test_diarizer.py).
`SharedFramesDiarization` runs it once over the recording (earshot/models/voice/speaker_frames.py), which changes the output a
little. `load_pipeline()` uses the latter for the bundled models, where this was measured, with a window every two seconds
instead of every one (error rates and speeds: docs/measurements/performance.md). For community-1, which was not available during
development, it uses the former, whose output is pyannote's own.

Segmentation, speaker counting and clustering are pyannote's.
"""

from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pyannote.audio import Inference
from pyannote.audio import Model as PyannoteModel
from pyannote.audio.core.plda import PLDA
from pyannote.audio.pipelines import SpeakerDiarization
from pyannote.audio.pipelines.clustering import AgglomerativeClustering, VBxClustering
from pyannote.core import Annotation, Segment, SlidingWindow, SlidingWindowFeature
from pyannote.core.utils.generators import string_generator

from earshot.common.audio import SAMPLE_RATE
from earshot.models.measurement import CallCounter
from earshot.models.registry import Model
from earshot.models.voice.campplus import load_campplus
from earshot.models.voice.speaker_frames import window_frames

# All pairs of 8,000 vectors take 256 MB, for four hours of one voice; twelve hours would take 2.3 GB.
MAX_CLUSTERED = 8000
BLOCK_WINDOWS = 256  # windows segmented at a time: 160 MB of samples, and a multiple of every batch size

# From the start of one window to the next, as a share of a window of 10 s. pyannote's own is 0.1, kept unless another value was
# measured.
CAMPPLUS_STEP = 0.2
COMMUNITY_1_STEP = 0.1

# The distance between CAM++ centroids below which two clusters are one speaker. Chosen on 42 minutes in 27 recordings of known
# speakers (docs/measurements/performance.md): it gets the number of speakers right most often, with the least misattributed
# speech; on the telephone call, values up to 0.62 keep the two speakers apart.
CAMPPLUS_THRESHOLD = 0.60
# pyannote's published values for segmentation-3.0 with agglomerative clustering and for community-1. Its minimum cluster size
# of 12 windows is halved, because windows are twice as far apart here.
CAMPPLUS_PARAMETERS = {
    "segmentation": {"min_duration_off": 0.0},
    "clustering": {"method": "centroid", "min_cluster_size": 6, "threshold": CAMPPLUS_THRESHOLD},
}
COMMUNITY_1_PARAMETERS = {
    "segmentation": {"min_duration_off": 0.0},
    "clustering": {"threshold": 0.6, "Fa": 0.07, "Fb": 0.8},
}


class NoPLDA(PLDA):
    """A placeholder that keeps the pipeline's constructor from fetching a PLDA; agglomerative clustering uses none."""

    def __init__(self) -> None:
        pass


class BoundedClustering(AgglomerativeClustering):
    """pyannote's clustering, which compares all pairs, limited to MAX_CLUSTERED vectors spread over the recording.

    The others are assigned to the nearest centroid, as pyannote does with every vector after clustering.
    """

    def filter_embeddings(
        self, embeddings: np.ndarray, segmentations: SlidingWindowFeature | None = None, min_active_ratio: float = 0.2
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        usable, windows, speakers = super().filter_embeddings(embeddings, segmentations, min_active_ratio)
        if len(usable) <= MAX_CLUSTERED:
            return usable, windows, speakers
        chosen = np.linspace(0, len(usable) - 1, MAX_CLUSTERED).round().astype(int)
        return usable[chosen], windows[chosen], speakers[chosen]

    def cluster(
        self,
        embeddings: np.ndarray,
        min_clusters: int | None = None,
        max_clusters: int | None = None,
        num_clusters: int | None = None,
    ) -> np.ndarray:
        """pyannote's, allowing smaller clusters if it finds fewer than the user asked for."""
        usual: int = self.min_cluster_size
        try:
            while True:
                with redirect_stdout(StringIO()):  # pyannote prints that it found fewer
                    clusters = super().cluster(embeddings, min_clusters, max_clusters, num_clusters)
                if len(np.unique(clusters)) >= (num_clusters or min_clusters or 1) or self.min_cluster_size == 1:
                    return clusters
                self.min_cluster_size = max(1, self.min_cluster_size // 2)
        finally:
            self.min_cluster_size = usual


class CappedVBxClustering(VBxClustering):
    """pyannote's clustering of community-1, which fails if it is asked for more speakers than there are vectors."""

    def __call__(
        self,
        embeddings: np.ndarray,
        segmentations: SlidingWindowFeature | None = None,
        num_clusters: int | None = None,
        min_clusters: int | None = None,
        max_clusters: int | None = None,
        **others: Any,
    ) -> Any:
        usable = max(1, len(self.filter_embeddings(embeddings, segmentations)[0]))
        bounds = (None if asked is None else min(asked, usable) for asked in (num_clusters, min_clusters, max_clusters))
        return super().__call__(embeddings, segmentations, *bounds, **others)


class OnePassDiarization(SpeakerDiarization):
    """pyannote's pipeline, running the speaker network once per window instead of once per window and speaker.

    `tally` counts the speaker network's windows and calls.
    """

    tally = CallCounter()

    def get_segmentations(self, file: Any, hook: Callable[..., None] | None = None) -> SlidingWindowFeature:
        """Same result as the stock method, or the file's own "segmentations", if given.

        Works on one block of windows at a time: the stock method first copies all of them, 2.3 GB for an hour.
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
        """The pipeline's result if its clustering puts all speakers of all windows into one cluster."""
        count = self.speaker_count(segmentations, self._segmentation.model.receptive_field, warm_up=(0.0, 0.0))
        count.data = np.minimum(count.data, 1).astype(np.int8)
        if count.data.max() == 0:
            return Annotation()
        clusters = np.zeros((len(segmentations.data), segmentations.data.shape[2]), dtype=int)
        diarization = self.reconstruct(segmentations, clusters, count)
        annotation = self.to_annotation(diarization, min_duration_off=self.segmentation.min_duration_off)
        return annotation.rename_labels({0: "SPEAKER_00"})

    @staticmethod
    def to_diarization(segmentations: SlidingWindowFeature, count: SlidingWindowFeature) -> SlidingWindowFeature:
        """Same result as the stock method, (frames, speakers) of 0 and 1, without its loop over frames.

        `segmentations` is (windows, frames, speakers), `count` (frames, 1) the number of active speakers.
        """
        summed: Any = Inference.aggregate(segmentations, count.sliding_window, missing=0.0, skip_average=True)
        lacking = max(0, int(np.max(count.data)) - summed.data.shape[1])  # if more speak at once than there are clusters
        activity: Any = SlidingWindowFeature(np.pad(summed.data, ((0, 0), (0, lacking))), summed.sliding_window)
        extent = activity.extent & count.extent
        activity, speaking = activity.crop(extent, return_data=False), np.asarray(count.crop(extent))
        loudest_first = np.argsort(-activity.data, axis=-1)
        chosen, binary = np.zeros_like(activity.data), np.zeros_like(activity.data)
        frames = min(len(chosen), len(speaking))
        chosen[:frames] = np.arange(chosen.shape[1]) < speaking[:frames]
        np.put_along_axis(binary, loudest_first, chosen, axis=1)
        return SlidingWindowFeature(binary, activity.sliding_window)

    @staticmethod
    def to_annotation(
        discrete_diarization: SlidingWindowFeature, min_duration_on: float = 0.0, min_duration_off: float = 0.0
    ) -> Annotation:
        """Same result as the stock method, from (frames, speakers) of 0 and 1, without its loop over frames.

        Minimum durations are not supported: no pipeline here has one.
        """
        if min_duration_on or min_duration_off:
            raise NotImplementedError("minimum durations of speech and pauses are not supported")
        active, window = np.asarray(discrete_diarization.data) > 0.5, discrete_diarization.sliding_window
        starts = window.start + np.arange(len(active)) * window.step
        middles = (0.5 * (starts + (starts + window.duration))).tolist()
        annotation, tracks = Annotation(), string_generator()
        for speaker, (speaks, track) in enumerate(zip(active.T, tracks, strict=False)):
            changes = np.flatnonzero(np.diff(speaks.astype(np.int8), prepend=0, append=0))
            for first, last in changes.reshape(-1, 2):
                end = min(last, len(middles) - 1)  # like stock pyannote, which gives the last frame no length
                annotation[Segment(middles[first], middles[end]), track] = speaker
        return annotation

    def get_embeddings(
        self,
        file: Any,
        binary_segmentations: SlidingWindowFeature,
        exclude_overlap: bool = False,
        hook: Callable[..., None] | None = None,
    ) -> np.ndarray:
        """Same result as the stock method without `exclude_overlap`: (windows, speakers, dimension)."""
        if exclude_overlap:
            raise NotImplementedError("excluding overlapped speech is not supported")
        masks = np.nan_to_num(binary_segmentations.data).astype(np.float32).transpose(0, 2, 1)
        count, speakers, _ = masks.shape
        # Allocated at once: a small array kept from each batch would fragment the heap, by 1.3 GB an hour.
        vectors = np.empty((count, speakers, self._embedding.dimension), np.float32)
        network, device = voice_network(self), self._embedding.device
        with torch.inference_mode():
            frames = self._window_frames(file, binary_segmentations.sliding_window, count)
            for first in range(0, count, self.embedding_batch_size):
                batch = torch.stack(list(islice(frames, self.embedding_batch_size)))
                last = first + len(batch)
                self.tally.count(len(batch))
                weights = torch.from_numpy(masks[first:last]).to(device)
                vectors[first:last] = network.forward_embedding(batch, weights).cpu().numpy()
                if hook is not None:
                    hook("embeddings", None, total=count, completed=last)
        return vectors

    def _window_frames(self, file: Any, windows: SlidingWindow, count: int) -> Iterator[torch.Tensor]:
        """The speaker network's frames of each window, computed separately for each."""
        network, device = voice_network(self), self._embedding.device
        for first in range(0, count, self.embedding_batch_size):
            spans = [windows[index] for index in range(first, min(first + self.embedding_batch_size, count))]
            waveforms = torch.stack([self._audio.crop(file, span, mode="pad")[0] for span in spans])
            yield from network.forward_frames(waveforms.to(device))


class SharedFramesDiarization(OnePassDiarization):
    """OnePassDiarization, running the speaker network only once over the recording (earshot/models/voice/speaker_frames.py)."""

    def _window_frames(self, file: Any, windows: SlidingWindow, count: int) -> Iterator[torch.Tensor]:
        network, device = voice_network(self), self._embedding.device
        starts = [round(windows[index].start * SAMPLE_RATE) for index in range(count)]
        length = round(windows.duration * SAMPLE_RATE)
        return window_frames(network.forward_frames, file["waveform"].to(device), starts, length, self.embedding_batch_size)


def load_pipeline(model: Model, folder: Path, voice_folder: Path, batch_size: int) -> OnePassDiarization:
    """The pipeline of this diarization model, on the CPU, from verified folders (earshot/models/files.py)."""
    if model.repository:  # community-1 has everything in subfolders of one repository
        pipeline = OnePassDiarization(
            segmentation=str(folder / "segmentation"),
            segmentation_step=COMMUNITY_1_STEP,
            embedding=str(folder / "embedding"),
            plda=str(folder / "plda"),
            clustering="VBxClustering",
            segmentation_batch_size=batch_size,
            embedding_batch_size=batch_size,
        )
        assert pipeline._plda is not None  # it was named above
        pipeline.clustering = CappedVBxClustering(pipeline._plda, metric=pipeline._embedding.metric)
        pipeline.instantiate(COMMUNITY_1_PARAMETERS)
        return pipeline
    segmentation = PyannoteModel.from_pretrained(str(folder / "pytorch_model.bin"))
    assert segmentation is not None  # None means a failed download; this is a file
    pipeline = SharedFramesDiarization(
        segmentation=segmentation,
        segmentation_step=CAMPPLUS_STEP,
        embedding=load_campplus(voice_folder),
        plda=NoPLDA(),
        clustering="AgglomerativeClustering",
        segmentation_batch_size=batch_size,
        embedding_batch_size=batch_size,
    )
    pipeline.clustering = BoundedClustering(metric=pipeline._embedding.metric)
    pipeline.instantiate(CAMPPLUS_PARAMETERS)
    return pipeline


def voice_network(pipeline: SpeakerDiarization) -> Any:
    """The pipeline's speaker network: a pyannote model with `forward_frames` and `forward_embedding`."""
    embedding: Any = pipeline._embedding  # pyannote wraps several kinds; here it is always a pyannote model
    return embedding.model_
