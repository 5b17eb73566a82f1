"""`python -m bench.pipeline.several [--minutes M] [--rounds 1/1,2/1,2/2]`: several videos at once, as workers do them.

A round `W/S` has W workers do a recording each while pool `gpu` has S slots. All workers share one home, as those of
`earshot up` do, and have done a whole recording before the first round. Recordings differ from one another, so that nothing is
taken from a cache. Prints the times real time of all recordings of a round together, and the GPU's use meanwhile.

It measures no downloads and no queue: bench/scale/backfills.py does that.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.corpora.composed import repeated
from bench.corpora.episodes import EPISODES, episode_samples, write_mp3
from bench.demo import choose_device
from bench.harness.figures import Row, measured_on, own_home, write
from bench.pipeline.ingesting import measure
from earshot.cli.output import print_table
from earshot.common.audio import SAMPLE_RATE
from earshot.models.device import require_device
from earshot.models.nvml import GpuSampler, GpuUse
from earshot.storage.database import open_database
from resources.instance.home import open_instance

DEFAULT_ROUNDS = "1/1,2/1,2/2,4/2,4/4"
LOOK_S = 0.01


@dataclass(frozen=True)
class Round:
    """So many workers at work on a recording each, with so many slots."""

    workers: int
    slots: int


@dataclass(frozen=True)
class Measured:
    """`x_realtime`: seconds of audio of all recordings per second; of a GPU, utilisation in percent and memory in MiB."""

    workers: int
    slots: int
    seconds: float
    x_realtime: float
    gpu_util_mean: float | None
    memory_peak_mb: float | None


def read_rounds(text: str) -> tuple[Round, ...]:
    """`1/1,2/2` as rounds; raises ValueError."""
    return tuple(Round(*(int(number) for number in each.split("/"))) for each in text.split(","))


def several(minutes: float, rounds: Sequence[Round]) -> tuple[list[Measured], list[Row]]:
    """Each round's figures, and the timings of all stages."""
    most, found = max(each.workers for each in rounds), []
    with own_home(), tempfile.TemporaryDirectory() as name:
        folder, storage = Path(name), open_instance().event_log_storage
        compose(folder, minutes, most + sum(each.workers for each in rounds))
        storage.set_concurrency_slots("gpu", most)
        with _workers(folder, most, rounds) as wait:
            wait("ready", most)
            for number, each in enumerate(rounds):
                storage.set_concurrency_slots("gpu", each.slots)
                (folder / f"go-{number}").touch()
                seconds, use = _watched(lambda number=number, each=each: wait(f"done-{number}", each.workers))
                speed = each.workers * minutes * 60 / seconds
                found.append(Measured(each.workers, each.slots, seconds, speed, use.util_mean, use.memory_peak_mb))
        stages = open_database().query(
            "SELECT asset, wall_s, load_s, compute_s, cpu_s, gpu_util_mean, vram_peak_mb FROM asset_timings ORDER BY timing_id"
        )
        return found, stages


def compose(folder: Path, minutes: float, count: int) -> None:
    """So many recordings, 0.mp3 and on: the demo's episodes in turn, each beginning elsewhere."""
    with ProcessPoolExecutor() as pool:
        list(pool.map(_compose, [folder] * count, [minutes] * count, range(count), [count] * count))


def _compose(folder: Path, minutes: float, number: int, count: int) -> None:
    row = np.concatenate([episode_samples(episode) for episode in EPISODES])
    samples = repeated([np.roll(row, -number * len(row) // count)], round(minutes * 60 * SAMPLE_RATE))
    write_mp3(folder / f"{number}.mp3", samples)


@contextmanager
def _workers(folder: Path, count: int, rounds: Sequence[Round]) -> Iterator[Callable[[str, int], None]]:
    """Processes that each run `work()`; given is what waits until so many of them left a sign."""
    told = ",".join(f"{each.workers}/{each.slots}" for each in rounds)
    command = [sys.executable, "-m", "bench.pipeline.several", "--rounds", told, "--work", str(folder)]
    workers = [subprocess.Popen([*command, "--worker", str(index)]) for index in range(count)]

    def wait(sign: str, number: int) -> None:
        while len(list(folder.glob(f"{sign}-of-*"))) < number:
            if any(worker.poll() is not None for worker in workers):
                raise RuntimeError("a worker ended before its work was done; what it printed says why")
            time.sleep(LOOK_S)

    try:
        yield wait
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def work(folder: Path, worker: int, rounds: Sequence[Round]) -> None:
    """What one worker does: a recording to warm up, then one in each round that it is in."""
    measure(folder / f"{worker}.mp3")
    (folder / f"ready-of-{worker}").touch()
    first = max(each.workers for each in rounds)
    for number, each in enumerate(rounds):
        while not (folder / f"go-{number}").exists():
            time.sleep(LOOK_S)
        if worker < each.workers:
            measure(folder / f"{first + worker}.mp3")
            (folder / f"done-{number}-of-{worker}").touch()
        first += each.workers
    while True:  # until all rounds are over: one that ends is taken for one that died
        time.sleep(1.0)


def _watched(wait: Callable[[], None]) -> tuple[float, GpuUse]:
    """The seconds that something took, and what the GPU did meanwhile."""
    device = require_device(os.environ["EARSHOT_DEVICE"])
    sampler = GpuSampler(device.uuid) if device.uuid else None
    begun = time.monotonic()
    wait()
    seconds = time.monotonic() - begun
    if sampler is None:
        return seconds, GpuUse()
    use = sampler.use()
    sampler.close()
    return seconds, use


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--minutes", type=float, default=10.0)
    options.add_argument("--rounds", type=read_rounds, default=read_rounds(DEFAULT_ROUNDS))
    options.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    asked = options.parse_args()
    os.environ["EARSHOT_DEVICE"], _ = choose_device(os.environ.get("EARSHOT_DEVICE"))
    if asked.work is not None:
        work(asked.work, asked.worker, asked.rounds)
        return
    on = measured_on(require_device(os.environ["EARSHOT_DEVICE"]).name)
    measured, stages = several(asked.minutes, asked.rounds)
    headings = [(name, "right") for name in ("workers", "slots", "seconds", "x real time", "GPU %", "GPU MiB")]
    print_table(headings, [_cells(each) for each in measured])
    figures = {**on, "minutes": asked.minutes, "rounds": [asdict(each) for each in measured], "stages": stages}
    print(f"Written to {write(figures, 'pipeline/several-')}")


def _cells(measured: Measured) -> tuple[str, ...]:
    use = ("-" if value is None else f"{value:.0f}" for value in (measured.gpu_util_mean, measured.memory_peak_mb))
    return str(measured.workers), str(measured.slots), f"{measured.seconds:.1f}", f"{measured.x_realtime:.1f}", *use


if __name__ == "__main__":
    main()
