"""`earshot people list|show|correct|rename|merge|remove` on a library of made-up voices."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from earshot.cli.commands import cli
from earshot.common.errors import EarshotError, InvalidConfig
from earshot.config.settings import read_settings
from earshot.speakers.people.directory import describe_changes, labels
from earshot.speakers.people.identify import identify, read_profiles
from earshot.speakers.tables.corrections import list_corrections
from earshot.speakers.tables.people import find_person, list_people
from earshot.speakers.tables.voice_space import voice_space
from earshot.speakers.voices.enrolment_quality import EnrolmentVerdict
from earshot.storage.database import Database
from tests.support.library import run_stages
from tests.support.videos.spoken_videos import add_video
from tests.support.videos.voice_videos import enrol, keep, speak, voice

FIRST, SECOND = "SPEAKER_00", "SPEAKER_01"
TURN = ["start_s", "end_s", "local_speaker"]


@pytest.fixture
def talks(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Three videos: one voice in all, another in two; and an empty people.yaml."""
    (tmp_path / "people.yaml").write_text("")
    monkeypatch.setenv("EARSHOT_PEOPLE", str(tmp_path / "people.yaml"))
    speak(database, "v1", ["host", "guest"])
    speak(database, "v2", ["host", "guest"])
    speak(database, "v3", ["host"])
    identify(database)
    return database


