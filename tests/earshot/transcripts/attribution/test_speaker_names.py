"""Names of speakers as exports and search display them."""

import pandas as pd
import pytest
from click.testing import CliRunner

from earshot.cli.reading.export import export_command
from earshot.speakers.tables.people import add_person
from earshot.storage.database import Database
from earshot.transcripts.attribution.speaker_names import UNKNOWN, Names, Speaker, speaker_names
from tests.support.library import run_stages
from tests.support.videos.spoken_videos import add_video, hear_again, identify, say_is

ANA = Speaker("Ana", person="Ana")
VOICE = Speaker("voice 7", voice=7)


@pytest.fixture
def people(database: Database) -> Database:
    """Ana, and voice 7."""
    add_person(database, "Ana")
    database.query("INSERT INTO voices (voice_id) OVERRIDING SYSTEM VALUE VALUES (7)")
    return database


def ana_id(database: Database) -> int:
    return add_person(database, "Ana").person_id


def correct_to_ana(database: Database, video_id: str, start_s: float, end_s: float) -> None:
    say_is(database, ana_id(database), video_id, start_s, end_s)


def test_people_voices_and_unknown_speakers(people: Database) -> None:
    add_video(people, "v", ("SPEAKER_00", "alpha"), ("SPEAKER_01", "beta"), ("SPEAKER_02", "gamma"), ("SPEAKER_03", "beta"))
    identify(people, "v", "SPEAKER_00", person_id=ana_id(people), decided_by="profile", reason="")
    identify(people, "v", "SPEAKER_01", voice_id=7, decided_by="voice", reason="")
    identify(people, "v", "SPEAKER_02")
    names = speaker_names(people, "v")
    labels = ["SPEAKER_00", "SPEAKER_01", "SPEAKER_02", "SPEAKER_03", None, float("nan")]
    assert [names.of_label(label) for label in labels] == [
        ANA, VOICE, Speaker("SPEAKER_02"), Speaker("SPEAKER_03"), UNKNOWN, UNKNOWN
    ]  # fmt: skip


def test_unidentified_speakers_are_shown_by_label(database: Database) -> None:
    add_video(database, "v", ("SPEAKER_00", "alpha"), (None, "beta"))
    assert speaker_names(database, "v") == Names()


def test_identity_of_earlier_diarization_is_ignored(people: Database) -> None:
    add_video(people, "v", ("SPEAKER_00", "alpha"), ("SPEAKER_01", "beta"))
    for label in ("SPEAKER_00", "SPEAKER_01"):
        identify(people, "v", label, person_id=ana_id(people), decided_by="profile", reason="")
    hear_again(people, "v", "SPEAKER_01")
    names = speaker_names(people, "v")
    assert [names.of_label(label) for label in ("SPEAKER_00", "SPEAKER_01")] == [ANA, Speaker("SPEAKER_01")]


def test_identity_applies_to_its_own_video_only(people: Database) -> None:
    for video in ("v", "w"):
        add_video(people, video, ("SPEAKER_00", "alpha"))
    identify(people, "v", "SPEAKER_00", person_id=ana_id(people), decided_by="profile", reason="")
    assert speaker_names(people, "w").of_label("SPEAKER_00") == Speaker("SPEAKER_00")


def test_override_includes_its_start_but_not_its_end() -> None:
    names = Names({"S": VOICE}, ((1.0, 2.0, ANA), (2.0, 3.0, Speaker("Ben")), (5.0, 6.0, ANA)))
    spans = pd.DataFrame([(t, t) for t in (0.5, 1.0, 1.5, 2.0, 3.0, 5.5, 6.0, 9.0)], columns=["start_s", "end_s"])
    shown = [speaker.shown for speaker in names.of_spans(spans, ["S"] * len(spans))]
    assert shown == ["voice 7", "Ana", "Ana", "Ben", "voice 7", "Ana", "voice 7", "voice 7"]


def test_middle_of_a_word_decides_at_a_border() -> None:
    names = Names({}, ((1.0, 2.0, ANA),))
    spans = pd.DataFrame([(0.5, 1.25), (0.75, 1.5), (1.5, 2.25), (1.75, 2.5)], columns=["start_s", "end_s"])
    assert [speaker == ANA for speaker in names.of_spans(spans, [None] * 4)] == [False, True, True, False]


def test_corrected_turn_has_its_own_name(people: Database) -> None:
    add_video(people, "v", *[("SPEAKER_00", "alpha")] * 3, ("SPEAKER_01", "beta"))
    identify(people, "v", "SPEAKER_00", voice_id=7, decided_by="voice", reason="")
    correct_to_ana(people, "v", 10.0, 20.0)
    names = speaker_names(people, "v")
    words = people.frame("words", "v", "word_index")
    shown = names.of_spans(words, ["SPEAKER_00"] * 12 + ["SPEAKER_01"] * 4)
    assert shown == [VOICE] * 4 + [ANA] * 4 + [VOICE] * 4 + [Speaker("SPEAKER_01")] * 4


def test_correction_of_a_whole_speaker_is_no_override(people: Database) -> None:
    for video in ("v", "w"):
        add_video(people, video, *[("SPEAKER_00", "alpha")] * 3)
    correct_to_ana(people, "v", 0.0, 30.0)  # all that SPEAKER_00 says
    correct_to_ana(people, "w", 0.0, 10.0)
    assert speaker_names(people, "v").moments == ()
    assert speaker_names(people, "w").moments == ((0.0, 10.0, ANA),)


def test_export_names_known_speakers(people: Database) -> None:
    add_video(people, "b", ("SPEAKER_01", "gamma"), ("SPEAKER_00", "beta"))
    identify(people, "b", "SPEAKER_01", person_id=ana_id(people), decided_by="profile", reason="")
    identify(people, "b", "SPEAKER_00", voice_id=7, decided_by="voice", reason="")
    add_video(people, "c0", ("SPEAKER_00", "alpha"), ("SPEAKER_00", "alpha"))
    correct_to_ana(people, "c0", 10.0, 15.0)
    for video_id in ("b", "c0"):
        run_stages(people, video_id, "transcript", "speaker_turns", "text_embeddings")
    of_b, of_c0 = (
        CliRunner().invoke(export_command, [video], catch_exceptions=False).output.partition("\n\n")[2] for video in ("b", "c0")
    )  # after the heading
    assert of_b == "[0:00:00] Ana: gamma gamma gamma gamma\n[0:00:10] voice 7: beta beta beta beta\n"
    assert [line.split("] ")[1] for line in of_c0.splitlines()] == [
        "SPEAKER_00: alpha alpha alpha alpha", "Ana: alpha alpha", "SPEAKER_00: alpha alpha."
    ]  # fmt: skip
