"""The manifest of a backup: what it consists of, and which versions made it. It is written last: without one, a folder is no
backup.

    manifest.json                 this
    20260131T120000Z/             the parts of this backup: both databases, the list of its audio, the user's files
    audio/<sha256 of samples>.flac    audio, which the next backup does not copy again
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from earshot.common.errors import DatabaseUnusable, EarshotError
from earshot.storage.database import MIGRATIONS

NAME = "manifest.json"
FORMAT = 1
EARSHOT, DAGSTER, AUDIO = "earshot.dump", "dagster.dump", "audio.jsonl"
UPDATE = "Update the code (git pull, make env), then restore."


@dataclass(frozen=True)
class Part:
    """A file of the backup: its name from the backup's root, its sha256, and its length in bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class StoredAudio:
    """A video's audio in the backup; `uri` is its name in the media store."""

    video_id: str
    uri: str
    samples_sha256: str
    part: Part


@dataclass(frozen=True)
class Manifest:
    """One finished backup. `schema` is the last migration of Earshot's tables, `dagster` the version of Dagster."""

    made_at: str
    earshot: str
    schema: int
    dagster: str
    postgres: int
    videos: int
    parts: Mapping[str, Part]  # by what they are: EARSHOT, DAGSTER, AUDIO, or the name of a user's file
    format: int = FORMAT

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)


def read_manifest(text: str) -> Manifest:
    """Raises DatabaseUnusable if newer code wrote the backup, EarshotError if the text is no manifest."""
    try:
        values: dict[str, Any] = json.loads(text)
        if values["format"] > FORMAT:
            raise DatabaseUnusable(f"The backup has format {values['format']}, but this code only knows {FORMAT}.", UPDATE)
        parts = {name: Part(**part) for name, part in values.pop("parts").items()}
        return Manifest(**values, parts=parts)
    except (ValueError, KeyError, TypeError) as error:
        raise EarshotError(f"{NAME} is not a manifest of a backup: {error}.", "Name the folder that a backup wrote.") from error


def newest_schema() -> int:
    """The last migration that this code knows."""
    return max(int(file.name[:4]) for file in MIGRATIONS.glob("[0-9]*.sql"))


def refuse_newer(manifest: Manifest) -> None:
    """Raise DatabaseUnusable if this code cannot read the backup's tables."""
    if manifest.schema > newest_schema():
        raise DatabaseUnusable(
            f"The backup has schema version {manifest.schema} (Earshot {manifest.earshot}), "
            f"but this code only knows versions up to {newest_schema()}.",
            UPDATE,
        )
    if _numbers(manifest.dagster) > _numbers(version_of("dagster")):
        raise DatabaseUnusable(
            f"The backup is of Dagster {manifest.dagster}, but this is Dagster {version_of('dagster')}.", UPDATE
        )


def version_of(package: str) -> str:
    """The installed version of a package."""
    from importlib.metadata import version

    return version(package)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".") if number.isdigit()]
