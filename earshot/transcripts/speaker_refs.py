"""Who a search or an export is about: a person, or an anonymous voice, and the videos they speak in."""

from dataclasses import dataclass

from earshot.storage.database import Database


@dataclass(frozen=True)
class SpeakerRef:
    """A person or an anonymous voice; the other id is None."""

    name: str
    person_id: int | None = None
    voice_id: int | None = None


def keys_with(database: Database, who: SpeakerRef, source: str | None = None) -> list[str]:
    """The videos, or those of one source, in which somebody is known to speak, in the order of their keys."""
    rows = database.query(
        """
        SELECT video_id FROM videos WHERE (%(source)s::text IS NULL OR source = %(source)s) AND video_id IN (
            SELECT video_id FROM current_identities WHERE person_id = %(person)s OR voice_id = %(voice)s
            UNION SELECT video_id FROM segment_overrides WHERE person_id = %(person)s)
        ORDER BY video_id
        """,
        {"source": source, "person": who.person_id, "voice": who.voice_id},
    )
    return [row["video_id"] for row in rows]
