"""Corrections of words: what search, exports and the page show after them, and what becomes stale."""

import json
from typing import Any

import pytest

from earshot import EarshotError, Library
from earshot.common.errors import Unknown
from earshot.library.reading.word_corrections import WordCorrections
from earshot.speakers.people.details import moments_of
from earshot.speakers.tables.people import add_person
from earshot.storage.database import Database
from earshot.transcripts.corrections.word_corrections import follow_corrections
from earshot.transcripts.search.query import search
from ingest_assets.stages import staleness
from ingest_assets.stages.freshness import Version
from ingest_assets.stages.versions import expected_versions
from tests.support.library import fill, run_stage
from tests.support.videos.spoken_videos import MODEL, Encoder, say_is

SAID = (" The", " Port", " Author", " ity", " paid.")


EMBEDDED = Version("1", MODEL.name, MODEL.revision)


@pytest.fixture
def opened(database: Database, monkeypatch: pytest.MonkeyPatch) -> Library:
    """Videos `call` and `other`, in which one speaker says SAID, a second a word; both are current."""
    fill(database, ["call", "other"], SAID)
    versions = expected_versions() | {"text_embeddings": EMBEDDED}
    monkeypatch.setattr(staleness, "expected_versions", lambda: versions)
    for video_id in ("call", "other"):
        for stage, version in versions.items():
            run_stage(database, video_id, stage, version, stage)
    database.query("UPDATE videos SET state = 'ready'")
    database.query("UPDATE passages SET language = 'en'")
    return Library()


@pytest.fixture
def corrections(opened: Library) -> WordCorrections:
    return opened.word_corrections


def found(opened: Library, question: str) -> list[str]:
    return [hit.video_id for hit in opened.search(question, words_only=True, videos="call").hits]


def stale(opened: Library) -> list[tuple[str, str, str]]:
    return [(each.video_id, each.stage, each.reason) for each in opened.stale()]


def test_correction_is_what_search_and_exports_have(opened: Library, corrections: WordCorrections) -> None:
    changed = corrections.correct("Call", 1.0, 4.0, "Port\n Authority")
    assert changed.message == f"Word correction {changed.number}: 'Port Author ity' is now 'Port Authority' at 0:00:01."
    assert (found(opened, '"port authority"'), found(opened, "ity")) == (["call"], [])
    transcript = opened.transcript("call")
    for name in ("srt", "vtt", "txt", "seglst"):
        assert "The Port Authority paid." in transcript.export(name)
    document = json.loads(transcript.export("json"))
    assert [word["text"] for word in document["words"]] == [" The", " Port", " Authority", " paid."]
    assert [word["probability"] for word in document["words"]] == [0.5, 0.5, 1.0, 0.5]
    assert "Author ity" in opened.transcript("other").export("txt")
    assert "call" in transcript.export("rttm")


def test_reader_marks_corrected_words(opened: Library, corrections: WordCorrections) -> None:
    corrections.correct("call", 1.0, 4.0, "Port Authority")
    [paragraph] = opened.readable_transcript("call").paragraphs
    assert [(word[0], word[2]) for word in paragraph.words] == [
        (0.0, " The"),
        (1.0, " Port"),
        (2.0, " Authority"),
        (4.0, " paid."),
    ]
    assert paragraph.corrected == (2,)


def test_undo_gives_the_words_back(opened: Library, corrections: WordCorrections) -> None:
    before = opened.transcript("call").export("json")
    number = corrections.correct("call", 1.0, 4.0, "Port Authority").number
    undone = corrections.undo(number)
    assert undone.message == f"Undid word correction {number}: 'Port Authority' is now 'Port Author ity' at 0:00:01."
    assert opened.transcript("call").export("json") == before
    assert (found(opened, '"port authority"'), found(opened, "ity"), corrections.list()) == ([], ["call"], [])


def test_earlier_correction_holds_again_after_undo_of_a_later_one(opened: Library, corrections: WordCorrections) -> None:
    corrections.correct("call", 1.0, 4.0, "Port Authority")
    later = corrections.correct("call", 2.0, 3.0, "Board").number
    assert "The Port Board paid." in opened.transcript("call").export("txt")
    assert found(opened, '"port authority"') == []
    corrections.undo(later)
    assert "The Port Authority paid." in opened.transcript("call").export("txt")
    assert found(opened, '"port authority"') == ["call"]


def test_deleted_words_are_nowhere(opened: Library, corrections: WordCorrections) -> None:
    changed = corrections.correct("call", 0.0, 5.0, "")
    assert "'The Port Author ity paid.' is deleted" in changed.message
    assert found(opened, "port") == []
    encoder: Any = Encoder()
    assert [hit.video_id for hit in search(opened.database, encoder, "alpha")] == ["other"]
    assert opened.readable_transcript("call").paragraphs == ()
    assert opened.transcript("call").export("srt") == ""
    corrections.undo(changed.number)
    assert found(opened, "port") == ["call"]


def test_only_passages_of_the_corrected_video_are_stale(opened: Library, corrections: WordCorrections) -> None:
    assert stale(opened) == []
    number = corrections.correct("call", 1.0, 4.0, "Port Authority").number
    assert stale(opened) == [("call", "text_embeddings", "made before words were corrected")]
    run_stage(opened.database, "call", "text_embeddings", EMBEDDED, "corrected", [number])
    assert stale(opened) == []
    corrections.undo(number)
    assert stale(opened) == [("call", "text_embeddings", "made before words were corrected")]


