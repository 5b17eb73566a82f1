"""Search: results by meaning and by words, filters, and the notes when nothing is found."""

import json
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from earshot.cli.reading.search import search_command
from earshot.common.errors import EarshotError
from earshot.common.text import pluralize
from earshot.models.cache import Models
from earshot.speakers.people.directory import resolve
from earshot.speakers.tables.people import add_person
from earshot.storage.database import Database
from earshot.transcripts.search.query import (
    EVERYTHING,
    Filters,
    Hit,
    asked_words,
    check_question,
    count_undated,
    explain,
    search,
)
from earshot.transcripts.search.text_models import searched_model
from earshot.transcripts.search.vector_index import build_index, drop_index, is_indexed
from earshot.transcripts.speaker_names import speaker_names
from earshot.transcripts.speaker_refs import SpeakerRef
from tests.support.spoken_videos import MODEL, Encoder, add_video, hear_again, identify, say_is

OFTEN = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SPEECH = {
    "boat": "The harbour master moored the boat beside the quay",
    "tax": "Corporate taxes were raised to 28 percent in the budget of 1997",
    "name": "Kovalenko praised the turbines at Dunmore",
    "order": "To be or not to be that is the question",
    "other order": "The question is not to be or that to be",
}


def found(database: Database, question: str, limit: int = 20, filters: Filters = EVERYTHING, page: int = 1) -> list[Hit]:
    encoder: Any = Encoder()
    return search(database, encoder, question, limit, page, filters)


def by_words(database: Database, question: str, filters: Filters = EVERYTHING) -> list[str]:
    return [hit.text for hit in search(database, None, question, 20, 1, filters)]


@pytest.fixture
def speech(database: Database) -> Database:
    """One video with all of SPEECH, each passage by the same speaker."""
    add_video(database, "v", *[("SPEAKER_00", text) for text in SPEECH.values()])
    return database


# --- words ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("boat", ["boat"]),
        ("BOATS", ["boat"]),  # stems, in whatever capitals
        ("raising tax", ["tax"]),
        ("Kovalenko", ["name"]),
        ("28", ["tax"]),
        ("1997 budget", ["tax"]),
        ("boats or turbines", ["boat", "name"]),
        ('"to be or not to be"', ["order"]),
        ('"be or that to be"', ["other order"]),
        ("“harbour master”", ["boat"]),
        ('"master harbour"', []),
        ('"harbor"', []),
        ("question -master", ["order", "other order"]),
        ('question -"not to be that"', ["other order"]),
        ("question -questions", []),
        ("helicopter", []),
    ],
)
def test_words_find_what_was_said(speech: Database, question: str, wanted: list[str]) -> None:
    assert sorted(by_words(speech, question)) == sorted(SPEECH[name] for name in wanted)


def test_the_share_of_the_words_that_a_passage_has_orders_it(speech: Database) -> None:
    add_video(speech, "w", ("A", "The boat was sold"), ("A", "A master of the harbour sold the boat"))
    hits = search(speech, None, "harbour master sold a boat")
    assert [(hit.text, round(hit.words, 2)) for hit in hits] == [
        ("A master of the harbour sold the boat", 1.0), (SPEECH["boat"], 0.75), ("The boat was sold", 0.5)
    ]  # fmt: skip


def test_once_postgres_knows_how_common_words_are_a_rare_one_weighs_more(database: Database) -> None:
    add_video(
        database, "v", *[("A", f"The committee met on day {number}") for number in range(300)], ("A", "A walrus met nobody")
    )
    with database.connect() as connection:
        connection.execute("ANALYZE passages")
    [best, second, *_] = search(database, None, "committee walrus")
    assert best.text == "A walrus met nobody"
    assert best.words > 0.6 > 0.4 > second.words > 0


def test_words_are_compared_in_the_language_of_the_video(database: Database) -> None:
    add_video(database, "de", ("A", "Die Häuser waren verkauft worden"), language="de")
    add_video(database, "en", ("A", "They housed the refugees"), language="en")
    add_video(database, "ja", ("A", "東京 は 雨 です"), language="ja")
    assert by_words(database, "Haus") == ["Die Häuser waren verkauft worden"]
    assert by_words(database, "housing") == ["They housed the refugees"]
    assert by_words(database, "雨") == ["東京 は 雨 です"]
    assert by_words(database, "haus housing", Filters(languages=("en",))) == ["They housed the refugees"]


