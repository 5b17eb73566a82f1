"""Atomic files and folders: each is written next to its target and then renamed, so no reader ever sees half of one."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO

from earshot.common.errors import EarshotError


@contextmanager
def atomic_file(path: Path) -> Iterator[TextIO]:
    """Like `atomic_bytes()`, for UTF-8 text with `\\n` as line ends."""
    with atomic_bytes(path) as file:
        text = TextIOWrapper(file, encoding="utf-8", newline="\n")
        yield text
        text.flush()
        text.detach()


@contextmanager
def atomic_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open a file that replaces `path` when the block ends; an error leaves no trace.

    Writes directly to anything but a regular file (a pipe, /dev/stdout). Raises EarshotError if `path` cannot be written.
    """
    with _explaining(path):
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                yield file
            return
        target = path.resolve()  # keeps a symbolic link
        partial = target.with_name(f".{target.name}.partial")  # a fixed name: overwrites what a killed process left
        try:
            with partial.open("wb") as file:
                yield file
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder that becomes `path` when the block ends; an error leaves no trace.

    If another process was faster, its folder stays and this one is deleted.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        yield partial
        try:
            os.rename(partial, path)
        except OSError:
            if not path.exists():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _explaining(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EarshotError(f"{path} cannot be written: {error.strerror}.", "Choose another place.") from error


def make_folder(path: Path) -> None:
    """Create the folder and its missing parents; raises EarshotError if that fails."""
    with _explaining(path):
        path.mkdir(parents=True, exist_ok=True)
