"""Table `captions`: which videos are searched by captions, and of which captions are yet to be looked for.

A row with a model says that the video's passages of this model are captions. `save_captions()` writes both in one transaction,
and not once the video has a transcript. Asset `text_embeddings` deletes the row in the transaction that replaces the passages,
so no search ever finds both, or neither.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from earshot.config.sources_file import Kind, Source
from earshot.storage.catalog.entries import CaptionFile
from earshot.storage.database import Connection, Database
from earshot.transcripts.search.text_models import TextModel

if TYPE_CHECKING:
    import pandas as pd

# After failures, and after a site had none: some make them hours after the upload. Each is an hour, six hours, a day.
_RETRIES = "(ARRAY['1 hour', '6 hours', '1 day']::interval[])"

# Where captions are read from, without what changes with a token.
_FILE = "coalesce(regexp_replace(l.captions ->> 'address', '[?#].*', '') || ' ' || (l.captions ->> 'version'), '')"

# A site knows the videos whose keys are not made from a feed's or a file's content.
_PENDING = f"""
    SELECT v.video_id, v.url, v.title, v.duration_s, coalesce(v.language, '') AS language, l.captions, {_FILE} AS file, l.source
    FROM unnest(%(sources)s::text[], %(of_sites)s::boolean[], %(backlogs)s::boolean[]) AS s (source, of_site, with_backlog)
        JOIN sources USING (source) JOIN source_videos l USING (source) JOIN videos v USING (video_id)
        LEFT JOIN captions c USING (video_id)
    WHERE (paused_until IS NULL OR paused_until <= now()) AND l.decision = 'wanted' AND v.state IN ('new', 'failed')
        AND NOT EXISTS (SELECT FROM transcripts t WHERE t.video_id = v.video_id)
        AND (l.captions IS NOT NULL OR (s.of_site AND v.url ~ '^https?://' AND v.video_id !~ '^(generic|file)-'
            AND (s.with_backlog OR NOT l.backlog)))
        AND (c.video_id IS NULL OR c.file <> {_FILE} OR c.retry_at <= now())
    ORDER BY l.captions IS NULL, coalesce(v.published_at, '-infinity') DESC, l.position LIMIT %(most)s
"""  # noqa: S608

_AMONG = f"""
    SELECT v.video_id, v.url, v.title, v.duration_s, coalesce(v.language, '') AS language, l.captions, {_FILE} AS file
    FROM unnest(%(videos)s::text[], %(files)s::jsonb[]) WITH ORDINALITY AS l (video_id, captions, place)
        JOIN videos v USING (video_id) LEFT JOIN captions c USING (video_id)
    WHERE NOT EXISTS (SELECT FROM transcripts t WHERE t.video_id = v.video_id)
        AND (c.video_id IS NULL OR c.file <> {_FILE} OR c.retry_at <= now())
    ORDER BY place
