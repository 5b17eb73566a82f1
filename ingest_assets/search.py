"""Search by meaning: the passages whose vectors are nearest to the question's.

`search()` embeds the question with the text model of the passages and compares it, by cosine, with the passages of that
same model and revision only: vectors of two models are never compared. The comparison is exact, over all passages; asked for
one speaker, over all passages in which that speaker says more than a back-channel.
"""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from ingest_assets.known_voices import Who
from ingest_assets.moments import link
from ingest_assets.names import Names, Speaker, names_of_moments, speaker_names
from resources.database import Database
from resources.errors import EarshotError
from resources.models import Model
from resources.text_encoder import TextEncoder


@dataclass(frozen=True)
class Hit:
    """A passage that answers: where it is, who says it, and its cosine similarity to the question (-1 to 1).

    `speaker` is shown as ingest_assets/names.py has it; where a correction gives words of the passage to somebody else, all who
    speak in it, with commas between.
    """

    video_id: str
    title: str
    start_s: float
    end_s: float
    local_speaker: str | None
    speaker: str
    text: str
    score: float
    link: str


def check_question(text: str) -> str:
    """The question to embed; raises EarshotError where there is none."""
    question = " ".join(text.split())
    if not question:
        raise EarshotError(f"The search text is empty: {text!r}.", 'Write what you look for: earshot search "..."')
    return question


def search(database: Database, encoder: TextEncoder, text: str, limit: int = 5, sought: Who | None = None) -> list[Hit]:
    """The nearest passages, best first; only those of one speaker where one is sought."""
    vector = encoder.encode([check_question(text)])[0]
    rows = database.query(
        """
        SELECT p.video_id, v.title, v.url, p.start_s, p.end_s, p.local_speaker, p.text, p.first_word, p.last_word,
               1 - (p.embedding <=> %(vector)s) AS score
        FROM passages p JOIN videos v USING (video_id)
        WHERE p.model = %(model)s AND p.model_revision = %(revision)s AND (
            %(anybody)s
            OR (p.video_id <> ALL(%(corrected)s) AND EXISTS (
                SELECT FROM identities i WHERE i.video_id = p.video_id AND i.local_speaker = p.local_speaker
                AND (i.person_id = %(person_id)s OR i.voice_id = %(voice_id)s)))
            OR (p.video_id, p.passage_index) IN (SELECT * FROM unnest(%(videos)s::text[], %(passages)s::integer[])))
        ORDER BY p.embedding <=> %(vector)s, p.video_id, p.passage_index
        LIMIT %(limit)s
        """,
        {
            "vector": vector,
            "model": encoder.execution.model,
            "revision": encoder.execution.model_revision,
            "limit": limit,
            **_condition(database, sought),
        },
    )
    names = {video_id: speaker_names(database, video_id) for video_id in {row["video_id"] for row in rows}}
    words = {video_id: _words(database, video_id, names[video_id]) for video_id in names}
    return [_hit(row, names[row["video_id"]], words[row["video_id"]]) for row in rows]


def _condition(database: Database, sought: Who | None) -> dict[str, Any]:
    """What the query must know of who is sought. Videos in which moments are corrected are looked through word by word."""
    if sought is None:
        return {"anybody": True, "person_id": None, "voice_id": None, "corrected": [], "videos": [], "passages": []}
    corrected = names_of_moments(database)
    found = [(video_id, index) for video_id, names in corrected.items() for index in _said(database, video_id, names, sought)]
    return {
        "anybody": False,
        "person_id": sought.person_id,
        "voice_id": sought.voice_id,
        "corrected": list(corrected),
        "videos": [video_id for video_id, _ in found],
        "passages": [passage_index for _, passage_index in found],
    }


def _said(database: Database, video_id: str, names: Names, sought: Who) -> list[int]:
    """The indices of the passages of this video in which the sought speaker speaks."""
    words, passages = _words(database, video_id, names), database.frame("passages", video_id, "passage_index")
    rows = passages.to_dict("records")
    return [row["passage_index"] for row in rows if any(_is(each, sought) for each in _speakers(row, names, words))]


def _is(speaker: Speaker, sought: Who) -> bool:
    return speaker.voice == sought.voice_id if sought.person_id is None else speaker.person == sought.name


def _words(database: Database, video_id: str, names: Names) -> pd.DataFrame:
    """The words of a video; none where who says a passage can be told without."""
    return database.frame("words", video_id, "word_index") if names.moments else pd.DataFrame()


def _speakers(passage: dict[Any, Any], names: Names, words: pd.DataFrame) -> list[Speaker]:
    return names.within(words, passage["first_word"], passage["last_word"], passage["local_speaker"])


def _hit(row: dict[str, Any], names: Names, words: pd.DataFrame) -> Hit:
    speaker = ", ".join(speaker.shown for speaker in _speakers(row, names, words))
    kept = {key: row[key] for key in ("video_id", "title", "start_s", "end_s", "local_speaker", "text", "score")}
    return Hit(**kept, speaker=speaker, link=link(row["url"], row["start_s"]))


def explain_nothing(database: Database, model: Model, sought: Who | None = None) -> str:
    """Why a search over this model's passages finds nothing: an empty library, one of other models, a speaker of no passage."""
    others = database.query("SELECT model, count(*) AS passages FROM passages GROUP BY model ORDER BY model")
    if not others:
        return "Nothing has been ingested yet, or nothing was said. Start with: earshot ingest SOURCE"
    if sought is not None and any(row["model"] == model.name for row in others):
        return f"No passage is known to be by {sought.name}."
    found = ", ".join(f"{row['passages']} of {row['model']}" for row in others)
    return (
        f"No passages of text model {model.name}; the library has {found}. Use the model set it was made with "
        "(EARSHOT_MODELS), or ingest again."
    )
