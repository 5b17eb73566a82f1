"""Search: results by meaning and by words, filters, and the notes when nothing is find."""

import json
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from earshot import Library
from earshot.cli.reading.search import search_command
from earshot.common.errors import EarshotError
from earshot.common.text import pluralize
from earshot.models.cache import Models
from earshot.page.app import create_app
from earshot.page.http.access import Access
from earshot.speakers.people.directory import resolve
from earshot.speakers.tables.people import add_person
from earshot.storage.database import Database
from earshot.transcripts.attribution.speaker_names import speaker_names
from earshot.transcripts.attribution.speaker_refs import SpeakerRef
from earshot.transcripts.search.hits import Hit
from earshot.transcripts.search.query import (
    EVERYTHING,
    Filters,
    asked_words,
    check_question,
    count_undated,
    explain,
    search,
)
from earshot.transcripts.search.text_models import searched_model
from earshot.transcripts.search.vector_index import build_index, drop_index, is_indexed
from tests.support.videos.spoken_videos import MODEL, Encoder, add_video, hear_again, identify, say_is

OFTEN = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SPEECH = {
    "boat": "The harbour master moored the boat beside the quay",
    "tax": "Corporate taxes were raised to 28 percent in the budget of 1997",
    "name": "Kovalenko praised the turbines at Dunmore",
    "order": "To be or not to be that is the question",
    "other order": "The question is not to be or that to be",
}


def find(database: Database, question: str, limit: int = 20, filters: Filters = EVERYTHING, page: int = 1) -> list[Hit]:
    encoder: Any = Encoder()
    return search(database, encoder, question, limit, page, filters)


def texts_by_words(database: Database, question: str, filters: Filters = EVERYTHING) -> list[str]:
    return [hit.text for hit in search(database, None, question, 20, 1, filters)]


@pytest.fixture
def speech(database: Database) -> Database:
    """One video with all of SPEECH, each passage by the same speaker."""
    add_video(database, "v", *[("SPEAKER_00", text) for text in SPEECH.values()])
    return database


# --- by words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("boat", ["boat"]),
        ("BOATS", ["boat"]),  # stems, in any case
        ("raising tax", ["tax"]),
        ("Kovalenko", ["name"]),
        ("28", ["tax"]),
        ("1997 budget", ["tax"]),
        ("boats or turbines", ["boat", "name"]),
        ('"to be or not to be"', ["order"]),
        ('"be or that to be"', ["other order"]),
        ("“harbour master”", ["boat"]),
        ('"HARBOUR-master"', ["boat"]),
        ('"master harbour"', []),
        ('"harbor"', []),
        ("question -master", ["order", "other order"]),
        ('question -"not to be that"', ["other order"]),
        ("question -questions", []),
        ("helicopter", []),
    ],
)
def test_words_find_passages(speech: Database, question: str, wanted: list[str]) -> None:
    assert sorted(texts_by_words(speech, question)) == sorted(SPEECH[name] for name in wanted)


def test_passages_are_sorted_by_share_of_words(speech: Database) -> None:
    add_video(speech, "w", ("A", "The boat was sold"), ("A", "A master of the harbour sold the boat"))
    hits = search(speech, None, "harbour master sold a boat")
    assert [(hit.text, round(hit.words, 2)) for hit in hits] == [
        ("A master of the harbour sold the boat", 1.0), (SPEECH["boat"], 0.75), ("The boat was sold", 0.5)
    ]  # fmt: skip


def test_rare_words_weigh_more_after_analyze(database: Database) -> None:
    add_video(
        database, "v", *[("A", f"The committee met on day {number}") for number in range(300)], ("A", "A walrus met no one")
    )
    with database.connect() as connection:
        connection.execute("ANALYZE passages")
    [best, second, *_] = search(database, None, "committee walrus")
    assert best.text == "A walrus met no one"
    assert best.words > 0.6 > 0.4 > second.words > 0


