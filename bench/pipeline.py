"""`make bench`: what the pipeline costs on this machine, in figures that can be repeated.

In a home of its own, with models loaded by a first short video, by `earshot ingest`'s own code:

1. One recording of ten minutes (the demo's clips, repeated in turn), once, and the peak memory of the process after it.
2. The demo's four episodes, each by the pipeline and right after it by the plain libraries (bench/plain.py), so that a machine
   that is busy for a minute slows both alike. One that is busy for seconds may still slow only one of the two: the steal share
   says how much of the CPU others had. The plain libraries are loaded after the peak was read, and do not do the ten minutes:
   stock diarization alone would take longer than all the rest.
3. What measuring cost in each of these stages (bench/overhead.py).

Prints the tables, and writes them with the machine, the commit and the date to bench/results/<commit>.json. A timing on a
shared machine is noisy: compare figures of one run.
"""

import json
import os
import platform
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.demo import choose_device
from bench.episodes import EPISODES, TELEPHONE, Clip, clip_samples, episode_samples, write_episodes, write_mp3
from bench.overhead import as_record, print_costs, print_shares, shares
from bench.plain import Comparison, PlainLibraries, PlainResult, as_records, compare, left_by_the_pipeline, print_comparison
from bench.probes import measure_costs
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
from resources.source_file import source_named

LONG_S = 600
DEMO, LONG = "demo episodes", "one recording of ten minutes"
RESULTS = PROJECT_ROOT / "bench" / "results"
PROCESSOR_TIMES = Path("/proc/stat")
STEAL = 7  # the column of /proc/stat, counted from 0 after its name; the two behind it are part of earlier ones

Row = dict[str, Any]


def main() -> None:
    """Run the benchmark, print its tables and write its figures."""
    device, reason = choose_device(os.environ.get("EARSHOT_DEVICE"))
    os.environ["EARSHOT_DEVICE"] = device
    print(f"Device: {device} ({reason}).")
    before = processor_times()
    with own_home() as folder:
        first = folder / "first.mp3"
        write_mp3(first, clip_samples(Clip(TELEPHONE.package, TELEPHONE.path, 6.5, 14.5)))
        write_mp3(folder / "ten_minutes.mp3", long_recording(LONG_S))
        loaded = measure(first)
        rows = {LONG: measure(folder / "ten_minutes.mp3")}
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rows[DEMO], results = measure_in_turn(write_episodes(folder / "episodes"), warm_libraries(first, loaded))
        stolen = steal_share(before, processor_times())
        summaries = {name: summarize(rows[name], STAGES) for name in (DEMO, LONG)}
        comparisons = compare(rows[DEMO], results)
        costs = measure_costs([*rows[LONG], *rows[DEMO]], require_device(device), open_database(), open_instance())
        found = [share for name in (DEMO, LONG) for share in shares(name, costs, rows[name])]
    report(summaries, comparisons)
    print("\nWhat measuring costs")
    print_costs(costs)
    print()
    print_shares(found)
    print(f"\nPeak memory of the process, ten-minute recording: {peak_mb:.0f} MB")
    print(f"CPU time that other machines on this host had: {'not told' if stolen is None else f'{stolen:.0%}'}")
    print(f"Written to {write(document(summaries, comparisons, as_record(costs, found), peak_mb, stolen))}")


@contextmanager
def own_home() -> Iterator[Path]:
    """A temporary EARSHOT_HOME for the block, its Postgres stopped after it. Nothing of the user's is read or written."""
    home = Path(tempfile.mkdtemp(prefix="earshot-bench-"))
    home.chmod(0o755)
    os.environ["EARSHOT_HOME"] = str(home)
    for elsewhere in ("EARSHOT_DATABASE_URL", "EARSHOT_MEDIA", "EARSHOT_ALERT_URL"):
        os.environ.pop(elsewhere, None)
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


