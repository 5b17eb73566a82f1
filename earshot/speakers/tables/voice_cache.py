"""Voice vectors that were computed before: no sound is given to the speaker model twice.

A vector is known by what it was made of: the sha256 of the recording's samples, its first and last sample, and the voice space.
Turns keep theirs in table `voice_embeddings`, enrolments in `enrolment_samples`; what is forgotten is in neither.
"""

import numpy as np

from earshot.common.audio import SampleSpan
from earshot.speakers.tables.voice_space import VoiceSpace, in_space
from earshot.storage.database import Database


def cached_embeddings(database: Database, space: VoiceSpace, audio_sha256: str) -> dict[SampleSpan, np.ndarray]:
    """The vectors, (dimension,), that spans of this recording have in this space."""
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
