"""Hints of a watched source: read them, and write them into sources.yaml. Those of a video: earshot/library/upkeep/hints.py."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from earshot.config.hints import ANY, HINT_KEYS, NONE, Hints
from earshot.library.sources.editing import given_keys, named_source, set_options
from earshot.storage.database import Database

# What sources.yaml calls an empty hint: none, whatever `defaults` says.
_EMPTY: Mapping[str, Any] = {"vocabulary": [], "vocabulary_from": NONE, "prompt": "", "languages": ANY, "speakers": ANY}


@dataclass(frozen=True)
class SourceHints:
    """The hints that `apply` to all videos of a source, `own` or from `defaults`; and how many of its videos are stale."""

    source: str
    apply: Hints
    own: Hints
    stale_videos: int


def source_hints(database: Database, name: str) -> SourceHints:
    """The hints of the source with this name or address. Raises Unknown if sources.yaml has none."""
    source = named_source(name)
    keys = given_keys(name)
    own = Hints.of({key: value for key, value in source.hints.given.items() if key in keys})
    return SourceHints(source.name, source.hints, own, _count_stale(database, source.address))


def replace_source_hints(database: Database, name: str, hints: Hints) -> SourceHints:
    """Write these hints into the file instead of all its own; returns what then holds."""
    source = set_options(name, {key: _written(key, hints.given.get(key)) for key in HINT_KEYS})
    return source_hints(database, source.address)


def _written(key: str, value: str | list[str] | None) -> Any:
    """The hint as the file has it; None if nothing is said."""
    if value is None:
        return None
    if key == "speakers" and value and str(value).isdigit():
        return int(str(value))
    return value or _EMPTY[key]


def _count_stale(database: Database, address: str) -> int:
    """How many videos of the source have a stale stage."""
    from earshot.library.work.stages import stale_videos

    rows = database.query(
        "SELECT count(*) AS videos FROM videos WHERE source = %s AND video_id = ANY(%s)", [address, stale_videos(database)]
    )
    return rows[0]["videos"]
