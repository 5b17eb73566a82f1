"""The regression drill on the real device and the real clock: each fault is flagged on its first video, with its cause."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bench.corpora.composed import repeated
from bench.corpora.episodes import EPISODES, episode_samples, write_mp3
from bench.drill.clock import DrillClock
from bench.drill.drill import ingest_one
from bench.drill.faults import FAULTS, moved_to_the_cpu
from earshot.models import cache
from earshot.storage.database import Database
from earshot.timings.baseline import MINIMUM_VIDEOS, WARN_LOST_S
from ingest_assets.operations.ingest import Outcome

SECONDS = 600  # long enough for a fault to cost more than the second below which nothing is flagged


@contextmanager
def _reloaded() -> Iterator[None]:
    """Every model is loaded a second time. The disk decides which loads take a second."""
    cache.forget_models()
    yield


def _drilled(name: str) -> Callable[[], AbstractContextManager[None]]:
    """A fault of the drill that needs no simulated clock."""
    [fault] = [fault for fault in FAULTS if fault.name == name]
    return lambda: fault.committed(DrillClock(), None)  # type: ignore[arg-type]  # neither is used by it


FAULTS_HERE = {
    "moved": (moved_to_the_cpu, "text_embeddings", "device"),
    "one by one": (_drilled("one by one"), "voice_embeddings", "batch_size"),
    "reloaded": (_reloaded, "", "cold_load"),
}


@dataclass(frozen=True)
class Drill:
    database: Database
    healthy: list[Outcome]
    faulty: dict[str, Outcome]

    def failures(self, name: str) -> list[tuple[str, str, str]]:
        """(stage, check, cause) of each failed check."""
        rows = self.database.query(
            "SELECT asset, check_name, cause FROM check_failures WHERE run_id = %s ORDER BY failure_id",
            [self.faulty[name].run_id],
        )
        return [(row["asset"], row["check_name"], row["cause"]) for row in rows]


@pytest.fixture(scope="module")
def drill(library: Database, tmp_path_factory: pytest.TempPathFactory) -> Drill:
    with library.connect() as connection:
        connection.execute("TRUNCATE asset_timings, check_failures, accepted_speeds")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("EARSHOT_DEVICE", "cuda")
        count = MINIMUM_VIDEOS + 1 + len(FAULTS_HERE)
        files = _recordings(tmp_path_factory.mktemp("drill"), count)
        healthy = [ingest_one(next(files), library) for _ in range(MINIMUM_VIDEOS + 1)]
        faulty = {}
        for name, (fault, _, _) in FAULTS_HERE.items():
            with fault():
                faulty[name] = ingest_one(next(files), library)
    return Drill(library, healthy, faulty)


def _recordings(folder: Path, count: int) -> Iterator[Path]:
    """The demo's episodes in turn, beginning elsewhere each time."""
    row = np.concatenate([episode_samples(episode) for episode in EPISODES])
    for index in range(count):
        path = folder / f"{index}.mp3"
        write_mp3(path, repeated([np.roll(row, -index * len(row) // count)], SECONDS * 16_000))
        yield path


def test_no_healthy_video_is_flagged(drill: Drill) -> None:
    assert [outcome.failed_checks for outcome in drill.healthy] == [()] * len(drill.healthy)


@pytest.mark.parametrize("name", ["moved", "one by one"])
def test_fault_is_flagged_on_first_video_with_cause(drill: Drill, name: str) -> None:
    _, stage, cause = FAULTS_HERE[name]
    failures = drill.failures(name)
    assert failures, drill.faulty[name]
    assert {(asset, why) for asset, _, why in failures} == {(stage, cause)}


def test_second_load_is_the_cause_where_it_slows(drill: Drill) -> None:
    """An H200 reloads some of these models within a second, which is never flagged."""
    rows = drill.database.query(
        "SELECT asset, model_loads, load_s FROM asset_timings WHERE run_id = %s AND asset <> 'audio'",
        [drill.faulty["reloaded"].run_id],
    )
    assert [row["model_loads"] for row in rows] == [2.0] * 4
    slowed = {row["asset"] for row in rows if row["load_s"] > WARN_LOST_S}
    assert {(asset, why) for asset, _, why in drill.failures("reloaded")} == {(asset, "cold_load") for asset in slowed}


def test_gpu_use_of_each_stage_is_kept(drill: Drill) -> None:
    rows = drill.database.query(
        "SELECT asset, device, gpu_util_mean, vram_peak_mb, gpu_power_w, gpu_clock_mhz FROM asset_timings WHERE run_id = %s",
        [drill.healthy[-1].run_id],
    )
    for row in rows:
        assert (row["device"] == "cuda") == (row["asset"] != "audio")
        if row["device"] == "cuda":
            assert row["vram_peak_mb"] > 0
            assert row["gpu_power_w"] > 0
            assert row["gpu_clock_mhz"] > 0
