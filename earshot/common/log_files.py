"""Log rotation: the newest lines are in `x.log`, older ones in `x.log.1` to `x.log.3`.

Writers keep a log open for appending as long as they live, so a full log is copied and truncated, not renamed. Lines written
between copy and truncation, a few milliseconds, are lost.
"""

import os
import shutil
from pathlib import Path

MAX_BYTES = 10_000_000
KEPT = 3  # rotated logs


def rotate(folder: Path, most_bytes: int = MAX_BYTES) -> None:
    """Rotate each full log of this folder and delete its oldest copy. Raises OSError if the disk is full."""
    for log in folder.glob("*.log"):
        rotate_log(log, most_bytes)


def rotate_log(log: Path, most_bytes: int = MAX_BYTES) -> None:
    """Rotate this log if it is full."""
    if log.exists() and log.stat().st_size >= most_bytes:
        _rotate(log)


def _rotate(log: Path) -> None:
    copy = _older(log, 0)
    try:
        shutil.copyfile(log, copy)
        os.truncate(log, 0)
        for number in range(KEPT - 1, 0, -1):
            if _older(log, number).exists():
                _older(log, number).replace(_older(log, number + 1))
        copy.replace(_older(log, 1))
    finally:
        copy.unlink(missing_ok=True)


def _older(log: Path, number: int) -> Path:
    return log.with_name(f"{log.name}.{number}")
