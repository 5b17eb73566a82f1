"""What the processes of a library use, by kind: memory, open files, threads."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from bench.chaos.world import World

MIB = 1 << 20

# By what the command line of a process of each kind has: the first that fits counts.
MARKS = {
    "worker 1": "--hostname=worker-1@",
    "worker 2": "--hostname=worker-2@",
    "page": "earshot page",
    "webserver": "serve webserver",
    "daemon": "dagster-daemon",
    "code server": "ingest_assets.definitions",
    "broker": "valkey",
}


def measure(world: World) -> dict[str, float]:
    """The value of each curve of each kind, all its processes together: `memory up` and so on."""
    values: dict[str, float] = defaultdict(float)
    for kind, process in _by_kind(world):
        with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            memory, files, threads = proportional_set(process.pid) / MIB, process.num_fds(), process.num_threads()
            values[f"memory {kind}"] += memory
            values[f"files {kind}"] += files
            values[f"threads {kind}"] += threads
            values["processes"] += 1
    return values


def proportional_set(pid: int) -> int:
    """Bytes of memory of a process, in which each shared page counts by its share."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _by_kind(world: World) -> Iterator[tuple[str, psutil.Process]]:
    family = world.family()
    for number, process in enumerate(family):
        with suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                yield _kind(process.cmdline()) if number else "up", process
    yield from (("postgres", process) for kind in ("postgres", "backend") for process in world.processes(kind))


def _kind(command: Iterable[str]) -> str:
    line = " ".join(command)
    return next((kind for kind, mark in MARKS.items() if mark in line), "other")
