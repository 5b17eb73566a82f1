"""What a library takes on the disk, by folder of its home."""

import os
from contextlib import suppress
from pathlib import Path

MIB = 1 << 20
BLOCK = 512  # bytes of st_blocks, on every Linux


def measure(home: Path) -> dict[str, float]:
    """MiB and number of files of each folder, and of the whole home; linked folders, such as the models, do not count."""
    values = {"disk home": 0.0, "file count home": 0.0}
    for folder in sorted(entry for entry in home.iterdir() if entry.is_dir() and not entry.is_symlink()):
        size, files = _measure_folder(folder)
        values[f"disk {folder.name}"] = size / MIB
        values[f"file count {folder.name}"] = files
        values["disk home"] += size / MIB
        values["file count home"] += files
    return values


def _measure_folder(folder: Path) -> tuple[int, int]:
    size = count = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                size += os.lstat(os.path.join(parent, name)).st_blocks * BLOCK
                count += 1
    return size, count
