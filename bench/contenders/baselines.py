"""The plain libraries: each stage's work done by its library alone, as the library's documentation shows it.

This is the least that Earshot could cost: same recordings, model files, device, compute type, batch sizes and threads, but
without Dagster, database, media store and counting.

- `audio`: faster-whisper's `decode_audio` on the MP3.
- `transcript`: its `BatchedInferencePipeline`, with VAD and word times.
- `speaker_turns`: pyannote.audio's stock `SpeakerDiarization` (with its own `get_embeddings`), the waveform in memory. With the
  bundled models it uses CAM++ and no PLDA, like the diarizer, because its defaults come from the hub.
- `voice_embeddings`: pyannote.audio's `Inference` over each whole turn, one by one.
- `text_embeddings`: `SentenceTransformer.encode` with its defaults.

The last two read turns and passages from the rows that the pipeline wrote. The constructor loads the models, a first recording
warms them; the clock stops when the device is done. bench/pipeline/comparison.py compares the seconds with Earshot's.
bench/contenders/model_only.py is the other baseline: Earshot's own model calls alone.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel, decode_audio

from bench.contenders.work import Span, Work, timed
from earshot.common.audio import SAMPLE_RATE
from earshot.config.settings import Settings
from earshot.models.device import COMPUTE_TYPES, Device
from earshot.models.files import locate
from earshot.models.registry import ModelSet, model_set
from earshot.models.speech.transcriber import BATCH_SIZE

if TYPE_CHECKING:  # each of these imports torch
    from pyannote.audio import Inference
    from pyannote.audio.pipelines import SpeakerDiarization
    from sentence_transformers import SentenceTransformer

STOCK_THRESHOLD = 0.59  # of 0.50 to 0.64, the one with the fewest errors on the recordings on which ours was chosen
SHORTEST_SPAN = SAMPLE_RATE // 40  # one frame of a filter bank: the speaker models reject less


class PlainLibraries:
    """The libraries' own objects, loaded on this device."""

    name = "plain"

    def __init__(self, settings: Settings, device: Device) -> None:
        models = model_set(settings)
        self._whisper = _whisper(locate(models.speech, settings), device)
        self._whisper_batch = BATCH_SIZE[device.kind]
        folder, voice_folder = locate(models.diarization, settings), locate(models.voice, settings)
        self._diarization = _diarization(models, folder, voice_folder, device)
        self._voice = _voice(models, voice_folder, device)
        self._text = _text(locate(models.text, settings), device)

    def work_through(self, recording: Path, spans: Sequence[Span], texts: Sequence[str]) -> Work:
        """Every stage of one recording. `spans` are its turns (first sample, one past the last), `texts` its passages."""
        decoded, audio = timed("audio", lambda: decode_audio(str(recording), sampling_rate=SAMPLE_RATE), lambda _: 1)
        samples = np.asarray(decoded)
        _, transcript = timed("transcript", lambda: self._transcribe(samples))
        tracks, turns = timed("speaker_turns", lambda: self._diarize(samples))
        _, voices = timed("voice_embeddings", lambda: self._embed_voices(samples, spans))
        _, passages = timed("text_embeddings", lambda: self._text.encode(list(texts)))
        spoken = [(segment.start, segment.end, speaker) for segment, _, speaker in tracks]
        return Work((audio, transcript, turns, voices, passages), tuple(spoken))

    def _transcribe(self, samples: np.ndarray) -> list[Any]:
        segments, _ = self._whisper.transcribe(samples, batch_size=self._whisper_batch, word_timestamps=True, vad_filter=True)
        return list(segments)  # a lazy generator: iterating transcribes

    def _diarize(self, samples: np.ndarray) -> list[Any]:
        import torch

        output: Any = self._diarization({"waveform": torch.from_numpy(samples)[None], "sample_rate": SAMPLE_RATE})
        return list(output.speaker_diarization.itertracks(yield_label=True))

    def _embed_voices(self, samples: np.ndarray, spans: Sequence[Span]) -> list[Any]:
        import torch

        waveform = torch.from_numpy(samples)[None]
        turns = [waveform[:, first:last] for first, last in spans if last - first >= SHORTEST_SPAN]
        return [self._voice({"waveform": turn, "sample_rate": SAMPLE_RATE}) for turn in turns]


def _whisper(folder: Path, device: Device) -> BatchedInferencePipeline:
    # Explicit threads, as the library's documentation advises for comparing timings.
    threads = len(os.sched_getaffinity(0))
    compute_type = COMPUTE_TYPES[device.kind]
    return BatchedInferencePipeline(WhisperModel(str(folder), device.kind, compute_type=compute_type, cpu_threads=threads))


def _diarization(models: ModelSet, folder: Path, voice_folder: Path, device: Device) -> "SpeakerDiarization":
    import torch
    from pyannote.audio import Pipeline
    from pyannote.audio.pipelines import SpeakerDiarization

    from bench.contenders.stock_pipeline import stock_pipeline
    from earshot.models.networks.torch_networks import load_segmentation, load_speaker
    from earshot.models.voice.diarizer import BATCH_SIZE as WINDOWS

    if models.diarization.repository:
        pipeline = Pipeline.from_pretrained(str(folder))
        assert isinstance(pipeline, SpeakerDiarization)
    else:
        # pyannote's own step of a second and minimum cluster size of 12 windows, with the best threshold for them.
        networks = load_segmentation(folder), load_speaker(models.voice, voice_folder)
        pipeline = stock_pipeline(*networks, least_windows=12, threshold=STOCK_THRESHOLD)
    pipeline.segmentation_batch_size = pipeline.embedding_batch_size = WINDOWS[device.kind]
    pipeline.to(torch.device(device.kind))
    return pipeline


def _voice(models: ModelSet, folder: Path, device: Device) -> "Inference":
    import torch
    from pyannote.audio import Inference

    from earshot.models.networks.torch_networks import load_speaker

    return Inference(load_speaker(models.voice, folder), window="whole", device=torch.device(device.kind))


def _text(folder: Path, device: Device) -> "SentenceTransformer":
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device=device.kind, local_files_only=True)