# --- meaning, and both ---------------------------------------------------------------------------------------------------


def test_the_nearest_in_meaning_comes_first_with_its_cosine(database: Database) -> None:
    add_video(database, "v", ("A", "beta"), ("A", "alpha"), ("A", "gamma"))
    hits = found(database, "between")
    assert [(hit.start_s, round(hit.meaning or 0, 2)) for hit in hits] == [(10.0, 0.8), (0.0, 0.6), (20.0, 0.0)]


def test_a_passage_that_both_lists_have_goes_before_those_of_one(database: Database) -> None:
    add_video(database, "v", ("A", "alpha"), ("A", "beta"), ("A", "gamma"))
    both, *_ = found(database, "beta")
    assert (both.start_s, both.meaning, both.words) == (10.0, pytest.approx(1.0), 1.0)


def test_what_must_be_said_and_what_must_not_holds_for_meaning_too(speech: Database) -> None:
    assert [hit.text for hit in found(speech, '"harbour master"')] == [SPEECH["boat"]]
    assert SPEECH["boat"] not in [hit.text for hit in found(speech, "anything -boat")]
    assert len(found(speech, "anything -boat")) == len(SPEECH) - 1


def test_hit_has_link_date_and_context(speech: Database) -> None:
    [hit] = search(speech, None, "Kovalenko")
    assert (hit.place, hit.video_id, hit.title, hit.source, hit.language) == (1, "v", "V", "https://x", "en")
    assert (hit.start_s, hit.end_s, hit.link) == (20.0, 29.5, "https://x/v#t=20")
    assert (hit.before, hit.after) == (SPEECH["tax"], SPEECH["order"])
    assert (hit.speakers, hit.meaning, hit.copies) == (("SPEAKER_00",), None, ())


def test_the_pages_are_the_whole_in_parts(database: Database) -> None:
    texts = [f"report {number} of the committee" for number in range(57)]
    add_video(database, "v", *[("A", text) for text in texts])
    whole = found(database, "report of the committee", limit=200)
    pages = [hit for page in range(1, 9) for hit in found(database, "report of the committee", limit=8, page=page)]
    assert pages == whole
    assert sorted(hit.text for hit in whole) == sorted(texts)
    assert [hit.place for hit in whole] == list(range(1, 58))


def test_page_beyond_max_results_is_refused(speech: Database) -> None:
    with pytest.raises(EarshotError, match="beyond the 200 best"):
        found(speech, "boat", limit=20, page=11)


def test_a_passage_that_was_uploaded_again_is_one_hit(database: Database) -> None:
    for number, video in enumerate(("first", "second", "third")):
        add_video(
            database, video, ("A", SPEECH["tax"]), ("A", f"Part {number}"), published=datetime(2026, 1, 3 - number, tzinfo=UTC)
        )
    [hit] = [hit for hit in found(database, "taxes") if hit.words]
    assert hit.video_id == "first"  # the newest
    assert sorted((copy.video_id, copy.start_s, copy.link) for copy in hit.copies) == [
        ("second", 0.0, "https://x/second#t=0"), ("third", 0.0, "https://x/third#t=0")
    ]  # fmt: skip


def test_what_is_short_or_said_twice_in_one_video_is_no_copy(database: Database) -> None:
    add_video(database, "v", ("A", SPEECH["tax"]), ("A", SPEECH["tax"]), ("A", "Yes indeed"))
    add_video(database, "w", ("A", "Yes indeed"))
    assert [hit.copies for hit in found(database, "taxes yes")] == [()] * 4


