"""Arguments that several commands take: days, videos and languages, each told clearly where there is no such thing."""

import click

from resources.catalogue import Video, find
from resources.database import Database
from resources.errors import EarshotError

Day = click.DateTime(["%Y-%m-%d"])


def known_video(database: Database, video_id: str) -> Video:
    video = find(database, video_id)
    if video is None:
        raise EarshotError(f"There is no video {video_id!r}.", "`earshot videos` lists them.")
    return video


def known_language(database: Database, code: str) -> str:
    spoken = [
        row["language"] for row in database.query("SELECT DISTINCT language FROM transcripts ORDER BY 1") if row["language"]
    ]
    if code.lower() not in spoken:
        raise EarshotError(f"No video is in {code!r}.", f"Languages of this library: {', '.join(spoken) or 'none yet'}.")
    return code.lower()