def test_words_are_stemmed_in_the_language_of_the_video(database: Database) -> None:
    add_video(database, "de", ("A", "Die Häuser waren verkauft worden"), language="de")
    add_video(database, "en", ("A", "They housed the refugees"), language="en")
    add_video(database, "ja", ("A", "東京 は 雨 です"), language="ja")
    assert texts_by_words(database, "Haus") == ["Die Häuser waren verkauft worden"]
    assert texts_by_words(database, "housing") == ["They housed the refugees"]
    assert texts_by_words(database, "雨") == ["東京 は 雨 です"]
    assert texts_by_words(database, "haus housing", Filters(languages=("en",))) == ["They housed the refugees"]


# --- by meaning ----------------------------------------------------------------------------------------------------------


def test_nearest_in_meaning_comes_first(database: Database) -> None:
    add_video(database, "v", ("A", "beta"), ("A", "alpha"), ("A", "gamma"))
    hits = find(database, "between")
    assert [(hit.start_s, round(hit.meaning or 0, 2)) for hit in hits] == [(10.0, 0.8), (0.0, 0.6), (20.0, 0.0)]


def test_match_in_words_and_meaning_comes_first(database: Database) -> None:
    add_video(database, "v", ("A", "alpha"), ("A", "beta"), ("A", "gamma"))
    both, *_ = find(database, "beta")
    assert (both.start_s, both.meaning, both.words) == (10.0, pytest.approx(1.0), 1.0)


def test_quotes_and_minus_apply_to_meaning(speech: Database) -> None:
    assert [hit.text for hit in find(speech, '"harbour master"')] == [SPEECH["boat"]]
    assert SPEECH["boat"] not in [hit.text for hit in find(speech, "anything -boat")]
    assert len(find(speech, "anything -boat")) == len(SPEECH) - 1


def test_hit_has_link_date_and_context(speech: Database) -> None:
    [hit] = search(speech, None, "Kovalenko")
    assert (hit.place, hit.video_id, hit.title, hit.source, hit.language) == (1, "v", "V", "https://x", "en")
    assert (hit.start_s, hit.end_s, hit.link) == (20.0, 29.5, "https://x/v#t=20")
    assert (hit.before, hit.after) == (SPEECH["tax"], SPEECH["order"])
    assert (hit.speakers, hit.meaning, hit.copies) == (("SPEAKER_00",), None, ())


def test_pages_divide_the_results(database: Database) -> None:
    texts = [f"report {number} of the committee" for number in range(57)]
    add_video(database, "v", *[("A", text) for text in texts])
    whole = find(database, "report of the committee", limit=200)
    pages = [hit for page in range(1, 9) for hit in find(database, "report of the committee", limit=8, page=page)]
    assert pages == whole
    assert sorted(hit.text for hit in whole) == sorted(texts)
    assert [hit.place for hit in whole] == list(range(1, 58))


def test_page_beyond_max_results_is_refused(speech: Database) -> None:
    with pytest.raises(EarshotError, match="beyond the 200 best"):
        find(speech, "boat", limit=20, page=11)


def test_reuploaded_passage_is_one_hit(database: Database) -> None:
    for number, video in enumerate(("first", "second", "third")):
        add_video(
            database, video, ("A", SPEECH["tax"]), ("A", f"Part {number}"), published=datetime(2026, 1, 3 - number, tzinfo=UTC)
        )
    [hit] = [hit for hit in find(database, "taxes") if hit.words]
    assert hit.video_id == "first"  # the newest
    assert sorted((copy.video_id, copy.start_s, copy.link) for copy in hit.copies) == [
        ("second", 0.0, "https://x/second#t=0"), ("third", 0.0, "https://x/third#t=0")
    ]  # fmt: skip


def test_short_or_repeated_passage_is_no_copy(database: Database) -> None:
    add_video(database, "v", ("A", SPEECH["tax"]), ("A", SPEECH["tax"]), ("A", "Yes indeed"))
    add_video(database, "w", ("A", "Yes indeed"))
    assert [hit.copies for hit in find(database, "taxes yes")] == [()] * 4