# --- filters -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def mixed(database: Database) -> Database:
    """Twelve videos of three sources, two languages and four days, two of them undated; three people by their labels."""
    for number in range(12):
        published = None if number % 6 == 5 else datetime(2026, 1, 1 + number % 4, 23, 59, tzinfo=UTC)
        add_video(
            database,
            f"v{number}",
            *[(f"SPEAKER_0{place % 3}", f"{word} statement {number}") for place, word in enumerate(("alpha", "beta", "gamma"))],
            language="en" if number % 2 else "de",
            source=f"https://x/{number % 3}",
            published=published,
        )
    for name in ("Ana", "Ben"):
        add_person(database, name)
    for number in range(0, 12, 4):
        identify(database, f"v{number}", "SPEAKER_00", person_id=resolve(database, "Ana").person_id, decided_by="profile")
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
def test_filters_leave_exactly_what_fits(
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
    hits = found(mixed, "statement", limit=50, filters=chosen)
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
    """25,000 passages, more than are compared one by one, with an index: a thousand of each source, one of them in German."""
    random = np.random.default_rng(1)
    for video in range(25):
        add_video(database, f"v{video:02d}", ("A", "alpha"), source=f"https://x/{video}", language="de" if video == 7 else "en")
        vectors = random.normal(size=(1000, MODEL.dimension)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        rows = pd.DataFrame({"passage_index": range(1000), "embedding": list(vectors)})
        rows = rows.assign(start_s=rows.passage_index * 10.0, end_s=rows.passage_index * 10.0 + 9, first_word=0, last_word=0)
        rows["text"] = [f"common words {'walrus' if number % 100 == 0 else ''} {video} {number}" for number in range(1000)]
        of_model = {"model": MODEL.name, "model_revision": MODEL.revision}
        language = "de" if video == 7 else "en"
        database.replace(f"v{video:02d}", {"passages": rows.assign(language=language, local_speaker="A", **of_model)}, of_model)
    model = searched_model(database)
    assert model is not None
    build_index(database, model)
    yield database
    with database.connect() as connection:
        drop_index(connection, model)


def exact(database: Database, condition: str) -> list[tuple[str, float]]:
    vector = Encoder().encode(["between"])[0]
    statement = f"SELECT video_id, start_s FROM passages WHERE {condition} ORDER BY embedding <=> %s LIMIT 10"  # noqa: S608
    return [(row["video_id"], row["start_s"]) for row in database.query(statement, [vector])]


def test_in_a_large_library_the_index_finds_what_comparing_all_does_through_every_filter(many: Database) -> None:
    model = searched_model(many)
    assert model is not None
    assert is_indexed(many, model)
    identify(many, "v03", "A", voice_id=None, person_id=add_person(many, "Ana").person_id, decided_by="profile")
    cases = {
        "true": EVERYTHING,
        "video_id <> 'v07'": Filters(languages=("en",)),
        "video_id = 'v07'": Filters(languages=("de",)),
        "video_id = 'v05'": Filters(sources=("https://x/5",)),
        "video_id <= 'v23'": Filters(videos=tuple(f"v{video:02d}" for video in range(24))),
        "video_id = 'v03'": Filters(speaker=resolve(many, "Ana")),
    }
    for condition, filters in cases.items():
        hits = found(many, "between", limit=10, filters=filters)
        wanted = exact(many, condition)
        assert len({(hit.video_id, hit.start_s) for hit in hits} & set(wanted)) >= 9, condition
        assert len(hits) == 10


def test_in_a_large_library_rare_words_are_found_all_and_common_ones_quickly(many: Database) -> None:
    with many.connect() as connection:
        connection.execute("ANALYZE passages")
    assert {text.split()[2] for text in by_words(many, "walrus")} == {"walrus"}
    assert len(search(many, None, "walrus", 200)) == 200
    assert len(search(many, None, "common words", 200)) == 200
    assert {hit.video_id for hit in search(many, None, '"common words walrus"', 200, filters=Filters(videos=("v05",)))} == {
        "v05"
    }


# --- speakers ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def people(database: Database) -> Database:
    """Ana and Ben, and voice 7."""
    for name in ("Ana", "Ben"):
        add_person(database, name)
    database.query("INSERT INTO voices (voice_id) OVERRIDING SYSTEM VALUE VALUES (7)")
    return database


def person(database: Database, name: str) -> int:
    who = resolve(database, name)
    assert who.person_id is not None
    return who.person_id


@pytest.fixture
def identified(people: Database) -> Database:
    """Ana in two videos, voice 7 in one, and six passages of others, nearer to a question than theirs."""
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
    hits = found(identified, "alpha", filters=Filters(speaker=resolve(identified, speaker)))
    assert sorted(hit.video_id for hit in hits) == videos


def test_speaker_filter_ignores_earlier_diarization(identified: Database) -> None:
    hear_again(identified, "a", "SPEAKER_01")
    assert [hit.video_id for hit in found(identified, "alpha", filters=Filters(speaker=resolve(identified, "Ana")))] == ["b"]
    assert {hit.speakers for hit in found(identified, "gamma") if hit.video_id == "a"} == {("SPEAKER_00",), ("SPEAKER_01",)}


@pytest.mark.parametrize("text", ["Cy", "voice 8", "voice", "voice x", "SPEAKER_00", "", f"voice {10**30}"])
def test_search_for_unknown_speaker_is_refused(identified: Database, text: str) -> None:
    with pytest.raises(EarshotError, match=r"no person named|There is no voice"):
        resolve(identified, text)


def test_search_for_silent_person_finds_nothing_and_says_so(identified: Database) -> None:
    ben = Filters(speaker=resolve(identified, "Ben"))
    hits = found(identified, "alpha", filters=ben)
    assert hits == []
    assert explain(identified, hits, ben) == "No passage that fits is known to be by Ben."


def test_corrected_time_range_is_found_under_new_speaker(identified: Database) -> None:
    add_video(identified, "d", *[("SPEAKER_00", "alpha")] * 3)
    say_is(identified, person(identified, "Ana"), "d", 15.0, 20.0)  # half of a passage
    hers = Filters(speaker=resolve(identified, "Ana"))
    assert sorted((hit.video_id, hit.start_s, hit.speakers) for hit in found(identified, "alpha", filters=hers)) == [
        ("a", 10.0, ("Ana",)), ("b", 0.0, ("Ana",)), ("d", 10.0, ("SPEAKER_00", "Ana"))
    ]  # fmt: skip
    everybody = sorted((hit.start_s, hit.speakers) for hit in found(identified, "alpha") if hit.video_id == "d")
    assert everybody == [(0.0, ("SPEAKER_00",)), (10.0, ("SPEAKER_00", "Ana")), (20.0, ("SPEAKER_00",))]


def test_corrected_time_range_is_not_found_under_old_speaker(people: Database) -> None:
    add_video(people, "v", *[("SPEAKER_00", "alpha")] * 3)
    identify(people, "v", "SPEAKER_00", voice_id=7, decided_by="voice", reason="")
    say_is(people, person(people, "Ana"), "v", 10.0, 20.0)
    of_voice = found(people, "alpha", filters=Filters(speaker=SpeakerRef("voice 7", voice_id=7)))
    assert sorted(hit.start_s for hit in of_voice) == [0.0, 20.0]
    assert [hit.start_s for hit in found(people, "alpha", filters=Filters(speaker=resolve(people, "Ana")))] == [10.0]


Moments = list[tuple[str, float, float]]


@OFTEN
@given(
    moments=st.lists(
        st.tuples(st.sampled_from(["Ana", "Ben"]), st.integers(0, 58).map(float), st.integers(1, 12).map(float)), max_size=4
    ),
    decided=st.lists(st.sampled_from(["Ana", "voice 7", "nobody"]), min_size=2, max_size=2),
)
def test_search_names_the_speakers_of_a_passage_as_exports_name_those_of_its_words(
    people: Database, moments: Moments, decided: list[str]
) -> None:
    people.query("TRUNCATE videos, corrections CASCADE")
    add_video(people, "v", *[(label, "one two three four five") for label in ("A", "B", "A", None, "B", "B")])
    for label, who in zip("AB", decided, strict=True):
        ids = {"Ana": {"person_id": person(people, "Ana")}, "voice 7": {"voice_id": 7}, "nobody": {}}[who]
        identify(people, "v", label, **ids)
    for name, start_s, length_s in moments:
        say_is(people, person(people, name), "v", start_s, start_s + length_s)
    names, words = speaker_names(people, "v"), people.frame("words", "v", "word_index")
    wanted = {}
    for row in people.frame("passages", "v", "passage_index").to_dict("records"):
        said = words.iloc[row["first_word"] : row["last_word"] + 1]
        shown = [speaker.shown for speaker in names.of_spans(said, [row["local_speaker"]] * len(said))]
        wanted[row["start_s"]] = tuple(dict.fromkeys(shown))
    assert {hit.start_s: hit.speakers for hit in search(people, None, "one", 10)} == wanted


# --- what is typed -------------------------------------------------------------------------------------------------------


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
def test_any_question_gives_passages_or_clear_error(speech: Database, question: str) -> None:
    try:
        hits = found(speech, question)
        told = ""
    except EarshotError as error:
        hits, told = [], str(error)
    assert not told or "search text" in told or "contains no word to search for" in told
    assert {hit.text for hit in hits} <= set(SPEECH.values())
    assert speech.query("SELECT count(*) AS videos FROM videos")[0]["videos"] == 1


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("  ", "The search text is empty"),
        ("\x00\x01", "The search text is empty"),
        ("x" * 10_001, "has 10001 characters"),
        ("-boat", "'-boat' contains no word to search for"),
        ('-"the boat" --', "contains no word to search for"),
        ("???", "'???' contains no word to search for"),
    ],
)
def test_question_without_search_words_is_refused(speech: Database, question: str, told: str) -> None:
    with pytest.raises(EarshotError, match=told.replace("?", r"\?")):
        check_question(speech, question)


