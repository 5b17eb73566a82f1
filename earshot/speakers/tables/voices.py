"""Anonymous voices: their local speakers, from table `identities`. Writes nothing."""

from earshot.common.errors import Unknown
from earshot.speakers.voices.speakers import Key
from earshot.storage.database import Database


def members_of(database: Database, voice_id: int) -> list[Key]:
    """The local speakers of an anonymous voice. Raises Unknown if there are none."""
    rows = database.query(
        "SELECT video_id, local_speaker FROM identities WHERE voice_id = %s ORDER BY video_id, local_speaker", [voice_id]
    )
    if not rows:
        raise Unknown(f"There is no voice {voice_id} (any more).", "`earshot people list` shows all voices.")
    return [(row["video_id"], row["local_speaker"]) for row in rows]