# --- filters -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def mixed(database: Database) -> Database:
    """Twelve videos of three sources, two languages and four days, two of them undated; Ana speaks in three."""
    for number in range(12):
        published = None if number % 6 == 5 else datetime(2026, 1, 1 + number % 4, 23, 59, tzinfo=UTC)
        add_video(
            database,
            f"v{number}",
            *[(f"SPEAKER_0{index}", f"{word} statement {number}") for index, word in enumerate(("alpha", "beta", "gamma"))],
            language="en" if number % 2 else "de",
            source=f"https://x/{number % 3}",
            published=published,
        )
    ana = add_person(database, "Ana").person_id
    for number in range(0, 12, 4):
        identify(database, f"v{number}", "SPEAKER_00", person_id=ana, decided_by="profile")
    return database


def some(values: Sequence[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), max_size=3, unique=True).map(tuple)


@OFTEN
@given(
    sources=some([f"https://x/{number}" for number in range(4)]),
    videos=some([f"v{number}" for number in range(0, 14, 2)]),
    languages=some(["en", "de", "fr"]),
    since=st.none() | st.dates(date(2025, 12, 31), date(2026, 1, 6)),
    until=st.none() | st.dates(date(2025, 12, 31), date(2026, 1, 6)) | st.just(date.max),
    ana=st.booleans(),
)
def test_filters_select_exactly_the_fitting_passages(
    mixed: Database,
    sources: tuple[str, ...],
    videos: tuple[str, ...],
    languages: tuple[str, ...],
    since: date | None,
    until: date | None,
    ana: bool,
) -> None:
    speaker = resolve(mixed, "Ana") if ana else None
    chosen = Filters(speaker=speaker, sources=sources, videos=videos, languages=languages, since=since, until=until)
    hits = find(mixed, "statement", limit=50, filters=chosen)
    rows = mixed.query(
        "SELECT video_id, source, published_at, p.language, local_speaker FROM videos JOIN passages p USING (video_id)"
    )
    fitting = [
        row["video_id"]
        for row in rows
        if (not sources or row["source"] in sources)
        and (not videos or row["video_id"] in videos)
        and (not languages or row["language"] in languages)
        and (since is None or (row["published_at"] is not None and row["published_at"].date() >= since))
        and (until in (None, date.max) or (row["published_at"] is not None and row["published_at"].date() <= until))
        and (not ana or (row["video_id"] in ("v0", "v4", "v8") and row["local_speaker"] == "SPEAKER_00"))
    ]
    assert sorted(hit.video_id for hit in hits) == sorted(fitting)


