"""Search: finds the passages that answer a question, by meaning and by words.

`search()` embeds the question with the library's current text model and passes it to the Postgres function
`search_passages()` (earshot/storage/migrations/0005_search.sql), which other programs may call as well. That function finds,
joins, filters and ranks passages. A search is one statement, so it never sees half a video.

Only passages are searched: neither titles, nor sound that was not recognised as speech. Where a video has no transcript yet,
they may be those of captions (earshot/transcripts/captions).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

from earshot.common.errors import EarshotError
from earshot.common.text import UNSPACED, left_out_undated
from earshot.common.times import link_at
from earshot.models.cache import Models
from earshot.models.device import Device
from earshot.models.text.text_encoder import TextEncoder
from earshot.storage.catalog.video_filter import VideoFilter
from earshot.storage.database import Database
from earshot.transcripts.attribution.speaker_refs import SpeakerRef, keys_with
from earshot.transcripts.search.hits import Captions, Duplicate, Hit
from earshot.transcripts.search.text_models import count_unsearched, list_text_models, searched_model

if TYPE_CHECKING:
    import numpy as np

MAX_RESULTS = 200  # the most that search_passages() can rank
MAX_QUESTION_LENGTH = 10_000  # characters
# Characters that do not belong in a text: Postgres rejects some, others hide parts of the question.
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")

_EDGES = re.compile(r"^[\W_]+|[\W_]+$")  # punctuation around a word
# A phrase in quotation marks; a dash before it excludes it.
_PHRASE = re.compile("""-?["“”„«»][^"“”„«»]*["“”„«»]""")


@dataclass(frozen=True, kw_only=True)
class Filters(VideoFilter):
    """Restricts a search to passages of these videos, and to what one person or voice says in them."""

    speaker: SpeakerRef | None = None


EVERYTHING = Filters()

# Returns the vector of a question.
Embed = Callable[[Database, TextEncoder, str], "np.ndarray"]


def embed_question(_: Database, encoder: TextEncoder, question: str) -> "np.ndarray":
    """The vector of the question: float32, unit length."""
    return encoder.encode([question])[0]


def search(
    database: Database,
    encoder: TextEncoder | None,
    question: str,
    limit: int = 5,
    page: int = 1,
    filters: Filters = EVERYTHING,
    embed: Embed = embed_question,
) -> list[Hit]:
    """One page of the best passages, `limit` per page; without an encoder, by words alone. `embed` calls the encoder.

    Raises EarshotError if the question has nothing to search for, or the page is beyond MAX_RESULTS.
    """
    if limit * page > MAX_RESULTS:
        message = f"Page {page} of {limit} passages each goes beyond the {MAX_RESULTS} best."
        raise EarshotError(message, "Ask more narrowly, or read the exports.")
    with database.snapshot() as snapshot:  # one connection: its server process caches the tables for the second query
        checked, asked = check_question(snapshot, question)
        vector = None if encoder is None else embed(database, encoder, asked)
        return [_hit(row) for row in snapshot.query(_STATEMENT, _arguments(checked, vector, limit, page, filters))]


# The passages of a video are all captions, or none is.
_STATEMENT = """
    SELECT s.*, c.origin AS captions_origin, c.automatic AS captions_automatic
    FROM search_passages(%(question)s, %(vector)s, %(results)s, %(skip)s, person => %(person)s, voice => %(voice)s,
        sources => %(sources)s, video_ids => %(videos)s, spoken => %(languages)s, since => %(since)s, until => %(until)s) s
    LEFT JOIN text_models m ON m.searched_since IS NOT NULL
    LEFT JOIN captions c ON (c.video_id, c.model, c.model_revision) = (s.video_id, m.model, m.model_revision)
    ORDER BY s.place
"""


def check_question(database: Database, question: str) -> tuple[str, str]:
    """The cleaned question, and the part of it to embed. Raises EarshotError if it has nothing to search for."""
    text = " ".join(_CONTROL.sub(" ", question).split())
    if not text:
        raise EarshotError(f"The search text is empty: {question!r}.", 'Write what you look for: earshot search "..."')
    if len(text) > MAX_QUESTION_LENGTH:
        raise EarshotError(f"The search text has {len(text)} characters.", f"Allowed: at most {MAX_QUESTION_LENGTH}.")
    asked = database.query("SELECT question_asked(%s) AS asked", [text])[0]["asked"]
    if not any(character.isalnum() for character in asked):
        message = f"{text[:80]!r} contains no word to search for."
        raise EarshotError(message, "Add a word that must be said: earshot search budget -tax")
    return text, asked


@dataclass(frozen=True)
class AskedWord:
    """A word of a question, not a stop word, and whether any passage of the library contains a form of it."""

    word: str
    said: bool


# A word is absent only if it is absent in every language: where it is a stop word, it may be said. A word with punctuation
# inside (x-ray, 3.5) also counts as said if a passage has all its parts. Words that Postgres knows from a thousand passages
# are not looked up, since an index returns all of a common word's passages before the first one is read.
_ASKED = """
    WITH common AS MATERIALIZED (
        SELECT ARRAY(SELECT e.lexeme
            FROM known_words(), unnest(lexemes, shares[:cardinality(lexemes)]) AS e (lexeme, share), pg_class
            WHERE oid = 'passages'::regclass AND share * reltuples > 1000) AS lexemes
    )
    SELECT word, bool_or(said) AS said
    FROM unnest(%(words)s::text[]) WITH ORDINALITY AS asked (word, nth), spoken_languages() s,
        LATERAL (SELECT plainto_tsquery(s.config, word) AS whole, plainto_tsquery(s.config, plain_words(word)) AS parts) q,
        LATERAL (SELECT CASE
            WHEN numnode(whole) = 1 AND tsvector_to_array(to_tsvector(s.config, word)) <@ (TABLE common) THEN true
            ELSE numnode(whole) > 0 AND EXISTS (
                SELECT FROM passages p WHERE p.search_text @@ (whole || parts) AND p.language = ANY(s.languages))
            END AS said OFFSET 0) f  -- found once, and not for each use
    GROUP BY word, nth HAVING bool_or(said) OR bool_and(numnode(whole) > 0) ORDER BY nth
"""


