"""`earshot people enrol`: the command line itself, in this process, with real recordings and real models."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from bench.corpora.episodes import clip_samples
from earshot.cli import main
from earshot.common.audio import SAMPLE_RATE
from earshot.common.excerpt import FILE, Excerpt
from earshot.config.settings import read_settings
from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.speakers.tables.enrolments import save_assessment
from earshot.speakers.tables.people import add_enrolment, add_person, list_people, sync_people
from earshot.speakers.tables.voice_space import voice_space
from earshot.speakers.voices.enrolment_quality import Quality, Samples, Verdict
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from tests.earshot.speakers.test_samples import BECKETT, CALL, NARRATOR, music

NAME = "Zoë “Narrator” O'Brien 🎙️"


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


Enrol = Callable[..., Ended]


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of people.yaml, emptied: one for all, since models are loaded anew when a setting changes."""
    if not (found := tmp_path_factory.getbasetemp() / "people").exists():
        found.mkdir()
    for path in found.iterdir():
        path.unlink()
    return found


@pytest.fixture
def enrol(database: Database, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], folder: Path) -> Enrol:
    """`earshot people enrol`, with a people.yaml of its own, in its folder."""
    assert database
    monkeypatch.setenv("EARSHOT_PEOPLE", str(folder / "people.yaml"))
    monkeypatch.chdir(folder)

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["earshot", "people", "enrol", *arguments])
        capfd.readouterr()
        code: Any = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        printed = capfd.readouterr()
        return Ended(code, printed.out, printed.err)

    return run


def enrolled(database: Database) -> list[tuple[Any, ...]]:
    """(name, recording, start, end, verdict) of everything that is enrolled."""
    rows = database.query(
        "SELECT name, recording, start_s, end_s, verdict FROM enrolments JOIN people USING (person_id) "
        "LEFT JOIN enrolment_judgements USING (enrolment_id) ORDER BY enrolment_id"
    )
    return [tuple(row.values()) for row in rows]


def known(database: Database, name: str, excerpt: Excerpt, vector: np.ndarray) -> None:
    """Somebody of whom this vector is known."""
    space = voice_space(read_settings())
    with database.connect() as connection:
        enrolment_id = add_enrolment(connection, add_person(database, name).person_id, excerpt, listed=False)
    sample = Samples(f"of {name}", ((0, 160_000),), vector[None].astype(np.float32))
    save_assessment(database, enrolment_id, space, Quality(Verdict.GOOD, "", 10.0, 0.0, None), sample)


# --- what is wrong -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Ada"], "Name a recording: either --file FILE, or --video VIDEO with --span START-END."),
        (["Ada", "--file", "a.wav", "--video", "abc"], "Name a recording: either --file FILE, or --video VIDEO"),
        (["Ada", "--video", "abc"], "--video needs the time at which this person speaks: --span"),
        (["Ada", "--file", "a.wav", "--span", "9-3"], "'9-3' is not START-END (each a time in seconds or as h:mm:ss"),
        (["Ada", "--file", "a.wav", "--span", "0-10", "--span", "9-20"], "Two of the spans overlap."),
        (["--file", "a.wav"], "Name the person: earshot people enrol NAME --file FILE."),
        (["voice", "7", "--file", "a.wav"], 'earshot people correct "voice 7" --is NAME'),
        (["A\nB", "--file", "a.wav"], "The name has a line break or a control character in it."),
        ([" ", "--file", "a.wav"], "The name is empty. Allowed: a name of at most 100 characters"),
    ],
)
def test_a_wrong_call_says_what_is_allowed_and_adds_nobody(
    enrol: Enrol, database: Database, arguments: list[str], said: str
) -> None:
    ended = enrol(*arguments)
    assert ended.code == 2
    assert said in ended.err
    assert list_people(database) == []


def test_a_recording_that_cannot_be_read_adds_nobody(enrol: Enrol, database: Database, folder: Path) -> None:
    (folder / "text.wav").write_text("no sound")
    gone = enrol("Ada", "--file", "gone.wav")
    assert gone.err.startswith(f"Error: There is no file {folder}/gone.wav")
    text = enrol("Ada", "--file", "text.wav")
    assert "text.wav cannot be read as audio or video" in text.err
    video = enrol("Ada", "--video", "abc", "--span", "1-9")
    assert video.err.startswith("Error: There is no video 'abc'")
    assert (gone.code, text.code, video.code) == (1, 1, 1)
    assert list_people(database) == []


