"""People and corrections through the library, over made-up voices: fields of what is listed and changed.

tests/earshot/cli/people/test_people_commands.py tests what is refused, over the same functions.
"""

from pathlib import Path

import pytest

from earshot import EarshotError, Library, SpeakerChange, open_library
from earshot.common.errors import Misconfigured
from earshot.speakers.people.identify import identify
from earshot.storage.database import Database
from tests.support.videos.voice_videos import speak


@pytest.fixture
def talks(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """Voice 1 in three videos, voice 2 in two of them; and an empty people.yaml."""
    (tmp_path / "people.yaml").write_text("")
    monkeypatch.setenv("EARSHOT_PEOPLE", str(tmp_path / "people.yaml"))
    database.query("TRUNCATE corrections, voices RESTART IDENTITY CASCADE")
    speak(database, "v1", ["host", "guest"])
    speak(database, "v2", ["host", "guest"])
    speak(database, "v3", ["host"])
    identify(database)
    return open_library()


def names(library: Library) -> dict[str, int]:
    """The listed names, and in how many videos each speaks."""
    return {listed.name: listed.videos for listed in library.people.list()}


@pytest.fixture
def host(talks: Library) -> str:
    return talks.people.list()[0].name


@pytest.fixture
def guest(talks: Library) -> str:
    return talks.people.list()[1].name


# --- people --------------------------------------------------------------------------------------------------------------


def test_list_shows_voices_with_decisions(talks: Library, host: str) -> None:
    first = talks.people.list()[0]
    assert (first.kind, first.name, first.videos, first.speakers, first.speech_s) == ("voice", host, 3, 3, 60.0)
    assert first.decided_by == {"voice": 3}


def test_list_shows_reasons_of_unknown_speakers(talks: Library) -> None:
    speak(talks.database, "v4", ["stranger"], rounds=1)
    talks.database.query("UPDATE local_speakers SET centroid = NULL, made_at = now() WHERE video_id = 'v4'")
    identify(talks.database)
    last = talks.people.list()[-1]
    assert (last.kind, last.name, sum(last.reasons.values())) == ("unknown", "Unknown", 1)


def test_show_lists_where_a_voice_speaks(talks: Library, guest: str) -> None:
    shown = talks.people.show(guest)
    speaks = [(row.video_id, row.local_speaker, row.first_s) for row in shown.speaks]
    assert speaks == [("v1", "SPEAKER_01", 10.0), ("v2", "SPEAKER_01", 10.0)]
    assert (shown.name, shown.person_id, shown.moments, shown.corrections) == (guest, None, (), ())
    assert "cosine" in shown.score


def test_show_lists_single_turns_and_corrections(talks: Library) -> None:
    speak(talks.database, "v4", ["host", "guest"], rounds=4)
    talks.corrections.assign("v4@0:00:05", "Ana")
    shown = talks.people.show("ana")
    assert [(turn.video_id, turn.start_s, turn.end_s) for turn in shown.moments] == [("v4", 0.0, 10.0)]
    assert [each.description for each in shown.corrections] == ["1: v4 0:00:00-0:00:10 is Ana"]


def test_rename_changes_the_name(talks: Library, host: str) -> None:
    talks.corrections.assign(host, "Ana")
    change = talks.people.rename("Ana", "Ana Müller")
    assert change == SpeakerChange(
        f"Renamed Ana to Ana Müller. This is change {change.number}.",
        ("3 speakers in 3 videos are now Ana Müller.",),
        change.number,
        "Ana Müller",
    )


def test_merge_joins_two_people(talks: Library, host: str, guest: str) -> None:
    talks.corrections.assign(host, "Ana")
    talks.corrections.assign(guest, "Anna")
    merged = talks.people.merge("Anna", into="Ana")
    assert (merged.person, merged.renamed) == ("Ana", ("2 speakers in 2 videos are now Ana.",))
    assert names(talks) == {"Ana": 3}


def test_remove_leaves_an_anonymous_voice(talks: Library, host: str, guest: str) -> None:
    talks.corrections.assign(host, "Ana")
    assert talks.people.remove("Ana").renamed == (f"3 speakers in 3 videos are now {host}.",)
    assert names(talks) == {host: 3, guest: 2}


def test_forget_deletes_every_vector(talks: Library, guest: str) -> None:
    gone = talks.people.forget(guest)
    assert (gone.speakers, gone.videos, gone.turns) == (2, 2, 4)
    assert guest not in names(talks)


# --- corrections ---------------------------------------------------------------------------------------------------------


def test_assign_names_a_voice_in_all_its_videos(talks: Library, host: str) -> None:
    change = talks.corrections.assign(host, "Ana")
    assert change.renamed == ("3 speakers in 3 videos are now Ana.",)
    assert (change.number, change.person, change.new_person) == (1, "Ana", True)
    assert change.message.startswith("Correction 1: ")
    assert names(talks)["Ana"] == 3


def test_assign_reports_overruled_correction(talks: Library, host: str) -> None:
    talks.corrections.assign(host, "Ana")
    change = talks.corrections.assign("v1@0:00:05", "Bo")
    assert (change.number, change.person, change.overruled) == (2, "Bo", (1,))


def test_exclude_needs_a_known_person(talks: Library, host: str, guest: str) -> None:
    with pytest.raises(EarshotError, match="no person named 'Ana'"):
        talks.corrections.exclude(guest, "Ana")
    talks.corrections.assign(host, "Ana")
    assert talks.corrections.exclude(guest, "ana").person == "Ana"
    assert [correction.kind for correction in talks.corrections.list()] == ["is", "never"]


def test_voices_are_merged_separated_and_split(talks: Library, host: str, guest: str) -> None:
    merged = talks.corrections.merge_voices(host, guest)
    assert len(talks.people.list()) == 1
    talks.corrections.undo(merged.number or 0)
    assert names(talks) == {host: 3, guest: 2}
    assert talks.corrections.separate_voices(host, guest).number == 2
    assert talks.corrections.split_voice(guest).number == 3
    assert sorted(names(talks).values()) == [1, 1, 3]


def test_undo_restores_the_voice_number(talks: Library, host: str) -> None:
    talks.corrections.assign(host, "Ana")
    assert talks.corrections.undo(1) == SpeakerChange(
        "Undid correction 1. Removed Ana, whom nothing else mentions.",
        (f"3 speakers in 3 videos are now {host}.",),
        person="Ana",
    )
    assert talks.corrections.list() == []


def test_corrections_of_one_video_have_its_spans_only(talks: Library, host: str) -> None:
    talks.corrections.assign(host, "Ana")
    [of_all] = talks.corrections.list()
    assert {span.video_id for span in of_all.spans} == {"v1", "v2", "v3"}
    [of_one] = talks.corrections.list("v2")
    assert {span.video_id for span in of_one.spans} == {"v2"}
    assert (of_one.number, of_one.kind, of_one.person) == (1, "is", "Ana")
    assert of_one.description.startswith("1: v2 0:00:00-0:00:10 ")


def test_correction_is_kept_despite_invalid_people_file(talks: Library, host: str, tmp_path: Path) -> None:
    (tmp_path / "people.yaml").write_text("people:\n  - nam: Ana\n")
    with pytest.raises(Misconfigured, match="nam"):
        talks.corrections.assign(host, "Ana")
    assert [correction.number for correction in talks.corrections.list()] == [1]