def test_a_vector_of_another_model_is_refused_by_the_database_itself(speech: Database) -> None:
    with pytest.raises(Exception, match="a vector of 3 values was given; those of t have 8"):
        speech.query("SELECT * FROM search_passages('boat', %s)", [np.ones(3, dtype=np.float32)])


def test_a_library_without_videos_says_how_to_begin(database: Database) -> None:
    assert found(database, "anything") == []
    assert explain(database, [], EVERYTHING).startswith("Nothing has been ingested yet")


# --- while others write --------------------------------------------------------------------------------------------------


def test_a_search_while_a_video_is_written_again_and_again_sees_one_version_whole(database: Database) -> None:
    versions = {word: [("A", f"{word} statement {place}") for place in range(8)] for word in ("old", "new")}
    add_video(database, "v", *versions["old"])
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            for said in versions.values():
                add_video(database, "v", *said)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = [sorted(hit.text.split()[0] for hit in found(database, "statement")) for _ in range(60)]
    finally:
        over.set()
        writer.join()
    assert {tuple(each) for each in seen} <= {("old",) * 8, ("new",) * 8}


# --- videos without a date -----------------------------------------------------------------------------------------------


@pytest.fixture
def partly_dated(people: Database) -> Database:
    """A dated video, three without a date, of which Ana speaks in one, and one without a date in which nothing is said."""
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
def test_days_say_how_many_videos_they_leave_out_for_want_of_a_date(
    partly_dated: Database, filters: Filters, left_out: int
) -> None:
    told = explain(partly_dated, found(partly_dated, "alpha", filters=filters), filters)
    assert count_undated(partly_dated, filters) == left_out
    assert told.endswith(f"Left out because their date is not known: {pluralize(left_out, 'video')}.") == bool(left_out)


