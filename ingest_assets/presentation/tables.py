"""The main table of each asset as Dagster's metadata: its name, and its columns with their types and meanings.

Other tables of a stage are named in the asset's description. tests/ingest_assets/presentation/test_tables.py compares with
Postgres.
"""

from collections.abc import Mapping
from typing import Any

from dagster import TableColumn, TableColumnConstraints, TableSchema

Column = tuple[str, str, str]  # name, type (with NULL if allowed), meaning

PARTITION: Column = ("video_id", "text", "the video's key, the partition")
SPEAKER: Column = ("local_speaker", "text", "label within the video, such as SPEAKER_00")
TIMES: tuple[Column, ...] = (
    ("start_s", "double precision", "seconds from the start of the recording"),
    ("end_s", "double precision", "likewise, of the end"),
)
MODEL: tuple[Column, ...] = (("model", "text", "that made the row"), ("model_revision", "text", "its revision"))

TABLES: Mapping[str, tuple[str, tuple[Column, ...]]] = {
    "audio": ("audio", (
        PARTITION,
        ("uri", "text", "the FLAC in the media store"),
        ("samples_sha256", "text", "of the 16-bit samples"),
        ("samples", "bigint", "how many"),
        ("sample_rate", "integer", "in Hz"),
        ("duration_s", "double precision", "seconds of audio"),
        ("downloader", "text", "yt-dlp and its version, or file"),
        ("deleted_at", "timestamp with time zone NULL", "when keep_audio_days deleted the file; NULL if it is there"),
    )),
    "transcript": ("segments", (
        PARTITION,
        ("segment_index", "integer", "in order of time, from 0"),
        *TIMES,
        ("text", "text", "what was said"),
        ("avg_logprob", "double precision", "mean log probability of the tokens"),
        ("compression_ratio", "double precision", "high if the text repeats itself"),
        ("no_speech_prob", "double precision", "probability that no one speaks"),
    )),
    "speaker_turns": ("turns", (
        PARTITION,
        ("turn_index", "integer", "in order of time, from 0"),
        *TIMES,
        SPEAKER,
        ("overlap", "boolean", "whether others speak at the same time"),
    )),
    "voice_embeddings": ("voice_embeddings", (
        PARTITION,
        ("turn_index", "integer", "the turn in table turns"),
        ("audio_sha256", "text", "of the video's samples"),
        ("first_sample", "bigint", "where the turn begins"),
        ("last_sample", "bigint", "one past its end"),
        *MODEL,
        ("embedding", "vector NULL", "the voice; NULL if forgotten"),
        ("preparation", "text", "how the audio was prepared"),
        ("condition", "text", "clear, overlapped, too_short or forgotten"),
    )),
    "text_embeddings": ("passages", (
        PARTITION,
        ("passage_index", "integer", "in order of time, from 0"),
        *TIMES,
        ("local_speaker", "text NULL", "label within the video; NULL if the diarization heard no speaker"),
        ("first_word", "integer", "in table words"),
        ("last_word", "integer", "inclusive"),
        ("text", "text", "what was said"),
        *MODEL,
        ("embedding", "vector", "the meaning"),
        ("language", "text", "whisper's code, or empty"),
        ("search_text", "tsvector NULL", "the words, for search"),
    )),
    "people": ("identities", (
        PARTITION,
        SPEAKER,
        ("person_id", "bigint NULL", "the person in table people"),
        ("voice_id", "bigint NULL", "the anonymous voice"),
        ("decided_by", "text", "correction, profile, voice or nothing"),
        ("reason", "text", "why the speaker is Unknown, or empty"),
        ("score", "double precision NULL", "cosine to the profile or voice"),
        ("margin", "double precision NULL", "score minus the second best"),
        *MODEL,
        ("preparation", "text", "how the audio was prepared"),
        ("component", "bigint NULL", "speakers clustered together"),
        ("made_at", "timestamp with time zone", "when the voice was computed"),
    )),
    "enrolments": ("enrolment_judgements", (
        ("enrolment_id", "bigint", "the recording in table enrolments"),
        *MODEL,
        ("preparation", "text", "how the audio was prepared"),
        ("verdict", "text", "good, fair or refused"),
        ("reasons", "text", "why it is not good, or empty"),
        ("clean_s", "double precision", "seconds of one voice alone"),
        ("other_voice_s", "double precision", "seconds of a second voice"),
        ("spread", "double precision NULL", "lowest cosine of a sample to their mean"),
    )),
    "videos": ("videos", (
        ("video_id", "text", "the key"),
        ("url", "text", "where the recording is"),
        ("source", "text", "the source's address"),
        ("title", "text", "of the video"),
        ("channel", "text NULL", "its name"),
        ("published_at", "timestamp with time zone NULL", "if the source says so"),
        ("duration_s", "double precision NULL", "seconds of audio"),
        ("state", "text", "new, ready, failed, ..."),
        ("attempts", "integer", "failed ones"),
        ("last_error", "text NULL", "why the last one failed"),
        ("registered_at", "timestamp with time zone", "when it was found"),
        ("updated_at", "timestamp with time zone", "of this row"),
        ("language", "text NULL", "if the source says so"),
        ("requested_at", "timestamp with time zone NULL", "when its run was requested"),
        ("retry_at", "timestamp with time zone NULL", "when it is tried again"),
        ("title_words", "tsvector NULL", "the title's words, for search"),
    )),
}  # fmt: skip


def table_metadata(asset: str) -> dict[str, Any]:
    """`dagster/table_name` and `dagster/column_schema` of the asset's main table."""
    table, columns = TABLES[asset]
    return {"dagster/table_name": f"public.{table}", "dagster/column_schema": TableSchema([_column(*each) for each in columns])}


def _column(name: str, kind: str, meaning: str) -> TableColumn:
    constraints = TableColumnConstraints(nullable=kind.endswith(" NULL"))
    return TableColumn(name, kind.removesuffix(" NULL"), meaning, constraints)
