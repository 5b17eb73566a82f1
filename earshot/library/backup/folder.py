"""The folder of a backup, at a path or a URL such as s3://bucket/prefix.

Files appear whole or not at all: at a path by renaming, in an object store because it shows nothing else. Each is hashed while
it is copied, a megabyte at a time.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from upath import UPath

from earshot.common.errors import EarshotError
from earshot.common.redaction import without_secrets
from earshot.library.backup.manifest import NAME, Manifest, Part, read_manifest
from earshot.storage.full_disk import explaining_full_disk
from earshot.storage.media_store import explaining_unreachable, require_package

CHUNK = 1 << 20
LOCAL = ("", "file", "local")  # protocols of a path


@dataclass(frozen=True)
class BackupFolder:
    """Reads and writes the files of a backup by their names from its root."""

    root: UPath

    def __str__(self) -> str:
        return without_secrets(str(self.root))

    def read(self) -> Manifest | None:
        """The manifest of the finished backup; None if there is none. Raises DatabaseUnusable if newer code wrote it."""
        try:
            text = (self.root / NAME).read_text()
        except FileNotFoundError:
            return None
        return read_manifest(text)

    def refuse_foreign(self) -> None:
        """Raise EarshotError if the folder has files, but no backup, finished or begun: they are not ours to replace."""
        names = {path.name for path in self.root.iterdir()} if self.root.exists() else set()
        if names and not names & {NAME, "audio"}:
            raise EarshotError(f"{self} has other files and no backup.", "Name an empty folder, or one that does not exist.")

    def sizes(self, folder: str) -> dict[str, int]:
        """The files in a folder with their lengths in bytes, by their names from the root."""
        place = self.root / folder
        if not place.exists():
            return {}
        found = cast("dict[str, dict[str, Any]]", place.fs.find(place.path, detail=True))
        return {f"{folder}/{Path(path).name}": entry["size"] for path, entry in found.items()}

    def write(self, name: str, source: BinaryIO) -> Part:
        """Copy a stream into a file. Raises EarshotError or DiskFull if that fails."""
        with self._writing(name) as target:
            return Part(name, *copy(source, target))

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """A file of the backup. Raises EarshotError if it is missing."""
        try:
            file = (self.root / name).open("rb")
        except FileNotFoundError as error:
            raise EarshotError(f"The backup at {self} is not complete: {name} is missing.", "Restore another one.") from error
        with file:
            yield cast(BinaryIO, file)

    def fetch(self, part: Part, target: Path) -> None:
        """Copy a part to a path, which then is whole. Raises EarshotError if its content is not what was backed up."""
        partial = target.with_name(f".{target.name}.partial")
        try:
            with explaining_full_disk(), self.open(part.name) as source, partial.open("wb") as file:
                self.check(part, copy(source, file)[0])
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    def check(self, part: Part, sha256: str) -> None:
        """Raise EarshotError if this is not the part's sha256."""
        if sha256 != part.sha256:
            raise EarshotError(
                f"{part.name} in {self} is damaged: its sha256 is {sha256}, expected {part.sha256}.",
                "Nothing was restored; restore another backup.",
            )

    def remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            (self.root / name).unlink()

    def keep_only(self, manifest: Manifest, audio: set[str]) -> None:
        """Delete what the finished backup does not name: parts of the former one, audio of removed videos."""
        kept = {NAME, *(part.name for part in manifest.parts.values()), *audio}
        root = self.root.path.rstrip("/")
        for path in self.root.fs.find(root):
            name = path.removeprefix(root).lstrip("/")
            if name not in kept:
                self.remove(name)
        self._remove_empty_folders()

    def _remove_empty_folders(self) -> None:
        for folder in (path for path in self.root.iterdir() if path.is_dir() and not any(path.iterdir())):
            folder.rmdir()

    @contextmanager
    def _writing(self, name: str) -> Iterator[BinaryIO]:
        target = self.root / name
        partial = target.with_name(f".{target.name}.partial") if target.protocol in LOCAL else target
        try:
            with explaining_full_disk():
                partial.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with partial.open("wb") as file:
                    yield file
                if partial is not target:
                    partial.rename(target)
        except OSError as error:
            raise EarshotError(f"{self} cannot be written to: {error.strerror or error}.", "Name another place.") from error
        finally:
            if partial is not target:
                partial.unlink(missing_ok=True)


def open_folder(place: str) -> BackupFolder:
    """The folder at a path or a URL. Raises Misconfigured if the URL needs a package that is not installed, or its store cannot
    be reached."""
    require_package(place)
    root = UPath(place) if "://" in place else UPath(Path(place).expanduser().resolve())
    with explaining_unreachable(place):
        root.exists()
    return BackupFolder(root)


def copy(source: BinaryIO, target: BinaryIO | None) -> tuple[str, int]:
    """Copy a stream to its end, or only read it; returns the sha256 and the length in bytes."""
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(CHUNK):
        digest.update(chunk)
        if target is not None:
            target.write(chunk)
        size += len(chunk)
    return digest.hexdigest(), size
