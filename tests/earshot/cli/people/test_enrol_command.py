"""`earshot people enrol`: the command line itself, in this process, with real recordings and real models."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from bench.corpora.episodes import clip_samples
from earshot.common.audio import SAMPLE_RATE
from earshot.config.settings import read_settings
from earshot.models.cache import Models
from earshot.models.device import require_device
from earshot.speakers.tables.people import list_people, sync_people
from earshot.speakers.tables.voice_space import voice_space
from earshot.storage.catalog.videos import Video, register
from earshot.storage.database import Database
from tests.earshot.cli.conftest import Earshot
from tests.earshot.speakers.test_samples import BECKETT, CALL, NARRATOR, music
from tests.support.videos import voice_videos

NAME = "Zoë “Narrator” O'Brien 🎙️"


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The emptied folder of people.yaml: the same for all tests, since a changed setting reloads the models."""
    shared = tmp_path_factory.getbasetemp() / "people"
    shared.mkdir(exist_ok=True)
    for path in shared.iterdir():
        path.unlink()
    return shared


@pytest.fixture
def enrol(earshot: Earshot, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Earshot:
    """`earshot people enrol`, with a people.yaml of its own, in its folder."""
    monkeypatch.setenv("EARSHOT_PEOPLE", str(folder / "people.yaml"))
    monkeypatch.chdir(folder)
    return partial(earshot, "people", "enrol")


def enrolments(database: Database) -> list[tuple[Any, ...]]:
    """(name, recording, start, end, verdict) of each enrolment."""
    rows = database.query(
        "SELECT name, recording, start_s, end_s, verdict FROM enrolments JOIN people USING (person_id) "
        "LEFT JOIN enrolment_judgements USING (enrolment_id) ORDER BY enrolment_id"
    )
    return [tuple(row.values()) for row in rows]


# --- what is wrong -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Ada"], "--file FILE, or --video VIDEO with --span"),
        (["Ada", "--file", "a.wav", "--video", "abc"], "--file FILE, or --video VIDEO"),
        (["Ada", "--video", "abc"], "--video needs"),
        (["Ada", "--file", "a.wav", "--span", "9-3"], "'9-3' is not START-END"),
        (["Ada", "--file", "a.wav", "--span", "0-10", "--span", "9-20"], "overlap"),
        (["--file", "a.wav"], "earshot people enrol NAME --file FILE"),
        (["voice", "7", "--file", "a.wav"], 'earshot people correct "voice 7" --is NAME'),
        (["A\nB", "--file", "a.wav"], "line break"),
        ([" ", "--file", "a.wav"], "empty"),
    ],
)
def test_wrong_arguments_are_refused(enrol: Earshot, database: Database, arguments: list[str], message: str) -> None:
    ended = enrol(*arguments)
    assert ended.code == 2
    assert message in ended.err
    assert list_people(database) == []


def test_unreadable_recording_adds_no_person(enrol: Earshot, database: Database, folder: Path) -> None:
    (folder / "text.wav").write_text("no sound")
    for arguments, named in (
        ("--file gone.wav", "gone.wav"),
        ("--file text.wav", "text.wav"),
        ("--video abc --span 1-9", "abc"),
    ):
        ended = enrol("Ada", *arguments.split())
        assert ended.code == 1
        assert named in ended.err
    assert list_people(database) == []


def test_invalid_people_file_stops_enrolment(enrol: Earshot, folder: Path) -> None:
    (folder / "people.yaml").write_text("people:\n- name: Ada\n")
    for arguments in (["Bob", "--file", "b.wav"], []):
        ended = enrol(*arguments)
        assert (ended.code, ended.err.count("people.yaml, line 2:")) == (2, 1)


def test_notes_of_listed_person_are_refused(enrol: Earshot, folder: Path) -> None:
    (folder / "people.yaml").write_text("people:\n- name: Ada\n  samples: [{file: gone.wav}]\n")
    ended = enrol("ada", "--file", "b.wav", "--notes", "new")
    assert ended.code == 2
    assert f"{folder}/people.yaml" in ended.err


@pytest.mark.parametrize(
    ("name", "span", "message"),
    [("Bob", "15-25", "enrolled for Ada."), ("Bob", "10-20", "enrolled for Ada."), ("ADA", "15-25", "already enrolled.")],
)
def test_overlapping_enrolment_is_refused(
    enrol: Earshot, database: Database, folder: Path, name: str, span: str, message: str
) -> None:
    voice_videos.enrol(database, "Ada", np.ones(192), recording=f"{folder}/a.wav")
    database.query("UPDATE enrolments SET start_s = 10, end_s = 20")
    before = enrolments(database)
    ended = enrol(name, "--file", "a.wav", "--span", span)
    assert ended.code == 1
    assert "0:10-0:20" in ended.err
    assert message in ended.err
    assert enrolments(database) == before


def test_nothing_new_to_judge(enrol: Earshot, folder: Path) -> None:
    ended = enrol()
    assert (ended.code, ended.out) == (0, f"There is no file {folder}/people.yaml.\n")
    (folder / "people.yaml").write_text("people:\n")
    ended = enrol()
    assert (ended.code, ended.out) == (0, f"Every recording in {folder}/people.yaml is already judged.\n")


# --- real recordings -----------------------------------------------------------------------------------------------------


@pytest.fixture
def beckett_video(database: Database) -> str:
    """A video in which the narrator speaks Beckett's line: a local speaker with the vector that the real model gives."""
    register(database, [Video("v-1", "/nowhere.wav", "/", "Beckett")])
    samples = clip_samples(BECKETT)
    seconds = len(samples) / SAMPLE_RATE
    row = {"local_speaker": "SPEAKER_00", "speech_s": seconds, "clear_s": seconds, "turns": 1, "centroid": _centroid(samples)}
    database.replace("v-1", {"local_speakers": pd.DataFrame([row | voice_space(read_settings()).columns])})
    return "v-1"


