"""Calibration: pairs of known people, the threshold they give, and the command that shows and accepts it."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from earshot.cli.commands import cli
from earshot.common.errors import Misconfigured
from earshot.config.settings import read_settings
from earshot.models.registry import model_set
from earshot.speakers.corrections.constraints import IdentityConstraints
from earshot.speakers.people.calibration_data import known_identities, read_calibration_data
from earshot.speakers.people.identify import identify
from earshot.speakers.tables.corrections import CorrectedSpan, CorrectionKind, add_correction
from earshot.speakers.tables.people import add_person
from earshot.speakers.tables.voice_space import VoiceSpace, accept_threshold, thresholds, voice_space
from earshot.speakers.voices.calibration import (
    ACROSS,
    COLUMNS,
    HALVES,
    NAMED,
    ONE_VIDEO,
    STEP,
    CalibrationSpeaker,
    TooFewPairs,
    calibrate,
    equal_error_rate,
    false_accepts,
    nearest,
    pairs_of,
    threshold_for,
)
from earshot.speakers.voices.enrolment_quality import EnrolmentVerdict
from earshot.storage.database import Database
from tests.support.videos.voice_videos import enrol, speak

DIMENSION = 192
HOST = "SPEAKER_00"
DEFAULT = model_set(read_settings()).voice.thresholds


def vectors(person: int, turns: int, seed: int, likeness: float = 0.8) -> np.ndarray:
    """Turns of one person: about `likeness` is their cosine to each other, about 0 that to other people."""
    own = np.random.default_rng(person).standard_normal(DIMENSION) / np.sqrt(DIMENSION)
    noise = np.random.default_rng([person, seed]).standard_normal((turns, DIMENSION)) / np.sqrt(DIMENSION)
    mixed = own * likeness**0.5 + noise * (1 - likeness) ** 0.5
    return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)


def speaker(
    recording: str, name: str, person: int | None = None, voice: int = 1, seconds: float = 8.0, **more: Any
) -> CalibrationSpeaker:
    turns = vectors(voice, 4, seed=abs(hash((recording, name))) % 1000)
    return CalibrationSpeaker(recording, name, person, turns, np.full(4, seconds / 4), **more)


def kinds(speakers: list[CalibrationSpeaker]) -> list[tuple[str, int, int]]:
    return list(pairs_of(speakers)[["kind", "first", "second"]].itertuples(index=False, name=None))


def as_pairs(one_person: list[float], two_people: list[float]) -> pd.DataFrame:
    rows = [(HALVES, score, 0, 0) for score in one_person] + [(ONE_VIDEO, score, 0, 1) for score in two_people]
    return pd.DataFrame(rows, columns=COLUMNS)


# --- pairs ---------------------------------------------------------------------------------------------------------------


def test_every_known_pair_is_made_once() -> None:
    speakers = [
        speaker("a", "S0", person=1),
        speaker("a", "S1", person=2, voice=2),
        speaker("a", "S2", voice=3),
        speaker("b", "S0", person=1),
        speaker("b", "S1", voice=3),
    ]
    assert sorted(kinds(speakers)) == sorted(
        [
            *[(HALVES, index, index) for index in range(5)],
            *[(ONE_VIDEO, 0, 1), (ONE_VIDEO, 0, 2), (ONE_VIDEO, 1, 2), (ONE_VIDEO, 3, 4)],
            (ACROSS, 0, 3),
            (NAMED, 1, 3),
        ]
    )


def test_halves_are_disjoint_and_long_enough() -> None:
    turns = np.eye(4, DIMENSION, dtype=np.float32)
    uneven = CalibrationSpeaker("a", "S0", None, turns, np.array([5.0, 1.0, 1.0, 1.0]))
    [row] = pairs_of([uneven]).itertuples()
    assert row.kind == HALVES
    assert row.score == pytest.approx(0.0)  # a turn in both halves would raise it
    assert kinds([CalibrationSpeaker("a", "S0", None, turns, np.array([6.5, 0.5, 0.5, 0.5]))]) == []
    assert kinds([CalibrationSpeaker("a", "S0", None, turns[:1], np.array([60.0]))]) == []


def test_half_weighs_turns_by_seconds() -> None:
    turns = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], dtype=np.float32)
    [row] = pairs_of([CalibrationSpeaker("a", "S0", None, turns, np.array([4.0, 1.0, 5.0]))]).itertuples()
    assert row.score == pytest.approx(4.0 / np.sqrt(17.0))


def test_short_speaker_makes_no_pair() -> None:
    assert kinds([speaker("a", "S0", person=1, seconds=1.9), speaker("a", "S1"), speaker("b", "S0", person=1)]) == [
        (HALVES, 1, 1), (HALVES, 2, 2),
    ]  # fmt: skip


@pytest.mark.parametrize("person", [5, -1])
def test_merged_speakers_make_halves_only(person: int) -> None:
    pairs = kinds([speaker("a", "S0", person=person), speaker("a", "S1", person=person)])
    assert {kind for kind, _, _ in pairs} == {HALVES}


def test_merged_unnamed_speaker_may_be_anyone_named() -> None:
    speakers = [speaker("a", "S0", person=-1), speaker("b", "S0", person=-1), speaker("c", "S0", person=3)]
    assert [pair for pair in kinds(speakers) if pair[0] != HALVES] == [(ACROSS, 0, 1)]


def test_enrolment_is_paired_with_other_recordings_only() -> None:
    speakers = [
        speaker("a", "S0", person=1),
        speaker("a", "enrolment 1", person=1, enrolled=True),
        speaker("/file", "enrolment 2", person=2, voice=2, enrolled=True),
        speaker("/file", "enrolment 3", person=2, voice=2, enrolled=True),
    ]
    assert kinds(speakers) == [(HALVES, 0, 0), (NAMED, 0, 2), (NAMED, 0, 3), (NAMED, 1, 2), (NAMED, 1, 3)]


def test_merged_unnamed_speakers_share_a_negative_number() -> None:
    a, b, c, d, e = [(video, "S0") for video in "abcde"]
    constraints = IdentityConstraints({d: 9, e: 9}, {}, frozenset({(a, b), (b, c), (d, e)}), frozenset(), {})
    known = known_identities(constraints)
    assert (known[d], known[e]) == (9, 9)
    assert known[a] == known[b] == known[c] < 0


# --- thresholds ----------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.floats(-1.0, 1.0), min_size=10, max_size=300),
    st.sampled_from([0.5, 0.2, 0.1]),
)
def test_threshold_is_lowest_step_within_rate(scores: list[float], rate: float) -> None:
    two_people = np.sort(np.array(scores))
    threshold = threshold_for(two_people, rate)
    assert false_accepts(two_people, threshold) <= rate + 1e-9
    assert false_accepts(two_people, threshold - STEP - 1e-9) > rate
    assert threshold == pytest.approx(round(threshold / STEP) * STEP, abs=1e-12)


def test_equal_error_rate_is_where_errors_cross() -> None:
    one_person, two_people = np.linspace(0.5, 0.9, 401), np.linspace(0.2, 0.6, 401)  # overlap: a quarter of each
    rate, threshold = equal_error_rate(one_person, two_people)
    assert rate == pytest.approx(0.125, abs=0.01)
    assert threshold == pytest.approx(0.55, abs=0.01)


def test_equal_error_rate_without_overlap_is_zero() -> None:
    calibration = calibrate(as_pairs([0.8, 0.9], [0.1] * 100), 0.01)
    assert (calibration.eer, calibration.false_rejects, calibration.one_person, calibration.two_people) == (0.0, 0.0, 2, 100)


def test_threshold_needs_no_pair_of_one_person() -> None:
    calibration = calibrate(as_pairs([], [0.1] * 99 + [0.4]), 0.01)
    assert (calibration.threshold, calibration.eer, calibration.false_rejects) == (0.1001, None, None)


def test_too_few_pairs_name_the_lowest_possible_rate() -> None:
    pairs = as_pairs([0.9], np.linspace(0.0, 0.4, 37).tolist())
    with pytest.raises(TooFewPairs) as refused:
        calibrate(pairs, 0.01)
    lowest = float(str(refused.value).split("--false-accepts ")[1].split(". ")[0])
    assert lowest == pytest.approx(1 / 37, abs=0.001)
    assert calibrate(pairs, lowest).false_accepts <= lowest


def test_few_false_accepts_give_low_confidence() -> None:
    scores = np.linspace(0.0, 0.5, 1000).tolist()
    assert calibrate(as_pairs([0.9], scores), 0.01).low_confidence
    assert not calibrate(as_pairs([0.9], scores), 0.05).low_confidence


def test_nearest_pairs_are_sorted_by_score() -> None:
    assert nearest(as_pairs([0.9], [0.2, 0.7, 0.5, 0.8]), 0.5).score.tolist() == [0.8, 0.7, 0.5]


# --- from the library ----------------------------------------------------------------------------------------------------


def spans_of(database: Database, video_id: str, name: str) -> list[CorrectedSpan]:
    rows = database.query(
        "SELECT start_s, end_s FROM turns WHERE video_id = %s AND local_speaker = %s ORDER BY turn_index", [video_id, name]
    )
    return [CorrectedSpan(video_id, row["start_s"], row["end_s"]) for row in rows]


@pytest.fixture
def space() -> VoiceSpace:
    return voice_space(read_settings())


@pytest.fixture
def filled(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Database:
    """Ten videos of five speakers: 100 pairs of two people. The first speaker is the same voice in all of them."""
    monkeypatch.setenv("EARSHOT_PEOPLE", str(tmp_path / "people.yaml"))
    for video in range(10):
        speak(database, f"v{video}", ["host", *(f"guest {video}{index}" for index in range(4))], rounds=4)
    return database


def test_clear_turns_are_read_in_order(filled: Database, space: VoiceSpace) -> None:
    filled.query("UPDATE voice_embeddings SET condition = 'overlapped' WHERE video_id = 'v3' AND turn_index = 0")
    data = read_calibration_data(filled, space)
    assert (len(data.speakers), data.videos, data.videos_read, data.other_spaces) == (50, 10, 10, 0)
    first = next(speaker for speaker in data.speakers if (speaker.recording, speaker.name) == ("v3", HOST))
    stored = filled.frame("voice_embeddings", "v3", "turn_index").embedding
    assert first.vectors == pytest.approx(np.stack([stored[turn].to_numpy() for turn in (5, 10, 15)]), abs=1e-6)
    assert first.seconds.tolist() == [10.0] * 3


def test_other_voice_spaces_are_left_out(filled: Database, space: VoiceSpace) -> None:
    for column, video in (("model", "v1"), ("model_revision", "v2"), ("preparation", "v3")):
        for table in ("voice_embeddings", "local_speakers"):
            filled.query(f"UPDATE {table} SET {column} = 'older' WHERE video_id = %s", [video])  # noqa: S608
    data = read_calibration_data(filled, space)
    assert data.other_spaces == 3
    assert {speaker.recording for speaker in data.speakers}.isdisjoint({"v1", "v2", "v3"})


def test_corrections_make_pairs_and_profiles_do_not(filled: Database, space: VoiceSpace) -> None:
    person = add_person(filled, "Ada").person_id
    with filled.connect() as connection:
        connection.execute(
            "INSERT INTO identities "
            "(video_id, local_speaker, person_id, decided_by, reason, model, model_revision, preparation, made_at) SELECT "
            "video_id, local_speaker, %s, 'profile', '', model, model_revision, preparation, now() "
            "FROM local_speakers WHERE local_speaker = 'SPEAKER_00'",
            [person],
        )
    assert ACROSS not in set(pairs_of(read_calibration_data(filled, space).speakers).kind)
    for video in ("v0", "v4", "v7"):
        add_correction(filled, CorrectionKind.IS, person, spans_of(filled, video, HOST))
    add_correction(filled, CorrectionKind.SAME, None, spans_of(filled, "v1", HOST), spans_of(filled, "v2", HOST))
    pairs = pairs_of(read_calibration_data(filled, space).speakers)
    across = pairs[pairs.kind == ACROSS]
    assert len(across) == 3 + 1
    assert across.score.min() > 0.7


def test_refused_enrolments_make_no_pairs(filled: Database, space: VoiceSpace) -> None:
    for number, (name, verdict) in enumerate(
        [("Ada", EnrolmentVerdict.GOOD), ("Ada", EnrolmentVerdict.FAIR), ("Berta", EnrolmentVerdict.REFUSED)]
    ):
        takes = vectors(1 if name == "Ada" else 2, 3, seed=40 + number)
        enrol(filled, name, *takes, recording=f"/{number}.wav", verdict=verdict, seconds=3.0)
    pairs = pairs_of(read_calibration_data(filled, space).speakers)
    assert (pairs.kind == ACROSS).sum() == 1
    assert NAMED not in set(pairs.kind)
    enrol(filled, "Berta", *vectors(2, 3, seed=43), recording="/3.wav", seconds=3.0)
    assert (pairs_of(read_calibration_data(filled, space).speakers).kind == NAMED).sum() == 2


# --- the command ---------------------------------------------------------------------------------------------------------


def run_calibrate(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["people", "calibrate", *arguments])


def test_calibration_without_accept_changes_nothing(filled: Database) -> None:
    result = run_calibrate()
    assert (result.exit_code, result.stderr) == (0, "")
    assert "from 100 pairs of two people and 50 of one person" in result.stdout
    assert thresholds(filled, read_settings()) == DEFAULT
    assert filled.query("SELECT 1 FROM identities") == []


def test_accepted_threshold_identifies_everyone_again(filled: Database, space: VoiceSpace) -> None:
    accept_threshold(filled, space, 1.1, "no two voices match")
    assert identify(filled).recurring_voices == 0
    result = run_calibrate("--accept", "--json")
    assert result.exit_code == 0, result.output
    now = thresholds(filled, read_settings())
    assert now.threshold == json.loads(result.stdout)["threshold"] < 0.5
    assert "100 pairs of two people, 50 of one, false accepts 0.01 requested" in now.source
    recurring = filled.query("SELECT voice_id FROM identities WHERE local_speaker = 'SPEAKER_00'")
    assert len(recurring) == 10
    assert len({row["voice_id"] for row in recurring}) == 1


@pytest.mark.usefixtures("filled")
def test_stricter_rate_gives_higher_threshold() -> None:
    documents = [json.loads(run_calibrate("--json", "--false-accepts", rate).stdout) for rate in ("0.2", "0.05", "0.01")]
    assert all(before["threshold"] < after["threshold"] for before, after in pairwise(documents))
    counts = {kind["kind"]: kind["pairs"] for kind in documents[0]["pairs"]}
    assert counts == {HALVES: 50, ACROSS: 0, ONE_VIDEO: 100, NAMED: 0}


def test_too_few_pairs_accept_nothing(filled: Database) -> None:
    error = run_calibrate("--false-accepts", "0.001", "--accept").exception
    assert isinstance(error, TooFewPairs)
    assert "--false-accepts 0.01." in str(error)
    assert filled.query("SELECT 1 FROM voice_thresholds") == []


@pytest.mark.usefixtures("database")
def test_empty_library_has_too_few_pairs() -> None:
    assert isinstance(run_calibrate().exception, TooFewPairs)


@pytest.mark.parametrize("rate", ["0", "0.5", "-1", "nan", "2"])
def test_invalid_rate_is_refused(rate: str) -> None:
    result = run_calibrate("--false-accepts", rate)
    assert result.exit_code == 2
    assert "between 0 and 0.5" in result.stderr


def test_videos_of_another_model_are_reported(filled: Database) -> None:
    filled.query("UPDATE local_speakers SET model_revision = 'older' WHERE video_id = 'v1'")
    result = run_calibrate("--false-accepts", "0.05", "--json")
    assert "earshot backfill --stale voice_embeddings" in result.stderr
    assert json.loads(result.stdout)["videos_of_another_model"] == 1


def test_similar_speakers_of_one_video_are_listed(filled: Database) -> None:
    speak(filled, "split", ["twin", "twin"], rounds=4)
    assert "(cosine 1.00): split SPEAKER_00, split SPEAKER_01" in run_calibrate("--false-accepts", "0.01").stdout


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_plot_is_written(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"scores{suffix}"
    result = run_calibrate("--plot", str(target))
    assert result.exit_code == 0
    assert str(target) in result.stderr
    start = target.read_bytes()[:1000]
    assert start.startswith(b"\x89PNG") if suffix == ".png" else b"<svg" in start


def test_unknown_plot_format_is_refused_before_the_library_is_read(
    filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "earshot.speakers.people.calibration_data"
    monkeypatch.setattr(f"{module}.read_calibration_data", lambda *_: pytest.fail("the library was read"))
    error = run_calibrate("--accept", "--plot", str(tmp_path / "scores.bmp")).exception
    assert isinstance(error, Misconfigured)
    assert ".svg" in error.remedy
    assert filled.query("SELECT 1 FROM voice_thresholds") == []
