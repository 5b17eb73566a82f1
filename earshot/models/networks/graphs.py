"""ONNX graphs of the bundled networks: made from their verified weights at first use, once per home.

A model's graphs are in a folder beside its weights, named after these and what exported them. A checksum of each file is kept
with them, so that a damaged graph is noticed before it is loaded, and made again. torch is imported only to make them
(graph_export.py), which compares them with torch on speech. Two processes do not make them at once.
"""

import fcntl
import importlib.metadata
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from earshot.common.atomic_files import atomic_folder
from earshot.models.files import sha256_of

EXPORT = 1  # raise it if the graphs of the same weights change
CHECKSUMS = "SHA256SUMS"


def graphs(weights: Path, export: Callable[[Path], None]) -> Path:
    """The folder with the graphs of the verified model in this folder; `export` writes them if they are missing or damaged."""
    folder = weights.with_name(f"{weights.name}-onnx-{EXPORT}-torch-{importlib.metadata.version('torch')}")
    if not _is_whole(folder):
        with _one_at_a_time(folder):
            if not _is_whole(folder):
                _make(folder, export)
    return folder


def _make(folder: Path, export: Callable[[Path], None]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with atomic_folder(folder) as made:
        export(made)
        checksums = [f"{sha256_of(path)}  {path.name}\n" for path in sorted(made.iterdir())]
        (made / CHECKSUMS).write_text("".join(checksums))


def _is_whole(folder: Path) -> bool:
    if not (folder / CHECKSUMS).exists():
        return False
    lines = (folder / CHECKSUMS).read_text().splitlines()
    return bool(lines) and all(
        sha256_of(folder / name) == digest for digest, _, name in (line.partition("  ") for line in lines)
    )


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    with folder.with_name(f".{folder.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
