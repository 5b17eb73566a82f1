"""Figures: in what home they are measured, on what, and where they are kept.

`own_home()` is what every benchmark stands in; `measured_on()` goes with every figure, and `write()` keeps them in
bench/results/. A timing on a shared machine is noisy: compare figures of one run, and look at the steal share.

A result is named <kind>-<commit>.json after what wrote it and the commit that was measured: `attribution` and `people`
(bench.people), `retrieval` and `search` (bench.search), `scale`, `watching`, `gpu` (a result.json of bench.gpu, by hand). Those
of bench.pipeline are in a folder of their own, the kind being its parts, or none where it did all. What a page or a comment
cites stays, and the newest of each kind.
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
STEAL = 7  # the column of /proc/stat, counted from 0 after its name; the two behind it are part of earlier ones

Row = dict[str, Any]


@dataclass(frozen=True)
class NotDone:
    """What could not be measured here, and why, in plain words."""

    what: str
    reason: str


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
    """Keep the figures under their commit; where, from the project's root. The prefix may begin with a folder."""
    target = RESULTS / f"{prefix}{figures['commit']}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(figures, indent=1) + "\n")
    return target.relative_to(PROJECT_ROOT)
