"""Voice cache: finds vectors computed earlier, so that the speaker model never processes the same audio twice.

A vector is identified by the sha256 of the recording's samples, the span of samples, and the voice space. Vectors of turns are
in table `voice_embeddings`, those of enrolments in `enrolment_samples`; forgotten vectors are in neither.
"""

import numpy as np

from earshot.common.audio import SampleSpan
from earshot.speakers.tables.voice_space import VoiceSpace, in_space
from earshot.storage.database import Database


def cached_embeddings(database: Database, space: VoiceSpace, audio_sha256: str) -> dict[SampleSpan, np.ndarray]:
    """The known vectors, of shape (dimension,), by span of this recording, in this space."""
    rows = database.query(
        in_space("""
            SELECT first_sample, last_sample, embedding FROM enrolment_samples
            WHERE audio_sha256 = %(audio_sha256)s AND {in_space} AND vector_dims(embedding) = %(dimension)s
            UNION ALL SELECT first_sample, last_sample, embedding FROM voice_embeddings
            WHERE audio_sha256 = %(audio_sha256)s AND {in_space} AND vector_dims(embedding) = %(dimension)s
        """),
        {**space.columns, "audio_sha256": audio_sha256, "dimension": space.dimension},
    )
    return {(row["first_sample"], row["last_sample"]): row["embedding"].to_numpy() for row in rows}
