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
POLL_S = 0.01


@dataclass(frozen=True)
class Round:
    """The number of workers, each with a recording, and of slots."""

    workers: int
    slots: int


@dataclass(frozen=True)
class Measured:
    """`x_realtime` is seconds of audio of all recordings per second; GPU utilisation is in percent, memory in MiB."""

    workers: int
    slots: int
    seconds: float
    x_realtime: float
    gpu_util_mean: float | None
    memory_peak_mb: float | None


def read_rounds(text: str) -> tuple[Round, ...]:
    """Parses rounds such as `1/1,2/2`; raises ValueError."""
    return tuple(Round(*(int(number) for number in part.split("/"))) for part in text.split(","))


def several(minutes: float, rounds: Sequence[Round]) -> tuple[list[Measured], list[Row]]:
    """Each round's figures, and the timings of all stages."""
    most, measured = max(setup.workers for setup in rounds), []
    with own_home(), tempfile.TemporaryDirectory() as name:
        folder, storage = Path(name), open_instance().event_log_storage
        compose(folder, minutes, most + sum(setup.workers for setup in rounds))
        storage.set_concurrency_slots("gpu", most)
        with _workers(folder, most, rounds) as wait:
            wait("ready", most)
            for number, setup in enumerate(rounds):
                storage.set_concurrency_slots("gpu", setup.slots)
                (folder / f"go-{number}").touch()
                seconds, use = _measure(lambda number=number, setup=setup: wait(f"done-{number}", setup.workers))
                speed = setup.workers * minutes * 60 / seconds
                measured.append(Measured(setup.workers, setup.slots, seconds, speed, use.util_mean, use.memory_peak_mb))
        stages = open_database().query(
            "SELECT asset, wall_s, load_s, compute_s, cpu_s, gpu_util_mean, vram_peak_mb FROM asset_timings ORDER BY timing_id"
        )
        return measured, stages


def compose(folder: Path, minutes: float, count: int) -> None:
    """Write `count` recordings, from 0.mp3 on: the demo's episodes in turn, each with a different start."""
    with ProcessPoolExecutor() as pool:
        list(pool.map(_compose, [folder] * count, [minutes] * count, range(count), [count] * count))


def _compose(folder: Path, minutes: float, number: int, count: int) -> None:
    row = np.concatenate([episode_samples(episode) for episode in EPISODES])
    samples = repeated([np.roll(row, -number * len(row) // count)], round(minutes * 60 * SAMPLE_RATE))
    write_mp3(folder / f"{number}.mp3", samples)


@contextmanager
def _workers(folder: Path, count: int, rounds: Sequence[Round]) -> Iterator[Callable[[str, int], None]]:
    """Start processes that each run `work()`; yields a function that waits until a number of them has created a sign file."""
    text = ",".join(f"{setup.workers}/{setup.slots}" for setup in rounds)
    command = [sys.executable, "-m", "bench.pipeline.several", "--rounds", text, "--work", str(folder)]
    workers = [subprocess.Popen([*command, "--worker", str(index)]) for index in range(count)]

    def wait(sign: str, number: int) -> None:
        while len(list(folder.glob(f"{sign}-of-*"))) < number:
            if any(worker.poll() is not None for worker in workers):
                raise RuntimeError("a worker ended before its work was done; what it printed says why")
            time.sleep(POLL_S)

    try:
        yield wait
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def work(folder: Path, worker: int, rounds: Sequence[Round]) -> None:
    """One worker's work: a recording to warm up, then one in each of its rounds."""
    measure(folder / f"{worker}.mp3")
    (folder / f"ready-of-{worker}").touch()
    first = max(setup.workers for setup in rounds)
    for number, setup in enumerate(rounds):
        while not (folder / f"go-{number}").exists():
            time.sleep(POLL_S)
        if worker < setup.workers:
            measure(folder / f"{first + worker}.mp3")
            (folder / f"done-{number}-of-{worker}").touch()
        first += setup.workers
    while True:  # the parent kills workers after the last round, and takes one that ends earlier for crashed
        time.sleep(1.0)


def _measure(wait: Callable[[], None]) -> tuple[float, GpuUse]:
    """The seconds until `wait` returns, and the GPU's use meanwhile."""
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
    arguments = options.parse_args()
    os.environ["EARSHOT_DEVICE"], _ = choose_device(os.environ.get("EARSHOT_DEVICE"))
    if arguments.work is not None:
        work(arguments.work, arguments.worker, arguments.rounds)
        return
    on = measured_on(require_device(os.environ["EARSHOT_DEVICE"]).name)
    measured, stages = several(arguments.minutes, arguments.rounds)
    headings = [(name, "right") for name in ("workers", "slots", "seconds", "x real time", "GPU %", "GPU MiB")]
    print_table(headings, [_cells(row) for row in measured])
    figures = {**on, "minutes": arguments.minutes, "rounds": [asdict(row) for row in measured], "stages": stages}
    print(f"Written to {write(figures, 'pipeline/several-')}")


def _cells(measured: Measured) -> tuple[str, ...]:
    use = ("-" if value is None else f"{value:.0f}" for value in (measured.gpu_util_mean, measured.memory_peak_mb))
    return str(measured.workers), str(measured.slots), f"{measured.seconds:.1f}", f"{measured.x_realtime:.1f}", *use


if __name__ == "__main__":
    main()
