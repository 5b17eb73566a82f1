"""`make bench`: what the pipeline costs on this machine, in figures that can be repeated.

In a home of its own, with models loaded by a first short video: the demo's four episodes, then one recording of ten minutes
(the same clips, repeated in turn), once each, by `earshot ingest`'s own code. Prints the table per stage for each and the peak
memory, and writes them with the machine, the commit and the date to bench/results/<commit>.json.

A timing on a shared machine is noisy: compare figures of one run. The plain libraries are not run beside it here.
"""

import json
import os
import platform
import resource
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

import numpy as np
import pandas as pd

from bench.demo import choose_device
from bench.episodes import EPISODES, TELEPHONE, Clip, clip_samples, episode_samples, write_episodes, write_mp3
from ingest_assets.cli.output import describe_speed, print_timing_table
from ingest_assets.ingest import Choice, Outcome, ingest
from ingest_assets.instance import open_instance
from ingest_assets.timings import git_commit, summarize
from resources.catalogue import STAGES
from resources.database import open_database
from resources.decoding import SAMPLE_RATE
from resources.gpu import require_device
from resources.postgres import stop_embedded
from resources.settings import PROJECT_ROOT, read_settings

LONG_S = 600
RESULTS = PROJECT_ROOT / "bench" / "results"


def main() -> None:
    """Run the benchmark, print its tables and write its figures."""
    device, reason = choose_device(os.environ.get("EARSHOT_DEVICE"))
    os.environ["EARSHOT_DEVICE"] = device
    print(f"Device: {device} ({reason}).")
    with own_home() as folder:
        write_mp3(folder / "first.mp3", clip_samples(Clip(TELEPHONE.package, TELEPHONE.path, 6.5, 14.5)))
        write_episodes(folder / "episodes")
        write_mp3(folder / "ten_minutes.mp3", long_recording(LONG_S))
        measure(folder / "first.mp3")  # loads the models
        results = {
            "demo episodes": measure(folder / "episodes"),
            "one recording of ten minutes": measure(folder / "ten_minutes.mp3"),
        }
        for name, summary in results.items():
            print(f"\n{name}")
            print_timing_table(summary)
            print(describe_speed(summary))
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"\nPeak memory of the process: {peak_mb:.0f} MB")
        print(f"Written to {write(results, peak_mb)}")


@contextmanager
def own_home() -> Iterator[Path]:
    """A temporary EARSHOT_HOME for the block, its Postgres stopped after it."""
    home = Path(tempfile.mkdtemp(prefix="earshot-bench-"))
    home.chmod(0o755)
    os.environ["EARSHOT_HOME"] = str(home)
    try:
        yield home
    finally:
        stop_embedded(home)
        shutil.rmtree(home, ignore_errors=True)


def long_recording(seconds: int) -> np.ndarray:
    """The demo's episodes one after another, again and again, cut to this length."""
    parts, length = [], 0
    for samples in cycle([episode_samples(episode) for episode in EPISODES]):
        parts.append(samples)
        length += len(samples)
        if length >= seconds * SAMPLE_RATE:
            return np.concatenate(parts)[: seconds * SAMPLE_RATE]
    raise AssertionError("cycle() never ends")


def measure(source: Path) -> pd.DataFrame:
    """Ingest a source; the table of its stages. Raises RuntimeError where a video failed."""
    database = open_database()
    outcomes = [step for step in ingest([str(source)], Choice(), database, open_instance()) if isinstance(step, Outcome)]
    if any(outcome.result != "done" for outcome in outcomes):
        raise RuntimeError(f"the benchmark could not ingest {source}: {outcomes}")
    runs = [outcome.run_id for outcome in outcomes]
    return summarize(database.query("SELECT * FROM asset_timings WHERE run_id = ANY(%s)", [runs]), STAGES)


def write(results: dict[str, pd.DataFrame], peak_mb: float) -> Path:
    """Keep the figures with what they were measured on."""
    commit = (git_commit() or "unknown")[:12]
    document = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "device": require_device(read_settings().device).name,
        "cores": len(os.sched_getaffinity(0)),
        "platform": platform.platform(),
        "peak_memory_mb": round(peak_mb),
        "results": {name: json.loads(summary.to_json(orient="records")) for name, summary in results.items()},
    }
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / f"{commit}.json"
    target.write_text(json.dumps(document, indent=1) + "\n")
    return target.relative_to(PROJECT_ROOT)


if __name__ == "__main__":
    main()
