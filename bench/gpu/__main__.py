"""`python -m bench.gpu SECONDS [STEP...]`: tests and measures Earshot on a machine with an NVIDIA GPU, within a time limit.

Without steps it runs all that have not finished yet, the most valuable first; otherwise it runs the given ones again. Steps for
which no time is left are reported as not run; the next call continues there.

Environment variables, with their defaults: EARSHOT_DEVICE (cuda); GPU_WORK, the folder that keeps recordings and findings
between calls; OUT, the folder for result.json and log.txt (GPU_WORK); GPU_MINUTES, the lengths of a short, a middle and a long
recording (10,30,120); GPU_LIBRARIES, LD_LIBRARY_PATH without any workaround that makes ctranslate2 find cuBLAS. The steps and
their results are in docs/measurements/gpu.md.
"""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from bench.gpu.findings import work_folder
from bench.gpu.runs import Runs
from bench.gpu.steps import ROWS, STEPS
from earshot.config.settings import read_settings


@click.command()
@click.argument("seconds", type=click.FloatRange(min=1))
@click.argument("steps", nargs=-1, metavar="[STEP]...", type=click.Choice(tuple(STEPS)))
def main(seconds: float, steps: Sequence[str]) -> None:
    """Prove and measure Earshot on a GPU within SECONDS: all that has not ended yet, or these steps again.

    The exit code is 1 if a step failed or was cut off.
    """
    deadline = time.monotonic() + seconds
    settings = read_settings()
    os.environ["EARSHOT_DEVICE"] = settings.device
    os.environ.setdefault("GPU_WORK", str(settings.home / "bench" / "gpu"))
    runs = Runs(Path(os.environ.get("OUT", work_folder())))
    rows = [(STEPS[name],) for name in steps] or [tuple(step for step in row if not runs.ended(step)) for row in ROWS]
    failed = runs.run(rows, deadline)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