"""  # noqa: S608


@dataclass(frozen=True)
class Uncaptioned:
    """A wanted video without transcript whose captions are yet to be looked for, in `captions` or on its site.

    `file` describes where, as table `captions` stores it; `language` is the spoken one, "" if the user did not name it.
    """

    video_id: str
    url: str
    title: str
    duration_s: float | None
    language: str
    captions: CaptionFile | None
    file: str


@dataclass(frozen=True)
class CaptionsFound:
    """Captions as passages with vectors: `origin` is `site`, `feed` or `file`; `language` is "" if it is not known."""

    origin: str
    language: str
    automatic: bool
    passages: "pd.DataFrame"


def uncaptioned(database: Database, sources: Sequence[Source], most: int) -> list[tuple[Source, Uncaptioned]]:
    """The videos whose captions are to be looked for now, each with its source: those with a file first, then the newest.

    A paused source has none.
    """
    asked = {source.address: source for source in sources if source.captions is not False and not source.paused}
    parameters = {
        "sources": list(asked),
        "of_sites": [source.kind in (Kind.CHANNEL, Kind.PLAYLIST, Kind.URL) for source in asked.values()],
        "backlogs": [source.captions is True for source in asked.values()],
        "most": most,
    }
    return [(asked[row.pop("source")], _uncaptioned(row)) for row in database.query(_PENDING, parameters)]


def uncaptioned_among(database: Database, files: Mapping[str, CaptionFile | None]) -> list[Uncaptioned]:
    """Those of these videos whose captions are to be looked for now, in these files; None: on its site."""
    given = [file and Jsonb(asdict(file)) for file in files.values()]
    rows = database.query(_AMONG, {"videos": list(files), "files": given})
    return [_uncaptioned(row) for row in rows]


def _uncaptioned(row: Mapping[str, Any]) -> Uncaptioned:
    return Uncaptioned(**{**row, "captions": CaptionFile(**row["captions"]) if row["captions"] else None})


def save_captions(database: Database, video: Uncaptioned, found: CaptionsFound, model: TextModel) -> bool:
    """Replace the video's captions. Returns whether it did: not if it has a transcript or is gone, or another model is
    searched.
    """
    with database.connect() as connection:
        if not _are_wanted(connection, video.video_id, model):
            return False
        rows = found.passages.assign(language=found.language, **model.columns)
        database.replace_within(connection, video.video_id, {"passages": rows}, model.columns)
        connection.execute(
            """
            INSERT INTO captions (video_id, file, origin, language, automatic, model, model_revision)
            VALUES (%(video_id)s, %(file)s, %(origin)s, %(language)s, %(automatic)s, %(model)s, %(model_revision)s)
            ON CONFLICT (video_id) DO UPDATE SET file = excluded.file, looked_at = now(), failures = 0, retry_at = NULL,
                reason = NULL, origin = excluded.origin, language = excluded.language, automatic = excluded.automatic,
                model = excluded.model, model_revision = excluded.model_revision
            """,
            {
                "video_id": video.video_id,
                "file": video.file,
                "origin": found.origin,
                "language": found.language,
                "automatic": found.automatic,
                **model.columns,
            },
        )
    return True


def _are_wanted(connection: Connection, video_id: str, model: TextModel) -> bool:
    """Whether captions may be written. Until the transaction ends, the video gets no transcript, and search no other model."""
    locked = connection.execute("SELECT 1 FROM videos WHERE video_id = %s FOR UPDATE", [video_id]).fetchone()
    searched = connection.execute(
        "SELECT 1 FROM text_models WHERE (model, model_revision) = (%s, %s) AND searched_since IS NOT NULL FOR SHARE",
        [model.model, model.model_revision],
    ).fetchone()
    heard = connection.execute("SELECT 1 FROM transcripts WHERE video_id = %s", [video_id]).fetchone()
    return locked is not None and searched is not None and heard is None


def record_none(database: Database, video: Uncaptioned, reason: str, retry: bool) -> None:
    """Record why the video has no captions, or no later ones; `retry`: they are looked for again after growing pauses."""
    database.query(
        f"""
        INSERT INTO captions AS c (video_id, file, failures, retry_at, reason)
        SELECT video_id, %(file)s, 1, CASE WHEN %(retry)s THEN now() + {_RETRIES}[1] END, %(reason)s
        FROM videos WHERE video_id = %(video_id)s
        ON CONFLICT (video_id) DO UPDATE SET file = excluded.file, looked_at = now(), reason = excluded.reason,
            failures = CASE WHEN c.file = excluded.file THEN c.failures + 1 ELSE 1 END,
            retry_at = CASE WHEN %(retry)s
                THEN now() + {_RETRIES}[CASE WHEN c.file = excluded.file THEN c.failures + 1 ELSE 1 END] END
        """,  # noqa: S608
        {"video_id": video.video_id, "file": video.file, "reason": reason, "retry": retry},
    )
