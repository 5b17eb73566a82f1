"""Judgements and samples of enrolments: tables `enrolment_judgements` and `enrolment_samples`.

Each enrolment is judged once per voice space, and its samples are stored with their vectors. earshot/speakers/people/samples.py
cuts and judges them.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from earshot.common.audio import SAMPLE_RATE
from earshot.common.excerpt import Excerpt
from earshot.speakers.tables.voice_space import VoiceSpace, in_space
from earshot.speakers.voices.enrolment_quality import Quality, Samples
from earshot.storage.database import Database


@dataclass(frozen=True)
class StoredEnrolment:
    """One row of `enrolments`."""

    enrolment_id: int
    person_id: int
    excerpt: Excerpt


def pending_enrolments(database: Database, space: VoiceSpace) -> list[StoredEnrolment]:
    """The enrolments without a judgement in this space, grouped by recording."""
    rows = database.query(
        in_space("""
            SELECT enrolment_id, person_id, kind, recording, start_s, end_s FROM enrolments e WHERE NOT EXISTS (
                SELECT FROM enrolment_judgements j WHERE j.enrolment_id = e.enrolment_id AND {in_space})
            ORDER BY kind, recording, start_s, enrolment_id
        """),
        space.columns,
    )
    return [StoredEnrolment(row.pop("enrolment_id"), row.pop("person_id"), Excerpt(**row)) for row in rows]


def save_assessment(database: Database, enrolment_id: int, space: VoiceSpace, quality: Quality, samples: Samples) -> None:
    """Store an enrolment's judgement and samples, replacing those in this space. Does nothing if the enrolment is gone."""
    key = {**space.columns, "enrolment": enrolment_id}
    with database.connect() as connection:
        if not connection.execute("SELECT 1 FROM enrolments WHERE enrolment_id = %s FOR KEY SHARE", [enrolment_id]).fetchall():
            return
        connection.execute(
            """
            INSERT INTO enrolment_judgements
                (enrolment_id, model, model_revision, preparation, verdict, reasons, clean_s, other_voice_s, spread)
            VALUES (%(enrolment)s, %(model)s, %(model_revision)s, %(preparation)s, %(verdict)s, %(reasons)s, %(clean_s)s,
                %(other_voice_s)s, %(spread)s)
            ON CONFLICT (enrolment_id, model, model_revision, preparation) DO UPDATE SET verdict = excluded.verdict,
                reasons = excluded.reasons, clean_s = excluded.clean_s, other_voice_s = excluded.other_voice_s,
                spread = excluded.spread
            """,
            {**key, **vars(quality)},
        )
        connection.execute(in_space("DELETE FROM enrolment_samples WHERE enrolment_id = %(enrolment)s AND {in_space}"), key)
        with connection.cursor() as cursor:
            cursor.executemany(
                """
                INSERT INTO enrolment_samples (enrolment_id, sample_index, model, model_revision, preparation, audio_sha256,
                    first_sample, last_sample, embedding)
                VALUES (%(enrolment)s, %(index)s, %(model)s, %(model_revision)s, %(preparation)s, %(sha256)s, %(first)s,
                    %(last)s, %(vector)s)
                """,
                [
                    {**key, "index": index, "sha256": samples.audio_sha256, "first": first, "last": last, "vector": vector}
                    for index, ((first, last), vector) in enumerate(zip(samples.spans, samples.vectors, strict=True))
                ],
            )


def profile_samples(database: Database, space: VoiceSpace) -> pd.DataFrame:
    """All samples in this space of enrolments not refused: person_id, embedding (float32, unit length), seconds."""
    rows = database.query(
        in_space("""
            SELECT person_id, embedding, (last_sample - first_sample)::float8 / %(rate)s AS seconds
            FROM enrolment_samples JOIN enrolment_judgements USING (enrolment_id, model, model_revision, preparation)
                JOIN enrolments USING (enrolment_id)
            WHERE {in_space} AND verdict != 'refused'
            ORDER BY person_id, audio_sha256, first_sample, last_sample, enrolment_id, sample_index
        """),
        {**space.columns, "rate": SAMPLE_RATE},
    )
    return pd.DataFrame(
        {
            "person_id": pd.Series([row["person_id"] for row in rows], dtype=np.int64),
            "embedding": pd.Series([row["embedding"].to_numpy().astype(np.float32) for row in rows], dtype=object),
            "seconds": pd.Series([row["seconds"] for row in rows], dtype=np.float64),
        }
    )
