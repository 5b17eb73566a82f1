"""The regression drill: healthy videos, then one fault at a time, and what the checks report on the fault's first video.

Models, database, runs and checks are real; only the clocks are simulated, of wall and of CPU seconds, and the machine's load.
Each model call takes CALL_S, each of its inputs INPUT_S and each load of a model LOAD_S, as if on a GPU, where calls are
expensive and inputs cheap; nothing else takes time, but for what a fault adds. The work keeps CORES cores busy, of a machine
without other work. So the drill has the same result on any machine, however busy.

    make drill

tests/end_to_end/test_drill.py injects the same faults and asserts what docs/measurements/regression-drill.md shows.
"""

import tempfile
from pathlib import Path
from typing import Any

from bench.corpora.episodes import TELEPHONE, Clip, clip_samples, write_mp3
from bench.drill.clock import drill_clock
from bench.drill.faults import ENROLMENT_FAULTS, FAULTS
from earshot.common.excerpt import FILE, Excerpt
from earshot.config.sources_file import source_named
from earshot.models import cache
from earshot.storage.database import Database, open_database
from ingest_assets.operations.enrol import assess_excerpts
from ingest_assets.operations.ingest import IngestChoice, Outcome, ingest
from resources.instance.home import open_instance

HEALTHY_VIDEOS = 5
CLIP_S = 22.0
NARRATOR = Clip("moonshine_voice", "assets/two_cities.wav")


def write_clip(folder: Path, index: int) -> Path:
    """Write the telephone call from a different start, so that the videos are similar but not identical; returns the path."""
    path = folder / f"call-{index}.mp3"
    start = 0.3 * index
    write_mp3(path, clip_samples(Clip(TELEPHONE.package, TELEPHONE.path, start, start + CLIP_S)))
    return path


def ingest_one(path: Path, database: Database) -> Outcome:
    """Ingest one file; raises RuntimeError if that fails."""
    steps = ingest([source_named(str(path))], IngestChoice(), database, open_instance())
    [outcome] = [step for step in steps if isinstance(step, Outcome)]
    if outcome.result != "done":
        raise RuntimeError(f"the drill could not ingest {path}: {outcome}")
    return outcome


def write_recording(folder: Path, index: int) -> Path:
    """Write the narrator from a different start, as a recording of a person; returns the path."""
    path, start = folder / f"narrator-{index}.mp3", 0.3 * index
    write_mp3(path, clip_samples(Clip(NARRATOR.package, NARRATOR.path, start, start + CLIP_S)))
    return path


def judge_one(path: Path, database: Database) -> list[dict[str, Any]]:
    """Judge a recording of a person, as `earshot people enrol` does; returns its rows of `check_failures`."""
    [last] = database.query("SELECT coalesce(max(failure_id), 0) AS failure_id FROM check_failures")
    assess_excerpts(database, open_instance(), path.stem, [Excerpt(FILE, str(path))])
    return database.query("SELECT * FROM check_failures WHERE failure_id > %s ORDER BY failure_id", [last["failure_id"]])


def judge_healthy(folder: Path, database: Database) -> list[dict[str, Any]]:
    """Judge healthy recordings in a process that has loaded the models for them; returns the failed checks."""
    cache.forget_models()
    return [row for index in range(HEALTHY_VIDEOS) for row in judge_one(write_recording(folder, index), database)]


def main() -> None:
    """Run the drill in its own home and print what the checks report."""
    from bench.harness.figures import own_home

    with own_home(), tempfile.TemporaryDirectory() as folder, drill_clock() as clock:
        database = open_database()
        for index in range(HEALTHY_VIDEOS):
            outcome = ingest_one(write_clip(Path(folder), index), database)
            print(f"healthy video {index + 1}: {', '.join(outcome.failed_checks) or 'every check passed'}", flush=True)
        for index, fault in enumerate(FAULTS, start=HEALTHY_VIDEOS):
            with fault.committed(clock, database):
                outcome = ingest_one(write_clip(Path(folder), index), database)
            print(f"\n{fault.name}: {fault.description}")
            for message in outcome.failed_checks or ("nothing",):
                print(f"  {message}", flush=True)
        healthy = judge_healthy(Path(folder), database)
        print(f"\nhealthy enrolments: {len(healthy)} failed checks")
        for index, fault in enumerate(ENROLMENT_FAULTS, start=HEALTHY_VIDEOS):
            with fault.committed(clock, database):
                failed = judge_one(write_recording(Path(folder), index), database)
            print(f"\n{fault.name}: {fault.description}")
            for row in failed:
                print(f"  {row['severity'].upper()}: {row['message']}", flush=True)