@pytest.fixture
def many(database: Database) -> Iterator[Database]:
    """25 sources of a thousand passages each, with an index; one is in German."""
    random = np.random.default_rng(1)
    for video in range(25):
        language = "de" if video == 7 else "en"
        add_video(database, f"v{video:02d}", ("A", "alpha"), source=f"https://x/{video}", language=language)
        vectors = random.normal(size=(1000, MODEL.dimension)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        rows = pd.DataFrame({"passage_index": range(1000), "embedding": list(vectors)})
        rows = rows.assign(start_s=rows.passage_index * 10.0, end_s=rows.passage_index * 10.0 + 9, first_word=0, last_word=0)
        rows["text"] = [f"common words {'walrus' if number % 100 == 0 else ''} {video} {number}" for number in range(1000)]
        of_model = {"model": MODEL.name, "model_revision": MODEL.revision}
        database.replace(f"v{video:02d}", {"passages": rows.assign(language=language, local_speaker="A", **of_model)}, of_model)
    model = searched_model(database)
    assert model is not None
    build_index(database, model)
    yield database
    with database.connect() as connection:
        drop_index(connection, model)


ANYWHERE = "of all directions"  # its vector has no zeros, whose signs would tell nothing


def exact(database: Database, condition: str) -> list[tuple[str, float]]:
    vector = Encoder().encode([ANYWHERE])[0]
    statement = f"SELECT video_id, start_s FROM passages WHERE {condition} ORDER BY embedding <=> %s LIMIT 10"  # noqa: S608
    return [(row["video_id"], row["start_s"]) for row in database.query(statement, [vector])]


@pytest.mark.parametrize("counted", [False, True])
def test_nearest_are_found_under_every_filter(many: Database, counted: bool) -> None:
    model = searched_model(many)
    assert model is not None
    assert is_indexed(many, model)
    ana, ben = (add_person(many, name).person_id for name in ("Ana", "Ben"))
    for video in range(25):
        identify(many, f"v{video:02d}", "A", voice_id=None, person_id=ana if video == 3 else ben, decided_by="profile")
    if counted:
        many.query("ANALYZE")  # a filter is known to leave few, which are compared by signs
    cases = {
        "true": EVERYTHING,
        "video_id <> 'v07'": Filters(languages=("en",)),
        "video_id = 'v07'": Filters(languages=("de",)),
        "video_id = 'v05'": Filters(sources=("https://x/5",)),
        "video_id <= 'v04'": Filters(videos=tuple(f"v{video:02d}" for video in range(5))),
        "video_id <= 'v23'": Filters(videos=tuple(f"v{video:02d}" for video in range(24))),
        "video_id = 'v03'": Filters(speaker=resolve(many, "Ana")),
    }
    for condition, filters in cases.items():
        hits = find(many, ANYWHERE, limit=10, filters=filters)
        wanted = exact(many, condition)
        assert len({(hit.video_id, hit.start_s) for hit in hits} & set(wanted)) >= 9, condition
        assert len(hits) == 10


def test_signs_follow_the_passages(database: Database) -> None:
    add_video(database, "v", ("A", "alpha"), (None, "between"), language="de")
    add_video(database, "w", ("B", "beta"))
    statement = "SELECT video_id, language, indexes, speakers, signs::text[] FROM passage_signs ORDER BY video_id"
    v, w = (tuple(row.values()) for row in database.query(statement))
    assert v == ("v", "de", [0, 1], ["A", None], ["10000000", "11000000"])
    assert w == ("w", "en", [0], ["B"], ["01000000"])
    add_video(database, "v", ("A", "gamma"))
    database.query("DELETE FROM videos WHERE video_id = 'w'")
    assert [tuple(row.values()) for row in database.query(statement)] == [("v", "en", [0], ["A"], ["00100000"])]


def test_words_in_a_large_library(many: Database) -> None:
    with many.connect() as connection:
        connection.execute("ANALYZE passages")
    assert {text.split()[2] for text in texts_by_words(many, "walrus")} == {"walrus"}
    assert len(search(many, None, "walrus", 200)) == 200
    assert len(search(many, None, "common words", 200)) == 200
    assert {hit.video_id for hit in search(many, None, '"common words walrus"', 200, filters=Filters(videos=("v05",)))} == {
        "v05"
    }


# --- speakers ------------------------------------------------------------------------------------------------------------


def test_phrases_are_looked_up_in_their_index(many: Database) -> None:
    with many.snapshot() as snapshot:
        snapshot.query("SET LOCAL enable_seqscan = off")
        plan = snapshot.query("EXPLAIN SELECT FROM passages WHERE word_pairs(text) @> word_pairs('to be or not')")
    assert "passages_word_pairs" in " ".join(row["QUERY PLAN"] for row in plan)


@pytest.fixture
def people(database: Database) -> Database:
    """Ana and Ben, and voice 7."""
    for name in ("Ana", "Ben"):
        add_person(database, name)
    database.query("INSERT INTO voices (voice_id) OVERRIDING SYSTEM VALUE VALUES (7)")
    return database


def person(database: Database, name: str) -> int:
    return add_person(database, name).person_id


@pytest.fixture
def identified(people: Database) -> Database:
    """Ana in two videos, voice 7 in one, and six passages of others that match better."""
    add_video(people, "a", ("SPEAKER_00", "alpha"), ("SPEAKER_01", "gamma"))
    add_video(people, "b", ("SPEAKER_01", "gamma"), ("SPEAKER_00", "beta"))
    for number in range(3):
        add_video(people, f"c{number}", ("SPEAKER_00", "alpha"), ("SPEAKER_00", "alpha"))
    for video in ("a", "b"):
        identify(people, video, "SPEAKER_01", person_id=person(people, "Ana"), decided_by="profile", reason="")
    identify(people, "b", "SPEAKER_00", voice_id=7, decided_by="voice", reason="")
    return people


@pytest.mark.parametrize(
    ("speaker", "videos"), [("Ana", ["a", "b"]), ("ana", ["a", "b"]), ("voice 7", ["b"]), ("Voice  7", ["b"])]
)
def test_speaker_filter_finds_everything_despite_nearer_passages(identified: Database, speaker: str, videos: list[str]) -> None:
    hits = find(identified, "alpha", filters=Filters(speaker=resolve(identified, speaker)))
    assert sorted(hit.video_id for hit in hits) == videos


def test_speaker_filter_ignores_earlier_diarization(identified: Database) -> None:
    hear_again(identified, "a", "SPEAKER_01")
    assert [hit.video_id for hit in find(identified, "alpha", filters=Filters(speaker=resolve(identified, "Ana")))] == ["b"]
    assert {hit.speakers for hit in find(identified, "gamma") if hit.video_id == "a"} == {("SPEAKER_00",), ("SPEAKER_01",)}


@pytest.mark.parametrize("text", ["Cy", "voice 8", "voice", "voice x", "SPEAKER_00", "", f"voice {10**30}"])
def test_search_for_unknown_speaker_is_refused(identified: Database, text: str) -> None:
    with pytest.raises(EarshotError, match=r"no person named|There is no voice"):
        resolve(identified, text)


def test_search_for_silent_person_finds_nothing(identified: Database) -> None:
    ben = Filters(speaker=resolve(identified, "Ben"))
    hits = find(identified, "alpha", filters=ben)
    assert hits == []
    assert "Ben" in explain(identified, hits, ben)


def test_corrected_time_range_is_found_under_new_speaker(identified: Database) -> None:
    add_video(identified, "d", *[("SPEAKER_00", "alpha")] * 3)
    say_is(identified, person(identified, "Ana"), "d", 15.0, 20.0)  # half of a passage
    of_ana = Filters(speaker=resolve(identified, "Ana"))
    assert sorted((hit.video_id, hit.start_s, hit.speakers) for hit in find(identified, "alpha", filters=of_ana)) == [
        ("a", 10.0, ("Ana",)), ("b", 0.0, ("Ana",)), ("d", 10.0, ("SPEAKER_00", "Ana"))
    ]  # fmt: skip
    unfiltered = sorted((hit.start_s, hit.speakers) for hit in find(identified, "alpha") if hit.video_id == "d")
    assert unfiltered == [(0.0, ("SPEAKER_00",)), (10.0, ("SPEAKER_00", "Ana")), (20.0, ("SPEAKER_00",))]


def test_corrected_time_range_is_not_found_under_old_speaker(people: Database) -> None:
    add_video(people, "v", *[("SPEAKER_00", "alpha")] * 3)
    identify(people, "v", "SPEAKER_00", voice_id=7, decided_by="voice", reason="")
    say_is(people, person(people, "Ana"), "v", 10.0, 20.0)
    of_voice = find(people, "alpha", filters=Filters(speaker=SpeakerRef("voice 7", voice_id=7)))
    assert sorted(hit.start_s for hit in of_voice) == [0.0, 20.0]
    assert [hit.start_s for hit in find(people, "alpha", filters=Filters(speaker=resolve(people, "Ana")))] == [10.0]


@OFTEN
@given(
    corrections=st.lists(
        st.tuples(st.sampled_from(["Ana", "Ben"]), st.integers(0, 58).map(float), st.integers(1, 12).map(float)), max_size=4
    ),
    decided=st.lists(st.sampled_from(["Ana", "voice 7", "unknown"]), min_size=2, max_size=2),
)
def test_search_and_export_name_the_same_speakers(
    people: Database, corrections: list[tuple[str, float, float]], decided: list[str]
) -> None:
    people.query("TRUNCATE videos, corrections CASCADE")
    add_video(people, "v", *[(label, "one two three four five") for label in ("A", "B", "A", None, "B", "B")])
    for label, identity in zip("AB", decided, strict=True):
        ids = {"Ana": {"person_id": person(people, "Ana")}, "voice 7": {"voice_id": 7}, "unknown": {}}[identity]
        identify(people, "v", label, **ids)
    for name, start_s, length_s in corrections:
        say_is(people, person(people, name), "v", start_s, start_s + length_s)
    names, words = speaker_names(people, "v"), people.frame("words", "v", "word_index")
    wanted = {}
    for row in people.frame("passages", "v", "passage_index").to_dict("records"):
        spoken = words.iloc[row["first_word"] : row["last_word"] + 1]
        shown = [speaker.shown for speaker in names.of_spans(spoken, [row["local_speaker"]] * len(spoken))]
        wanted[row["start_s"]] = tuple(dict.fromkeys(shown))
    assert {hit.start_s: hit.speakers for hit in search(people, None, "one", 10)} == wanted


# --- any text ------------------------------------------------------------------------------------------------------------


@OFTEN
@given(question=st.text(max_size=60) | st.text(alphabet="ab -\"'%_\\&|!:*()<>“«;$", max_size=40))
@example(question="'; DROP TABLE videos; --")
@example(question="%s %(question)s {} \\' \" \\\\")
@example(question='"the of and"')
@example(question="the of and")
@example(question="🎉 שלום עולם -مرحبا")
@example(question="x" * 10_000)
@example(question=" ".join(f"word{number}" for number in range(1_100)))
@example(question='-"')
@example(question="a\x00b\ud800")
@example(question="!!! ??? :: <-> (a | b) & !c")
@example(question="$statement$ $function$ $1 $11 %1$s %L")
def test_any_text_gives_passages_or_an_error(speech: Database, question: str) -> None:
    try:
        hits, message = find(speech, question), ""
    except EarshotError as error:
        hits, message = [], str(error)
    assert not message or "search text" in message or "no word to search for" in message
    assert {hit.text for hit in hits} <= set(SPEECH.values())
    assert speech.query("SELECT count(*) AS videos FROM videos")[0]["videos"] == 1


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("  ", "is empty"),
        ("\x00\x01", "is empty"),
        ("x" * 10_001, "10001 characters"),
        ("-boat", "no word to search for"),
        ('-"the boat" --', "no word to search for"),
        ("???", "no word to search for"),
    ],
)
def test_text_without_search_words_is_refused(speech: Database, question: str, message: str) -> None:
    with pytest.raises(EarshotError, match=message):
        check_question(speech, question)


