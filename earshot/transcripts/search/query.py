"""Search: the passages that answer a question, by meaning and by words.

`search()` embeds what is asked with the text model that the library is searched with, and leaves the rest to the Postgres
function `search_passages()` (earshot/storage/migrations/0005_search.sql), which other programs may call as well: it says how
passages are found, joined, filtered and ordered. Everything comes from one statement, so that no search sees half a video.

Nothing is searched but passages: not titles, and not what was never recognised as speech.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from earshot.common.errors import EarshotError
from earshot.common.text import left_out_undated
from earshot.common.times import link_at
from earshot.models.cache import Models
from earshot.models.device import Device
from earshot.models.text.text_encoder import TextEncoder
from earshot.storage.database import Database
from earshot.transcripts.search.text_models import count_unsearched, list_text_models, searched_model
from earshot.transcripts.speaker_refs import SpeakerRef, keys_with

MAX_RESULTS = 200  # that search_passages() can reach
MAX_QUESTION_LENGTH = 10_000
# Characters that no text has: some that Postgres refuses, others that hide what is asked.
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")

_EDGES = re.compile(r"^[\W_]+|[\W_]+$")  # punctuation around a word
# A phrase in quotation marks, with the dash of one that must not be said.
_PHRASE = re.compile("""-?["“”„«»][^"“”„«»]*["“”„«»]""")
# Thai, Lao, Burmese, Khmer, Chinese, Japanese.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True)
class Filters:
    """What is looked through. None, and an empty tuple: everything. `since` and `until` are days (UTC) of publishing.

    Both days belong to it. A video without a date is in no range of days.
    """

    speaker: SpeakerRef | None = None
    sources: tuple[str, ...] = ()
    videos: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()  # as whisper's codes
    since: date | None = None
    until: date | None = None


EVERYTHING = Filters()


@dataclass(frozen=True)
class Duplicate:
    """The same passage in another video."""

    video_id: str
    title: str
    start_s: float
    end_s: float
    link: str


@dataclass(frozen=True)
class Hit:
    """A passage that answers: its place from 1 on, where it is, who says it, and how well it answers.

    `meaning` is the cosine similarity to the question, -1 to 1, None where only words count; `words` is the share of the
    question's words that it has, weighted by how rare they are, 0 to 1; `score` joins the two lists, and says something within
    one search only. `before` and `after` are the passages around it.
    """

    place: int
    video_id: str
    title: str
    source: str
    published_at: datetime | None
    language: str
    start_s: float
    end_s: float
    speakers: tuple[str, ...]
    text: str
    before: str | None
    after: str | None
    meaning: float | None
    words: float
    score: float
    link: str
    copies: tuple[Duplicate, ...] = ()


def search(
    database: Database,
    encoder: TextEncoder | None,
    question: str,
    limit: int = 5,
    page: int = 1,
    filters: Filters = EVERYTHING,
) -> list[Hit]:
    """The best passages, or those of a later page of `limit` each; without an encoder, by words alone.

    Raises EarshotError where the question asks for nothing, or a page is out of reach.
    """
    if limit * page > MAX_RESULTS:
        told = f"Page {page} of {limit} passages each goes beyond the {MAX_RESULTS} best."
        raise EarshotError(told, "Ask more narrowly, or read the exports.")
    with database.snapshot() as seen:  # one connection, whose server process knows the tables the second time
        checked, asked = check_question(seen, question)
        vector = None if encoder is None else encoder.encode([asked])[0]
        return [_hit(row) for row in seen.query(_STATEMENT, _arguments(checked, vector, limit, page, filters))]


_STATEMENT = """
    SELECT * FROM search_passages(%(question)s, %(vector)s, %(results)s, %(skip)s, person => %(person)s, voice => %(voice)s,
        sources => %(sources)s, video_ids => %(videos)s, spoken => %(languages)s, since => %(since)s, until => %(until)s)
"""


def check_question(database: Database, question: str) -> tuple[str, str]:
    """The question as it is looked for, and what of it is embedded. Raises EarshotError where it asks for nothing."""
    text = " ".join(_CONTROL.sub(" ", question).split())
    if not text:
        raise EarshotError(f"The search text is empty: {question!r}.", 'Write what you look for: earshot search "..."')
    if len(text) > MAX_QUESTION_LENGTH:
        raise EarshotError(f"The search text has {len(text)} characters.", f"Allowed: at most {MAX_QUESTION_LENGTH}.")
    asked = database.query("SELECT question_asked(%s) AS asked", [text])[0]["asked"]
    if not any(character.isalnum() for character in asked):
        told = f"{text[:80]!r} says nothing that is to be found."
        raise EarshotError(told, "Write a word as well: earshot search budget -tax")
    return text, asked


@dataclass(frozen=True)
class AskedWord:
    """A word of a question, no stop word, and whether some passage of the library has it in any form."""

    word: str
    said: bool


