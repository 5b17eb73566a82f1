"""The stages of a video, and the stages that each is made from.

The asset graph, staleness, backfills and search all use this table. How a stage works is in ingest_assets/assets.
"""

from collections.abc import Mapping

# By stage, upstream first: the stages whose rows it reads.
UPSTREAM: Mapping[str, frozenset[str]] = {
    "audio": frozenset(),
    "transcript": frozenset({"audio"}),
    "speaker_turns": frozenset({"audio"}),
    "voice_embeddings": frozenset({"audio", "speaker_turns"}),
    "text_embeddings": frozenset({"transcript", "speaker_turns"}),
}
STAGES = tuple(UPSTREAM)