def test_vector_of_another_dimension_is_refused_by_the_database(speech: Database) -> None:
    with pytest.raises(Exception, match="a vector of 3 values"):
        speech.query("SELECT * FROM search_passages('boat', %s)", [np.ones(3, dtype=np.float32)])


def test_empty_library_explains_how_to_begin(database: Database) -> None:
    assert find(database, "anything") == []
    assert "ingest" in explain(database, [], EVERYTHING)


# --- concurrent writes ---------------------------------------------------------------------------------------------------


def by_library(database: Database) -> Callable[[], list[str]]:
    return lambda: [hit.text for hit in find(database, "statement")]


def by_page(database: Database) -> Callable[[], list[str]]:
    """What the page's API finds."""
    assert database
    client = TestClient(create_app(Library(), Access()), base_url="http://127.0.0.1")
    question = {"q": "statement", "words": True, "limit": 20}
    return lambda: [hit["text"] for hit in client.get("/api/v1/search", params=question).json()["hits"]]


@pytest.mark.parametrize("finding", [by_library, by_page])
def test_search_during_writes_sees_one_version(
    database: Database, finding: Callable[[Database], Callable[[], list[str]]]
) -> None:
    found = finding(database)
    versions = {word: [("A", f"{word} statement {number}") for number in range(8)] for word in ("old", "new")}
    add_video(database, "v", *versions["old"])
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            for passages in versions.values():
                add_video(database, "v", *passages)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = [sorted(text.split()[0] for text in found()) for _ in range(60)]
    finally:
        stop.set()
        writer.join()
    assert {tuple(texts) for texts in seen} <= {("old",) * 8, ("new",) * 8}


