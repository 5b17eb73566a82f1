"""Stored audio that was deleted because its source keeps audio for a time only: its row in table `audio` stays, and says when.

A new run of stage `audio` fetches it again, and writes a row without that mark.
"""

from earshot.storage.database import Database


def record_deletion(database: Database, video_id: str) -> None:
    """Note that the video's file was deleted now."""
    database.query("UPDATE audio SET deleted_at = now() WHERE video_id = %s", [video_id])


def why_deleted(database: Database, video_id: str) -> str:
    """A sentence that says when and why the video's audio was deleted; "" if it was not."""
    rows = database.query("SELECT deleted_at FROM audio WHERE video_id = %s AND deleted_at IS NOT NULL", [video_id])
    if not rows:
        return ""
    day = f"{rows[0]['deleted_at']:%Y-%m-%d}"
    return f"The audio of {video_id} was deleted on {day}, as keep_audio_days of its source says."