def test_undated_videos_of_others_do_not_count_where_one_speaker_is_asked_for(partly_dated: Database) -> None:
    ana = resolve(partly_dated, "Ana")
    assert count_undated(partly_dated, Filters(speaker=ana, since=date(2020, 1, 1))) == 1


@pytest.mark.usefixtures("partly_dated")
def test_the_command_says_how_many_videos_have_no_date(command: Any) -> None:
    result = command("alpha", "--since", "2020-01-01")
    assert result.stderr == "Left out because their date is not known: 3 videos.\n"
    assert json.loads(command("alpha", "--since", "2020-01-01", "--json").stdout)["undated_videos_left_out"] == 3


# --- the command ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`earshot search` with the test's text model; returns the result of a run."""
    monkeypatch.setattr(Models, "text_encoder", lambda *_: Encoder())
    monkeypatch.setattr("earshot.transcripts.search.text_models.TextModel.described", MODEL)
    return lambda *arguments: CliRunner().invoke(search_command, list(arguments))


@pytest.mark.usefixtures("identified")
def test_the_command_prints_what_was_said_by_whom_and_where(command: Any) -> None:
    lines = command("beta").stdout.splitlines()
    assert lines[:4] == [
        "1. B  [0:00:10] voice 7", "   beta beta beta beta", "   b@0:00:10", "   https://x/b#t=10  (meaning 1.00, words 1.00)"
    ]  # fmt: skip


def test_the_command_prints_key_and_day(command: Any, database: Database) -> None:
    add_video(database, "v", ("A", "alpha"), published=datetime(2026, 1, 26, 9, tzinfo=UTC))
    assert "   v@0:00:00  2026-01-26" in command("alpha").stdout.splitlines()


def test_the_link_of_a_file_is_one_that_a_browser_opens(speech: Database) -> None:
    path = "/home/a/Team meeting, Monday#1.wav"
    speech.query("UPDATE videos SET url = %s", [path])
    [hit] = search(speech, None, "Kovalenko")
    assert hit.link == "file:///home/a/Team%20meeting%2C%20Monday%231.wav#t=20"