@pytest.mark.parametrize("finding", [by_library, by_page])
def test_write_that_is_killed_leaves_the_whole_video(
    database: Database, finding: Callable[[Database], Callable[[], list[str]]]
) -> None:
    found = finding(database)
    add_video(database, "v", *[("A", f"statement {number}") for number in range(8)])
    with suppress(psycopg.OperationalError), database.connect() as connection:
        connection.execute("DELETE FROM passages WHERE passage_index > 2")
        assert len(found()) == 8
        connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert len(found()) == 8


# --- videos without a date -----------------------------------------------------------------------------------------------


@pytest.fixture
def partly_dated(people: Database) -> Database:
    """One dated video and four undated ones, of which Ana speaks in one and the last is silent."""
    add_video(people, "dated", ("A", "alpha"), published=datetime(2026, 1, 5, tzinfo=UTC))
    add_video(people, "u1", ("SPEAKER_01", "alpha"), source="/talks")
    add_video(people, "u2", ("A", "alpha"), language="de")
    add_video(people, "u3", ("A", "alpha"))
    add_video(people, "silent")
    identify(people, "u1", "SPEAKER_01", person_id=person(people, "Ana"), decided_by="profile", reason="")
    return people


@pytest.mark.parametrize(
    ("filters", "left_out"),
    [
        (Filters(since=date(2020, 1, 1)), 3),
        (Filters(until=date(2030, 1, 1), sources=("https://x",)), 2),
        (Filters(since=date(2020, 1, 1), languages=("de",)), 1),
        (Filters(since=date(2020, 1, 1), videos=("dated", "u3")), 1),
        (Filters(since=date(2020, 1, 1), videos=("dated",)), 0),
        (Filters(sources=("/talks",)), 0),
    ],
)
def test_undated_videos_are_counted(partly_dated: Database, filters: Filters, left_out: int) -> None:
    note = explain(partly_dated, find(partly_dated, "alpha", filters=filters), filters)
    assert count_undated(partly_dated, filters) == left_out
    assert note.endswith(f"{pluralize(left_out, 'video')}.") == bool(left_out)


