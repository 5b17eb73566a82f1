"""Versions: today's code version and model of each stage. Needs no Dagster.

Raise a stage's code version when its output changes, and only then: it makes that stage of every video stale.
"""

from earshot.config.settings import read_settings
from earshot.models.registry import model_set
from earshot.speakers.tables.voice_space import PREPARATION
from earshot.storage.catalog.stages import STAGES
from ingest_assets.stages.freshness import Version

CODE_VERSIONS = {
    "audio": "1",
    "transcript": "1",
    "speaker_turns": "2",
    "voice_embeddings": f"2 {PREPARATION}",
    "text_embeddings": "2",
}


def stage_version(stage: str) -> Version:
    """Today's version of this stage. For `audio`, only the code counts, not the decoder's version."""
    model = model_set(read_settings()).of_stage(stage)
    return Version(CODE_VERSIONS[stage], model.name, model.revision) if model else Version(CODE_VERSIONS[stage])


def expected_versions() -> dict[str, Version]:
    """Today's version of each stage, upstream first."""
    return {stage: stage_version(stage) for stage in STAGES}
