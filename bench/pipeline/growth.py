"""Growth: how the cost of each stage and the memory grow with the length of a recording.

Each length runs with each model set in its own home and process, so that its peak memory is its own; a first short
recording loads and warms the models. A stage scales well if its `x_realtime` does not depend on the length; memory that is
proportional to the length will run out. Memory is that of the working process with its models, without the database's.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.harness.figures import own_home
from bench.harness.per_size import peak_mb
from bench.pipeline.ingesting import Ingested, measure
from earshot.cli.output import print_table
from earshot.timings.timing import times_real_time


@dataclass(frozen=True)
class StageGrowth:
    """One stage of one length, without loading. `vram_peak_mb` is None if the stage did not run on a GPU."""

    asset: str
    seconds: float
    x_realtime: float
    vram_peak_mb: float | None


@dataclass(frozen=True)
class Growth:
    """One length. `warm_mb` and `peak_mb` are the peak memory before and after it."""

    minutes: float
    models: str
    wall_s: float
    x_realtime: float
    around_s: float
    warm_mb: float
    peak_mb: float
    stages: tuple[StageGrowth, ...]


def measure_length(first: Path, recording: Path, minutes: float, models: str) -> Growth:
    """Measure one recording with this model set. Call it in its own process."""
    os.environ["EARSHOT_MODELS"] = models
    with own_home():
        measure(first)
        warm_mb = peak_mb()
        return growth(measure(recording), minutes, models, warm_mb, peak_mb())


def growth(ingested: Ingested, minutes: float, models: str, warm_mb: float, most_mb: float) -> Growth:
    """The figures of an ingested recording."""
    stages = [
        StageGrowth(row["asset"], row["wall_s"] - row["load_s"], row["x_realtime"], row["vram_peak_mb"])
        for row in ingested.rows
    ]
    speed = times_real_time(ingested.audio_s, ingested.wall_s, ingested.load_s)
    return Growth(minutes, models, ingested.wall_s, speed, ingested.around_s, warm_mb, most_mb, tuple(stages))


def print_growth(found: Sequence[Growth]) -> None:
    """Print a line per length, with each stage's seconds and times real time."""
    headings = [("minutes", "right"), ("models", "left"), *((stage.asset, "right") for stage in found[0].stages)]
    headings += [("around s", "right"), ("all s", "right"), ("speed", "right"), ("warm MB", "right"), ("peak MB", "right")]
    print_table(headings, [table_row(length) for length in found])


def table_row(found: Growth) -> tuple[str, ...]:
    """One line of the table."""
    return (
        f"{found.minutes:g}",
        found.models,
        *(f"{stage.seconds:.1f} {stage.x_realtime:.0f}x" for stage in found.stages),
        f"{found.around_s:.2f}",
        f"{found.wall_s:.1f}",
        f"{found.x_realtime:.1f}x",
        f"{found.warm_mb:.0f}",
        f"{found.peak_mb:.0f}",
    )