def test_undated_videos_of_other_speakers_are_not_counted(partly_dated: Database) -> None:
    ana = resolve(partly_dated, "Ana")
    assert count_undated(partly_dated, Filters(speaker=ana, since=date(2020, 1, 1))) == 1


@pytest.mark.usefixtures("partly_dated")
def test_command_reports_undated_videos(command: Any) -> None:
    assert "3 videos" in command("alpha", "--since", "2020-01-01").stderr
    assert json.loads(command("alpha", "--since", "2020-01-01", "--json").stdout)["undated_videos_left_out"] == 3


# --- the command ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs `earshot search` with the test's text model."""
    monkeypatch.setattr(Models, "text_encoder", lambda *_: Encoder())
    monkeypatch.setattr("earshot.transcripts.search.text_models.TextModel.described", MODEL)
    return lambda *arguments: CliRunner().invoke(search_command, list(arguments))


@pytest.mark.usefixtures("identified")
def test_command_prints_speaker_text_and_link(command: Any) -> None:
    lines = command("beta").stdout.splitlines()
    assert lines[:4] == [
        "1. B  [0:00:10] voice 7", "   beta beta beta beta", "   b@0:00:10", "   https://x/b#t=10  (meaning 1.00, words 1.00)"
    ]  # fmt: skip


def test_command_prints_key_and_day(command: Any, database: Database) -> None:
    add_video(database, "v", ("A", "alpha"), published=datetime(2026, 1, 26, 9, tzinfo=UTC))
    assert "   v@0:00:00  2026-01-26" in command("alpha").stdout.splitlines()


def test_link_of_a_file_is_a_file_url(speech: Database) -> None:
    path = "/home/a/Team meeting, Monday#1.wav"
    speech.query("UPDATE videos SET url = %s", [path])
    [hit] = search(speech, None, "Kovalenko")
    assert hit.link == "file:///home/a/Team%20meeting%2C%20Monday%231.wav#t=20"