def asked_words(database: Database, question: str) -> list[AskedWord]:
    """The distinct words of a question, checked against the whole library regardless of filters.

    Leaves out words of scripts without spaces, in which whole runs of characters would count as words.
    """
    with database.snapshot() as snapshot:
        _, asked = check_question(snapshot, question)
        words = dict.fromkeys(_EDGES.sub("", word) for word in asked.split() if not UNSPACED.search(word))
        snapshot.query("SET LOCAL enable_seqscan = off")  # the index answers at once for an absent word
        return [AskedWord(**row) for row in snapshot.query(_ASKED, {"words": [word for word in words if word]})]


def notable_absences(question: str, asked: Sequence[AskedWord], by_words: bool) -> list[str]:
    """The absent words that a reader of the results should know of.

    In a search by words alone, or if none of the question's words is said: all of them. In a search by meaning, which can
    answer without the words: those in quotation marks, names and numbers (beginning with a capital or a digit).
    """
    report_all = by_words or not any(word.said for word in asked)
    quoted = {_EDGES.sub("", word) for phrase in _PHRASE.findall(question) if phrase[0] != "-" for word in phrase.split()}
    absent = [asked_word.word for asked_word in asked if not asked_word.said]
    return [word for word in absent if report_all or word in quoted or word[0].isupper() or word[0].isdigit()]


def searching_encoder(database: Database, models: Models, device: Device) -> TextEncoder | None:
    """The encoder of the library's current text model; None if there are no passages."""
    searched = searched_model(database)
    return models.text_encoder(device, searched.described) if searched else None


def explain(database: Database, hits: Sequence[Hit], filters: Filters, page: int = 1) -> str:
    """A note on these hits: why there are none, or which videos were not searched; else ""."""
    models = list_text_models(database)
    if not models:
        return "Nothing has been ingested yet, or nothing was said. Start with: earshot ingest SOURCE"
    notes = []
    if not hits and page > 1:
        notes.append(f"There is no page {page}.")
    elif not hits and filters.speaker is not None:
        notes.append(f"No passage that fits is known to be by {filters.speaker.name}.")
    elif not hits:
        notes.append("No passage fits." if filters == EVERYTHING else "No passage fits, among those that were looked through.")
    notes.append(left_out_undated(count_undated(database, filters)))
    unsearched = count_unsearched(database) if len(models) > 1 else 0
    if unsearched:
        others = ", ".join(model.model for model in models if not model.searched)
        notes.append(
            f"{unsearched} video{'' if unsearched == 1 else 's'} with passages of {others} only "
            f"{'is' if unsearched == 1 else 'are'} not searched yet: the library is searched with {models[0].model} until "
            "`text_embeddings` has been run over all of it (a backfill in the UI)."
        )
    return " ".join(filter(None, notes))


def count_undated(database: Database, filters: Filters) -> int:
    """How many videos `since` and `until` exclude only because their date is unknown, which the index has as -infinity."""
    if not filters.has_days:
        return 0
    statement = """
        SELECT count(*) AS videos FROM videos v WHERE coalesce(published_at, '-infinity') = '-infinity'
            AND (%(sources)s::text[] IS NULL OR source = ANY(%(sources)s))
            AND (%(videos)s::text[] IS NULL OR video_id = ANY(%(videos)s))
            AND (%(heard)s::text[] IS NULL OR video_id = ANY(%(heard)s))
            AND EXISTS (SELECT FROM passages p WHERE p.video_id = v.video_id
                AND (%(languages)s::text[] IS NULL OR p.language = ANY(%(languages)s)))
    """
    heard = keys_with(database, filters.speaker) if filters.speaker else None
    [row] = database.query(statement, {**filters.names, "heard": heard})
    return row["videos"]


def _arguments(question: str, vector: Any, limit: int, page: int, filters: Filters) -> dict[str, Any]:
    speaker = filters.speaker
    return {
        "question": question,
        "vector": vector,
        "results": limit,
        "skip": limit * (page - 1),
        "person": speaker.person_id if speaker else None,
        "voice": speaker.voice_id if speaker else None,
        **filters.names,
        "since": datetime.combine(filters.since, time.min, UTC) if filters.since else None,
        "until": _day_after(filters.until) if filters.until else None,
    }


def _day_after(day: date) -> datetime | None:
    """The start of the next day (UTC); None after `date.max`."""
    return None if day == date.max else datetime.combine(date.fromordinal(day.toordinal() + 1), time.min, UTC)


def _hit(row: dict[str, Any]) -> Hit:
    url = row.pop("url")
    copies = tuple(
        Duplicate(
            **{key: copy[key] for key in ("video_id", "title", "start_s", "end_s")}, link=link_at(copy["url"], copy["start_s"])
        )
        for copy in row.pop("copies")
    )
    del row["passage_index"]
    origin, automatic, speakers = row.pop("captions_origin"), row.pop("captions_automatic"), tuple(row.pop("speakers"))
    captions = None if origin is None else Captions(origin, automatic)
    return Hit(
        **row, speakers=() if captions else speakers, link=link_at(url, row["start_s"]), copies=copies, captions=captions
    )