def test_a_broken_file_of_people_stops_it(enrol: Enrol, folder: Path) -> None:
    (folder / "people.yaml").write_text("people:\n- name: Ada\n")
    for arguments in (["Bob", "--file", "b.wav"], []):
        ended = enrol(*arguments)
        assert (ended.code, ended.err.count("Error: people.yaml, line 2: a person has no samples.")) == (2, 1)


def test_notes_on_somebody_in_the_file_are_changed_there(enrol: Enrol, folder: Path) -> None:
    (folder / "people.yaml").write_text("people:\n- name: Ada\n  samples: [{file: gone.wav}]\n")
    ended = enrol("ada", "--file", "b.wav", "--notes", "new")
    assert ended.code == 2
    assert f"The notes on Ada are in {folder}/people.yaml" in ended.err


@pytest.mark.parametrize(
    ("name", "span", "said"),
    [
        ("Bob", "15-25", "0:10-0:20 of this recording is already enrolled for Ada."),
        ("Bob", "10-20", "0:10-0:20 of this recording is already enrolled for Ada."),
        ("ADA", "15-25", "0:10-0:20 of this recording is already enrolled."),
    ],
)
def test_a_part_that_is_enrolled_is_not_enrolled_again(
    enrol: Enrol, database: Database, folder: Path, name: str, span: str, said: str
) -> None:
    known(database, "Ada", Excerpt(FILE, f"{folder}/a.wav", 10.0, 20.0), np.ones(192))
    before = enrolled(database)
    ended = enrol(name, "--file", "a.wav", "--span", span)
    assert ended.code == 1
    assert said in ended.err
    assert enrolled(database) == before


def test_without_a_name_and_without_anything_new_it_says_so(enrol: Enrol, folder: Path) -> None:
    ended = enrol()
    assert (ended.code, ended.out) == (0, f"There is no file {folder}/people.yaml.\n")
    (folder / "people.yaml").write_text("people:\n")
    ended = enrol()
    assert (ended.code, ended.out) == (0, f"Every recording in {folder}/people.yaml is already judged.\n")


# --- real recordings -----------------------------------------------------------------------------------------------------


@pytest.fixture
def library_of_one(database: Database) -> str:
    """A video in which the narrator speaks Beckett's line: a local speaker with the vector that the real model gives."""
    register(database, [Video("v-1", "/nowhere.wav", "/", "Beckett")])
    database.replace("v-1", {"local_speakers": pd.DataFrame([_speaker(clip_samples(BECKETT))])})
    return "v-1"


def _speaker(samples: np.ndarray) -> dict[str, Any]:
    (centroid,) = Models().voice_encoder(require_device("cpu")).encode(samples, [(0, len(samples))])
    seconds = len(samples) / SAMPLE_RATE
    about = {"local_speaker": "SPEAKER_00", "speech_s": seconds, "clear_s": seconds, "turns": 1, "centroid": centroid}
    return {**about, **voice_space(read_settings()).columns}


@pytest.mark.slow
def test_a_good_recording_names_its_voice_in_every_video(
    enrol: Enrol, database: Database, library_of_one: str, folder: Path
) -> None:
    soundfile.write(folder / "narrator.wav", clip_samples(NARRATOR), SAMPLE_RATE)
    known(database, "Near", Excerpt(FILE, "/near"), _speaker(clip_samples(BECKETT))["centroid"])
    known(database, "Far", Excerpt(FILE, "/far"), -_speaker(clip_samples(BECKETT))["centroid"])
    database.query("UPDATE enrolment_judgements SET verdict = 'refused' FROM people WHERE name = 'Near'")
    ended = enrol(*NAME.split(), "--file", "narrator.wav", "--notes", "reads aloud")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0] == f"{folder}/narrator.wav, 0:00-end"
    assert [line.split()[0] for line in lines[1:5]] == ["clean", "second", "spread", "verdict"]
    assert lines[4].split() == ["verdict", "good"]
    assert lines[5] == "Enrolled. 1 speaker in 1 video has this name (before: 0 in 0)."
    assert (NAME, f"{folder}/narrator.wav", 0.0, None, "good") in enrolled(database)
    (named,) = database.query("SELECT name, notes, video_id, decided_by FROM identities JOIN people USING (person_id)")
    assert named == {"name": NAME, "notes": "reads aloud", "video_id": library_of_one, "decided_by": "profile"}


