"""Likeness: which known people, and which other anonymous voices, a voice sounds like. Scores are cosines.

Compares the mean of a voice with people's profiles, as the last identification computed them, and with the means of other
voices. Decides nothing: earshot/speakers/people/identify.py does.
"""

from dataclasses import dataclass

from earshot.speakers.tables.voice_space import VoiceSpace, in_space
from earshot.storage.database import Database
from earshot.transcripts.attribution.speaker_names import voice_label
from earshot.transcripts.attribution.speaker_refs import SpeakerRef

COMPARED = 2_000  # voices: those who speak most
LEAST = 0.2  # the cosine from which one is offered


@dataclass(frozen=True)
class LikePerson:
    """A known person, and the cosine of the voice to their profile."""

    name: str
    score: float


@dataclass(frozen=True)
class LikeVoice:
    """Another anonymous voice, the cosine of the two, and how much it speaks."""

    name: str
    voice: int
    score: float
    videos: int
    seconds: float


def like_people(database: Database, who: SpeakerRef, space: VoiceSpace, limit: int = 5) -> tuple[LikePerson, ...]:
    """The nearest people, the best first."""
    rows = database.query(
        in_space("""
            SELECT name, score FROM speaker_totals t, person_profiles p JOIN people USING (person_id), LATERAL (
                SELECT CASE WHEN vector_dims(t.centroid) = vector_dims(p.embedding)
                    THEN 1 - (t.centroid <=> p.embedding) END AS score) compared
            WHERE t.kind = 'voice' AND t.id = %(voice)s AND {in_space} AND score BETWEEN %(least)s AND 1.01  -- NaN is above
            ORDER BY score DESC, name LIMIT %(limit)s
        """),
        {**space.columns, "voice": who.voice_id, "least": LEAST, "limit": limit},
    )
    return tuple(LikePerson(**row) for row in rows)


def like_voices(database: Database, who: SpeakerRef, limit: int = 3) -> tuple[LikeVoice, ...]:
    """The nearest of the voices who speak most, the best first."""
    rows = database.query(
        """
        SELECT o.id AS voice, score, o.videos, o.speech_s AS seconds
        FROM speaker_totals t, (
            SELECT * FROM speaker_totals WHERE kind = 'voice' ORDER BY kind, -speech_s, id LIMIT %(compared)s) o, LATERAL (
                SELECT CASE WHEN vector_dims(t.centroid) = vector_dims(o.centroid)
                    THEN 1 - (t.centroid <=> o.centroid) END AS score) compared
        WHERE t.kind = 'voice' AND t.id = %(voice)s AND o.id <> t.id AND score BETWEEN %(least)s AND 1.01  -- NaN is above
        ORDER BY score DESC, voice LIMIT %(limit)s
        """,
        {"voice": who.voice_id, "least": LEAST, "limit": limit, "compared": COMPARED},
    )
    return tuple(LikeVoice(name=voice_label(row["voice"]), **row) for row in rows)
