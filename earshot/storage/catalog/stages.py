"""The stages of a video, and the upstream stages of each.

The asset graph, staleness, backfills and search all use this table. ingest_assets/assets implements the stages.
"""

from collections.abc import Mapping

# The stages whose rows each stage reads; upstream first.
UPSTREAM: Mapping[str, frozenset[str]] = {
    "audio": frozenset(),
    "transcript": frozenset({"audio"}),
    "speaker_turns": frozenset({"audio"}),
    "voice_embeddings": frozenset({"audio", "speaker_turns"}),
    "text_embeddings": frozenset({"transcript", "speaker_turns"}),
}
STAGES = tuple(UPSTREAM)

# Measured like a stage, but of recordings of people instead of a video.
ENROLMENTS = "enrolments"
# The questions that a server embeds, of which some are measured.
QUESTIONS = "questions"
MEASURED = (*STAGES, ENROLMENTS, QUESTIONS)