# A word is absent where no language has it: where one takes it for a stop word, it may be said. Words with marks within (x-ray,
# 3.5) are there, too, where a passage has all their parts.
_ASKED = """
    SELECT word, bool_or(said) AS said
    FROM unnest(%(words)s::text[]) WITH ORDINALITY AS asked (word, nth), spoken_languages() s,
        LATERAL (SELECT plainto_tsquery(s.config, word) AS whole, plainto_tsquery(s.config, plain_words(word)) AS parts) q,
        LATERAL (SELECT numnode(whole) > 0 AND EXISTS (
            SELECT FROM passages p WHERE p.search_text @@ (whole || parts) AND p.language = ANY(s.languages)) AS said) f
    GROUP BY word, nth HAVING bool_or(said) OR bool_and(numnode(whole) > 0) ORDER BY nth
"""


def asked_words(database: Database, question: str) -> list[AskedWord]:
    """The words that a question asks for, whatever the filters; the same word once.

    Words of scripts without spaces are left out: in those, whole runs of characters count as words.
    """
    with database.snapshot() as seen:
        _, asked = check_question(seen, question)
        words = dict.fromkeys(_EDGES.sub("", word) for word in asked.split() if not _UNSPACED.search(word))
        seen.query("SET LOCAL enable_seqscan = off")  # a word that nothing has is known from the index at once
        return [AskedWord(**row) for row in seen.query(_ASKED, {"words": [word for word in words if word]})]


def notable_absences(question: str, asked: Sequence[AskedWord], by_words: bool) -> list[str]:
    """The absent words that a reader of the results should know of.

    By words alone that is all of them; by meaning too, where the others may be answered nevertheless, those that are quoted,
    names and numbers (a capital or a digit begins them), and all where none of the question's words is said.
    """
    every = by_words or not any(word.said for word in asked)
    quoted = {_EDGES.sub("", word) for phrase in _PHRASE.findall(question) if phrase[0] != "-" for word in phrase.split()}
    absent = [each.word for each in asked if not each.said]
    return [word for word in absent if every or word in quoted or word[0].isupper() or word[0].isdigit()]


def searching_encoder(database: Database, models: Models, device: Device) -> TextEncoder | None:
    """The text encoder that this library's passages were made with; None where there are no passages."""
    searched = searched_model(database)
    return models.text_encoder(device, searched.described) if searched else None


def explain(database: Database, hits: Sequence[Hit], filters: Filters, page: int = 1) -> str:
    """What a reader of these hits must know: why there are none, or which videos were not looked through; else ""."""
    models = list_text_models(database)
    if not models:
        return "Nothing has been ingested yet, or nothing was said. Start with: earshot ingest SOURCE"
    told = []
    if not hits and page > 1:
        told.append(f"There is no page {page}.")
    elif not hits and filters.speaker is not None:
        told.append(f"No passage that fits is known to be by {filters.speaker.name}.")
    elif not hits:
        told.append("No passage fits." if filters == EVERYTHING else "No passage fits, among those that were looked through.")
    told.append(left_out_undated(count_undated(database, filters)))
    left_out = count_unsearched(database) if len(models) > 1 else 0
    if left_out:
        others = ", ".join(model.model for model in models if not model.searched)
        told.append(
            f"{left_out} video{'' if left_out == 1 else 's'} with passages of {others} only "
            f"{'is' if left_out == 1 else 'are'} not searched yet: the library is searched with {models[0].model} until "
            "`text_embeddings` has been run over all of it (a backfill in the UI)."
        )
    return " ".join(filter(None, told))


def count_undated(database: Database, filters: Filters) -> int:
    """The videos that `since` and `until` leave out because their date is not known, of those that the other filters leave."""
    if filters.since is None and filters.until is None:
        return 0
    statement = """
        SELECT count(*) AS videos FROM videos v WHERE published_at IS NULL
            AND (%(sources)s::text[] IS NULL OR source = ANY(%(sources)s))
            AND (%(videos)s::text[] IS NULL OR video_id = ANY(%(videos)s))
            AND (%(heard)s::text[] IS NULL OR video_id = ANY(%(heard)s))
            AND EXISTS (SELECT FROM passages p WHERE p.video_id = v.video_id
                AND (%(languages)s::text[] IS NULL OR p.language = ANY(%(languages)s)))
    """
    heard = keys_with(database, filters.speaker) if filters.speaker else None
    chosen = {"sources": filters.sources, "videos": filters.videos, "languages": filters.languages}
    parameters = {name: list(names) or None for name, names in chosen.items()}
    return database.query(statement, {**parameters, "heard": heard})[0]["videos"]


def _arguments(question: str, vector: Any, limit: int, page: int, filters: Filters) -> dict[str, Any]:
    speaker = filters.speaker
    return {
        "question": question,
        "vector": vector,
        "results": limit,
        "skip": limit * (page - 1),
        "person": speaker.person_id if speaker else None,
        "voice": speaker.voice_id if speaker else None,
        "sources": list(filters.sources) or None,
        "videos": list(filters.videos) or None,
        "languages": list(filters.languages) or None,
        "since": datetime.combine(filters.since, time.min, UTC) if filters.since else None,
        "until": _day_after(filters.until) if filters.until else None,
    }


def _day_after(day: date) -> datetime | None:
    """When that day is over; None for the last day there is."""
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
    speakers = tuple(row.pop("speakers"))
    return Hit(**row, speakers=speakers, link=link_at(url, row["start_s"]), copies=copies)