def people(*arguments: str, answer: str | None = None) -> str:
    """The output of the command, on a terminal if there is an answer; errors of Earshot are raised."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("earshot.cli.confirming._is_interactive", lambda: answer is not None)
        result = CliRunner().invoke(cli, ["people", *arguments], input=answer, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments: str) -> str:
    with pytest.raises(EarshotError) as caught:
        people(*arguments)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)
    return str(caught.value)


def misused(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ["people", *arguments])
    assert result.exit_code == 2
    return result.output


def voice_of(database: Database, video: str, speaker: str) -> str:
    return labels(database)[video, speaker]


def all_named(database: Database, name: str) -> list[tuple[str, str]]:
    return [key for key, label in labels(database).items() if label == name]


# --- list and show -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("database")
def test_empty_library_says_how_to_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARSHOT_PEOPLE", str(tmp_path / "people.yaml"))
    assert "earshot ingest SOURCE" in people("list")
    assert json.loads(people("list", "--json")) == []


def test_list_is_printed_before_people_file_mistake(talks: Database, tmp_path: Path) -> None:
    (tmp_path / "people.yaml").write_text("people:\n  - nam: Ana\n")
    result = CliRunner().invoke(cli, ["people", "list"])
    assert voice_of(talks, "v1", FIRST) in result.output
    assert isinstance(result.exception, InvalidConfig)
    assert [(mistake.line, mistake.key) for mistake in result.exception.mistakes if mistake.key] == [(2, "nam")]


def test_list_is_sorted_by_videos_with_unknown_last(talks: Database) -> None:
    keep(talks, "v4", pd.DataFrame([(0.0, 1.5, FIRST, "short")], columns=["start_s", "end_s", "local_speaker", "voice"]))
    identify(talks)
    host, guest = voice_of(talks, "v1", FIRST), voice_of(talks, "v1", SECOND)
    rows = json.loads(people("list", "--json"))
    assert [(row["kind"], row["name"], row["videos"], row["speakers"], row["speech_s"]) for row in rows] == [
        ("voice", host, 3, 3, 60.0),
        ("voice", guest, 2, 2, 40.0),
        ("unknown", "Unknown", 1, 1, 1.5),
    ]
    assert rows[0]["decided_by"] == {"voice": 3}
    assert rows[2]["reasons"] == {"too short": 1}
    table = people("list")
    assert table.index(host) < table.index(guest) < table.index("Unknown")


def test_silent_person_is_listed_with_enrolment_verdicts(talks: Database) -> None:
    enrol(talks, "Zoë “Z” 🎤", voice("enrolled"), seconds=30.0)
    enrol(talks, "Zoë “Z” 🎤", voice("enrolled"), recording="/other.wav", verdict=EnrolmentVerdict.REFUSED, seconds=9.0)
    row = json.loads(people("list", "--json"))[-1]
    assert (row["name"], row["videos"], row["enrolled_s"]) == ("Zoë “Z” 🎤", 0, 30.0)
    assert row["enrolments"] == {"good": 1, "refused": 1}
    shown = json.loads(people("show", "zoë “z” 🎤", "--json"))
    assert [enrolment["verdict"] for enrolment in shown["enrolments"]] == ["good", "refused"]


def test_videos_of_another_model_are_reported_on_stderr(talks: Database) -> None:
    talks.query("UPDATE local_speakers SET model = 'older' WHERE video_id = 'v3'")
    result = CliRunner().invoke(cli, ["people", "list", "--json"])
    assert "1 video" in result.stderr
    assert "earshot backfill" in result.stderr
    assert json.loads(result.stdout)


def test_voice_is_shown_with_scores_and_links(talks: Database) -> None:
    guest = voice_of(talks, "v1", SECOND)
    shown = json.loads(people("show", *guest.split(), "--json"))
    assert [(row["video_id"], row["local_speaker"], row["first_s"]) for row in shown["speaks"]] == [
        ("v1", SECOND, 10.0),
        ("v2", SECOND, 10.0),
    ]
    assert shown["speaks"][0]["link"] == "https://www.youtube.com/watch?v=v1&t=10s"
    assert shown["speaks"][0]["score"] > 0.9
    assert "cosine" in shown["score"]
    assert people("show", guest) == people("show", guest.replace(" ", "-"))


def test_voice_is_shown_with_its_longest_passage(talks: Database) -> None:
    add_video(talks, "v1", (FIRST, "alpha"), (SECOND, "beta gamma delta"), (FIRST, "alpha again"))
    talks.query("UPDATE passages SET end_s = end_s + 2 WHERE passage_index = 2")
    host, guest = voice_of(talks, "v1", FIRST), voice_of(talks, "v1", SECOND)
    [row] = [row for row in json.loads(people("show", host, "--json"))["speaks"] if row["video_id"] == "v1"]
    assert row["excerpt"] == {"start_s": 20.0, "text": "alpha again", "link": "https://x/v1#t=20"}
    shown = people("show", guest)
    assert "V1  [0:00:10] beta gamma delta\n   https://x/v1#t=10" in shown
    assert "Talk v2  [0:00:10] (no words)" in shown


def test_single_turns_of_person_are_shown(talks: Database) -> None:
    add_video(talks, "v9", (FIRST, "alpha"), (FIRST, "beta gamma delta"), (FIRST, "alpha"))
    people("correct", "v9@0:12", "--is", "Ben")
    assert json.loads(people("list", "--json"))[-1]["moments"] == 1
    [moment] = json.loads(people("show", "Ben", "--json"))["moments"]
    assert moment.keys() == {"video_id", "title", "start_s", "end_s", "text", "link"}
    assert "V9  [0:00:10] beta gamma delta.\n   https://x/v9#t=10" in people("show", "Ben")


@pytest.mark.usefixtures("talks")
def test_unknown_name_suggests_nearest() -> None:
    people("correct", "v3@SPEAKER_00", "--is", "Žofie Nováková")
    assert "'Zofie Novakova'. Did you mean Žofie Nováková?" in refused("show", "Zofie Novakova")
    assert "Did you mean" not in refused("show", "somebody else")
    assert "no voice 999999" in refused("show", "voice 999999")


# --- naming --------------------------------------------------------------------------------------------------------------


def test_named_voice_is_recognized_in_later_videos(talks: Database) -> None:
    host = voice_of(talks, "v1", FIRST)
    assert people("correct", host, "--is", "Ana").endswith("3 speakers in 3 videos are now Ana.\n")
    speak(talks, "v9", ["somebody", "host"])
    identify(talks)
    assert all_named(talks, "Ana") == [("v1", FIRST), ("v2", FIRST), ("v3", FIRST), ("v9", SECOND)]
    rows = json.loads(people("list", "--json"))
    assert (rows[0]["name"], rows[0]["decided_by"]) == ("Ana", {"correction": 3, "profile": 1})


def test_name_keeps_spelling_and_ignores_case(talks: Database) -> None:
    for name in ("Zoë “Z” O'Neil 🎤", "王小明", "Robert'); DROP TABLE people;--"):
        people("correct", "v1@SPEAKER_00", "--is", name)
        assert voice_of(talks, "v1", FIRST) == name
    people("correct", "v2@SPEAKER_00", "--is", "ZOË “Z” O'NEIL 🎤")
    assert len(list_people(talks)) == 3


@pytest.mark.parametrize("name", ["", "voice 7", "Unknown", "a\nb"])
def test_invalid_name_adds_no_person(talks: Database, name: str) -> None:
    refused("correct", "v1@SPEAKER_00", "--is", name)
    assert list_people(talks) == []
    assert list_corrections(talks) == []


@pytest.mark.usefixtures("talks")
def test_similar_name_is_pointed_out() -> None:
    people("correct", "v1@SPEAKER_00", "--is", "Katharina")
    assert "Did you mean Katharina?" in people("correct", "v1@SPEAKER_01", "--is", "Katarina")


def test_single_turn_is_named_alone(talks: Database) -> None:
    turns = speak(talks, "v1", ["host", "guest"], rounds=12)
    turns.loc[2, "voice"] = "Ben's"  # which the diarization took for the host's; more of it would make the host ambiguous
    keep(talks, "v1", turns)
    host = voice_of(talks, "v1", FIRST)
    people("correct", "v1@0:25", "--is", "Ben")
    assert voice_of(talks, "v1", FIRST) == host
    assert [(span.start_s, span.end_s) for span in list_corrections(talks)[0].spans] == [(20.0, 30.0)]


def test_printed_time_names_turn_of_its_line(talks: Database) -> None:
    add_video(talks, "v9", (FIRST, "alpha"), (SECOND, "beta"))
    late = pd.DataFrame([(0, 0.0, 10.3, FIRST), (1, 10.4, 20.0, SECOND)], columns=["turn_index", *TURN])
    talks.replace("v9", {"turns": late.assign(overlap=False), "exclusive_turns": late})
    run_stages(talks, "v9", "transcript", "speaker_turns", "text_embeddings")
    exported = CliRunner().invoke(cli, ["export", "v9"]).output
    assert f"[0:00:10] {SECOND}: beta" in exported  # its first word is spoken while the first speaker still is
    people("correct", "v9@0:00:10", "--is", "Ben")
    assert [(span.start_s, span.end_s) for span in list_corrections(talks)[0].spans] == [(10.4, 20.0)]
    people("correct", "v9@10.000", "--is", "Ana")
    assert list_corrections(talks)[1].spans[0].start_s == 10.4  # the word that starts then
    people("correct", "v9@10.1", "--is", "Cleo")
    assert [(span.start_s, span.end_s) for span in list_corrections(talks)[2].spans] == [(0.0, 10.3)]


def test_turn_correction_covers_whole_sentence(talks: Database) -> None:
    add_video(talks, "v9", (FIRST, "alpha beta gamma delta"), (FIRST, "In the winter of 1984"))
    turns = pd.DataFrame([(0, 0.0, 10.3, FIRST), (1, 11.1, 20.0, FIRST)], columns=["turn_index", *TURN])  # "In": 10.0-11.6
    talks.replace("v9", {"turns": turns.assign(overlap=False), "exclusive_turns": turns})
    run_stages(talks, "v9", "transcript", "speaker_turns", "text_embeddings")
    people("correct", "v9@12", "--is", "Ingrid")
    exported = CliRunner().invoke(cli, ["export", "v9"]).output.splitlines()
    assert exported[-1] == "[0:00:10] Ingrid: In the winter of 1984"
    assert "Ingrid" not in exported[-2]


def test_suggested_times_are_accepted(talks: Database) -> None:
    rows = [(0.2, 0.6, FIRST, "host"), (0.7, 9.0, SECOND, "guest"), (12.9, 20.0, FIRST, "host")]
    keep(talks, "v1", pd.DataFrame(rows, columns=[*TURN, "voice"]))
    both = "SPEAKER_00's (v1@0:00:00.200) or SPEAKER_01's (v1@0:00:00.700)"
    assert both in refused("correct", "v1@0:00:00", "--is", "Ben")
    assert "0:00:00.200, 0:00:00.700, 0:00:12." in refused("correct", "v1@0:11", "--is", "Ben")
    for time in ("0:00:00.200", "0:00:00.700", "0:00:12"):
        people("correct", f"v1@{time}", "--is", "Ben")
    spans = [span for correction in list_corrections(talks) for span in correction.spans]
    assert [(span.start_s, span.end_s) for span in spans] == [(start, end) for start, end, *_ in rows]


def test_fully_overlapped_turn_is_refused(talks: Database) -> None:
    rows = [(0.0, 9.0, FIRST, "host"), (3.0, 4.0, SECOND, "guest"), (12.0, 20.0, SECOND, "guest")]
    keep(talks, "v1", pd.DataFrame(rows, columns=[*TURN, "voice"]))
    assert "SPEAKER_01 never speaks alone" in refused("correct", "v1@0:00:03", "--is", "Ben")
    assert "(v1@SPEAKER_01)" in refused("correct", "v1@3.5", "--is", "Ben")
    assert list_corrections(talks) == []


def test_correction_survives_new_diarization(talks: Database) -> None:
    people("correct", "v1@SPEAKER_01", "--is", "Ana")
    rows = [(0.0, 9.0, "S3", "host"), (9.5, 20.5, "S1", "third"), (20.5, 29.0, "S3", "host"), (29.0, 40.0, "S1", "third")]
    keep(talks, "v1", pd.DataFrame(rows, columns=["start_s", "end_s", "local_speaker", "voice"]))
    identify(talks)
    assert voice_of(talks, "v1", "S1") == "Ana"
    assert voice_of(talks, "v1", "S3") == voice_of(talks, "v3", FIRST)


def test_never_excludes_a_person(talks: Database) -> None:
    people("correct", "v1@SPEAKER_00", "--is", "Ana")
    assert voice_of(talks, "v3", FIRST) == "Ana"  # by the profile that the correction taught
    people("correct", "v3@SPEAKER_00", "--never", "Ana")
    assert all_named(talks, "Ana") == [("v1", FIRST), ("v2", FIRST)]
    assert "no person named 'Anna'" in refused("correct", "v3@SPEAKER_00", "--never", "Anna")


def test_same_as_joins_two_voices(talks: Database) -> None:
    people("correct", "v3@SPEAKER_00", "--same-as", voice_of(talks, "v1", SECOND))
    assert voice_of(talks, "v3", FIRST) == voice_of(talks, "v1", SECOND)
    number = str(list_corrections(talks)[0].correction_id)
    people("correct", "--undo", number)
    assert "no correction" in refused("correct", "--undo", number)


@pytest.mark.parametrize(
    "arguments",
    [
        ("voice 1", "--is", "Ana"),
        ("v1@SPEAKER_00", "--is", "Ana"),
        ("v1@0:25", "--is", "Ana"),
        ("voice 1", "--same-as", "voice 2"),
        ("voice 2", "--same-as", "voice 1"),
        ("v3@SPEAKER_00", "--same-as", "voice 2"),
        ("voice 1", "--not-same-as", "v3@SPEAKER_00"),
        ("voice 1", "--split"),
        ("v3@SPEAKER_00", "--never", "Eve"),
    ],
)
def test_undo_restores_everything(talks: Database, arguments: tuple[str, ...]) -> None:
    speak(talks, "v4", ["eve"])
    people("correct", "v4@SPEAKER_00", "--is", "Eve")
    numbers = sorted({label.removeprefix("voice ") for label in labels(talks).values()} - {"Eve"}, key=int)
    words = [numbered_as(word, numbers) for word in arguments]
    before = state(talks)
    people("correct", *words)
    assert list_corrections(talks)[-1].correction_id not in before["corrections"]
    people("correct", "--undo", str(list_corrections(talks)[-1].correction_id))
    assert state(talks) == before


def numbered_as(word: str, numbers: list[str]) -> str:
    """`voice 1` as the first of these numbers, `voice 2` as the second."""
    return f"voice {numbers[int(word[6:]) - 1]}" if word.startswith("voice ") else word


def state(database: Database) -> dict[str, Any]:
    """All that undo must restore."""
    profiles = read_profiles(database, voice_space(read_settings()))
    return {
        "names": labels(database),
        "people": list_people(database),
        "corrections": [each.correction_id for each in list_corrections(database)],
        "profiles": (profiles.people.tolist(), profiles.vectors.round(5).tolist()),
        "list": people("list"),
    }


@pytest.mark.parametrize(("option", "outcome"), [("--same-as", "are one voice"), ("--not-same-as", "are two voices")])
def test_voice_needs_no_quotes(talks: Database, option: str, outcome: str) -> None:
    host, guest = voice_of(talks, "v1", FIRST).split(), voice_of(talks, "v1", SECOND).split()
    assert outcome in people("correct", *host, option, *guest)
    assert outcome in people("correct", option, "v3@SPEAKER_00", "v2@SPEAKER_01")
    assert len(list_corrections(talks)) == 2


def test_undo_of_overridden_name_keeps_voice_number(talks: Database) -> None:
    before = labels(talks)
    people("correct", voice_of(talks, "v1", FIRST), "--is", "Ana")
    people("correct", "v1@SPEAKER_00", "--is", "Ben")
    first, second = (str(each.correction_id) for each in list_corrections(talks))
    people("correct", "--undo", first)
    assert voice_of(talks, "v1", FIRST) == "Ben"
    assert "Removed Ben" in people("correct", "--undo", second)
    assert labels(talks) == before
    assert list_people(talks) == []


def test_undo_keeps_person_with_other_corrections(talks: Database) -> None:
    people("correct", "v1@SPEAKER_00", "--is", "Ana")
    people("correct", "v1@SPEAKER_01", "--never", "Ana")
    people("correct", "--undo", str(list_corrections(talks)[0].correction_id))
    assert [person.name for person in list_people(talks)] == ["Ana"]


def test_new_diarization_voids_former_numbers(talks: Database) -> None:
    guest = voice_of(talks, "v1", SECOND)
    people("correct", "v1@SPEAKER_01", "--is", "Ana")
    speak(talks, "v1", ["host", "somebody new"])
    identify(talks)
    people("correct", "--undo", str(list_corrections(talks)[0].correction_id))
    assert voice_of(talks, "v1", SECOND) not in (guest, "Ana", "Unknown")


def test_not_same_as_parts_speaker_from_voice(talks: Database) -> None:
    host = voice_of(talks, "v1", FIRST)
    people("correct", host, "--not-same-as", "v3@SPEAKER_00")
    assert voice_of(talks, "v1", FIRST) == voice_of(talks, "v2", FIRST) == host
    assert voice_of(talks, "v3", FIRST) not in (host, "Unknown")
    [correction] = list_corrections(talks)
    assert {span.video_id for span in correction.spans} == {"v1", "v2"}


def test_video_key_names_its_only_speaker(talks: Database) -> None:
    assert "v3 is Ana." in people("correct", "v3", "--is", "Ana")
    assert voice_of(talks, "v3", FIRST) == "Ana"


def test_video_key_of_several_speakers_is_refused(talks: Database) -> None:
    guest = voice_of(talks, "v1", SECOND)
    people("correct", "v1@SPEAKER_00", "--is", "Ana")
    assert f"v1@SPEAKER_00 (Ana), v1@SPEAKER_01 ({guest})." in refused("correct", "v1", "--is", "Ben")


# --- renaming and merging ------------------------------------------------------------------------------------------------


def test_rename_keeps_all_but_the_name(talks: Database) -> None:
    people("correct", "v1@SPEAKER_00", "--is", "Anna")
    before = list_people(talks)[0]
    assert people("rename", "anna", "Ana B").endswith("3 speakers in 3 videos are now Ana B.\n")
    assert list_people(talks) == [replace(before, name="Ana B")]
    assert people("rename", "Ana B", "ANA B").startswith("Renamed Ana B to ANA B.")


def test_rename_to_taken_or_invalid_name_is_refused(talks: Database) -> None:
    people("correct", "v1@SPEAKER_00", "--is", "Ana")
    people("correct", "v1@SPEAKER_01", "--is", "Ben")
    assert refused("rename", "Ana", "ben").endswith("earshot people merge 'Ana' 'Ben'")
    refused("rename", "Ana", "voice 7")
    assert "no person named 'Eve'" in refused("rename", "Eve", "Ana")
    assert [person.name for person in list_people(talks)] == ["Ana", "Ben"]


def test_merge_moves_enrolments_and_corrections(talks: Database) -> None:
    for name in ("Bob", "Robert"):  # of the same recording
        enrol(talks, name, voice("enrolled"), recording="/both.wav", notes=f"of {name}")
    enrol(talks, "Bob", voice("enrolled"), verdict=EnrolmentVerdict.FAIR)
    people("correct", "v1@SPEAKER_00", "--is", "Bob")
    people("correct", "v1@SPEAKER_01", "--is", "Robert")
    assert "Merged Bob into Robert: 2 enrolments, 1 correction moved." in people("merge", "Bob", "Robert", answer="y\n")
    [person] = list_people(talks)
    assert (person.name, person.notes) == ("Robert", "of Robert; of Bob")
    assert {correction.person_id for correction in list_corrections(talks)} == {person.person_id}
    assert [enrolment["verdict"] for enrolment in json.loads(people("show", "Robert", "--json"))["enrolments"]] == [
        "good",
        "fair",
    ]
    assert voice_of(talks, "v1", FIRST) == voice_of(talks, "v1", SECOND) == "Robert"


def test_merge_against_never_correction_is_refused(talks: Database) -> None:
    people("correct", "v1@SPEAKER_00", "--is", "Bob")
    people("correct", "v1@SPEAKER_01", "--is", "Robert")
    people("correct", "v1@SPEAKER_00", "--never", "Robert")
    numbers = [str(each.correction_id) for each in list_corrections(talks)]
    assert f"corrections {numbers[0]} and {numbers[2]} contradict" in refused("merge", "Bob", "Robert", "--yes")
    assert len(list_people(talks)) == 2
    assert "are the same person already" in refused("merge", "Bob", "bob", "--yes")


@pytest.mark.parametrize("command", [("rename", "Ana", "Anna"), ("merge", "Ana", "Ben", "--yes")])
def test_listed_person_is_not_renamed_or_merged(talks: Database, command: tuple[str, ...]) -> None:
    people("correct", "v1@SPEAKER_00", "--is", "Ana")
    people("correct", "v1@SPEAKER_01", "--is", "Ben")
    read_settings().people.write_text("people:\n  - name: Ana\n    samples:\n      - file: a.wav\n")
    message = refused(*command)
    assert f"{read_settings().people}, line 2, names Ana" in message
    assert "earshot people merge 'Ana' NEW" in message
    assert [person.name for person in list_people(talks)] == ["Ana", "Ben"]


# --- splitting -----------------------------------------------------------------------------------------------------------


def test_split_parts_voice_at_its_last_join(database: Database) -> None:
    mixed = (voice("one") + voice("two")) / np.linalg.norm(voice("one") + voice("two"))
    assert mixed @ voice("one") > 0.6  # near enough to both to join them
    for video in ("a1", "a2"):
        speak(database, video, ["one"])
    for video in ("b1", "b2", "b3"):
        speak(database, video, ["one"])
        database.query("UPDATE local_speakers SET centroid = %s WHERE video_id = %s", [mixed.astype(np.float32), video])
    identify(database)
    whole = voice_of(database, "a1", FIRST)
    assert len(all_named(database, whole)) == 5
    output = people("correct", whole, "--split")
    assert "a1, a2." in output
    assert "b1, b2, b3." in output
    sides = [{labels(database)[video, FIRST] for video in group} for group in (("a1", "a2"), ("b1", "b2", "b3"))]
    assert [len(side) for side in sides] == [1, 1]
    assert sides[0] != sides[1]


def test_split_respects_same_as(talks: Database) -> None:
    host = voice_of(talks, "v1", FIRST)
    people("correct", "v1@SPEAKER_00", "--same-as", "v3@SPEAKER_00")
    people("correct", voice_of(talks, "v1", FIRST), "--split")
    assert voice_of(talks, "v1", FIRST) == voice_of(talks, "v3", FIRST)
    assert voice_of(talks, "v2", FIRST) != voice_of(talks, "v1", FIRST)
    assert host in (voice_of(talks, "v1", FIRST), voice_of(talks, "v2", FIRST))


def test_single_speaker_is_not_split(talks: Database) -> None:
    speak(talks, "v4", ["alone"])
    identify(talks)
    alone = voice_of(talks, "v4", FIRST)
    assert "single speaker" in refused("correct", alone, "--split")
    assert "is not an anonymous voice" in refused("correct", "v1@SPEAKER_00", "--split")
    assert list_corrections(talks) == []


# --- contradictions ------------------------------------------------------------------------------------------------------


def test_contradicting_correction_is_refused_with_numbers(talks: Database) -> None:
    people("correct", "v1@SPEAKER_00", "--is", "Ana")
    people("correct", "v1@SPEAKER_00", "--same-as", "v2@SPEAKER_00")
    first, second = (str(each.correction_id) for each in list_corrections(talks))
    message = refused("correct", "v2@SPEAKER_00", "--is", "Ben")
    assert f"contradicts corrections {first} and {second} (" in message
    assert f"{first}: v1 0:00:00-0:00:10 and 1 more is Ana" in message
    assert f"earshot people correct --undo {second}" in message
    assert find_person(talks, "Ben") is None
    assert len(list_corrections(talks)) == 2
    assert f"contradicts correction {first} (" in refused("correct", "v1@SPEAKER_00", "--never", "Ana")
    assert f"contradicts correction {second} (" in refused("correct", "v1@SPEAKER_00", "--not-same-as", "v2@SPEAKER_00")
    people("correct", "--undo", second)
    people("correct", "v2@SPEAKER_00", "--is", "Ben")
    assert voice_of(talks, "v2", FIRST) == "Ben"


def test_new_name_overrides_old_until_undone(talks: Database) -> None:
    host = voice_of(talks, "v1", FIRST)
    people("correct", host, "--is", "Ben")
    [old] = list_corrections(talks)
    assert f"overrides correction {old.correction_id}" in people("correct", "v1@SPEAKER_00", "--is", "Ana")
    assert voice_of(talks, "v1", FIRST) == "Ana"
    people("correct", "--undo", str(list_corrections(talks)[-1].correction_id))
    assert voice_of(talks, "v1", FIRST) == "Ben"


def test_corrections_are_shown_with_numbers(talks: Database) -> None:
    people("correct", "v1@SPEAKER_00", "--is", "Ana")
    people("correct", "v1@SPEAKER_00", "--not-same-as", "v1@SPEAKER_01")
    numbers = [each.correction_id for each in list_corrections(talks)]
    ana = json.loads(people("show", "Ana", "--json"))
    assert [each["number"] for each in ana["corrections"]] == numbers
    guest = json.loads(people("show", voice_of(talks, "v1", SECOND), "--json"))
    assert [each["number"] for each in guest["corrections"]] == numbers[1:]
    assert f"Correction {numbers[0]}: v1 0:00:00-0:00:10 and 1 more is Ana" in people("show", "Ana")


# --- the subject ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        ("Anna", "Write a voice such as 'voice 7'"),
        ("nowhere@SPEAKER_00", "no video 'nowhere'"),
        ("v1@SPEAKER_07", "Its speakers: SPEAKER_00, SPEAKER_01."),
        ("v1@0:75:00", "'0:75:00' is neither"),
        ("v1@9:00", "begin at 0:00:10,"),
        ("voice 999999", "no voice 999999"),
        ("voice 99999999999999999999", "is neither"),
    ],
)
def test_unknown_subject_is_refused(talks: Database, subject: str, message: str) -> None:
    assert message in refused("correct", subject, "--is", "Ben")
    assert list_people(talks) == list_corrections(talks) == []


@pytest.mark.usefixtures("talks")
def test_person_as_subject_is_refused() -> None:
    people("correct", "v1@SPEAKER_00", "--is", "Bob")
    assert "earshot people merge" in refused("correct", "Bob", "--same-as", "voice 1")


def test_ambiguous_time_names_both_turns(talks: Database) -> None:
    rows = [(0.0, 9.0, FIRST, "host"), (7.0, 20.0, SECOND, "guest")]
    keep(talks, "v1", pd.DataFrame(rows, columns=["start_s", "end_s", "local_speaker", "voice"]))
    assert "SPEAKER_00's (v1@0:00:00) or SPEAKER_01's (v1@0:00:07)" in refused("correct", "v1@0:08", "--is", "Ben")
    people("correct", "v1@0:15", "--is", "Ben")
    assert [(span.start_s, span.end_s) for span in list_corrections(talks)[0].spans] == [(9.0, 20.0)]


def test_video_without_turns_is_refused(talks: Database) -> None:
    talks.query("DELETE FROM turns WHERE video_id = 'v3'")
    assert "v3 has no speaker turns." in refused("correct", "v3@SPEAKER_00", "--is", "Ben")


def test_single_turn_accepts_only_is(talks: Database) -> None:
    people("correct", "v3@SPEAKER_00", "--is", "Ana")
    for options in (("--never", "Ana"), ("--same-as", "v2@SPEAKER_00"), ("--not-same-as", "v2@SPEAKER_00")):
        assert "Name its speaker: v1@SPEAKER_00." in refused("correct", "v1@0:05", *options)
    assert "is a single speaker" not in refused("correct", "v2@SPEAKER_00", "--same-as", "v1@0:05")
    assert len(list_corrections(talks)) == 1


@pytest.mark.usefixtures("talks")
def test_speaker_is_not_joined_with_itself() -> None:
    assert "are the same voice already" in refused("correct", "v1@SPEAKER_00", "--same-as", "v1@SPEAKER_00")
    assert "are the same speaker" in refused("correct", "v1@SPEAKER_00", "--not-same-as", "v1@SPEAKER_00")


@pytest.mark.usefixtures("talks")
def test_wrong_options_are_usage_errors() -> None:
    assert "Give exactly one of" in misused("correct", "v1@SPEAKER_00")
    assert "Give exactly one of" in misused("correct", "v1@SPEAKER_00", "--is", "Ana", "--never", "Ben")
    assert "Name WHAT to correct" in misused("correct", "--is", "Ana")
    assert "--undo takes only a number" in misused("correct", "v1@SPEAKER_00", "--undo", "1")


# --- removing ------------------------------------------------------------------------------------------------------------


def test_remove_restores_the_voice(talks: Database) -> None:
    before = labels(talks)
    people("correct", voice_of(talks, "v1", FIRST), "--is", "Ana")
    people("correct", "v1@SPEAKER_01", "--is", "Ana")
    assert "Removed Ana, 0 enrolments, 2 corrections." in people("remove", "ana", answer="y\n")
    assert labels(talks) == before
    assert list_people(talks) == list_corrections(talks) == []
    assert talks.query("SELECT FROM voice_embeddings WHERE embedding IS NULL") == []


def test_declined_remove_changes_nothing(talks: Database) -> None:
    people("correct", "v1@SPEAKER_00", "--is", "Ana")
    assert "Remove Ana (0 enrolments, 1 correction)?" in people("remove", "Ana", answer="n\n")
    assert voice_of(talks, "v1", FIRST) == "Ana"


@pytest.mark.parametrize("command", ["remove", "forget"])
def test_remove_and_forget_need_yes_without_terminal(talks: Database, command: str) -> None:
    people("correct", "v1@SPEAKER_00", "--is", "Ana")
    result = CliRunner().invoke(cli, ["people", command, "Ana"])
    assert isinstance(result.exception, EarshotError)
    assert (result.output, "--yes" in result.exception.remedy) == ("", True)
    assert voice_of(talks, "v1", FIRST) == "Ana"


def test_listed_person_is_not_removed(talks: Database) -> None:
    read_settings().people.write_text("people:\n  - notes: n\n    name: 'ana  B'\n    samples:\n      - file: a.wav\n")
    people("correct", "v1@SPEAKER_00", "--is", "Ana B")
    assert f"{read_settings().people}, line 3, names ana B." in refused("remove", "Ana B")
    assert find_person(talks, "Ana B") is not None
    assert "is an anonymous voice" in refused("remove", voice_of(talks, "v1", SECOND))


# --- changes -------------------------------------------------------------------------------------------------------------


def test_changes_are_counted_by_new_name() -> None:
    before = {("v1", "A"): "voice 1", ("v2", "A"): "voice 1", ("v2", "B"): "voice 2"}
    after = {("v1", "A"): "Ana", ("v2", "A"): "Ana", ("v2", "B"): "voice 2", ("v3", "A"): "Unknown"}
    assert describe_changes(before, after) == ["2 speakers in 2 videos are now Ana.", "1 speaker in 1 video is now Unknown."]
    assert describe_changes(after, after) == []
