"""A library as the stages leave it, of any number of videos, in a few statements."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any
from uuid import uuid4

import numpy as np
from pgvector import Vector
from psycopg import sql

from earshot.config.hints import Hints
from earshot.models.registry import Model
from earshot.storage.catalog.stages import UPSTREAM
from earshot.storage.catalog.video_hints import stage_hints
from earshot.storage.catalog.videos import Video, get_video, register
from earshot.storage.database import Connection, Database
from earshot.timings.baseline import Level
from earshot.timings.judgement import Judgement
from earshot.timings.timing import Timing
from earshot.transcripts.search.text_models import register_text_model
from ingest_assets.stages.freshness import Version
from ingest_assets.stages.outputs import FinishedRun, StageResult, record_result
from tests.support.timing_rows import usual
from tests.support.videos.spoken_videos import MODEL

VECTOR = Vector(np.zeros(MODEL.dimension, dtype=np.float32))
STAGES = ("transcript", "speaker_turns", "text_embeddings")


def fill(database: Database, keys: Sequence[str], said: Sequence[str], source: str = "https://x") -> None:
    """Videos in which one speaker says these words, a second each, in one passage."""
    register(database, [Video(key, f"https://x/{key}", source, key.title(), duration_s=60.0) for key in keys])
    register_text_model(database, MODEL)
    words = [(i, 0, float(i), i + 1.0, text, 0.5) for i, text in enumerate(said)]
    turns = [(0, 0.0, float(len(said)), "SPEAKER_00")] if said else []
    passages = [
        (0, 0.0, float(len(said)), "SPEAKER_00", 0, len(said) - 1, "".join(said).strip(), MODEL.name, MODEL.revision, VECTOR)
        for _ in turns
    ]
    with database.connect() as connection:
        copy(connection, "transcripts", "language, language_probability, model, model_revision", keys, [("en", 1.0, "w", "1")])
        copy(connection, "words", "word_index, segment_index, start_s, end_s, text, probability", keys, words)
        copy(
            connection, "turns", "turn_index, start_s, end_s, local_speaker, overlap", keys, [(*turn, False) for turn in turns]
        )
        copy(connection, "exclusive_turns", "turn_index, start_s, end_s, local_speaker", keys, turns)
        columns = "passage_index, start_s, end_s, local_speaker, first_word, last_word, text, model, model_revision, embedding"
        copy(connection, "passages", columns, keys, passages)
        timings = [{"asset": stage, "run_id": "run-1", "code_version": "1", **asdict(_timing())} for stage in STAGES]
        leave_outputs(connection, keys, timings)


def stored_video(database: Database, video_id: str) -> Video:
    """The video's row, which must be there."""
    video = get_video(database, video_id)
    assert video is not None
    return video


def leave_outputs(connection: Connection, keys: Sequence[str], timings: Sequence[dict[str, Any]]) -> None:
    """For each video these timings, a stage each, and outputs of one content, all made from each other."""
    copy(connection, "asset_timings", ", ".join(timings[0]), keys, [tuple(timing.values()) for timing in timings])
    connection.execute(
        "INSERT INTO stage_outputs "
        "(video_id, asset, timing_id, code_version, model, model_revision, content, made_from) "
        "SELECT DISTINCT ON (video_id, asset) video_id, asset, timing_id, code_version, model, model_revision, 'same', "
        "(SELECT jsonb_object_agg(stage, 'same') FROM unnest(%s::text[]) AS stage) "
        "FROM asset_timings WHERE video_id = ANY(%s) ORDER BY video_id, asset, timing_id DESC "
        "ON CONFLICT (video_id, asset) DO UPDATE SET timing_id = excluded.timing_id, code_version = excluded.code_version, "
        "model = excluded.model, model_revision = excluded.model_revision",
        [list(UPSTREAM), list(keys)],
    )


def _timing(model: Model = MODEL) -> Timing:
    return usual(model=model.name, model_revision=model.revision)


def copy(connection: Connection, table: str, columns: str, keys: Iterable[str], rows: Iterable[tuple[Any, ...]]) -> None:
    """The same rows for each video."""
    rows, names = list(rows), sql.SQL(", ").join(map(sql.Identifier, ["video_id", *columns.split(", ")]))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
    with connection.cursor() as cursor, cursor.copy(statement) as into:
        for key in keys:
            for row in rows:
                into.write_row((key, *row))


def run_stages(database: Database, video_id: str, *stages: str, model: Model = MODEL) -> None:
    """As if each stage had run, in this order, each with new content."""
    for number, stage in enumerate(stages):
        run_stage(database, video_id, stage, Version("1", model.name, model.revision), f"{number} of {uuid4()}")


def run_stage(
    database: Database,
    video_id: str,
    stage: str,
    version: Version,
    content: str,
    word_corrections: Sequence[int] = (),
    hints: Hints | None = None,
) -> None:
    """As if the stage had run, with these corrections of words and hints, and left this content."""
    figures = usual(model=version.model, model_revision=version.model_revision)
    examined = Judgement((), Level.OK)
    timed = FinishedRun(video_id, stage, "run-1", version.code_version, figures, examined)
    obeyed = stage_hints(hints or Hints(), stage)
    record_result(database, StageResult(timed, version, UPSTREAM[stage], content, {}, word_corrections, obeyed))