def test_undo_before_the_stage_ran_leaves_nothing_stale(opened: Library, corrections: WordCorrections) -> None:
    corrections.undo(corrections.correct("call", 1.0, 4.0, "Port Authority").number)
    assert stale(opened) == []


def test_new_transcript_keeps_the_correction_and_shows_the_difference(opened: Library, corrections: WordCorrections) -> None:
    number = corrections.correct("call", 1.0, 4.0, "Port Authority").number
    opened.database.query("UPDATE words SET text = ' Tort' WHERE video_id = 'call' AND word_index = 1")
    [listed] = corrections.list("call")
    assert (listed.heard, listed.heard_now, listed.applies) == ("Port Author ity", "Tort Author ity", True)
    assert listed.description == (
        f"{number}: call 0:00:01 'Port Author ity' is 'Port Authority' (now heard: 'Tort Author ity')"
    )
    assert opened.transcript("call").words.text.tolist() == [" The", " Port", " Authority", " paid."]


def test_correction_without_words_in_the_new_transcript_is_kept(opened: Library, corrections: WordCorrections) -> None:
    corrections.correct("call", 4.0, 5.0, "paid up.")
    opened.database.query("UPDATE words SET start_s = start_s - 3, end_s = end_s - 3 WHERE word_index = 4")
    [listed] = corrections.list()
    assert (listed.applies, listed.heard_now, listed.text) == (False, "", "paid up.")
    assert listed.description.endswith("(does not apply now: the transcript has no words there)")


def test_passages_made_during_a_correction_follow_it(opened: Library, corrections: WordCorrections) -> None:
    corrections.correct("call", 1.0, 4.0, "Port Authority")
    opened.database.query("UPDATE passages SET text = 'The Port Author ity paid.' WHERE video_id = 'call'")  # made without it
    follow_corrections(opened.database, "call", [])
    assert found(opened, '"port authority"') == ["call"]


def test_passages_of_an_earlier_transcript_stay(opened: Library, corrections: WordCorrections) -> None:
    opened.database.query("UPDATE words SET text = ' Tort' WHERE video_id = 'call' AND word_index = 1")
    corrections.correct("call", 1.0, 4.0, "Port Authority")
    assert found(opened, "ity") == ["call"]


def test_who_speaks_does_not_change(opened: Library, corrections: WordCorrections) -> None:
    anna = add_person(opened.database, "Anna")
    say_is(opened.database, anna.person_id, "call", 1.0, 3.0)
    before = opened.transcript("call").words.speaker.tolist()
    corrections.correct("call", 0.0, 5.0, "The. Harbour Author ity. paid.")
    assert opened.transcript("call").words.speaker.tolist() == before
    assert [moment.text for moment in moments_of(opened.database, anna.person_id)] == ["Harbour Author"]


@pytest.mark.parametrize(
    ("span", "text", "message"),
    [
        ((60.0, 61.0), "x", "call has no words from 0:01:00 to 0:01:01"),
        ((3.0, 1.0), "x", "no words"),
        ((float("nan"), 1.0), "x", "no words"),
        ((1.0, 3.0), "Port Author", "'Port Author' already"),
        ((1.0, 3.0), "x" * 2001, "2,001 characters"),
        ((1.0, 3.0), "a\0b", r"control character \(U\+0000\)"),
        ((1.0, 3.0), "a\ud800", "control character"),
    ],
)
def test_wrong_correction_is_refused(corrections: WordCorrections, span: tuple[float, float], text: str, message: str) -> None:
    with pytest.raises(EarshotError, match=message):
        corrections.correct("call", *span, text)
    assert corrections.list() == []


def test_too_many_words_are_refused(opened: Library, corrections: WordCorrections) -> None:
    fill(opened.database, ["long"], [" word"] * 500)
    with pytest.raises(EarshotError, match="replaces at most"):
        corrections.correct("long", 0.0, 500.0, "x")


def test_unknown_number_is_refused(corrections: WordCorrections) -> None:
    with pytest.raises(Unknown, match="no word correction 999"):
        corrections.undo(999)


@pytest.mark.parametrize(("what", "start_s"), [("call", 1.0), ("call@0", 1.0), ("Call@0:00:01", 1.0)])
def test_words_are_replaced_where_they_are_said(corrections: WordCorrections, what: str, start_s: float) -> None:
    changed = corrections.replace(what, "port author ity", "Port Authority")
    assert changed.message.endswith("'Port Author ity' is now 'Port Authority' at 0:00:01.")
    [listed] = corrections.list()
    assert (listed.start_s, listed.end_s) == (start_s, 4.0)


@pytest.mark.parametrize(
    ("what", "old", "message"),
    [
        ("call", "boat", "'boat' is not said in call"),
        ("call@0:00:03", "port", "not said at that time in call. It is said at 0:00:01"),
        ("twice", "port", r"said 2 times in twice. Add the time .*0:00:00, 0:00:01.*twice@0:00:00"),
    ],
)
def test_words_that_are_not_clear_are_refused(opened: Library, what: str, old: str, message: str) -> None:
    fill(opened.database, ["twice"], [" Port", " Port"])
    with pytest.raises(EarshotError, match=message):
        opened.word_corrections.replace(what, old, "x")
