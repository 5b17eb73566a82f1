"""The vocabulary of a video: its order, its places, and what is said of it."""

import pytest

from earshot.config.hints import Hints
from earshot.models.speech.prompting import Prompt
from earshot.speakers.tables.people import add_person
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from earshot.transcripts.corrections.word_corrections import add_correction
from ingest_assets.stages.vocabulary import corrected_words, read_vocabulary, title_words
from tests.support.videos.spoken_videos import add_video, identify

TALK = Video("talk", "https://x/talk", "https://x", "Nell and the harbour")


@pytest.fixture
def library_with_names(database: Database) -> Database:
    """Two people, of whom Zoe speaks in another video of the source, and corrections of that and of a video elsewhere."""
    register(database, [TALK, Video("elsewhere", "https://y/1", "https://y", "Elsewhere")])
    add_video(database, "before", ("SPEAKER_00", "hello"))
    add_person(database, "Ada")
    identify(database, "before", "SPEAKER_00", person_id=add_person(database, "Zoe").person_id, decided_by="profile", reason="")
    for video, text in (("before", "says Krapp,"), ("elsewhere", "says Winnie"), ("talk", "Nell and Clov")):
        add_correction(database, video, (0.0, 1.0), text, "says nell and")
    return database


def test_words_of_the_hint_come_first(library_with_names: Database) -> None:
    hints = Hints(vocabulary=("Hamm", "Krapp"), vocabulary_from=("corrections", "people", "title"))
    vocabulary = read_vocabulary(library_with_names, TALK, hints)
    assert vocabulary.words == {
        "vocabulary": ["Hamm", "Krapp"],
        "corrections": ["Nell", "Clov"],
        "people": ["Zoe", "Ada"],
        "title": [],  # Nell was corrected already
    }
    assert vocabulary.over(hints).vocabulary == ("Hamm", "Krapp", "Nell", "Clov", "Zoe", "Ada")
    told = vocabulary.describe(hints, Prompt(words=("Hamm", "Krapp", "Nell", "Clov", "Zoe"), windows=9, not_followed=2))
    assert told.splitlines() == [
        "vocabulary: Hamm, Krapp; 2 from corrections; 1 from people; 0 from title; 1 did not fit (hint)",
        "prompt and vocabulary left out of 2 of 9 windows, which they spoilt",
    ]


def test_nothing_is_added_unasked(library_with_names: Database) -> None:
    vocabulary = read_vocabulary(library_with_names, TALK, Hints())
    assert vocabulary.words == {"vocabulary": []}
    assert vocabulary.describe(Hints(), Prompt()) == ""


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Nagg and Nell: the NASA talk, 2024", ["Nagg", "Nell", "NASA"]),
        ("«مریم» 王小明 – 🎙", ["مریم", "王小明"]),
        ("iPhone, \x00 or not", ["iPhone"]),
        ("", []),
    ],
)
def test_words_of_a_title_look_like_names(title: str, words: list[str]) -> None:
    assert title_words(title) == words


def test_words_of_a_correction_are_the_new_ones() -> None:
    assert corrected_words("says nag and Nell", "says Nagg, and Nell.") == ["Nagg"]
    assert corrected_words("anything", "") == []
