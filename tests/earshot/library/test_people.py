"""People and corrections through the library, over made-up voices: what is listed, what a change does, what is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from earshot import EarshotError, Library, SpeakerChange, open_library
from earshot.common.errors import Misconfigured
from earshot.speakers.people.identify import identify
from earshot.storage.database import Database
from tests.support.voice_videos import speak


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
    """Who is listed, and in how many videos."""
    return {known.name: known.videos for known in library.people.list()}


@pytest.fixture
def host(talks: Library) -> str:
    return talks.people.list()[0].name


@pytest.fixture
def guest(talks: Library) -> str:
    return talks.people.list()[1].name


# --- people --------------------------------------------------------------------------------------------------------------


def test_list_tells_voices_with_what_decided(talks: Library, host: str) -> None:
    first = talks.people.list()[0]
    assert (first.kind, first.name, first.videos, first.speakers, first.speech_s) == ("voice", host, 3, 3, 60.0)
    assert first.decided_by == {"voice": 3}


def test_list_gives_reasons_of_the_unknown(talks: Library) -> None:
    speak(talks.database, "v4", ["stranger"], rounds=1)
    talks.database.query("UPDATE local_speakers SET centroid = NULL, made_at = now() WHERE video_id = 'v4'")
    identify(talks.database)
    last = talks.people.list()[-1]
    assert (last.kind, last.name, sum(last.reasons.values())) == ("unknown", "Unknown", 1)


def test_show_tells_where_a_voice_speaks(talks: Library, guest: str) -> None:
    shown = talks.people.show(guest)
    assert [(each.video_id, each.local_speaker, each.first_s) for each in shown.speaks] == [
        ("v1", "SPEAKER_01", 10.0), ("v2", "SPEAKER_01", 10.0),
    ]  # fmt: skip
    assert (shown.name, shown.person_id, shown.moments, shown.corrections) == (guest, None, (), ())
    assert "cosine" in shown.score


def test_show_tells_single_turns_and_corrections(talks: Library) -> None:
    speak(talks.database, "v4", ["host", "guest"], rounds=4)
    talks.corrections.assign("v4@0:00:05", "Ana")
    shown = talks.people.show("ana")
    assert [(each.video_id, each.start_s, each.end_s) for each in shown.moments] == [("v4", 0.0, 10.0)]
    assert shown.corrections == ("1: v4 0:00:00-0:00:10 is Ana",)


def test_rename_gives_another_name(talks: Library, host: str) -> None:
    talks.corrections.assign(host, "Ana")
    assert talks.people.rename("Ana", "Ana Müller") == SpeakerChange(
        ("3 speakers in 3 videos are now Ana Müller.",), person="Ana Müller"
    )


def test_rename_refuses_a_voice_and_a_name_that_is_taken(talks: Library, host: str, guest: str) -> None:
    talks.corrections.assign(host, "Ana")
    talks.corrections.assign(guest, "Bo")
    with pytest.raises(EarshotError, match="already a person named Bo"):
        talks.people.rename("Ana", "bo")
    with pytest.raises(EarshotError, match="no person named 'Cy'"):
        talks.people.rename("Cy", "Di")


def test_merge_makes_two_people_one(talks: Library, host: str, guest: str) -> None:
    talks.corrections.assign(host, "Ana")
    talks.corrections.assign(guest, "Anna")
    merged = talks.people.merge("Anna", into="Ana")
    assert (merged.person, merged.renamed) == ("Ana", ("2 speakers in 2 videos are now Ana.",))
    assert names(talks) == {"Ana": 3}


def test_remove_leaves_an_anonymous_voice(talks: Library, host: str, guest: str) -> None:
    talks.corrections.assign(host, "Ana")
    assert talks.people.remove("Ana").renamed == (f"3 speakers in 3 videos are now {host}.",)
    assert names(talks) == {host: 3, guest: 2}


def test_remove_refuses_a_voice(talks: Library, host: str) -> None:
    with pytest.raises(EarshotError, match="is an anonymous voice"):
        talks.people.remove(host)


def test_forget_takes_every_vector(talks: Library, guest: str) -> None:
    gone = talks.people.forget(guest)
    assert (gone.speakers, gone.videos, gone.turns) == (2, 2, 4)
    assert guest not in names(talks)


# --- corrections ---------------------------------------------------------------------------------------------------------


def test_assign_names_a_voice_in_all_its_videos(talks: Library, host: str) -> None:
    change = talks.corrections.assign(host, "Ana")
    assert change == SpeakerChange(("3 speakers in 3 videos are now Ana.",), number=1, person="Ana", new_person=True)
    assert names(talks)["Ana"] == 3


def test_assign_says_which_correction_it_overrules(talks: Library, host: str) -> None:
    talks.corrections.assign(host, "Ana")
    change = talks.corrections.assign("v1@0:00:05", "Bo")
    assert (change.number, change.person, change.overruled) == (2, "Bo", (1,))


def test_exclude_needs_a_person_who_is_known(talks: Library, host: str, guest: str) -> None:
    with pytest.raises(EarshotError, match="no person named 'Ana'"):
        talks.corrections.exclude(guest, "Ana")
    talks.corrections.assign(host, "Ana")
    assert talks.corrections.exclude(guest, "ana").person == "Ana"
    assert [each.kind for each in talks.corrections.list()] == ["is", "never"]


def test_voices_are_merged_separated_and_split(talks: Library, host: str, guest: str) -> None:
    merged = talks.corrections.merge_voices(host, guest)
    assert len(talks.people.list()) == 1
    talks.corrections.undo(merged.number or 0)
    assert names(talks) == {host: 3, guest: 2}
    assert talks.corrections.separate_voices(host, guest).number == 2
    assert talks.corrections.split_voice(guest).number == 3
    assert sorted(names(talks).values()) == [1, 1, 3]


def test_split_refuses_what_is_no_voice(talks: Library) -> None:
    with pytest.raises(EarshotError, match="'v1' is not an anonymous voice"):
        talks.corrections.split_voice("v1")


def test_undo_gives_the_voice_its_number_back(talks: Library, host: str) -> None:
    talks.corrections.assign(host, "Ana")
    assert talks.corrections.undo(1) == SpeakerChange((f"3 speakers in 3 videos are now {host}.",), person="Ana")
    assert talks.corrections.list() == []


def test_undo_of_a_number_that_is_not_there(talks: Library) -> None:
    with pytest.raises(EarshotError, match="There is no correction 7; there are none"):
        talks.corrections.undo(7)


def test_list_of_one_video_leaves_out_spans_of_others(talks: Library, host: str) -> None:
    talks.corrections.assign(host, "Ana")
    [whole] = talks.corrections.list()
    assert {span.video_id for span in whole.spans} == {"v1", "v2", "v3"}
    [of_one] = talks.corrections.list("v2")
    assert {span.video_id for span in of_one.spans} == {"v2"}
    assert (of_one.number, of_one.kind, of_one.person) == (1, "is", "Ana")
    assert of_one.description.startswith("1: v2 0:00:00-0:00:10 ")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda library, _: library.corrections.assign("voice 99", "Ana"), "There is no voice 99"),
        (lambda library, host: library.corrections.assign(host, ""), "The name"),
        (lambda library, host: library.corrections.merge_voices(host, host), "are the same voice already"),
        (lambda library, _: library.corrections.assign("v1@9:00:00", "Ana"), "v1"),
    ],
)
def test_a_refused_correction_leaves_nothing(
    talks: Library, host: str, change: Callable[[Library, str], object], message: str
) -> None:
    with pytest.raises(EarshotError, match=message):
        change(talks, host)
    assert talks.corrections.list() == []
    assert {known.kind for known in talks.people.list()} == {"voice"}


def test_a_correction_is_kept_where_people_yaml_is_wrong(talks: Library, host: str, tmp_path: Path) -> None:
    (tmp_path / "people.yaml").write_text("people:\n  - nam: Ana\n")
    with pytest.raises(Misconfigured, match="nam"):
        talks.corrections.assign(host, "Ana")
    assert [each.number for each in talks.corrections.list()] == [1]