@pytest.mark.usefixtures("identified")
def test_json_has_every_field_of_a_hit(command: Any) -> None:
    hits = json.loads(command("alpha", "--speaker", "Ana", "--json").stdout)["hits"]
    assert sorted((hit["video_id"], *hit["speakers"]) for hit in hits) == [("a", "Ana"), ("b", "Ana")]
    assert set(hits[0]) == set(Hit.__dataclass_fields__)


@pytest.mark.usefixtures("speech")
@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["question", "-not"], None),
        (["question", "-master"], "order"),
        (["boat", "-harbour"], None),  # -h is an option, and so are --speaker and --limit
        (["boat", "-speaker"], "boat"),
        (["boat", "-limit"], "boat"),
    ],
)
def test_excluded_word_is_no_option(command: Any, arguments: list[str], name: str | None) -> None:
    result = command(*arguments, "--words", "--limit=1")
    assert result.exit_code == 0
    assert SPEECH[name] in result.stdout if name else result.stdout == "No passage fits.\n"


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["storm", "--limt", "3"], "--limt"),
        (["storm", "--limt=3"], "'--limit'"),
        (["--speeker", "X", "storm"], "'--speaker'"),
        (["storm", "--qqqq"], "goes after --"),
        (["storm", "--limit"], "requires an argument"),
        (["--words"], "Missing argument"),
    ],
)
def test_unknown_option_is_refused(command: Any, arguments: list[str], message: str) -> None:
    result = command(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.usefixtures("speech")
def test_text_with_dashes_follows_two_dashes(command: Any) -> None:
    assert SPEECH["boat"] in command("--words", "--", "--boat", "--limit").stdout


@pytest.mark.usefixtures("speech")
@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["Kovalenko"], []),
        (["boats", "Marianne"], ["Marianne"]),
        (["Marianne,", "turbine", "(zeppelin)", "Marianne"], ["Marianne", "zeppelin"]),
        (["the", "or"], []),  # stop words
        (["boat", "-zeppelin"], []),
        (["harbour-master"], []),
        (['"zeppelin master"'], ["zeppelin"]),
        (["東京"], []),
    ],
)
def test_absent_words_are_reported(command: Any, arguments: list[str], absent: list[str]) -> None:
    reported = "\nNo transcript has the word" in f"\n{command(*arguments, '--words').stdout}"
    assert (reported, json.loads(command(*arguments, "--json").stdout)["absent_words"]) == (bool(absent), absent)


def test_absent_word_is_absent_in_every_language(speech: Database) -> None:
    add_video(speech, "de", ("A", "Die Häuser waren verkauft worden"), language="de")
    words = asked_words(speech, "Haus boats die zeppelin")
    assert [(word.word, word.said) for word in words] == [("Haus", True), ("boats", True), ("zeppelin", False)]


@pytest.mark.usefixtures("speech")
@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["what", "floats", "a", "boat"], []),  # answered by meaning
        (["what", "floats", "a", "boat", "--words"], ["floats"]),
        (['boat "floats"'], ["floats"]),
        (["boat „floats“"], ["floats"]),
        (['boat -"it floats" floats'], []),
        (["boat", "Marianne", "floats", "1984"], ["Marianne", "1984"]),
        (["zeppelin", "floats"], ["zeppelin", "floats"]),  # every word is absent
    ],
)
def test_absent_words_by_meaning_are_reported_where_required(command: Any, arguments: list[str], absent: list[str]) -> None:
    lines = [line for line in command(*arguments).stdout.splitlines() if line.startswith("No transcript has")]
    assert re.findall(r"'(\w+)'", "".join(lines)) == absent


@pytest.mark.usefixtures("speech")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--video", "nope"], "no video 'nope'"),
        (["--speaker", "Nobody", "--video", "V"], "no person named 'Nobody'"),  # the video by its title
        (["--source", "/nowhere"], "There are videos of: https://x."),
        (["--language", "fr"], "Languages of this library: en."),
    ],
)
def test_filter_without_videos_is_refused(command: Any, arguments: list[str], message: str) -> None:
    assert message in str(command("boat", *arguments).exception)


@pytest.mark.usefixtures("speech")
def test_missing_page_is_reported(command: Any) -> None:
    assert "page 2" in command("boat", "--words", "--page", "2").stdout
