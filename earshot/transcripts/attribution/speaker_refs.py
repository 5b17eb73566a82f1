"""Speaker references: the person or anonymous voice that a search or export is limited to, and that speaker's videos."""

from dataclasses import dataclass

from earshot.storage.database import Database


@dataclass(frozen=True)
class SpeakerRef:
    """A person or an anonymous voice; the other id is None."""

    name: str
    person_id: int | None = None
    voice_id: int | None = None


def keys_with(database: Database, who: SpeakerRef, source: str | None = None) -> list[str]:
    """Keys of the videos (of one source, if given) in which this speaker is known to speak, sorted."""
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
