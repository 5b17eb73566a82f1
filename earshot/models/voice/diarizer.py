"""Diarization: finds who spoke when.

`Diarizer.diarize()` takes samples and returns turns (with overlap) and exclusive turns (at most one speaker at a time, for
attributing words). The steps are those of pyannote.audio's SpeakerDiarization, with its results, and its slowest step replaced
(speaker_frames.py): a network tells who speaks in windows of ten seconds (segmentation.py), another makes a vector of each
speaker in each window, vectors are clustered (clustering.py), and turns made of it all (reconstruction.py). Unlike pyannote's,
a recording is grouped anew by shorter spans if two voices are heard in one of the speakers found (regrouping.py).

The first step takes about half of the time. It shows where speech is, and whether several people speak within ten seconds of
each other. Callers for which that is enough call `segment()` first and pass its result to `diarize()`, which then does not
compute it again. From that result, `one_speaker()` makes the turns that the clustering would lead to if it found a single
speaker.
"""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from earshot.common.audio import SAMPLE_RATE
from earshot.config.hints import ANY_NUMBER
from earshot.models.device import Device, assert_placed, execution_info
from earshot.models.measurement import CallCounter, ExecutionInfo
from earshot.models.networks.interface import SegmentationNetwork, SpeakerNetwork
from earshot.models.oom_batching import with_oom_fallback
from earshot.models.registry import Model
from earshot.models.voice.clustering import cluster
from earshot.models.voice.reconstruction import Span, cluster_activity, turns, turns_of_stretches
from earshot.models.voice.regrouping import regrouped
from earshot.models.voice.segmentation import Segmentation
from earshot.models.voice.speaker_frames import padded, window_frames
from earshot.models.voice.stretches import masks, stretches
from earshot.models.voice.stretches import seconds as stretch_seconds
from earshot.models.voice.voice_encoder import embed

BATCH_SIZE = {"cuda": 128, "cpu": 4}  # windows per call; beyond 4 two CPU cores gain nothing
# Of the recording in pyannote.audio's package: it has both speakers, so that the clustering runs too.
WARM_UP_SPAN_S = (6, 17)

TURN_COLUMNS = ["turn_index", "start_s", "end_s", "local_speaker", "overlap"]
EXCLUSIVE_COLUMNS = ["turn_index", "start_s", "end_s", "local_speaker"]


