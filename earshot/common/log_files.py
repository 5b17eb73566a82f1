"""Log files of a bounded size: the newest lines in `x.log`, older ones in `x.log.1` up to `x.log.3`.

The processes that write a log open it to append and keep it open for as long as they live, so a full log is copied and then
emptied rather than renamed. What they write in between, in milliseconds, is lost.
"""

import os
import shutil
from pathlib import Path

MAX_BYTES = 10_000_000
KEPT = 3  # full logs


def rotate(folder: Path, most_bytes: int = MAX_BYTES) -> None:
    """Put each log of this folder that is full aside, and drop the oldest of those. Raises OSError where the disk is full."""
    for log in folder.glob("*.log"):
        if log.stat().st_size >= most_bytes:
            _put_aside(log)


def _put_aside(log: Path) -> None:
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
