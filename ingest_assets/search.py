"""Search by meaning: the passages whose vectors are nearest to the question's.

`search()` embeds the question with the text model of the passages and compares it, by cosine, with the passages of that
same model and revision only: vectors of two models are never compared. The comparison is exact, over all passages.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from resources.database import Database
from resources.errors import EarshotError
from resources.models import Model
from resources.text_encoder import TextEncoder


@dataclass(frozen=True)
class Hit:
    """A passage that answers: where it is, who says it, and its cosine similarity to the question (-1 to 1)."""

    video_id: str
    title: str
    start_s: float
    end_s: float
    local_speaker: str | None
    text: str
    score: float
    link: str


def check_question(text: str) -> str:
    """The question to embed; raises EarshotError where there is none."""
    question = " ".join(text.split())
    if not question:
        raise EarshotError(f"The search text is empty: {text!r}.", 'Write what you look for: earshot search "..."')
    return question


def search(database: Database, encoder: TextEncoder, text: str, limit: int = 5) -> list[Hit]:
    """The nearest passages, best first."""
    vector = encoder.encode([check_question(text)])[0]
    rows = database.query(
        """
        SELECT p.video_id, v.title, v.url, p.start_s, p.end_s, p.local_speaker, p.text,
               1 - (p.embedding <=> %(vector)s) AS score
        FROM passages p JOIN videos v USING (video_id)
        WHERE p.model = %(model)s AND p.model_revision = %(revision)s
        ORDER BY p.embedding <=> %(vector)s, p.video_id, p.passage_index
        LIMIT %(limit)s
        """,
        {
            "vector": vector,
            "model": encoder.execution.model,
            "revision": encoder.execution.model_revision,
            "limit": limit,
        },
    )
    return [Hit(link=moment(row.pop("url"), row["start_s"]), **row) for row in rows]


def explain_nothing(database: Database, model: Model) -> str:
    """Why a search over this model's passages finds nothing: an empty library, or one made with other models."""
    others = database.query("SELECT model, count(*) AS passages FROM passages GROUP BY model ORDER BY model")
    if not others:
        return "Nothing has been ingested yet, or nothing was said. Start with: earshot ingest SOURCE"
    found = ", ".join(f"{row['passages']} of {row['model']}" for row in others)
    return (
        f"No passages of text model {model.name}; the library has {found}. Use the model set it was made with "
        "(EARSHOT_MODELS), or ingest again."
    )


def moment(url: str, start_s: float) -> str:
    """A link that opens the recording at this second, in the way the site knows; a Media Fragment elsewhere."""
    seconds = int(start_s)
    host = urlsplit(url).hostname or ""
    if host in ("youtu.be", "youtube.com") or host.endswith(".youtube.com"):
        return f"{url}{'&' if '?' in url else '?'}t={seconds}s"
    return f"{url}#t={seconds}"