@pytest.mark.slow
def test_warnings_say_who_is_near_and_that_it_sounds_like_another_person(
    enrol: Enrol, database: Database, folder: Path
) -> None:
    soundfile.write(folder / "line.wav", clip_samples(BECKETT), SAMPLE_RATE)
    centroid = _speaker(clip_samples(BECKETT))["centroid"]
    known(database, "Near", Excerpt(FILE, "/near"), centroid)
    known(database, "Ada", Excerpt(FILE, "/ada"), -centroid)
    near = enrol("Somebody", "--file", "line.wav", "--span", "0-9.5")
    assert near.code == 0
    assert "verdict       fair: 8." in near.out
    assert "warning       it sounds like Near (cosine 0.9" in near.out
    assert near.out.count("  warning  ") == 1
    database.query("DELETE FROM people WHERE name = 'Somebody'")
    far = enrol("ada", "--file", "line.wav", "--json")
    (excerpt,) = json.loads(far.out)["excerpts"]
    assert [one["name"] for one in excerpt["near"]] == ["Near"]
    assert excerpt["own_cosine"] < -0.9
    assert [row[0] for row in enrolled(database)] == ["Near", "Ada", "Ada"], "one more recording of Ada"
    again = enrol("Ada", "--file", "line.wav")
    assert "warning       it does not sound like Ada's earlier recordings" in again.out
    assert len(enrolled(database)) == 3


@pytest.mark.slow
def test_what_is_refused_is_not_kept_and_the_rest_is(enrol: Enrol, database: Database, folder: Path) -> None:
    soundfile.write(folder / "mixed.wav", np.concatenate([music(5.0), clip_samples(BECKETT)]), SAMPLE_RATE)
    soundfile.write(folder / "call.wav", clip_samples(CALL), SAMPLE_RATE)
    refused = enrol("Ada", "--file", "mixed.wav", "--span", "0-4", "--json")
    assert refused.code == 1
    told = json.loads(refused.out)
    assert (told["person_id"], told["excerpts"][0]["kept"]) == (None, False)
    assert told["excerpts"][0]["reasons"] == "there is no speech in it, only music or noise"
    assert list_people(database) == []
    half = enrol("Ada", "--file", "mixed.wav", "--span", "5-14", "--span", "0-4")
    assert half.code == 1
    assert (
        "Enrolled 1 of 2 recordings; refused ones are not kept. 0 speakers in 0 videos have this name (as before)." in half.out
    )
    assert enrolled(database) == [("Ada", f"{folder}/mixed.wav", 5.0, 14.0, "fair")]
    two = enrol("Bob", "--file", "call.wav")
    assert two.code == 1
    assert "refused: " in two.out
    assert "another voice speaks in" in two.out
    assert two.out.endswith("Refused: nothing was kept.\n")
    assert [person.name for person in list_people(database)] == ["Ada"]


@pytest.mark.slow
def test_without_a_name_the_recordings_of_the_file_are_judged_and_told(
    enrol: Enrol, database: Database, library_of_one: str, folder: Path
) -> None:
    soundfile.write(folder / "line.wav", clip_samples(BECKETT), SAMPLE_RATE)
    (folder / "people.yaml").write_text(
        f'people:\n- name: "{NAME}"\n  samples: [{{file: line.wav, spans: [[0, 6], [9, 9.9]]}}, {{file: gone.wav}}]\n',
        encoding="utf-8",
    )
    sync_people(database, read_settings())
    known(database, "Near", Excerpt(FILE, "/near"), _speaker(clip_samples(BECKETT))["centroid"])
    ended = enrol()
    assert ended.code == 1
    assert f"{NAME}: {folder}/line.wav, 0:00-0:06" in ended.out
    assert f"{NAME}: not used. There is no file {folder}/gone.wav." in ended.out
    assert "Judged recordings: 1 fair, 1 refused, 1 unreadable." in ended.out
    assert f"Warning: {NAME} and Near sound alike" in ended.out or f"Warning: Near and {NAME} sound alike" in ended.out
    assert database.query("SELECT count(*) AS n FROM identities WHERE video_id = %s", [library_of_one]) == [{"n": 1}]
    again = json.loads(enrol("--json").out)
    assert [(each["verdict"], each["name"]) for each in again["excerpts"]] == [(None, NAME)]
    assert len(again["alike"]) == 1
