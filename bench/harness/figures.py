"""Figures: the temporary home in which they are measured, the machine's description, and the files that store them.

Every benchmark runs inside `own_home()`; `measured_on()` accompanies every figure, and `write()` stores them in bench/results/.
Timings on a shared machine are noisy: compare figures of one run, and check the steal share.

A result is named <kind>-<commit>.json after the benchmark and the measured commit: `languages`, `retrieval` and `search`
(bench.search), `watching`, `gpu` (a result.json of bench.gpu, copied by hand). Results of bench.people (`episodes`, `meetings`
and `attribution`), bench.scale, bench.pipeline and bench.chaos have their own folders. The kind of a pipeline's result names
its parts, and is empty if all of them ran; that of a campaign is the seed, that of a soak `soak` or, in compressed time,
`soak-day`. Keep the results that a page or a comment cites, and the newest of each kind.
"""

import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from earshot.config.settings import PROJECT_ROOT
from earshot.storage.server import stop_embedded
from earshot.timings.timing import git_commit

RESULTS = PROJECT_ROOT / "bench" / "results"
PROCESSOR_TIMES = Path("/proc/stat")
STEAL = 7  # column of /proc/stat, counted from 0 after the name; the two after it are included in earlier ones

Row = dict[str, Any]


@dataclass(frozen=True)
class NotDone:
    """Something that could not be measured here, and why."""

    what: str
    reason: str


@contextmanager
def own_home() -> Iterator[Path]:
    """A temporary EARSHOT_HOME for the block; its Postgres is stopped afterwards. The user's own library is not touched."""
    home = Path(tempfile.mkdtemp(prefix="earshot-bench-"))
    os.environ["EARSHOT_HOME"] = str(home)
    for setting in ("EARSHOT_DATABASE_URL", "EARSHOT_MEDIA", "EARSHOT_ALERT_URL"):
        os.environ.pop(setting, None)
    try:
        yield home
    finally:
        stop_embedded(home)
        shutil.rmtree(home, ignore_errors=True)


def processor_times() -> str | None:
    """The contents of /proc/stat; None on other systems than Linux."""
    return PROCESSOR_TIMES.read_text() if PROCESSOR_TIMES.exists() else None


def steal_share(before: str | None, after: str | None) -> float | None:
    """The share of this machine's CPU time that its host gave to others between two readings; None if unknown."""
    if before is None or after is None:
        return None
    first, last = ([int(field) for field in text.splitlines()[0].split()[1 : STEAL + 2]] for text in (before, after))
    passed = sum(last) - sum(first)
    if len(first) <= STEAL or passed <= 0:
        return None
    return (last[STEAL] - first[STEAL]) / passed


def measured_on(device: str) -> Row:
    """Date, commit and machine of a measurement. `uncommitted`: the code had changes after that commit."""
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
    """Store the figures under their commit; returns the path from the project's root. `prefix` may begin with a folder."""
    target = RESULTS / f"{prefix}{figures['commit']}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(figures, indent=1) + "\n")
    return target.relative_to(PROJECT_ROOT)
