"""`python -m bench.gpu SECONDS [STEP...]`: proofs and figures of Earshot on a machine with an NVIDIA GPU, within so much time.

Without steps it does all that have not ended yet, in order of worth; with some, these again. What is left when the time is up
is named as not run: the next call goes on there.

EARSHOT_DEVICE is the device (cuda). GPU_WORK is where recordings and findings stay between calls, OUT where result.json and
log.txt go (GPU_WORK too), GPU_MINUTES the lengths of a short, a middle and a long recording (10,30,120). GPU_LIBRARIES is
LD_LIBRARY_PATH without what makes ctranslate2 find cuBLAS, where something was done for that. docs/measurements/gpu.md has the
table of the steps, and what came of them.
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
