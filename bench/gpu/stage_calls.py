"""The model calls of each stage: where their time goes, and their speed with other batch sizes.

bench/gpu/throughput.py includes what is around them (Dagster, the database, the media store).
"""

import cProfile
import io
import pstats
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest.mock import patch

import numpy as np
from faster_whisper.vad import VadOptions, get_speech_timestamps
from torch.profiler import ProfilerActivity
from torch.profiler import profile as profiling

from bench.contenders.work import timed
from bench.gpu.findings import Findings
from bench.gpu.recordings import lengths, recording
from bench.harness.figures import own_home
from earshot.common.audio import SAMPLE_RATE
from earshot.config.settings import read_settings
from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.models.speech import transcriber as speech
from earshot.models.speech.speech_detection import spread_over_cores
from earshot.models.voice import diarizer as diarization
from earshot.models.voice import voice_encoder as voice
from earshot.sources.media.decoding import decode

StageCall = tuple[str, Callable[[], Any], float]  # stage, function that calls its model, seconds of audio
TOP, SHOWN = 15, 3
SIZES = {
    "transcript": (speech.BATCH_SIZE, (8, 16, 32, 64)),
    "speaker_turns": (diarization.BATCH_SIZE, (32, 64, 128, 256)),
    "voice_embeddings": (voice.BATCH_SIZE, (32, 64, 128, 256)),
}


def stage_calls(minutes: float) -> Iterator[StageCall]:
    """The calls of each stage with a model, on the first `minutes` of the short recording."""
    device, models = require_device(read_settings().device), Models()
    samples = samples_of_short(minutes)
    transcriber, diarizer = models.transcriber(device), models.diarizer(device)
    voices, texts = models.voice_encoder(device), models.text_encoder(device)
    turns, _ = diarizer.diarize(samples)
    ends = zip(turns.start_s, turns.end_s, strict=True)
    spans = [(int(start * SAMPLE_RATE), int(end * SAMPLE_RATE)) for start, end in ends]
    sentences = [text.strip() for text in transcriber.transcribe(samples).segments.text]
    audio_s = len(samples) / SAMPLE_RATE
    yield "transcript", lambda: transcriber.transcribe(samples), audio_s
    yield "speaker_turns", lambda: diarizer.diarize(samples), audio_s
    yield "voice_embeddings", lambda: voices.encode(samples, spans), audio_s
    yield "text_embeddings", lambda: texts.encode(sentences), audio_s


def samples_of_short(minutes: float) -> np.ndarray:
    """The first `minutes` of the short recording, float32, 16 kHz."""
    samples = decode(recording(lengths()[0])).astype(np.float32) / 32768.0
    return samples[: int(minutes * 60 * SAMPLE_RATE)]


def seconds_of(work: Callable[[], Any]) -> float:
    """Seconds of a call; the clock stops when the device is done."""
    return timed("", work, lambda _: 1)[1].seconds


def profile(found: Findings) -> None:
    """Profile kernels and operators with torch's profiler and functions with Python's, on at most five minutes of audio."""
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if read_settings().device == "cuda" else [])]
    with own_home():
        for stage, work, audio_s in stage_calls(min(lengths()[0], 5.0)):
            work()
            wall_s = seconds_of(work)
            functions = cProfile.Profile()
            functions.runcall(work)
            with profiling(activities=activities) as profiler:
                seconds_of(work)
            kernels, operators = _kernels_and_operators(list(profiler.key_averages()))
            busy_s, count = sum(_device_s(event) for event in kernels), sum(event.count for event in kernels)
            top = {
                "kernels": [_line(_device_s(event), event) for event in kernels[:TOP] if _device_s(event) > 0],
                "operators": [_line(event.self_cpu_time_total / 1e6, event) for event in operators[:TOP]],
                "functions": _slowest_functions(functions),
            }
            speed = audio_s / wall_s
            found.tell(
                f"{stage}: {wall_s:.2f} s ({speed:.0f}x), the GPU busy {busy_s:.2f} s with {count} kernels and copies",
                **{stage: {"wall_s": wall_s, "busy_s": busy_s, "kernels": count, **top}},
            )
            for kind, lines in top.items():
                for line in lines[:SHOWN]:
                    found.tell(f"    {kind[:-1]}: {line}")


def _kernels_and_operators(events: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """The device's events and all events by CPU time, each the longest first."""
    on_device = [event for event in events if "CPU" not in str(event.device_type)]
    return (
        sorted(on_device, key=lambda event: -_device_s(event)),
        sorted(events, key=lambda event: -event.self_cpu_time_total),
    )


def _device_s(event: Any) -> float:
    return event.self_device_time_total / 1e6


def _line(seconds: float, event: Any) -> str:
    return f"{seconds:8.4f} s {event.count:7} {event.key[:110]}"


def _slowest_functions(profiled: cProfile.Profile) -> list[str]:
    text = io.StringIO()
    pstats.Stats(profiled, stream=text).sort_stats("tottime").print_stats(TOP)
    return [line[:130] for line in text.getvalue().splitlines() if re.match(r"\s+\d", line)][-TOP:]


def batches(found: Findings) -> None:
    """Each stage's model calls in batches of several sizes, and the parts of transcription outside whisper's network."""
    kind = read_settings().device
    with own_home():
        for stage, work, audio_s in stage_calls(lengths()[0]):
            if stage not in SIZES:
                continue
            sizes, tried = SIZES[stage]
            planned = sizes[kind]
            for size in tried if kind == "cuda" else (planned,):
                with patch.dict(sizes, {kind: size}):
                    work()
                    seconds = seconds_of(work)
                mark = " (as Earshot)" if size == planned else ""
                found.tell(
                    f"{stage}, batch {size}{mark}: {seconds:.2f} s, {audio_s / seconds:.0f}x", **{f"{stage} {size}": seconds}
                )
        _tell_preparation(found, kind)


def _tell_preparation(found: Findings, kind: str) -> None:
    samples = samples_of_short(lengths()[0])
    with spread_over_cores():
        seconds = seconds_of(lambda: get_speech_timestamps(samples, VadOptions()))
    audio_s = len(samples) / SAMPLE_RATE
    found.tell(f"of the transcript, VAD on the CPU: {seconds:.2f} s, {audio_s / seconds:.0f}x", vad=seconds)
    extract = Models().transcriber(require_device(kind))._whisper.feature_extractor
    windows = [samples[first : first + 30 * SAMPLE_RATE] for first in range(0, len(samples), 30 * SAMPLE_RATE)]
    seconds = seconds_of(lambda: [extract(window) for window in windows])
    found.tell(f"of the transcript, features: {seconds:.2f} s", features=seconds)