@pytest.mark.usefixtures("identified")
def test_the_command_gives_programs_all_that_a_hit_has(command: Any) -> None:
    hits = json.loads(command("alpha", "--speaker", "Ana", "--json").stdout)["hits"]
    assert sorted((hit["video_id"], *hit["speakers"]) for hit in hits) == [("a", "Ana"), ("b", "Ana")]
    assert set(hits[0]) == set(Hit.__dataclass_fields__)


@pytest.mark.usefixtures("speech")
def test_a_minus_in_front_of_a_word_is_no_option(command: Any) -> None:
    result = command("question", "-not", "--words")
    assert (result.exit_code, result.stdout) == (0, "No passage fits.\n")
    assert SPEECH["order"] in command("question", "-master", "--words").stdout


@pytest.mark.usefixtures("speech")
@pytest.mark.parametrize("word", ["-harbour", "-speaker", "-limit"])  # -h is an option, and so is --limit
def test_a_word_to_leave_out_may_begin_like_an_option(command: Any, word: str) -> None:
    result = command("boat", word, "--words", "--limit=1")
    assert (result.exit_code, SPEECH["boat"] in result.stdout) == (0, word != "-harbour")


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["storm", "--limt", "3"], "No such option '--limt'"),
        (["storm", "--limt=3"], "Did you mean '--limit'?"),
        (["--speeker", "X", "storm"], "Did you mean '--speaker'?"),
        (["storm", "--qqqq"], "text that begins with two dashes goes after --"),
        (["storm", "--limit"], "Option '--limit' requires an argument."),
        (["--words"], "Missing argument 'TEXT...'"),
    ],
)
def test_an_unknown_option_is_refused_with_the_nearest(command: Any, arguments: list[str], told: str) -> None:
    result = command(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr


@pytest.mark.usefixtures("speech")
def test_text_that_begins_with_two_dashes_stands_after_two_dashes(command: Any) -> None:
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
def test_a_word_that_no_transcript_has_is_said(command: Any, arguments: list[str], absent: list[str]) -> None:
    told = "\nNo transcript has the word" in f"\n{command(*arguments, '--words').stdout}"
    assert (told, json.loads(command(*arguments, "--json").stdout)["absent_words"]) == (bool(absent), absent)


def test_a_word_is_absent_only_where_no_language_has_it(speech: Database) -> None:
    add_video(speech, "de", ("A", "Die Häuser waren verkauft worden"), language="de")
    asked = asked_words(speech, "Haus boats die zeppelin")
    assert [(each.word, each.said) for each in asked] == [("Haus", True), ("boats", True), ("zeppelin", False)]


@pytest.mark.usefixtures("speech")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["what", "floats", "a", "boat"], ""),  # answered by meaning nevertheless
        (["what", "floats", "a", "boat", "--words"], "'floats'"),
        (['boat "floats"'], "'floats'"),
        (["boat „floats“"], "'floats'"),
        (['boat -"it floats" floats'], ""),
        (["boat", "Marianne", "floats", "1984"], "'Marianne', '1984'"),
        (["zeppelin", "floats"], "'zeppelin', 'floats'"),  # none is said
    ],
)
def test_absent_words_of_a_question_by_meaning_are_said_only_where_they_matter(
    command: Any, arguments: list[str], told: str
) -> None:
    said = [line for line in command(*arguments).stdout.splitlines() if line.startswith("No transcript has")]
    assert said == ([f"No transcript has the word{'s' if ',' in told else ''} {told}."] if told else [])


@pytest.mark.usefixtures("speech")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--video", "nope"], "There is no video 'nope'"),
        (["--speaker", "Nobody", "--video", "V"], "There is no person named 'Nobody'"),  # the video by its title
        (["--source", "/nowhere"], "No video has a source '/nowhere'. There are videos of: https://x."),
        (["--language", "fr"], "No video is in 'fr'. Languages of this library: en."),
        (["--speaker", "Nobody"], "There is no person named 'Nobody'"),
    ],
)
def test_a_filter_that_names_nothing_is_refused_and_says_what_there_is(command: Any, arguments: list[str], told: str) -> None:
    assert told in str(command("boat", *arguments).exception)


@pytest.mark.usefixtures("speech")
def test_nothing_on_a_later_page_is_said_plainly(command: Any) -> None:
    assert command("boat", "--words", "--page", "2").stdout == "There is no page 2.\n"
