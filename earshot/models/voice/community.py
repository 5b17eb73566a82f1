"""Diarization of set `large`: community-1, by pyannote.audio's own SpeakerDiarization, which knows how to cluster its vectors.

Two steps are replaced. The segmentation is `Diarizer`'s. And stock `get_embeddings` runs the speaker network once per window
*and speaker* over the same samples; `OnePassDiarization` runs it once per window and pools it for all speakers, with the same
output (tests/earshot/models/voice/test_diarizer.py). Shared frames (speaker_frames.py), which change the output a little, were
not measured with community-1, which was not available during development.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pyannote.audio import Inference
from pyannote.audio.pipelines import SpeakerDiarization
from pyannote.audio.pipelines.clustering import VBxClustering
from pyannote.core import Annotation, Segment, SlidingWindow, SlidingWindowFeature
from pyannote.core.utils.generators import string_generator

from earshot.common.audio import SAMPLE_RATE
from earshot.models.device import Device
from earshot.models.measurement import CallCounter
from earshot.models.networks.torch_networks import TorchSegmentation, TorchSpeaker
from earshot.models.registry import Model
from earshot.models.voice.diarizer import BATCH_SIZE, Diarizer
from earshot.models.voice.reconstruction import Span, loudest, runs
from earshot.models.voice.segmentation import Segmentation

# pyannote's published values.
PARAMETERS = {
    "segmentation": {"min_duration_off": 0.0},
    "clustering": {"threshold": 0.6, "Fa": 0.07, "Fb": 0.8},
}


class CommunityDiarizer(Diarizer):
    """A Diarizer that leaves what follows the segmentation to pyannote."""

    step_s = 1.0  # pyannote's own, kept because no other was measured

    def __init__(self, model: Model, voice: Model, folder: Path, device: Device) -> None:
        self._pipeline = _load(folder, BATCH_SIZE[device.kind])
        self._pipeline.to(torch.device(device.kind))
        segmentation: Any = self._pipeline._segmentation
        super().__init__(
            model,
            TorchSegmentation(segmentation.model, device.kind),
            voice,
            TorchSpeaker(voice_network(self._pipeline), device.kind),
            device,
        )

    def _spans(
        self,
        samples: np.ndarray,
        segmentation: Segmentation,
        progress: Callable[[float], None],
        batch_size: int,
        tally: CallCounter,
        speakers: tuple[int, int | None],
    ) -> tuple[list[Span], list[Span]]:
        self._pipeline.tally, self._pipeline.embedding_batch_size = tally, batch_size
        windows = SlidingWindow(start=0.0, duration=segmentation.window_s, step=segmentation.step_s)

        def hook(step: str, _artifact: Any, total: int | None = None, completed: int = 0, **_: Any) -> None:
            if step == "embeddings" and total:
                progress(completed / total)

        file = {
            "waveform": torch.from_numpy(samples)[None],
            "sample_rate": SAMPLE_RATE,
            "uri": "audio",
            "segmentations": SlidingWindowFeature(segmentation.active, windows),
        }
        output: Any = self._pipeline(file, hook=hook, min_speakers=speakers[0], max_speakers=speakers[1])
        return _tracks(output.speaker_diarization), _tracks(output.exclusive_speaker_diarization)


def _tracks(annotation: Annotation) -> list[Span]:
    tracks: Any = annotation.itertracks(yield_label=True)
    return [(segment.start, segment.end, speaker) for segment, _, speaker in tracks]


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
        """The file's own "segmentations", if given."""
        return file["segmentations"] if "segmentations" in file else super().get_segmentations(file, hook=hook)

    @staticmethod
    def to_diarization(segmentations: SlidingWindowFeature, count: SlidingWindowFeature) -> SlidingWindowFeature:
        """Same result as the stock method, (frames, speakers) of 0 and 1, without its loop over frames.

        `segmentations` is (windows, frames, speakers), `count` (frames, 1) the number of active speakers.
        """
        summed: Any = Inference.aggregate(segmentations, count.sliding_window, missing=0.0, skip_average=True)
        lacking = max(0, int(np.max(count.data)) - summed.data.shape[1])  # if more speak at once than there are clusters
        activity: Any = SlidingWindowFeature(np.pad(summed.data, ((0, 0), (0, lacking))), summed.sliding_window)
        extent = activity.extent & count.extent
        activity = activity.crop(extent, return_data=False)
        return SlidingWindowFeature(loudest(activity.data, np.asarray(count.crop(extent))[:, 0]), activity.sliding_window)

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
            for first, last in runs(speaks):
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
        network, device, windows = voice_network(self), self._embedding.device, binary_segmentations.sliding_window
        with torch.inference_mode():
            for first in range(0, count, self.embedding_batch_size):
                last = min(first + self.embedding_batch_size, count)
                self.tally.count(last - first)
                crops = [self._audio.crop(file, windows[index], mode="pad")[0] for index in range(first, last)]
                frames = network.forward_frames(torch.stack(crops).to(device))
                weights = torch.from_numpy(masks[first:last]).to(device)
                vectors[first:last] = network.forward_embedding(frames, weights).cpu().numpy()
                if hook is not None:
                    hook("embeddings", None, total=count, completed=last)
        return vectors


def _load(folder: Path, batch_size: int) -> OnePassDiarization:
    """The pipeline of community-1, on the CPU, from its verified folder: it has everything in subfolders."""
    pipeline = OnePassDiarization(
        segmentation=str(folder / "segmentation"),
        embedding=str(folder / "embedding"),
        plda=str(folder / "plda"),
        clustering="VBxClustering",
        segmentation_batch_size=batch_size,
        embedding_batch_size=batch_size,
    )
    assert pipeline._plda is not None  # it was named above
    pipeline.clustering = CappedVBxClustering(pipeline._plda, metric=pipeline._embedding.metric)
    pipeline.instantiate(PARAMETERS)
    return pipeline


def voice_network(pipeline: SpeakerDiarization) -> Any:
    """The pipeline's speaker network: a pyannote model with `forward_frames` and `forward_embedding`."""
    embedding: Any = pipeline._embedding  # pyannote wraps several kinds; here it is always a pyannote model
    return embedding.model_
