"""The plain libraries: each stage's work done by its library alone, as the library's own documentation shows it.

It is the floor of what Earshot can cost: same recordings, same model files, same device, compute type, batch sizes and threads,
and nothing of Earshot's around it - no Dagster, no database, no media store, no counting.

- `audio`: faster-whisper's `decode_audio` on the MP3.
- `transcript`: its `BatchedInferencePipeline`, VAD and word times on.
- `speaker_turns`: pyannote.audio's stock `SpeakerDiarization` (its own `get_embeddings`), the waveform in memory. With the
  bundled models it is given CAM++ and no PLDA as the diarizer does: its defaults are fetched from the hub.
- `voice_embeddings`: pyannote.audio's `Inference` over each whole turn, one by one.
- `text_embeddings`: `SentenceTransformer.encode` with its defaults.

What the last two work on, turns and passages, is taken from what the pipeline left in the database. Models are loaded by the
constructor and warmed by a first recording; the clock stops when the device is done. `compare()` sets the seconds beside
Earshot's own, and the CPU seconds: those hardly change where other processes have the CPU, so that where the two ratios differ
much the machine was busy. Whether both found the same is not asked here; the number of results is kept.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel, decode_audio

from ingest_assets.cli.output import print_table
from ingest_assets.timings import times_real_time
from resources.database import Database
from resources.decoding import SAMPLE_RATE
from resources.gpu import COMPUTE_TYPES, Device
from resources.measurement import clock, synchronise
from resources.model_files import locate
from resources.models import ModelSet, model_set
from resources.settings import Settings
from resources.whisper import BATCH_SIZE

if TYPE_CHECKING:  # each of these imports torch
    from pyannote.audio import Inference
    from pyannote.audio.pipelines import SpeakerDiarization
    from sentence_transformers import SentenceTransformer

Found = TypeVar("Found")
Span = tuple[int, int]

SHORTEST_SPAN = SAMPLE_RATE // 40  # one frame of a filter bank: the speaker models refuse less


@dataclass(frozen=True)
class PlainResult:
    """One stage of one recording, by its library: what it took, of every CPU too, and how many results came of it."""

    asset: str
    seconds: float
    cpu_s: float
    items: int


@dataclass(frozen=True)
class Comparison:
    """One stage, Earshot's seconds (models loaded) beside the library's. `items` None: not a number to be added up."""

    asset: str
    audio_s: float
    earshot_s: float
    earshot_compute_s: float
    plain_s: float
    ratio: float
    earshot_cpu_s: float
    plain_cpu_s: float
    cpu_ratio: float
    earshot_x_realtime: float
    plain_x_realtime: float
    earshot_items: float | None
    plain_items: float | None


class PlainLibraries:
    """The libraries' own objects, loaded on this device."""

    def __init__(self, settings: Settings, device: Device) -> None:
        models = model_set(settings)
        self._whisper = _whisper(locate(models.speech, settings), device)
        self._whisper_batch = BATCH_SIZE[device.kind]
        folder, voice_folder = locate(models.diarization, settings), locate(models.voice, settings)
        self._diarization = _diarization(models, folder, voice_folder, device)
        self._voice = _voice(models, voice_folder, device)
        self._text = _text(locate(models.text, settings), device)

    def work_through(self, recording: Path, spans: Sequence[Span], texts: Sequence[str]) -> list[PlainResult]:
        """Every stage of one recording. `spans` are its turns (first sample, one past the last), `texts` its passages."""
        decoded, audio = _timed("audio", lambda: decode_audio(str(recording), sampling_rate=SAMPLE_RATE), lambda _: 1)
        samples = np.asarray(decoded)
        _, transcript = _timed("transcript", lambda: self._transcribe(samples))
        _, turns = _timed("speaker_turns", lambda: self._diarize(samples))
        _, voices = _timed("voice_embeddings", lambda: self._embed_voices(samples, spans))
        _, passages = _timed("text_embeddings", lambda: self._text.encode(list(texts)))
        return [audio, transcript, turns, voices, passages]

    def _transcribe(self, samples: np.ndarray) -> list[Any]:
        segments, _ = self._whisper.transcribe(samples, batch_size=self._whisper_batch, word_timestamps=True, vad_filter=True)
        return list(segments)  # nothing is transcribed before it is asked for

    def _diarize(self, samples: np.ndarray) -> list[Any]:
        import torch

        output: Any = self._diarization({"waveform": torch.from_numpy(samples)[None], "sample_rate": SAMPLE_RATE})
        return list(output.speaker_diarization.itertracks(yield_label=True))

    def _embed_voices(self, samples: np.ndarray, spans: Sequence[Span]) -> list[Any]:
        import torch

        waveform = torch.from_numpy(samples)[None]
        turns = [waveform[:, first:last] for first, last in spans if last - first >= SHORTEST_SPAN]
        return [self._voice({"waveform": turn, "sample_rate": SAMPLE_RATE}) for turn in turns]


def _timed(asset: str, work: Callable[[], Found], items: Callable[[Found], int] = len) -> tuple[Found, PlainResult]:
    """What the work found, and its seconds until the device has done it."""
    synchronise()
    started, cpu_started = clock(), time.process_time()
    found = work()
    synchronise()
    taken = clock() - started, time.process_time() - cpu_started
    return found, PlainResult(asset, *taken, items(found))


