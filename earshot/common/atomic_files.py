"""Whole files and folders: each is written beside its place and moved there, so that nobody ever sees half of one."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from earshot.common.errors import EarshotError


@contextmanager
def atomic_file(path: Path) -> Iterator[TextIO]:
    """A file of UTF-8 text to write to, which takes the place of `path` at the end of the block; on an error there is no trace.

    What is no plain file (a pipe, /dev/stdout) is written to as it is. Raises EarshotError where nothing can be written.
    """
    with _explaining(path):
        if path.exists() and not path.is_file():
            with path.open("w", encoding="utf-8", newline="\n") as file:
                yield file
            return
        target = path.resolve()  # a link stays one
        beside = target.with_name(f".{target.name}.partial")  # one name: what a killed process left is overwritten
        try:
            with beside.open("w", encoding="utf-8", newline="\n") as file:
                yield file
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `path` at the end of the block; on an error there is no trace.

    Where another process was first, its folder stays and this one goes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        yield beside
        try:
            os.rename(beside, path)
        except OSError:
            if not path.exists():
                raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)


@contextmanager
def _explaining(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EarshotError(f"{path} cannot be written: {error.strerror}.", "Choose another place.") from error


def make_folder(path: Path) -> None:
    """Make the folder and those above it, where they are missing; raises EarshotError where that cannot be."""
    with _explaining(path):
        path.mkdir(parents=True, exist_ok=True)