def measure(source: Path) -> list[Row]:
    """Ingest a source; its rows of `asset_timings`. Raises RuntimeError where a video failed."""
    database = open_database()
    steps = ingest([source_named(str(source))], Choice(), database, open_instance())
    outcomes = [step for step in steps if isinstance(step, Outcome)]
    if any(outcome.result != "done" for outcome in outcomes):
        raise RuntimeError(f"the benchmark could not ingest {source}: {outcomes}")
    runs = [outcome.run_id for outcome in outcomes]
    return database.query("SELECT * FROM asset_timings WHERE run_id = ANY(%s) ORDER BY timing_id", [runs])


def warm_libraries(recording: Path, rows: Sequence[Row]) -> PlainLibraries:
    """The plain libraries, loaded, and warmed by this recording, which the pipeline has done."""
    settings = read_settings()
    libraries = PlainLibraries(settings, require_device(settings.device))
    libraries.work_through(recording, *left_by_the_pipeline(open_database(), rows[0]["video_id"]))
    return libraries


def measure_in_turn(recordings: Sequence[Path], libraries: PlainLibraries) -> tuple[list[Row], list[PlainResult]]:
    """Each recording by the pipeline, then by the libraries."""
    rows, results = [], []
    for recording in recordings:
        ours = measure(recording)
        rows += ours
        results += libraries.work_through(recording, *left_by_the_pipeline(open_database(), ours[0]["video_id"]))
    return rows, results


def processor_times() -> str | None:
    """What Linux has counted of its processors' time so far; None elsewhere."""
    return PROCESSOR_TIMES.read_text() if PROCESSOR_TIMES.exists() else None


def steal_share(before: str | None, after: str | None) -> float | None:
    """The share of this machine's CPU time that its host gave to others between two readings; None where it does not tell."""
    if before is None or after is None:
        return None
    first, last = ([int(field) for field in text.splitlines()[0].split()[1 : STEAL + 2]] for text in (before, after))
    passed = sum(last) - sum(first)
    if len(first) <= STEAL or passed <= 0:
        return None
    return (last[STEAL] - first[STEAL]) / passed


def report(summaries: Mapping[str, pd.DataFrame], comparisons: Sequence[Comparison]) -> None:
    """Print what the pipeline did, and the demo's episodes beside the plain libraries."""
    for name, summary in summaries.items():
        print(f"\n{name}")
        print_timing_table(summary)
        print(describe_speed(summary))
    print(f"\n{DEMO}, beside the plain libraries")
    print_comparison(comparisons)


def document(
    summaries: Mapping[str, pd.DataFrame],
    comparisons: Sequence[Comparison],
    overhead: Row,
    peak_mb: float,
    stolen: float | None,
) -> Row:
    """The figures with what they were measured on."""
    return {
        **measured_on(require_device(read_settings().device).name),
        "peak_memory_mb": round(peak_mb),
        "steal_share": stolen,
        "results": {name: json.loads(summary.to_json(orient="records")) for name, summary in summaries.items()},
        "plain": as_records(comparisons),
        "overhead": overhead,
    }


def measured_on(device: str) -> Row:
    """When, of which code and on what something is measured. `uncommitted`: the code was not quite the commit's."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": (git_commit() or "unknown")[:12],
        "uncommitted": has_uncommitted_changes(),
        "device": device,
        "cores": len(os.sched_getaffinity(0)),
        "platform": platform.platform(),
    }


def has_uncommitted_changes() -> bool:
    """Whether a file that git tracks differs from the commit; False outside a clone."""
    if git_commit() is None:
        return False
    return subprocess.run(["git", "-C", str(PROJECT_ROOT), "diff", "--quiet", "HEAD"], check=False).returncode != 0


def write(figures: Row, prefix: str = "") -> Path:
    """Keep the figures under their commit; where, from the project's root."""
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / f"{prefix}{figures['commit']}.json"
    target.write_text(json.dumps(figures, indent=1) + "\n")
    return target.relative_to(PROJECT_ROOT)


if __name__ == "__main__":
    main()