def _whisper(folder: Path, device: Device) -> BatchedInferencePipeline:
    # The threads are said because the library asks for it where timings are compared.
    threads = len(os.sched_getaffinity(0))
    compute_type = COMPUTE_TYPES[device.kind]
    return BatchedInferencePipeline(WhisperModel(str(folder), device.kind, compute_type=compute_type, cpu_threads=threads))


def _diarization(models: ModelSet, folder: Path, voice_folder: Path, device: Device) -> "SpeakerDiarization":
    import torch
    from pyannote.audio import Model, Pipeline
    from pyannote.audio.pipelines import SpeakerDiarization

    from resources.campplus import load_campplus
    from resources.diarizer import BATCH_SIZE as WINDOWS
    from resources.diarizer import CAMPPLUS_PARAMETERS, NoPLDA

    if models.diarization.repository:
        pipeline = Pipeline.from_pretrained(str(folder))
        assert isinstance(pipeline, SpeakerDiarization)
    else:
        segmentation = Model.from_pretrained(str(folder / "pytorch_model.bin"))
        assert segmentation is not None  # None is for a repository that could not be fetched; this is a file
        pipeline = SpeakerDiarization(
            segmentation=segmentation,
            embedding=load_campplus(voice_folder),
            plda=NoPLDA(),
            clustering="AgglomerativeClustering",
        )
        pipeline.instantiate(CAMPPLUS_PARAMETERS)
    pipeline.segmentation_batch_size = pipeline.embedding_batch_size = WINDOWS[device.kind]
    pipeline.to(torch.device(device.kind))
    return pipeline


def _voice(models: ModelSet, folder: Path, device: Device) -> "Inference":
    import torch
    from pyannote.audio import Inference, Model

    from resources.campplus import load_campplus

    model = Model.from_pretrained(str(folder / "embedding")) if models.voice.repository else load_campplus(folder)
    assert model is not None  # as above
    return Inference(model, window="whole", device=torch.device(device.kind))


def _text(folder: Path, device: Device) -> "SentenceTransformer":
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device=device.kind, local_files_only=True)


def left_by_the_pipeline(database: Database, video_id: str) -> tuple[list[Span], list[str]]:
    """The video's turns as samples, and the texts of its passages."""
    turns = database.frame("voice_embeddings", video_id, "turn_index")
    passages = database.frame("passages", video_id, "passage_index")
    return list(zip(turns.first_sample.tolist(), turns.last_sample.tolist(), strict=True)), passages.text.tolist()


def compare(rows: Sequence[dict[str, Any]], results: Sequence[PlainResult]) -> list[Comparison]:
    """Rows of `asset_timings` and the libraries' results on the same recordings, added up per stage; the total last."""
    stages = [
        _comparison(
            asset,
            [row for row in rows if row["asset"] == asset],
            [result for result in results if result.asset == asset],
        )
        for asset in dict.fromkeys(result.asset for result in results)
    ]
    return [*stages, _comparison("total", rows, results)]


def _comparison(asset: str, rows: Sequence[dict[str, Any]], results: Sequence[PlainResult]) -> Comparison:
    audio_s = sum({row["video_id"]: row["audio_s"] for row in rows}.values())
    wall_s, load_s = sum(row["wall_s"] for row in rows), sum(row["load_s"] for row in rows)
    plain_s, plain_cpu_s = sum(result.seconds for result in results), sum(result.cpu_s for result in results)
    cpu_s = sum(row["cpu_s"] for row in rows)
    one_stage = asset != "total"
    return Comparison(
        asset=asset,
        audio_s=audio_s,
        earshot_s=wall_s - load_s,
        earshot_compute_s=sum(row["compute_s"] for row in rows),
        plain_s=plain_s,
        ratio=(wall_s - load_s) / plain_s,
        earshot_cpu_s=cpu_s,
        plain_cpu_s=plain_cpu_s,
        cpu_ratio=cpu_s / plain_cpu_s,
        earshot_x_realtime=times_real_time(audio_s, wall_s, load_s),
        plain_x_realtime=times_real_time(audio_s, plain_s, 0.0),
        earshot_items=sum(row["items"] for row in rows) if one_stage else None,
        plain_items=float(sum(result.items for result in results)) if one_stage else None,
    )


def print_comparison(comparisons: Sequence[Comparison]) -> None:
    """The table; `ratio` is Earshot's seconds over the library's, `CPU ratio` the same of CPU seconds."""
    headings = [
        ("stage", "left"), ("earshot s", "right"), ("comp s", "right"), ("plain s", "right"), ("ratio", "right"),
        ("CPU ratio", "right"), ("speed", "right"), ("plain speed", "right"), ("items", "right"), ("plain items", "right"),
    ]  # fmt: skip
    print_table(headings, [table_row(comparison) for comparison in comparisons], last_apart=True)


def table_row(comparison: Comparison) -> tuple[str, ...]:
    """One line of the table, as text."""
    items = [f"{number:.0f}" if number is not None else "" for number in (comparison.earshot_items, comparison.plain_items)]
    return (
        comparison.asset,
        f"{comparison.earshot_s:.2f}",
        f"{comparison.earshot_compute_s:.2f}",
        f"{comparison.plain_s:.2f}",
        f"{comparison.ratio:.2f}",
        f"{comparison.cpu_ratio:.2f}",
        f"{comparison.earshot_x_realtime:.1f}x",
        f"{comparison.plain_x_realtime:.1f}x",
        *items,
    )


def as_records(comparisons: Sequence[Comparison]) -> list[dict[str, Any]]:
    """For JSON."""
    return [asdict(comparison) for comparison in comparisons]
