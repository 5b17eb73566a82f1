"""The hints of videos: table `video_hints`, over those that sources.yaml has for their sources.

The most specific hint wins, key by key. ingest_assets/stages/outputs.py records which hints a stage was run with, and finds the
stages for which they have changed.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from earshot.common.errors import Misconfigured
from earshot.config.hints import Hints
from earshot.config.mistakes import read_text
from earshot.config.settings import read_settings
from earshot.config.settings_file import project_folder
from earshot.config.sources_file import sources_in
from earshot.storage.database import Database

# The hints that decide a stage's output.
KEYS_OF_STAGES: Mapping[str, tuple[str, ...]] = {
    "transcript": ("vocabulary", "vocabulary_from", "prompt", "languages"),
    "speaker_turns": ("speakers",),
}


def source_hints() -> Mapping[str, Hints]:
    """The hints in sources.yaml, by address, of the sources that have any. Raises Misconfigured if the file is invalid."""
    path = read_settings().sources
    return _hints_in(path, read_text(path, "EARSHOT_SOURCES", may_miss=path == project_folder() / "sources.yaml"))


def known_source_hints() -> Mapping[str, Hints] | None:
    """`source_hints()`, None while sources.yaml is invalid, which `earshot up` reports."""
    with suppress(Misconfigured):
        return source_hints()
    return None


@lru_cache(maxsize=1)  # every stage asks
def _hints_in(path: Path, text: str) -> Mapping[str, Hints]:
    return {source.address: source.hints for source in sources_in(path, text) if source.hints.given}


def hints_for(database: Database, video_id: str, source: str) -> Hints:
    """The hints that apply to a video of this source. Raises Misconfigured if sources.yaml is invalid."""
    general = {} if os.path.isfile(source) else source_hints()  # a single file is no source of sources.yaml
    return own_hints(database, video_id).over(general.get(source, Hints()))


def own_hints(database: Database, video_id: str) -> Hints:
    """The hints that were given for the video itself."""
    rows = database.query("SELECT hints FROM video_hints WHERE video_id = %s", [video_id])
    return Hints.of(rows[0]["hints"]) if rows else Hints()


def keep_hints(database: Database, video_id: str, hints: Hints) -> None:
    """Replace the video's own hints; `Hints()` removes them."""
    if not hints.given:
        database.query("DELETE FROM video_hints WHERE video_id = %s", [video_id])
        return
    database.query(
        "INSERT INTO video_hints (video_id, hints) VALUES (%s, %s) ON CONFLICT (video_id) DO UPDATE SET hints = excluded.hints",
        [video_id, Jsonb(hints.given)],
    )


def stage_hints(hints: Hints, stage: str) -> dict[str, Any]:
    """The hints that decide this stage's output, without empty ones."""
    return {key: hints.given[key] for key in KEYS_OF_STAGES.get(stage, ()) if hints.given.get(key)}