class Diarizer:
    """Loaded networks of a diarization, on the requested device."""

    step_s = 2.0  # from the start of one window to the next; pyannote's own is 1.0 (docs/measurements/performance.md)

    def __init__(
        self, model: Model, segmentation: SegmentationNetwork, voice: Model, speaker: SpeakerNetwork, device: Device
    ) -> None:
        self._segmentation, self._speaker = segmentation, speaker
        self._description, self._device, self._dimension = model, device, voice.dimension
        assert_placed(model.name, device.kind, segmentation.device)
        assert_placed(voice.name, device.kind, speaker.device)
        if device.kind == "cuda":
            self._warm_up()

    @property
    def execution(self) -> ExecutionInfo:
        """Where and how the networks run, read from the segmentation network."""
        network, planned = self._segmentation, BATCH_SIZE[self._device.kind]
        return execution_info(network.device, network.compute_type, self._description, self._device, planned)

    def _warm_up(self) -> None:
        """Diarize some speech: a GPU loads kernels at first use."""
        first, last = (seconds * SAMPLE_RATE for seconds in WARM_UP_SPAN_S)
        spec = find_spec("pyannote.audio")
        assert spec is not None
        samples, _ = soundfile.read(Path(str(spec.origin)).parent / "sample" / "sample.wav", dtype="float32")
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
        counted = tally or CallCounter()

        def spans(batch_size: int) -> tuple[list[Span], list[Span]]:
            with self._segmentation.exact():
                known = segmentation or self._segment(samples, batch_size)
                return self._spans(samples, known, progress, batch_size, counted, speakers)

        together, alone = with_oom_fallback(spans, self.execution.batch_size, counted)
        duration_s = len(samples) / SAMPLE_RATE
        found = _table(together, duration_s)
        return found.assign(overlap=_overlaps(found))[TURN_COLUMNS], _table(alone, duration_s)[EXCLUSIVE_COLUMNS]

    def segment(self, samples: np.ndarray) -> Segmentation:
        """The segmentation of float32 samples, mono, 16 kHz."""
        with self._segmentation.exact():
            return with_oom_fallback(lambda batch: self._segment(samples, batch), self.execution.batch_size, CallCounter())

    def _segment(self, samples: np.ndarray, batch_size: int) -> Segmentation:
        network = self._segmentation
        window, step = round(network.window_s * SAMPLE_RATE), round(self.step_s * SAMPLE_RATE)
        starts = range(0, max(1, len(samples) - window + step), step)  # the last one may reach beyond the end
        batches = (starts[first : first + batch_size] for first in range(0, len(starts), batch_size))
        active = network.spread(lambda batch: network.speakers(padded(samples, batch, window)), batches)
        return Segmentation(np.concatenate(list(active)), network.window_s, self.step_s, network.frames)

    def one_speaker(self, segmentation: Segmentation, duration_s: float) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Turns and exclusive turns of audio with a single speaker: both the same, all of SPEAKER_00."""
        one_cluster = np.zeros((len(segmentation.active), segmentation.active.shape[2]), dtype=int)
        found = _table(turns(segmentation, one_cluster, most=1)[0], duration_s)
        return found.assign(overlap=False)[TURN_COLUMNS], found[EXCLUSIVE_COLUMNS]

    def voices(self, samples: np.ndarray, spans: Sequence[tuple[int, int]]) -> np.ndarray:
        """The same vectors for these spans as VoiceEncoder's, from the diarization's network."""
        tally = CallCounter()
        return with_oom_fallback(
            lambda batch: embed(self._speaker, samples, spans, self._dimension, batch, tally), self.execution.batch_size, tally
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
        """Spans of speech with overlap, and without."""
        if not segmentation.count().any():
            return [], []
        found = stretches(segmentation)
        inside, places = masks(segmentation, found)
        vectors = self._vectors(samples, segmentation, inside, progress, batch_size, tally)
        of_speakers, of_stretches = np.split(vectors, [segmentation.active.shape[2]], axis=1)
        return grouped(segmentation, of_speakers, found, of_stretches[tuple(places.T)], speakers)

    def _vectors(
        self,
        samples: np.ndarray,
        segmentation: Segmentation,
        inside: np.ndarray,
        progress: Callable[[float], None],
        batch_size: int,
        tally: CallCounter,
    ) -> np.ndarray:
        """A vector of each speaker of a window, and of each stretch `inside`: (windows, speakers and places, dimension)."""
        active = segmentation.active.transpose(0, 2, 1)
        # Allocated at once: a small array kept from each batch would fragment the heap, by 1.3 GB an hour.
        vectors = np.empty((len(active), active.shape[1] + inside.shape[1], self._dimension), np.float32)
        starts = [round(index * self.step_s * SAMPLE_RATE) for index in range(len(active))]
        window = round(segmentation.window_s * SAMPLE_RATE)
        frames = window_frames(self._speaker, samples, starts, window, batch_size)
        for first in range(0, len(active), batch_size):
            batch = list(islice(frames, batch_size))
            last = first + len(batch)
            tally.count(len(batch))
            heard = np.concatenate([active[first:last], inside[first:last]], axis=1)
            vectors[first:last] = self._speaker.vectors(batch, heard)
            progress(last / len(active))
        return vectors


def grouped(
    segmentation: Segmentation,
    of_speakers: np.ndarray,
    found: np.ndarray,
    of_stretches: np.ndarray,
    bounds: tuple[int, int | None],
) -> tuple[list[Span], list[Span]]:
    """Spans of speech with overlap, and without.

    `of_speakers` are vectors of the windows' speakers, (windows, speakers, dimension), `of_stretches` those of the stretches
    `found`. `bounds`: the least and the most speakers.
    """
    clusters = cluster(of_speakers, segmentation, *bounds)
    activity = cluster_activity(segmentation, clusters)
    speakers = np.array([activity[first:last].sum(axis=0).argmax() for first, last in found], dtype=int)
    voices = regrouped(speakers, of_stretches, stretch_seconds(segmentation, found), bounds)
    if voices is None:
        return turns(segmentation, clusters, bounds[1])
    return turns_of_stretches(segmentation, found, voices, bounds[1])


def _table(spans: Sequence[Span], duration_s: float) -> pd.DataFrame:
    """The spans in order of time, clipped to the audio, since the last window extends beyond its end."""
    rows = [(max(0.0, start), min(end, duration_s), speaker) for start, end, speaker in spans]
    frame = pd.DataFrame(rows, columns=["start_s", "end_s", "local_speaker"])
    frame = frame[frame.end_s > frame.start_s].sort_values(["start_s", "end_s", "local_speaker"], ignore_index=True)
    frame.insert(0, "turn_index", range(len(frame)))
    return frame


def _overlaps(turns: pd.DataFrame) -> pd.Series:
    """Whether each turn overlaps another one. Turns must be sorted by start."""
    ended_before = turns.end_s.cummax().shift(fill_value=-1.0)
    next_start = turns.start_s.shift(-1, fill_value=float("inf"))
    return (turns.start_s < ended_before) | (turns.end_s > next_start)
