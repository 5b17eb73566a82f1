"""Throughput: how fast Earshot is here with warm models, one video at a time, several at once, and compared with others.

Uses recordings that are composed in advance (bench/gpu/recordings.py), and the code of the other benchmarks.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict
from unittest.mock import patch

import numpy as np

from bench.contenders.rounds import take_turns
from bench.corpora.composed import write_first
from bench.corpora.episodes import write_episodes
from bench.corpora.known_speech import telephone
from bench.gpu.findings import Findings, tell_stages
from bench.gpu.recordings import lengths, passages, recording
from bench.harness.figures import own_home
from bench.harness.per_size import peak_mb
from bench.pipeline.comparison import ratios
from bench.pipeline.growth import growth as growth_of
from bench.pipeline.ingesting import again, measure
from bench.pipeline.several import Round
from bench.pipeline.several import several as measure_rounds
from earshot.config.settings import read_settings
from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.models.files import locate
from earshot.models.measurement import CallCounter
from earshot.models.registry import model_set
from earshot.models.text.text_encoder import TextEncoder
from resources.instance.home import GPU_SLOTS

TEXTS = {"cuda": 10_000, "cpu": 200}
TEXT_SIZES = {"cuda": (32, 64, 128, 256, 512, 1024), "cpu": (32,)}


def growth(found: Findings) -> None:
    """The middle recording twice and the long one once: every stage, in one process."""
    _, middle, long = lengths()
    with own_home() as folder:
        cold = measure(write_first(folder))
        found.tell(
            f"first video of a process: {cold.wall_s:.1f} s, of which {cold.load_s:.1f} s loading models", cold=cold.rows
        )
        warm_mb = peak_mb()
        measured = []
        for minutes in (middle, middle, long):
            done = again(recording(minutes))
            figures = growth_of(done, minutes, read_settings().models, warm_mb, peak_mb())
            measured.append({**asdict(figures), "cpu_s": done.cpu_s, "rows": done.rows})
            found.tell(
                f"{minutes:g} minutes: {figures.wall_s:.1f} s, {figures.x_realtime:.0f}x real time, {figures.around_s:.2f} s "
                f"around the stages, {done.cpu_s:.0f} CPU s, {figures.peak_mb:.0f} MB",
                lengths=measured,
            )
            tell_stages(found, done.rows)


def texts(found: Findings) -> None:
    """Passages per second in batches of several sizes and in single precision, with the cosine between both precisions."""
    kind = read_settings().device
    chosen = passages()[: TEXTS[kind]]
    with own_home():
        encoder = Models().text_encoder(require_device(kind))
        execution, words = encoder.execution, np.mean([len(text.split()) for text in chosen])
        found.tell(f"{len(chosen)} passages of {words:.0f} words, {execution.compute_type} on {execution.device}")
        began = time.perf_counter()
        encoder.token_counts(chosen)
        found.tell(f"cut into tokens alone: {len(chosen) / (time.perf_counter() - began):.0f} texts/s")
        for size in TEXT_SIZES[kind]:
            _tell_batch(found, encoder, chosen, size)
        _tell_single_precision(found, encoder, chosen)


def _tell_batch(found: Findings, encoder: TextEncoder, chosen: Sequence[str], size: int) -> None:
    from earshot.models.text.sentence_encoder import BATCH_SIZE

    tally, rates = CallCounter(), []
    as_earshot = size == encoder.execution.batch_size
    with patch.dict(BATCH_SIZE, {read_settings().device: size}):
        for _ in range(2):
            began = time.perf_counter()
            encoder.encode(chosen, tally)
            rates.append(len(chosen) / (time.perf_counter() - began))
    text = f"batch {size}{' (as Earshot)' if as_earshot else ''}: {max(rates):.0f} and {min(rates):.0f} texts/s"
    found.tell(f"{text}, {tally.batch_mean:.0f} a call", **{f"batch {size}": rates})


def _tell_single_precision(found: Findings, encoder: TextEncoder, chosen: Sequence[str]) -> None:
    from sentence_transformers import SentenceTransformer

    settings = read_settings()
    folder = locate(model_set(settings).text, settings)
    single = SentenceTransformer(str(folder), device=settings.device, local_files_only=True)
    size = encoder.execution.batch_size
    single.encode(chosen[:size], batch_size=size, show_progress_bar=False)
    began = time.perf_counter()
    expected = single.encode(chosen, batch_size=size, normalize_embeddings=True, show_progress_bar=False)
    rate = len(chosen) / (time.perf_counter() - began)
    alike = (encoder.encode(chosen) * np.asarray(expected)).sum(axis=1)
    found.tell(
        f"single precision: {rate:.0f} texts/s; cosine with it {alike.min():.5f} at least, {alike.mean():.5f} at the mean",
        single=rate, cosine_min=float(alike.min()), cosine_mean=float(alike.mean()),
    )  # fmt: skip


def sides(found: Findings) -> None:
    """Earshot, its bare model calls and the plain libraries in turn, with diarization errors on the telephone call."""
    with own_home() as folder:
        call, short = write_episodes(folder / "episodes")[0], recording(lengths()[0])
        truths = {call.name: telephone().speech}
        turns = take_turns(write_first(folder), [short, call], truths, ("bare", "plain"), 2)
    for path in (short, call):
        compared = ratios(turns.done[turns.done.recording == path.name])
        found.tell(f"{path.name}, seconds:", **{path.name: [asdict(ratio) for ratio in compared]})
        for ratio in compared:
            speed = ratio.audio_s / ratio.earshot_s.median
            found.tell(
                f"  {ratio.asset:17} earshot {ratio.earshot_s.median:7.2f} ({speed:.0f}x)  {ratio.side:5} "
                f"{ratio.other_s.median:7.2f}  ratio {ratio.ratio.text()}"
            )
    for error in turns.errors:
        found.tell(f"diarization error rate of {error.side} on the call: {error.der:.3f}")


def several(found: Findings) -> None:
    """Several workers of one home, with as many slots in pool `gpu` as Earshot uses on this device."""
    slots = GPU_SLOTS if read_settings().device == "cuda" else 1
    _tell_rounds(found, [Round(workers, slots) for workers in (1, 2, 3)])


def apart(found: Findings) -> None:
    """The same with a slot for every worker: the device's throughput if all compute at once."""
    _tell_rounds(found, [Round(workers, workers) for workers in (1, 2, 4)])


def _tell_rounds(found: Findings, rounds: Sequence[Round]) -> None:
    measured, rows = measure_rounds(lengths()[0], rounds)
    for each in measured:
        gpu = "" if each.gpu_util_mean is None else f"; GPU {each.gpu_util_mean:.0f} %, {each.memory_peak_mb:.0f} MB"
        found.tell(
            f"{each.workers} at work, {each.slots} slots: {each.seconds:.1f} s, {each.x_realtime:.0f}x real time together{gpu}",
            **{f"{each.workers} at work": each.x_realtime},
        )
    found.tell(f"{len(rows)} rows", rounds=[asdict(each) for each in measured], rows=rows)