def _centroid(samples: np.ndarray) -> np.ndarray:
    return Models().voice_encoder(require_device("cpu")).encode(samples, [(0, len(samples))])[0]


@pytest.mark.slow
def test_good_recording_names_its_voice(enrol: Earshot, database: Database, beckett_video: str, folder: Path) -> None:
    soundfile.write(folder / "narrator.wav", clip_samples(NARRATOR), SAMPLE_RATE)
    voice_videos.enrol(database, "Near", _centroid(clip_samples(BECKETT)))
    voice_videos.enrol(database, "Far", -_centroid(clip_samples(BECKETT)))
    database.query("UPDATE enrolment_judgements SET verdict = 'refused' FROM people WHERE name = 'Near'")
    ended = enrol(*NAME.split(), "--file", "narrator.wav", "--notes", "reads aloud")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0] == f"{folder}/narrator.wav, 0:00-end"
    assert [line.split()[0] for line in lines[1:5]] == ["clean", "second", "spread", "verdict"]
    assert lines[4].split() == ["verdict", "good"]
    assert lines[5] == "Enrolled. 1 speaker in 1 video has this name (before: 0 in 0)."
    assert (NAME, f"{folder}/narrator.wav", 0.0, None, "good") in enrolments(database)
    (named,) = database.query("SELECT name, notes, video_id, decided_by FROM identities JOIN people USING (person_id)")
    assert named == {"name": NAME, "notes": "reads aloud", "video_id": beckett_video, "decided_by": "profile"}


@pytest.mark.slow
def test_similar_voices_are_warned_about(enrol: Earshot, database: Database, folder: Path) -> None:
    soundfile.write(folder / "line.wav", clip_samples(BECKETT), SAMPLE_RATE)
    voice_videos.enrol(database, "Near", _centroid(clip_samples(BECKETT)))
    voice_videos.enrol(database, "Ada", -_centroid(clip_samples(BECKETT)))
    near = enrol("Somebody", "--file", "line.wav", "--span", "0-9.5")
    assert near.code == 0
    assert "verdict       fair: 8." in near.out
    assert "warning       it sounds like Near (cosine 0.9" in near.out
    assert near.out.count("  warning  ") == 1
    database.query("DELETE FROM people WHERE name = 'Somebody'")
    far = enrol("ada", "--file", "line.wav", "--json")
    (excerpt,) = json.loads(far.out)["excerpts"]
    assert [person["name"] for person in excerpt["near"]] == ["Near"]
    assert excerpt["own_cosine"] < -0.9
    assert [row[0] for row in enrolments(database)] == ["Near", "Ada", "Ada"], "one more recording of Ada"
    again = enrol("Ada", "--file", "line.wav")
    assert "warning       it does not sound like Ada's earlier recordings" in again.out
    assert len(enrolments(database)) == 3


@pytest.mark.slow
def test_refused_recordings_are_not_kept(enrol: Earshot, database: Database, folder: Path) -> None:
    soundfile.write(folder / "mixed.wav", np.concatenate([music(5.0), clip_samples(BECKETT)]), SAMPLE_RATE)
    soundfile.write(folder / "call.wav", clip_samples(CALL), SAMPLE_RATE)
    refused = enrol("Ada", "--file", "mixed.wav", "--span", "0-4", "--json")
    assert refused.code == 1
    document = json.loads(refused.out)
    assert (document["person_id"], document["excerpts"][0]["kept"]) == (None, False)
    assert "no speech" in document["excerpts"][0]["reasons"]
    assert list_people(database) == []
    half = enrol("Ada", "--file", "mixed.wav", "--span", "5-14", "--span", "0-4")
    assert half.code == 1
    assert "Enrolled 1 of 2 recordings" in half.out
    assert enrolments(database) == [("Ada", f"{folder}/mixed.wav", 5.0, 14.0, "fair")]
    two = enrol("Bob", "--file", "call.wav")
    assert two.code == 1
    assert "another voice speaks in" in two.out
    assert [person.name for person in list_people(database)] == ["Ada"]


@pytest.mark.slow
def test_recordings_of_people_file_are_judged(enrol: Earshot, database: Database, beckett_video: str, folder: Path) -> None:
    soundfile.write(folder / "line.wav", clip_samples(BECKETT), SAMPLE_RATE)
    (folder / "people.yaml").write_text(
        f'people:\n- name: "{NAME}"\n  samples: [{{file: line.wav, spans: [[0, 6], [9, 9.9]]}}, {{file: gone.wav}}]\n',
        encoding="utf-8",
    )
    sync_people(database, read_settings())
    voice_videos.enrol(database, "Near", _centroid(clip_samples(BECKETT)))
    ended = enrol()
    assert ended.code == 1
    assert f"{NAME}: {folder}/line.wav, 0:00-0:06" in ended.out
    assert f"{NAME}: not used. There is no file {folder}/gone.wav." in ended.out
    assert "Judged recordings: 1 fair, 1 refused, 1 unreadable." in ended.out
    assert f"Warning: {NAME} and Near sound alike" in ended.out or f"Warning: Near and {NAME} sound alike" in ended.out
    assert database.query("SELECT count(*) AS n FROM identities WHERE video_id = %s", [beckett_video]) == [{"n": 1}]
    again = json.loads(enrol("--json").out)
    assert [(excerpt["verdict"], excerpt["name"]) for excerpt in again["excerpts"]] == [(None, NAME)]
    assert len(again["alike"]) == 1
